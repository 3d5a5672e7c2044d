package policy

import (
	"strings"
	"testing"
	"time"
)

const mainNotAllowed = "reject ref_not_allowed: main may not be deployed to production: only "

var refCases = []verdictCase{
	{"the name", allowedRefs("main"), "allow"},
	{"one of several", combine(allowedRefs("release/*", "main"), requestedRef("release/1/2")), "allow"},
	{"none of several", allowedRefs("release/*", "hotfix-?"), mainNotAllowed + "release/*, hotfix-? may"},
	{"case counts", allowedRefs("Main"), mainNotAllowed + "Main may"},
	{"a star takes slashes", combine(allowedRefs("feature/*"), requestedRef("feature/a/b")), "allow"},
	{"a question mark takes one", combine(allowedRefs("v?"), requestedRef("v1")), "allow"},
	{
		"a question mark takes no two",
		combine(allowedRefs("v?"), requestedRef("v12")),
		"reject ref_not_allowed: v12 may not be deployed to production: only v? may",
	},
	{"a branch by its name", combine(allowedRefs("main"), requestedRef("refs/heads/main")), "allow"},
	{
		"a tag by its name",
		combine(allowedRefs("v*"), requestedRef("refs/tags/v1")),
		"reject ref_not_allowed: refs/tags/v1 may not be deployed to production: only v* may",
	},
	{"a tag that is called as a branch", combine(allowedRefs("main"), requestedRef("refs/tags/main")),
		"reject ref_not_allowed: refs/tags/main may not be deployed to production: only main may"},
	{
		"a tag, where any branch may go",
		combine(allowedRefs("*"), requestedRef("refs/tags/v1")),
		"reject ref_not_allowed: refs/tags/v1 may not be deployed to production: only * may",
	},
	{"a pull request, where any branch may go", combine(allowedRefs("*"), requestedRef("refs/pull/1/head")),
		"reject ref_not_allowed: refs/pull/1/head may not be deployed to production: only * may"},
	{"a branch that is called as a tag", combine(allowedRefs("*"), requestedRef("refs/heads/refs/tags/v1")), "allow"},
	{"a full form, sent so", combine(allowedRefs("refs/heads/main"), requestedRef("refs/heads/main")), "allow"},
	{"a full form, sent bare", allowedRefs("refs/heads/main"), "allow"},
	{"a tag's full form, sent so", combine(allowedRefs("refs/tags/v*"), requestedRef("refs/tags/v1")), "allow"},
	{
		"a tag's full form, sent bare",
		combine(allowedRefs("refs/tags/v*"), requestedRef("v1")),
		"reject ref_not_allowed: v1 may not be deployed to production: only refs/tags/v* may",
	},
	{"a tag is no branch", combine(allowedRefs("refs/heads/*"), requestedRef("refs/tags/v1")),
		"reject ref_not_allowed: refs/tags/v1 may not be deployed to production: only refs/heads/* may"},
	{"a commit is no branch", combine(allowedRefs("refs/heads/*"), requestedRef(newCommit)),
		"reject ref_not_allowed: a1b2c3d4e5a1b2c3d4e5a1b2c3d4e5a1b2c3d4e5 may not be deployed to production: only refs/heads/* may"},
	{"a commit, where anything goes", combine(allowedRefs("*"), requestedRef(newCommit)), "allow"},
	{"a pull request", combine(allowedRefs("refs/heads/*"), requestedRef("refs/pull/1/head")),
		"reject ref_not_allowed: refs/pull/1/head may not be deployed to production: only refs/heads/* may"},
	{"any ref in full", combine(allowedRefs("refs/*"), requestedRef("refs/pull/1/head")), "allow"},
	{"many globs", allowedRefs("a", "b", "c", "d", "e"), mainNotAllowed + "a, b, c and 2 more may"},
	{
		"a question without a ref",
		combine(asQuestion, allowedRefs("main"), requestedRef("")),
		"wait unknown: an answer about the ref (the question names none)",
	},
	{"a question without a ref, and no rule", combine(asQuestion, requestedRef("")), "allow"},
}

func TestRefs(t *testing.T) { runVerdictCases(t, refCases) }

