package policy

import (
	"strings"
	"testing"
	"time"
)

const mainNotAllowed = "reject ref_not_allowed: main may not be deployed to production (allowed: "

var refCases = []verdictCase{
	{name: "the name", given: allowedRefs("main"), want: "allow"},
	{
		name:  "one of several",
		given: combine(allowedRefs("release/*", "main"), requestedRef("release/1/2")),
		want:  "allow",
	},
	{
		name:  "none of several",
		given: allowedRefs("release/*", "hotfix-?"),
		want:  mainNotAllowed + "release/*, hotfix-?)",
	},
	{name: "case counts", given: allowedRefs("Main"), want: mainNotAllowed + "Main)"},
	{
		name:  "a star takes slashes",
		given: combine(allowedRefs("feature/*"), requestedRef("feature/a/b")),
		want:  "allow",
	},
	{name: "a question mark takes one", given: combine(allowedRefs("v?"), requestedRef("v1")), want: "allow"},
	{
		name:  "a question mark takes no two",
		given: combine(allowedRefs("v?"), requestedRef("v12")),
		want:  "reject ref_not_allowed: v12 may not be deployed to production (allowed: v?)",
	},
	{
		name:  "a branch by its name",
		given: combine(allowedRefs("main"), requestedRef("refs/heads/main")),
		want:  "allow",
	},
	{
		name:  "a tag by its name",
		given: combine(allowedRefs("v*"), requestedRef("refs/tags/v1")),
		want:  "reject ref_not_allowed: refs/tags/v1 may not be deployed to production (allowed: v*)",
	},
	{
		name:  "a tag that is called as a branch",
		given: combine(allowedRefs("main"), requestedRef("refs/tags/main")),
		want:  "reject ref_not_allowed: refs/tags/main may not be deployed to production (allowed: main)",
	},
	{
		name:  "a tag, where any branch may go",
		given: combine(allowedRefs("*"), requestedRef("refs/tags/v1")),
		want:  "reject ref_not_allowed: refs/tags/v1 may not be deployed to production (allowed: *)",
	},
	{
		name:  "a pull request, where any branch may go",
		given: combine(allowedRefs("*"), requestedRef("refs/pull/1/head")),
		want:  "reject ref_not_allowed: refs/pull/1/head may not be deployed to production (allowed: *)",
	},
	{
		name:  "a branch that is called as a tag",
		given: combine(allowedRefs("*"), requestedRef("refs/heads/refs/tags/v1")),
		want:  "allow",
	},
	{
		name:  "a full form, sent so",
		given: combine(allowedRefs("refs/heads/main"), requestedRef("refs/heads/main")),
		want:  "allow",
	},
	{name: "a full form, sent bare", given: allowedRefs("refs/heads/main"), want: "allow"},
	{
		name:  "a tag's full form, sent so",
		given: combine(allowedRefs("refs/tags/v*"), requestedRef("refs/tags/v1")),
		want:  "allow",
	},
	{
		name:  "a tag's full form, sent bare",
		given: combine(allowedRefs("refs/tags/v*"), requestedRef("v1")),
		want:  "reject ref_not_allowed: v1 may not be deployed to production (allowed: refs/tags/v*)",
	},
	{
		name:  "a tag is no branch",
		given: combine(allowedRefs("refs/heads/*"), requestedRef("refs/tags/v1")),
		want:  "reject ref_not_allowed: refs/tags/v1 may not be deployed to production (allowed: refs/heads/*)",
	},
	{
		name:  "a commit is no branch",
		given: combine(allowedRefs("refs/heads/*"), requestedRef(newCommit)),
		want:  "reject ref_not_allowed: a1b2c3d4e5a1b2c3d4e5a1b2c3d4e5a1b2c3d4e5 may not be deployed to production (allowed: refs/heads/*)",
	},
	{
		name:  "a commit, where anything goes",
		given: combine(allowedRefs("*"), requestedRef(newCommit)),
		want:  "allow",
	},
	{
		name:  "a pull request",
		given: combine(allowedRefs("refs/heads/*"), requestedRef("refs/pull/1/head")),
		want:  "reject ref_not_allowed: refs/pull/1/head may not be deployed to production (allowed: refs/heads/*)",
	},
	{
		name:  "any ref in full",
		given: combine(allowedRefs("refs/*"), requestedRef("refs/pull/1/head")),
		want:  "allow",
	},
	{
		name:  "many globs",
		given: allowedRefs("a", "b", "c", "d", "e"),
		want:  mainNotAllowed + "a, b, c and 2 more)",
	},
	{
		name:  "a question without a ref",
		given: combine(asQuestion, allowedRefs("main"), requestedRef("")),
		want:  "wait unknown: the ref, which the question does not name",
	},
	{name: "a question without a ref, and no rule", given: combine(asQuestion, requestedRef("")), want: "allow"},
}

