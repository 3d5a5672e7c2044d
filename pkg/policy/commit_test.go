package policy

import (
	"strings"
	"testing"
	"time"
)

const notMain = "reject ref_not_allowed: main may not be deployed to production: only "

var refRulings = []ruling{
	{"the name", refs("main"), "allow"},
	{"one of several", all(refs("release/*", "main"), ref("release/1/2")), "allow"},
	{"none of several", refs("release/*", "hotfix-?"), notMain + "release/*, hotfix-? may"},
	{"case counts", refs("Main"), notMain + "Main may"},
	{"a star takes slashes", all(refs("feature/*"), ref("feature/a/b")), "allow"},
	{"a question mark takes one", all(refs("v?"), ref("v1")), "allow"},
	{
		"a question mark takes no two",
		all(refs("v?"), ref("v12")),
		"reject ref_not_allowed: v12 may not be deployed to production: only v? may",
	},
	{"a branch by its name", all(refs("main"), ref("refs/heads/main")), "allow"},
	{
		"a tag by its name",
		all(refs("v*"), ref("refs/tags/v1")),
		"reject ref_not_allowed: refs/tags/v1 may not be deployed to production: only v* may",
	},
	{"a tag that is called as a branch", all(refs("main"), ref("refs/tags/main")),
		"reject ref_not_allowed: refs/tags/main may not be deployed to production: only main may"},
	{
		"a tag, where any branch may go",
		all(refs("*"), ref("refs/tags/v1")),
		"reject ref_not_allowed: refs/tags/v1 may not be deployed to production: only * may",
	},
	{"a pull request, where any branch may go", all(refs("*"), ref("refs/pull/1/head")),
		"reject ref_not_allowed: refs/pull/1/head may not be deployed to production: only * may"},
	{"a branch that is called as a tag", all(refs("*"), ref("refs/heads/refs/tags/v1")), "allow"},
	{"a full form, sent so", all(refs("refs/heads/main"), ref("refs/heads/main")), "allow"},
	{"a full form, sent bare", refs("refs/heads/main"), "allow"},
	{"a tag's full form, sent so", all(refs("refs/tags/v*"), ref("refs/tags/v1")), "allow"},
	{
		"a tag's full form, sent bare",
		all(refs("refs/tags/v*"), ref("v1")),
		"reject ref_not_allowed: v1 may not be deployed to production: only refs/tags/v* may",
	},
	{"a tag is no branch", all(refs("refs/heads/*"), ref("refs/tags/v1")),
		"reject ref_not_allowed: refs/tags/v1 may not be deployed to production: only refs/heads/* may"},
	{"a commit is no branch", all(refs("refs/heads/*"), ref(commit)),
		"reject ref_not_allowed: a1b2c3d4e5a1b2c3d4e5a1b2c3d4e5a1b2c3d4e5 may not be deployed to production: only refs/heads/* may"},
	{"a commit, where anything goes", all(refs("*"), ref(commit)), "allow"},
	{"a pull request", all(refs("refs/heads/*"), ref("refs/pull/1/head")),
		"reject ref_not_allowed: refs/pull/1/head may not be deployed to production: only refs/heads/* may"},
	{"any ref in full", all(refs("refs/*"), ref("refs/pull/1/head")), "allow"},
	{"many globs", refs("a", "b", "c", "d", "e"), notMain + "a, b, c and 2 more may"},
	{
		"a question without a ref",
		all(question, refs("main"), ref("")),
		"wait unknown: an answer about the ref (the question names none)",
	},
	{"a question without a ref, and no rule", all(question, ref("")), "allow"},
}

func TestRefs(t *testing.T) { judged(t, refRulings) }

var aheadRulings = []ruling{
	{"nothing deployed", ahead(Known(""), Unknown[Comparison]("")), "allow"},
	{"the same", ahead(Known(commit), Unknown[Comparison]("")), "allow"},
	{"the same in capitals", ahead(Known(strings.ToUpper(commit)), Unknown[Comparison]("")), "allow"},
	{"ahead", ahead(Known(older), Known(Ahead)), "allow"},
	{"identical", ahead(Known(older), Known(Identical)), "allow"},
	{
		"behind",
		ahead(Known(older), Known(Behind)),
		"reject not_ahead: a1b2c3d does not contain 0f1e2d3, which is deployed there (behind)",
	},
	{
		"diverged",
		ahead(Known(older), Known(Diverged)),
		"reject not_ahead: a1b2c3d does not contain 0f1e2d3, which is deployed there (diverged)",
	},
	{"a comparison of another name", ahead(Known(older), Known(Comparison("sideways"))),
		"wait unknown: an answer about how a1b2c3d stands to 0f1e2d3 (sideways)"},
	{
		"not compared",
		ahead(Known(older), Unknown[Comparison]("404")),
		"wait unknown: an answer about how a1b2c3d stands to 0f1e2d3 (404)",
	},
	{
		"unknown what is deployed",
		ahead(Unknown[string]("rows"), Known(Ahead)),
		"wait unknown: an answer about what is deployed to production (rows)",
	},
}