var aheadCases = []verdictCase{
	{"nothing deployed", requireAhead(Known(""), Unknown[Comparison]("")), "allow"},
	{"the same", requireAhead(Known(newCommit), Unknown[Comparison]("")), "allow"},
	{"the same in capitals", requireAhead(Known(strings.ToUpper(newCommit)), Unknown[Comparison]("")), "allow"},
	{"ahead", requireAhead(Known(oldCommit), Known(Ahead)), "allow"},
	{"identical", requireAhead(Known(oldCommit), Known(Identical)), "allow"},
	{
		"behind",
		requireAhead(Known(oldCommit), Known(Behind)),
		"reject not_ahead: a1b2c3d does not contain 0f1e2d3, which is deployed there (behind)",
	},
	{
		"diverged",
		requireAhead(Known(oldCommit), Known(Diverged)),
		"reject not_ahead: a1b2c3d does not contain 0f1e2d3, which is deployed there (diverged)",
	},
	{"a comparison of another name", requireAhead(Known(oldCommit), Known(Comparison("sideways"))),
		"wait unknown: an answer about how a1b2c3d stands to 0f1e2d3 (sideways)"},
	{
		"not compared",
		requireAhead(Known(oldCommit), Unknown[Comparison]("404")),
		"wait unknown: an answer about how a1b2c3d stands to 0f1e2d3 (404)",
	},
	{
		"unknown what is deployed",
		requireAhead(Unknown[string]("rows"), Known(Ahead)),
		"wait unknown: an answer about what is deployed to production (rows)",
	},
}

func TestRequireAhead(t *testing.T) { runVerdictCases(t, aheadCases) }

var (
	allChecks    = Checks{Set: ChecksAll}
	listedChecks = Checks{Set: ChecksListed, Names: []string{"build", "test"}}
	branchChecks = Checks{Set: ChecksRequired}
)