func TestRefs(t *testing.T) { runVerdictCases(t, refCases) }

var aheadCases = []verdictCase{
	{name: "nothing deployed", given: requireAhead(Known(""), Unknown[Comparison]("")), want: "allow"},
	{name: "the same", given: requireAhead(Known(newCommit), Unknown[Comparison]("")), want: "allow"},
	{
		name:  "the same in capitals",
		given: requireAhead(Known(strings.ToUpper(newCommit)), Unknown[Comparison]("")),
		want:  "allow",
	},
	{name: "ahead", given: requireAhead(Known(oldCommit), Known(Ahead)), want: "allow"},
	{name: "identical", given: requireAhead(Known(oldCommit), Known(Identical)), want: "allow"},
	{
		name:  "behind",
		given: requireAhead(Known(oldCommit), Known(Behind)),
		want:  "reject not_ahead: a1b2c3d does not contain 0f1e2d3, which is deployed to production (behind)",
	},
	{
		name:  "diverged",
		given: requireAhead(Known(oldCommit), Known(Diverged)),
		want:  "reject not_ahead: a1b2c3d does not contain 0f1e2d3, which is deployed to production (diverged)",
	},
	{
		name:  "a comparison of another name",
		given: requireAhead(Known(oldCommit), Known(Comparison("sideways"))),
		want:  "wait unknown: the comparison of a1b2c3d with 0f1e2d3, which could not be read (unexpected answer \"sideways\")",
	},
	{
		name:  "not compared",
		given: requireAhead(Known(oldCommit), Unknown[Comparison]("404")),
		want:  "wait unknown: the comparison of a1b2c3d with 0f1e2d3, which could not be read (404)",
	},
	{
		name:  "unknown what is deployed",
		given: requireAhead(Unknown[string]("rows"), Known(Ahead)),
		want:  "wait unknown: the commit deployed to production, which could not be read (rows)",
	},
}

func TestRequireAhead(t *testing.T) { runVerdictCases(t, aheadCases) }

var (
	allChecks    = Checks{Set: ChecksAll}
	listedChecks = Checks{Set: ChecksListed, Names: []string{"build", "test"}}
	branchChecks = Checks{Set: ChecksRequired}
)