func TestRequireAhead(t *testing.T) { judged(t, aheadRulings) }

var (
	every  = Checks{Set: ChecksAll}
	listed = Checks{Set: ChecksListed, Names: []string{"build", "test"}}
	branch = Checks{Set: ChecksRequired}
)

var checkRulings = []ruling{
	{"all: one is green", checks(every, run("build", "", Green, 1)), "allow"},
	{"all: none", checks(every), "wait checks_pending: the first check of a1b2c3d"},
	{"all: none that counts", checks(Checks{Set: ChecksAll, Ignore: []string{"*"}}, run("x", "", Green, 1)),
		"wait checks_pending: the first check of a1b2c3d"},
	{
		"all: one is red",
		checks(every, run("build", "", Green, 1), run("lint", "", Red, 1)),
		`reject checks_failed: check "lint" failed`,
	},
	{
		"all: one is pending",
		checks(every, run("build", "", Green, 1), run("lint", "", Pending, 1)),
		`wait checks_pending: check "lint"`,
	},
	{
		"all: red before pending",
		checks(every, run("build", "", Pending, 1), run("lint", "", Red, 1)),
		`reject checks_failed: check "lint" failed`,
	},
	{"all: a state of another name", checks(every, run("build", "", "odd", 1)), `wait checks_pending: check "build"`},
	{
		"two are red",
		checks(every, run("b", "", Red, 1), run("a", "", Red, 1)),
		`reject checks_failed: checks "a" and "b" failed`,
	},
	{
		"five are pending",
		checks(
			every,
			run("e", "", Pending, 1),
			run("d", "", Pending, 1),
			run("c", "", Pending, 1),
			run("b", "", Pending, 1),
			run("a", "", Pending, 1),
		),
		`wait checks_pending: checks "a", "b" and 3 more`,
	},
	{
		"a long name",
		checks(every, run(strings.Repeat("n", 60), "", Red, 1)),
		`reject checks_failed: check "` + strings.Repeat("n", 39) + `…" failed`,
	},
	{"the newest counts: green", checks(every, run("build", "", Red, 1), run("build", "", Green, 2)), "allow"},
	{
		"the newest counts: red",
		checks(every, run("build", "", Red, 2), run("build", "", Green, 1)),
		`reject checks_failed: check "build" failed`,
	},
	{"of one time the greater id", checks(every, Check{
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
	{"of one time the smaller id", checks(every, Check{
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
		checks(every, run("build", "circleci", Green, 2), run("build", "actions", Red, 1)),
		`reject checks_failed: check "build" failed`,
	},
	{
		"two apps, one pending",
		checks(every, run("build", "circleci", Green, 2), run("build", "actions", Pending, 1)),
		`wait checks_pending: check "build"`,
	},
	{
		"two apps, both green",
		checks(every, run("build", "circleci", Green, 2), run("build", "actions", Green, 1)),
		"allow",
	},
	{
		"a status and a run",
		checks(every, run("build", "", Red, 1), run("build", "actions", Green, 2)),
		`reject checks_failed: check "build" failed`,
	},
	{"ignored", checks(Checks{
		Set:    ChecksAll,
		Ignore: []string{"codecov/*"},
	}, run("build", "", Green, 1), run("codecov/a/b", "", Red, 1)), "allow"},
	{"ignoring counts case", checks(Checks{Set: ChecksAll, Ignore: []string{"Codecov*"}}, run("codecov", "", Red, 1)),
		`reject checks_failed: check "codecov" failed`},
	{
		"listed: green",
		checks(listed, run("build", "", Green, 1), run("test", "", Green, 1), run("lint", "", Red, 1)),
		"allow",
	},
	{"listed: one is missing", checks(listed, run("build", "", Green, 1)), `wait checks_pending: check "test"`},
	{"listed: in another case", checks(Checks{
		Set:   ChecksListed,
		Names: []string{"Build"},
	}, run("build", "", Green, 1)), `wait checks_pending: check "Build"`},
	{"listed: none is there", checks(listed), `wait checks_pending: checks "build" and "test"`},
	{"listed: red", checks(listed, run("build", "", Red, 1)), `reject checks_failed: check "build" failed`},
	{"listed, whatever is ignored", checks(Checks{
		Set:    ChecksListed,
		Names:  []string{"build"},
		Ignore: []string{"*"},
	}, run("build", "", Red, 1)),
		`reject checks_failed: check "build" failed`},
	{"listed: no names", checks(Checks{Set: ChecksListed}), "wait checks_pending: the first check of a1b2c3d"},
	{
		"required: green",
		all(checks(branch, run("build", "", Green, 1), run("lint", "", Red, 1)), required(Known([]string{"build"}))),
		"allow",
	},
	{
		"required: missing",
		all(checks(branch), required(Known([]string{"build"}))),
		`wait checks_pending: check "build"`,
	},
	{
		"required: red",
		all(checks(branch, run("build", "", Red, 1)), required(Known([]string{"build"}))),
		`reject checks_failed: check "build" failed`,
	},
	{
		"required: named twice",
		all(checks(branch), required(Known([]string{"build", "build"}))),
		`wait checks_pending: check "build"`,
	},
	{"required: none", checks(branch, run("build", "", Red, 1)), "allow"},
	{"required: ignored", all(checks(Checks{
		Set:    ChecksRequired,
		Ignore: []string{"b*"},
	}), required(Known([]string{"build"}))), "allow"},
	{
		"required: unknown",
		all(checks(branch), required(Unknown[[]string]("403"))),
		"wait unknown: an answer about the checks that the branch requires (403)",
	},
	{
		"unknown",
		all(checks(every), func(s *scene) { s.f.Checks = Unknown[[]Check]("502") }),
		"wait unknown: an answer about the checks of a1b2c3d (502)",
	},
	{"a choice of another name is all", checks(Checks{
		Set: "some",
	}, run("build", "", Red, 1)), `reject checks_failed: check "build" failed`},
	{
		"pending for an hour, less a second",
		all(checks(every, run("build", "", Pending, 1)), accepted(time.Hour-time.Second)),
		`wait checks_pending: check "build"`,
	},
	{"pending for an hour", all(checks(every, run("build", "", Pending, 1)), accepted(time.Hour)),
		`reject checks_timeout: check "build" did not end within 1h`},
	{
		"none for an hour",
		all(checks(every), accepted(time.Hour)),
		"reject checks_timeout: no check of a1b2c3d began within 1h",
	},
	{"pending for its own wait", all(checks(Checks{
		Set:  ChecksAll,
		Wait: 90 * time.Second,
	}, run("build", "", Pending, 1)), accepted(90*time.Second)),
		`reject checks_timeout: check "build" did not end within 1m30s`},
	{
		"pending in a question",
		all(checks(every, run("build", "", Pending, 1)), question),
		`wait checks_pending: check "build"`,
	},
	{"green after an hour", all(checks(every, run("build", "", Green, 1)), accepted(2*time.Hour)), "allow"},
}

func TestChecks(t *testing.T) { judged(t, checkRulings) }

var afterRulings = []ruling{
	{"succeeded", all(after("staging"), past("staging", PriorSucceeded)), "allow"},
	{"succeeded, in another case", all(after("Staging"), past("staging", PriorSucceeded)), "allow"},
	{
		"on its way",
		all(after("staging"), past("staging", PriorOpen)),
		"wait after_pending: a1b2c3d to succeed in staging",
	},
	{
		"never there",
		all(after("staging"), past("staging", PriorNone)),
		"reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		"failed there",
		all(after("staging"), past("staging", PriorFailed)),
		"reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{"not asked", after("staging"), "wait unknown: an answer about a1b2c3d in staging"},
	{
		"a past of another name",
		all(after("staging"), past("staging", "odd")),
		"wait unknown: an answer about a1b2c3d in staging (odd)",
	},
	{"the first of them", all(environment("Dev"), after("dev", "staging"), past("staging", PriorNone)), "allow"},
	{
		"the second of them, after the first",
		all(environment("staging"), after("dev", "Staging"), past("dev", PriorSucceeded)),
		"allow",
	},
	{
		"the second of them, before the first",
		all(environment("staging"), after("dev", "staging"), past("dev", PriorNone), past("staging", PriorSucceeded)),
		"reject after_missing: a1b2c3d has not succeeded in dev",
	},
	{"both", all(after("dev", "staging"), past("dev", PriorSucceeded), past("staging", PriorSucceeded)), "allow"},
	{"one of two", all(after("dev", "staging"), past("dev", PriorSucceeded), past("staging", PriorNone)),
		"reject after_missing: a1b2c3d has not succeeded in staging"},
	{"the hardest word", all(after("dev", "staging"), past("dev", PriorOpen), past("staging", PriorFailed)),
		"reject after_missing: a1b2c3d has not succeeded in staging"},
	{"two missing: the first speaks", all(after("dev", "staging"), past("dev", PriorNone), past("staging", PriorNone)),
		"reject after_missing: a1b2c3d has not succeeded in dev"},
	{"unknown, whatever was known", all(after("staging"), func(s *scene) {
		s.f.After["staging"] = Fact[PriorResult]{Value: PriorSucceeded, Problem: "rows"}
	}), "wait unknown: an answer about a1b2c3d in staging (rows)"},
	{
		"one unknown, one missing",
		all(after("dev", "staging"), past("staging", PriorNone)),
		"reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		"one on its way, one succeeded",
		all(after("dev", "staging"), past("dev", PriorOpen), past("staging", PriorSucceeded)),
		"wait after_pending: a1b2c3d to succeed in dev",
	},
}

func TestAfter(t *testing.T) { judged(t, afterRulings) }