var checkCases = []verdictCase{
	{"all: one is green", requireChecks(allChecks, checkRun("build", "", Green, 1)), "allow"},
	{"all: none", requireChecks(allChecks), "wait checks_pending: the first check of a1b2c3d"},
	{"all: none that counts", requireChecks(Checks{Set: ChecksAll, Ignore: []string{"*"}}, checkRun("x", "", Green, 1)),
		"wait checks_pending: the first check of a1b2c3d"},
	{
		"all: one is red",
		requireChecks(allChecks, checkRun("build", "", Green, 1), checkRun("lint", "", Red, 1)),
		`reject checks_failed: check "lint" failed`,
	},
	{
		"all: one is pending",
		requireChecks(allChecks, checkRun("build", "", Green, 1), checkRun("lint", "", Pending, 1)),
		`wait checks_pending: check "lint"`,
	},
	{
		"all: red before pending",
		requireChecks(allChecks, checkRun("build", "", Pending, 1), checkRun("lint", "", Red, 1)),
		`reject checks_failed: check "lint" failed`,
	},
	{"all: a state of another name", requireChecks(allChecks, checkRun("build", "", "odd", 1)), `wait checks_pending: check "build"`},
	{
		"two are red",
		requireChecks(allChecks, checkRun("b", "", Red, 1), checkRun("a", "", Red, 1)),
		`reject checks_failed: checks "a" and "b" failed`,
	},
	{
		"five are pending",
		requireChecks(
			allChecks,
			checkRun("e", "", Pending, 1),
			checkRun("d", "", Pending, 1),
			checkRun("c", "", Pending, 1),
			checkRun("b", "", Pending, 1),
			checkRun("a", "", Pending, 1),
		),
		`wait checks_pending: checks "a", "b" and 3 more`,
	},
	{
		"a long name",
		requireChecks(allChecks, checkRun(strings.Repeat("n", 60), "", Red, 1)),
		`reject checks_failed: check "` + strings.Repeat("n", 39) + `…" failed`,
	},
	{"the newest counts: green", requireChecks(allChecks, checkRun("build", "", Red, 1), checkRun("build", "", Green, 2)), "allow"},
	{
		"the newest counts: red",
		requireChecks(allChecks, checkRun("build", "", Red, 2), checkRun("build", "", Green, 1)),
		`reject checks_failed: check "build" failed`,
	},
	{"of one time the greater id", requireChecks(allChecks, Check{
		Name:  "b",
		State: Red,
		At:    noon,
		ID:    1,
	}, Check{
		Name:  "b",
		State: Green,
		At:    noon,
		ID:    2,
	}), "allow"},
	{"of one time the smaller id", requireChecks(allChecks, Check{
		Name:  "b",
		State: Red,
		At:    noon,
		ID:    2,
	}, Check{
		Name:  "b",
		State: Green,
		At:    noon,
		ID:    1,
	}),
		`reject checks_failed: check "b" failed`},
	{
		"two apps, one red",
		requireChecks(allChecks, checkRun("build", "circleci", Green, 2), checkRun("build", "actions", Red, 1)),
		`reject checks_failed: check "build" failed`,
	},
	{
		"two apps, one pending",
		requireChecks(allChecks, checkRun("build", "circleci", Green, 2), checkRun("build", "actions", Pending, 1)),
		`wait checks_pending: check "build"`,
	},
	{
		"two apps, both green",
		requireChecks(allChecks, checkRun("build", "circleci", Green, 2), checkRun("build", "actions", Green, 1)),
		"allow",
	},
	{
		"a status and a run",
		requireChecks(allChecks, checkRun("build", "", Red, 1), checkRun("build", "actions", Green, 2)),
		`reject checks_failed: check "build" failed`,
	},
	{"ignored", requireChecks(Checks{
		Set:    ChecksAll,
		Ignore: []string{"codecov/*"},
	}, checkRun("build", "", Green, 1), checkRun("codecov/a/b", "", Red, 1)), "allow"},
	{"ignoring counts case", requireChecks(Checks{Set: ChecksAll, Ignore: []string{"Codecov*"}}, checkRun("codecov", "", Red, 1)),
		`reject checks_failed: check "codecov" failed`},
	{
		"listed: green",
		requireChecks(listedChecks, checkRun("build", "", Green, 1), checkRun("test", "", Green, 1), checkRun("lint", "", Red, 1)),
		"allow",
	},
	{"listed: one is missing", requireChecks(listedChecks, checkRun("build", "", Green, 1)), `wait checks_pending: check "test"`},
	{"listed: in another case", requireChecks(Checks{
		Set:   ChecksListed,
		Names: []string{"Build"},
	}, checkRun("build", "", Green, 1)), `wait checks_pending: check "Build"`},
	{"listed: none is there", requireChecks(listedChecks), `wait checks_pending: checks "build" and "test"`},
	{"listed: red", requireChecks(listedChecks, checkRun("build", "", Red, 1)), `reject checks_failed: check "build" failed`},
	{"listed, whatever is ignored", requireChecks(Checks{
		Set:    ChecksListed,
		Names:  []string{"build"},
		Ignore: []string{"*"},
	}, checkRun("build", "", Red, 1)),
		`reject checks_failed: check "build" failed`},
	{"listed: no names", requireChecks(Checks{Set: ChecksListed}), "wait checks_pending: the first check of a1b2c3d"},
	{
		"required: green",
		combine(requireChecks(branchChecks, checkRun("build", "", Green, 1), checkRun("lint", "", Red, 1)), requiredChecks(Known([]string{"build"}))),
		"allow",
	},
	{
		"required: missing",
		combine(requireChecks(branchChecks), requiredChecks(Known([]string{"build"}))),
		`wait checks_pending: check "build"`,
	},
	{
		"required: red",
		combine(requireChecks(branchChecks, checkRun("build", "", Red, 1)), requiredChecks(Known([]string{"build"}))),
		`reject checks_failed: check "build" failed`,
	},
	{
		"required: named twice",
		combine(requireChecks(branchChecks), requiredChecks(Known([]string{"build", "build"}))),
		`wait checks_pending: check "build"`,
	},
	{"required: none", requireChecks(branchChecks, checkRun("build", "", Red, 1)), "allow"},
	{"required: ignored", combine(requireChecks(Checks{
		Set:    ChecksRequired,
		Ignore: []string{"b*"},
	}), requiredChecks(Known([]string{"build"}))), "allow"},
	{
		"required: unknown",
		combine(requireChecks(branchChecks), requiredChecks(Unknown[[]string]("403"))),
		"wait unknown: an answer about the checks that the branch requires (403)",
	},
	{
		"unknown",
		combine(requireChecks(allChecks), func(s *scenario) { s.facts.Checks = Unknown[[]Check]("502") }),
		"wait unknown: an answer about the checks of a1b2c3d (502)",
	},
	{"a choice of another name is all", requireChecks(Checks{
		Set: "some",
	}, checkRun("build", "", Red, 1)), `reject checks_failed: check "build" failed`},
	{
		"pending for an hour, less a second",
		combine(requireChecks(allChecks, checkRun("build", "", Pending, 1)), acceptedAgo(time.Hour-time.Second)),
		`wait checks_pending: check "build"`,
	},
	{"pending for an hour", combine(requireChecks(allChecks, checkRun("build", "", Pending, 1)), acceptedAgo(time.Hour)),
		`reject checks_timeout: check "build" did not end within 1h`},
	{
		"none for an hour",
		combine(requireChecks(allChecks), acceptedAgo(time.Hour)),
		"reject checks_timeout: no check of a1b2c3d began within 1h",
	},
	{"pending for its own wait", combine(requireChecks(Checks{
		Set:  ChecksAll,
		Wait: 90 * time.Second,
	}, checkRun("build", "", Pending, 1)), acceptedAgo(90*time.Second)),
		`reject checks_timeout: check "build" did not end within 1m30s`},
	{
		"pending in a question",
		combine(requireChecks(allChecks, checkRun("build", "", Pending, 1)), asQuestion),
		`wait checks_pending: check "build"`,
	},
	{"green after an hour", combine(requireChecks(allChecks, checkRun("build", "", Green, 1)), acceptedAgo(2*time.Hour)), "allow"},
}