var checkCases = []verdictCase{
	{name: "all: one is green", given: requireChecks(allChecks, checkRun("build", "", Green, 1)), want: "allow"},
	{name: "all: none", given: requireChecks(allChecks), want: "wait checks_pending: the first check of a1b2c3d"},
	{
		name:  "all: none that counts",
		given: requireChecks(Checks{Set: ChecksAll, Ignore: []string{"*"}}, checkRun("x", "", Green, 1)),
		want:  "wait checks_pending: the first check of a1b2c3d",
	},
	{
		name:  "all: one is red",
		given: requireChecks(allChecks, checkRun("build", "", Green, 1), checkRun("lint", "", Red, 1)),
		want:  `reject checks_failed: check "lint" failed`,
	},
	{
		name:  "all: one is pending",
		given: requireChecks(allChecks, checkRun("build", "", Green, 1), checkRun("lint", "", Pending, 1)),
		want:  `wait checks_pending: check "lint"`,
	},
	{
		name:  "all: red before pending",
		given: requireChecks(allChecks, checkRun("build", "", Pending, 1), checkRun("lint", "", Red, 1)),
		want:  `reject checks_failed: check "lint" failed`,
	},
	{
		name:  "all: a state of another name",
		given: requireChecks(allChecks, checkRun("build", "", "odd", 1)),
		want:  `wait checks_pending: check "build"`,
	},
	{
		name:  "two are red",
		given: requireChecks(allChecks, checkRun("b", "", Red, 1), checkRun("a", "", Red, 1)),
		want:  `reject checks_failed: checks "a" and "b" failed`,
	},
	{
		name: "five are pending",
		given: requireChecks(
			allChecks,
			checkRun("e", "", Pending, 1),
			checkRun("d", "", Pending, 1),
			checkRun("c", "", Pending, 1),
			checkRun("b", "", Pending, 1),
			checkRun("a", "", Pending, 1),
		),
		want: `wait checks_pending: checks "a", "b" and 3 more`,
	},
	{
		name:  "a long name",
		given: requireChecks(allChecks, checkRun(strings.Repeat("n", 60), "", Red, 1)),
		want:  `reject checks_failed: check "` + strings.Repeat("n", 39) + `…" failed`,
	},
	{
		name:  "the newest counts: green",
		given: requireChecks(allChecks, checkRun("build", "", Red, 1), checkRun("build", "", Green, 2)),
		want:  "allow",
	},
	{
		name:  "the newest counts: red",
		given: requireChecks(allChecks, checkRun("build", "", Red, 2), checkRun("build", "", Green, 1)),
		want:  `reject checks_failed: check "build" failed`,
	},
	{
		name: "of one time the greater id",
		given: requireChecks(
			allChecks,
			Check{Name: "b", State: Red, At: noon, ID: 1},
			Check{Name: "b", State: Green, At: noon, ID: 2},
		),
		want: "allow",
	},
	{
		name: "of one time the smaller id",
		given: requireChecks(
			allChecks,
			Check{Name: "b", State: Red, At: noon, ID: 2},
			Check{Name: "b", State: Green, At: noon, ID: 1},
		),
		want: `reject checks_failed: check "b" failed`,
	},
	{
		name: "two apps, one red",
		given: requireChecks(
			allChecks,
			checkRun("build", "circleci", Green, 2),
			checkRun("build", "actions", Red, 1),
		),
		want: `reject checks_failed: check "build" failed`,
	},
	{
		name: "two apps, one pending",
		given: requireChecks(
			allChecks,
			checkRun("build", "circleci", Green, 2),
			checkRun("build", "actions", Pending, 1),
		),
		want: `wait checks_pending: check "build"`,
	},
	{
		name: "two apps, both green",
		given: requireChecks(
			allChecks,
			checkRun("build", "circleci", Green, 2),
			checkRun("build", "actions", Green, 1),
		),
		want: "allow",
	},
	{
		name:  "a status and a run",
		given: requireChecks(allChecks, checkRun("build", "", Red, 1), checkRun("build", "actions", Green, 2)),
		want:  `reject checks_failed: check "build" failed`,
	},
	{
		name: "ignored",
		given: requireChecks(
			Checks{Set: ChecksAll, Ignore: []string{"codecov/*"}},
			checkRun("build", "", Green, 1),
			checkRun("codecov/a/b", "", Red, 1),
		),
		want: "allow",
	},
	{
		name:  "ignoring counts case",
		given: requireChecks(Checks{Set: ChecksAll, Ignore: []string{"Codecov*"}}, checkRun("codecov", "", Red, 1)),
		want:  `reject checks_failed: check "codecov" failed`,
	},
	{
		name: "listed: green",
		given: requireChecks(
			listedChecks,
			checkRun("build", "", Green, 1),
			checkRun("test", "", Green, 1),
			checkRun("lint", "", Red, 1),
		),
		want: "allow",
	},
	{
		name:  "listed: one is missing",
		given: requireChecks(listedChecks, checkRun("build", "", Green, 1)),
		want:  `wait checks_pending: check "test"`,
	},
	{
		name:  "listed: in another case",
		given: requireChecks(Checks{Set: ChecksListed, Names: []string{"Build"}}, checkRun("build", "", Green, 1)),
		want:  `wait checks_pending: check "Build"`,
	},
	{
		name:  "listed: none is there",
		given: requireChecks(listedChecks),
		want:  `wait checks_pending: checks "build" and "test"`,
	},
	{
		name:  "listed: red",
		given: requireChecks(listedChecks, checkRun("build", "", Red, 1)),
		want:  `reject checks_failed: check "build" failed`,
	},
	{
		name: "listed, whatever is ignored",
		given: requireChecks(
			Checks{Set: ChecksListed, Names: []string{"build"}, Ignore: []string{"*"}},
			checkRun("build", "", Red, 1),
		),
		want: `reject checks_failed: check "build" failed`,
	},
	{
		name:  "listed: no names",
		given: requireChecks(Checks{Set: ChecksListed}),
		want:  "wait checks_pending: the first check of a1b2c3d",
	},
	{
		name: "required: green",
		given: combine(
			requireChecks(branchChecks, checkRun("build", "", Green, 1), checkRun("lint", "", Red, 1)),
			requiredChecks(Known([]string{"build"})),
		),
		want: "allow",
	},
	{
		name:  "required: missing",
		given: combine(requireChecks(branchChecks), requiredChecks(Known([]string{"build"}))),
		want:  `wait checks_pending: check "build"`,
	},
	{
		name: "required: red",
		given: combine(
			requireChecks(branchChecks, checkRun("build", "", Red, 1)),
			requiredChecks(Known([]string{"build"})),
		),
		want: `reject checks_failed: check "build" failed`,
	},
	{
		name:  "required: named twice",
		given: combine(requireChecks(branchChecks), requiredChecks(Known([]string{"build", "build"}))),
		want:  `wait checks_pending: check "build"`,
	},
	{name: "required: none", given: requireChecks(branchChecks, checkRun("build", "", Red, 1)), want: "allow"},
	{
		name: "required: ignored",
		given: combine(
			requireChecks(Checks{Set: ChecksRequired, Ignore: []string{"b*"}}),
			requiredChecks(Known([]string{"build"})),
		),
		want: "allow",
	},
	{
		name:  "required: unknown",
		given: combine(requireChecks(branchChecks), requiredChecks(Unknown[[]string]("403"))),
		want:  "wait unknown: the list of checks that the branch requires, which could not be read (403)",
	},
	{
		name:  "unknown",
		given: combine(requireChecks(allChecks), func(s *scenario) { s.facts.Checks = Unknown[[]Check]("502") }),
		want:  "wait unknown: the checks of a1b2c3d, which could not be read (502)",
	},
	{
		name:  "a choice of another name is all",
		given: requireChecks(Checks{Set: "some"}, checkRun("build", "", Red, 1)),
		want:  `reject checks_failed: check "build" failed`,
	},
	{
		name: "pending for an hour, less a second",
		given: combine(
			requireChecks(allChecks, checkRun("build", "", Pending, 1)),
			acceptedAgo(time.Hour-time.Second),
		),
		want: `wait checks_pending: check "build"`,
	},
	{
		name:  "pending for an hour",
		given: combine(requireChecks(allChecks, checkRun("build", "", Pending, 1)), acceptedAgo(time.Hour)),
		want:  `reject checks_timeout: check "build" did not finish within 1h`,
	},
	{
		name:  "none for an hour",
		given: combine(requireChecks(allChecks), acceptedAgo(time.Hour)),
		want:  "reject checks_timeout: no check of a1b2c3d started within 1h",
	},
	{
		name: "pending for its own wait",
		given: combine(
			requireChecks(Checks{Set: ChecksAll, Wait: 90 * time.Second}, checkRun("build", "", Pending, 1)),
			acceptedAgo(90*time.Second),
		),
		want: `reject checks_timeout: check "build" did not finish within 1m30s`,
	},
	{
		name:  "pending in a question",
		given: combine(requireChecks(allChecks, checkRun("build", "", Pending, 1)), asQuestion),
		want:  `wait checks_pending: check "build"`,
	},
	{
		name:  "green after an hour",
		given: combine(requireChecks(allChecks, checkRun("build", "", Green, 1)), acceptedAgo(2*time.Hour)),
		want:  "allow",
	},
}