func TestChecks(t *testing.T) { runVerdictCases(t, checkCases) }

var afterCases = []verdictCase{
	{"succeeded", combine(requireAfter("staging"), priorResult("staging", PriorSucceeded)), "allow"},
	{"succeeded, in another case", combine(requireAfter("Staging"), priorResult("staging", PriorSucceeded)), "allow"},
	{
		"on its way",
		combine(requireAfter("staging"), priorResult("staging", PriorOpen)),
		"wait after_pending: a1b2c3d to succeed in staging",
	},
	{
		"never there",
		combine(requireAfter("staging"), priorResult("staging", PriorNone)),
		"reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		"failed there",
		combine(requireAfter("staging"), priorResult("staging", PriorFailed)),
		"reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{"not asked", requireAfter("staging"), "wait unknown: an answer about a1b2c3d in staging"},
	{
		"a past of another name",
		combine(requireAfter("staging"), priorResult("staging", "odd")),
		"wait unknown: an answer about a1b2c3d in staging (odd)",
	},
	{"the first of them", combine(toEnvironment("Dev"), requireAfter("dev", "staging"), priorResult("staging", PriorNone)), "allow"},
	{
		"the second of them, after the first",
		combine(toEnvironment("staging"), requireAfter("dev", "Staging"), priorResult("dev", PriorSucceeded)),
		"allow",
	},
	{
		"the second of them, before the first",
		combine(toEnvironment("staging"), requireAfter("dev", "staging"), priorResult("dev", PriorNone), priorResult("staging", PriorSucceeded)),
		"reject after_missing: a1b2c3d has not succeeded in dev",
	},
	{"both", combine(requireAfter("dev", "staging"), priorResult("dev", PriorSucceeded), priorResult("staging", PriorSucceeded)), "allow"},
	{"one of two", combine(requireAfter("dev", "staging"), priorResult("dev", PriorSucceeded), priorResult("staging", PriorNone)),
		"reject after_missing: a1b2c3d has not succeeded in staging"},
	{"the hardest word", combine(requireAfter("dev", "staging"), priorResult("dev", PriorOpen), priorResult("staging", PriorFailed)),
		"reject after_missing: a1b2c3d has not succeeded in staging"},
	{"two missing: the first speaks", combine(requireAfter("dev", "staging"), priorResult("dev", PriorNone), priorResult("staging", PriorNone)),
		"reject after_missing: a1b2c3d has not succeeded in dev"},
	{"unknown, whatever was known", combine(requireAfter("staging"), func(s *scenario) {
		s.facts.After["staging"] = Fact[PriorResult]{Value: PriorSucceeded, Problem: "rows"}
	}), "wait unknown: an answer about a1b2c3d in staging (rows)"},
	{
		"one unknown, one missing",
		combine(requireAfter("dev", "staging"), priorResult("staging", PriorNone)),
		"reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		"one on its way, one succeeded",
		combine(requireAfter("dev", "staging"), priorResult("dev", PriorOpen), priorResult("staging", PriorSucceeded)),
		"wait after_pending: a1b2c3d to succeed in dev",
	},
}

func TestAfter(t *testing.T) { runVerdictCases(t, afterCases) }