func TestChecks(t *testing.T) { runVerdictCases(t, checkCases) }

var afterCases = []verdictCase{
	{
		name:  "succeeded",
		given: combine(requireAfter("staging"), priorResult("staging", PriorSucceeded)),
		want:  "allow",
	},
	{
		name:  "succeeded, in another case",
		given: combine(requireAfter("Staging"), priorResult("staging", PriorSucceeded)),
		want:  "allow",
	},
	{
		name:  "on its way",
		given: combine(requireAfter("staging"), priorResult("staging", PriorOpen)),
		want:  "wait after_pending: a1b2c3d to succeed in staging",
	},
	{
		name:  "never there",
		given: combine(requireAfter("staging"), priorResult("staging", PriorNone)),
		want:  "reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		name:  "failed there",
		given: combine(requireAfter("staging"), priorResult("staging", PriorFailed)),
		want:  "reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{name: "not asked", given: requireAfter("staging"), want: "wait unknown: the result of a1b2c3d in staging, which could not be read"},
	{
		name:  "a past of another name",
		given: combine(requireAfter("staging"), priorResult("staging", "odd")),
		want:  "wait unknown: the result of a1b2c3d in staging, which could not be read (unexpected answer \"odd\")",
	},
	{
		name:  "the first of them",
		given: combine(toEnvironment("Dev"), requireAfter("dev", "staging"), priorResult("staging", PriorNone)),
		want:  "allow",
	},
	{
		name: "the second of them, after the first",
		given: combine(
			toEnvironment("staging"),
			requireAfter("dev", "Staging"),
			priorResult("dev", PriorSucceeded),
		),
		want: "allow",
	},
	{
		name: "the second of them, before the first",
		given: combine(
			toEnvironment("staging"),
			requireAfter("dev", "staging"),
			priorResult("dev", PriorNone),
			priorResult("staging", PriorSucceeded),
		),
		want: "reject after_missing: a1b2c3d has not succeeded in dev",
	},
	{
		name: "both",
		given: combine(
			requireAfter("dev", "staging"),
			priorResult("dev", PriorSucceeded),
			priorResult("staging", PriorSucceeded),
		),
		want: "allow",
	},
	{
		name: "one of two",
		given: combine(
			requireAfter("dev", "staging"),
			priorResult("dev", PriorSucceeded),
			priorResult("staging", PriorNone),
		),
		want: "reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		name: "the hardest word",
		given: combine(
			requireAfter("dev", "staging"),
			priorResult("dev", PriorOpen),
			priorResult("staging", PriorFailed),
		),
		want: "reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		name: "two missing: the first speaks",
		given: combine(
			requireAfter("dev", "staging"),
			priorResult("dev", PriorNone),
			priorResult("staging", PriorNone),
		),
		want: "reject after_missing: a1b2c3d has not succeeded in dev",
	},
	{
		name: "unknown, whatever was known",
		given: combine(
			requireAfter("staging"),
			func(s *scenario) {
				s.facts.After["staging"] = Fact[PriorResult]{Value: PriorSucceeded, Problem: "rows"}
			},
		),
		want: "wait unknown: the result of a1b2c3d in staging, which could not be read (rows)",
	},
	{
		name:  "one unknown, one missing",
		given: combine(requireAfter("dev", "staging"), priorResult("staging", PriorNone)),
		want:  "reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		name: "one on its way, one succeeded",
		given: combine(
			requireAfter("dev", "staging"),
			priorResult("dev", PriorOpen),
			priorResult("staging", PriorSucceeded),
		),
		want: "wait after_pending: a1b2c3d to succeed in dev",
	},
}

func TestAfter(t *testing.T) { runVerdictCases(t, afterCases) }
