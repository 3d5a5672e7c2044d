package policy

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	allChecks    = Checks{Set: ChecksAll}
	listedChecks = Checks{Set: ChecksListed, Names: []CheckName{{Name: "build"}, {Name: "test"}}}
	branchChecks = Checks{Set: ChecksRequired}
	listedBuild  = Checks{Set: ChecksListed, Names: []CheckName{{Name: "build"}}}
)

var checkCases = []verdictCase{
	{name: "all: one green", given: requireChecks(allChecks, checkRun("build", "", CheckGreen, 1)), want: "allow"},
	{name: "all: no check", given: requireChecks(allChecks), want: "wait checks_pending: the first check of a1b2c3d"},
	{
		name:  "all: every check ignored",
		given: requireChecks(Checks{Set: ChecksAll, Ignore: []string{"*"}}, checkRun("x", "", CheckGreen, 1)),
		want:  "wait checks_pending: the first check of a1b2c3d",
	},
	{
		name:  "all: one red",
		given: requireChecks(allChecks, checkRun("build", "", CheckGreen, 1), checkRun("lint", "", CheckRed, 1)),
		want:  `reject checks_failed: check "lint" failed`,
	},
	{
		name:  "all: one pending",
		given: requireChecks(allChecks, checkRun("build", "", CheckGreen, 1), checkRun("lint", "", CheckPending, 1)),
		want:  `wait checks_pending: check "lint"`,
	},
	{
		name:  "all: one red, one pending",
		given: requireChecks(allChecks, checkRun("build", "", CheckPending, 1), checkRun("lint", "", CheckRed, 1)),
		want:  `reject checks_failed: check "lint" failed`,
	},
	{
		name:  "all: unexpected state",
		given: requireChecks(allChecks, checkRun("build", "", "odd", 1)),
		want:  `wait checks_pending: check "build"`,
	},
	{
		name:  "two red",
		given: requireChecks(allChecks, checkRun("b", "", CheckRed, 1), checkRun("a", "", CheckRed, 1)),
		want:  `reject checks_failed: checks "a" and "b" failed`,
	},
	{
		name: "five pending",
		given: requireChecks(
			allChecks,
			checkRun("e", "", CheckPending, 1),
			checkRun("d", "", CheckPending, 1),
			checkRun("c", "", CheckPending, 1),
			checkRun("b", "", CheckPending, 1),
			checkRun("a", "", CheckPending, 1),
		),
		want: `wait checks_pending: checks "a", "b" and 3 more`,
	},
	{
		name:  "long name is cut",
		given: requireChecks(allChecks, checkRun(strings.Repeat("n", 60), "", CheckRed, 1)),
		want:  `reject checks_failed: check "` + strings.Repeat("n", 39) + `…" failed`,
	},
	{
		name:  "newest is green",
		given: requireChecks(allChecks, checkRun("build", "", CheckRed, 1), checkRun("build", "", CheckGreen, 2)),
		want:  "allow",
	},
	{
		name:  "newest is red",
		given: requireChecks(allChecks, checkRun("build", "", CheckRed, 2), checkRun("build", "", CheckGreen, 1)),
		want:  `reject checks_failed: check "build" failed`,
	},
	{
		name: "same time, greater id is green",
		given: requireChecks(
			allChecks,
			Check{Name: "b", Suite: 1, State: CheckRed, At: noon, ID: 1},
			Check{Name: "b", Suite: 1, State: CheckGreen, At: noon, ID: 2},
		),
		want: "allow",
	},
	{
		name: "same time, greater id is red",
		given: requireChecks(
			allChecks,
			Check{Name: "b", Suite: 1, State: CheckRed, At: noon, ID: 2},
			Check{Name: "b", Suite: 1, State: CheckGreen, At: noon, ID: 1},
		),
		want: `reject checks_failed: check "b" failed`,
	},
	{
		name: "two apps, one red",
		given: requireChecks(
			allChecks,
			checkRun("build", "circleci", CheckGreen, 2),
			checkRun("build", "actions", CheckRed, 1),
		),
		want: `reject checks_failed: check "build" failed`,
	},
	{
		name: "two apps, one pending",
		given: requireChecks(
			allChecks,
			checkRun("build", "circleci", CheckGreen, 2),
			checkRun("build", "actions", CheckPending, 1),
		),
		want: `wait checks_pending: check "build"`,
	},
	{
		name: "two apps, both green",
		given: requireChecks(
			allChecks,
			checkRun("build", "circleci", CheckGreen, 2),
			checkRun("build", "actions", CheckGreen, 1),
		),
		want: "allow",
	},
	{
		name:  "red status, green check run",
		given: requireChecks(allChecks, checkRun("build", "", CheckRed, 1), checkRun("build", "actions", CheckGreen, 2)),
		want:  `reject checks_failed: check "build" failed`,
	},
	{
		name: "red check ignored",
		given: requireChecks(
			Checks{Set: ChecksAll, Ignore: []string{"codecov/*"}},
			checkRun("build", "", CheckGreen, 1),
			checkRun("codecov/a/b", "", CheckRed, 1),
		),
		want: "allow",
	},
	{
		name:  "ignore glob in another case",
		given: requireChecks(Checks{Set: ChecksAll, Ignore: []string{"Codecov*"}}, checkRun("codecov", "", CheckRed, 1)),
		want:  `reject checks_failed: check "codecov" failed`,
	},
	{
		name: "listed: green",
		given: requireChecks(
			listedChecks,
			checkRun("build", "", CheckGreen, 1),
			checkRun("test", "", CheckGreen, 1),
			checkRun("lint", "", CheckRed, 1),
		),
		want: "allow",
	},
	{
		name:  "listed: one missing",
		given: requireChecks(listedChecks, checkRun("build", "", CheckGreen, 1)),
		want:  `wait checks_pending: check "test"`,
	},
	{
		name:  "listed: name in another case",
		given: requireChecks(Checks{Set: ChecksListed, Names: []CheckName{{Name: "Build"}}}, checkRun("build", "", CheckGreen, 1)),
		want:  `wait checks_pending: check "Build"`,
	},
	{
		name:  "listed: all missing",
		given: requireChecks(listedChecks),
		want:  `wait checks_pending: checks "build" and "test"`,
	},
	{
		name:  "listed: red",
		given: requireChecks(listedChecks, checkRun("build", "", CheckRed, 1)),
		want:  `reject checks_failed: check "build" failed`,
	},
	{
		name: "listed: ignore does not apply",
		given: requireChecks(
			Checks{Set: ChecksListed, Names: []CheckName{{Name: "build"}}, Ignore: []string{"*"}},
			checkRun("build", "", CheckRed, 1),
		),
		want: `reject checks_failed: check "build" failed`,
	},
	{
		name:  "listed: empty list",
		given: requireChecks(Checks{Set: ChecksListed}),
		want:  "wait checks_pending: the first check of a1b2c3d",
	},
	{
		name: "required: green",
		given: combine(
			requireChecks(branchChecks, checkRun("build", "", CheckGreen, 1), checkRun("lint", "", CheckRed, 1)),
			requiredChecks(Known([]CheckName{{Name: "build"}})),
		),
		want: "allow",
	},
	{
		name:  "required: missing",
		given: combine(requireChecks(branchChecks), requiredChecks(Known([]CheckName{{Name: "build"}}))),
		want:  `wait checks_pending: check "build"`,
	},
	{
		name: "required: red",
		given: combine(
			requireChecks(branchChecks, checkRun("build", "", CheckRed, 1)),
			requiredChecks(Known([]CheckName{{Name: "build"}})),
		),
		want: `reject checks_failed: check "build" failed`,
	},
	{
		name:  "required: name given twice",
		given: combine(requireChecks(branchChecks), requiredChecks(Known([]CheckName{{Name: "build"}, {Name: "build"}}))),
		want:  `wait checks_pending: check "build"`,
	},
	{
		name:  "required: none",
		given: requireChecks(branchChecks, checkRun("build", "", CheckGreen, 1)),
		want: "wait checks_pending: " +
			"a required check (nothing is required here: name the checks in the route)",
	},
	{
		name:  "required: none for an hour",
		given: combine(requireChecks(branchChecks, checkRun("build", "", CheckGreen, 1)), acceptedAgo(time.Hour)),
		want: "reject checks_timeout: " +
			"nothing is required here: name the checks in the route; no check was required within 1h",
	},
	{
		name: "required: ignored",
		given: combine(
			requireChecks(Checks{Set: ChecksRequired, Ignore: []string{"b*"}}),
			requiredChecks(Known([]CheckName{{Name: "build"}})),
		),
		want: "wait checks_pending: a required check that is not ignored",
	},
	{
		name:  "required: unknown",
		given: combine(requireChecks(branchChecks), requiredChecks(Unknown[[]CheckName]("403"))),
		want:  "wait unknown: the list of checks that the branch requires, which could not be read (403)",
	},
	{
		name:  "checks unknown",
		given: combine(requireChecks(allChecks), func(s *scenario) { s.facts.Checks = Unknown[[]Check]("502") }),
		want:  "wait unknown: the checks of a1b2c3d, which could not be read (502)",
	},
	{
		name:  "unexpected set counts all",
		given: requireChecks(Checks{Set: "some"}, checkRun("build", "", CheckRed, 1)),
		want:  `reject checks_failed: check "build" failed`,
	},
	{
		name: "pending for less than an hour",
		given: combine(
			requireChecks(allChecks, checkRun("build", "", CheckPending, 1)),
			acceptedAgo(time.Hour-time.Second),
		),
		want: `wait checks_pending: check "build"`,
	},
	{
		name:  "pending for an hour",
		given: combine(requireChecks(allChecks, checkRun("build", "", CheckPending, 1)), acceptedAgo(time.Hour)),
		want:  `reject checks_timeout: check "build" did not finish within 1h`,
	},
	{
		name:  "no check for an hour",
		given: combine(requireChecks(allChecks), acceptedAgo(time.Hour)),
		want:  "reject checks_timeout: no check of a1b2c3d started within 1h",
	},
	{
		name: "pending for the rule's own wait",
		given: combine(
			requireChecks(Checks{Set: ChecksAll, Wait: 90 * time.Second}, checkRun("build", "", CheckPending, 1)),
			acceptedAgo(90*time.Second),
		),
		want: `reject checks_timeout: check "build" did not finish within 1m30s`,
	},
	{
		name:  "question, pending",
		given: combine(requireChecks(allChecks, checkRun("build", "", CheckPending, 1)), asQuestion),
		want:  `wait checks_pending: check "build"`,
	},
	{
		name:  "green after an hour",
		given: combine(requireChecks(allChecks, checkRun("build", "", CheckGreen, 1)), acceptedAgo(2*time.Hour)),
		want:  "allow",
	},
}

func TestEvaluate_Checks(t *testing.T) { runVerdictCases(t, checkCases) }

func TestPolicy_QueryChecks(t *testing.T) {
	required := []CheckName{{Name: "lint"}, {Name: "build", App: "id:5"}, {Name: "build"}}
	tests := []struct {
		name string
		rule *Checks
		want []string
	}{
		{name: "no rule"},
		{name: "all", rule: &allChecks},
		{name: "listed", rule: &listedChecks, want: []string{"build", "test"}},
		{name: "required", rule: &branchChecks, want: []string{"build", "lint"}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Policy{Checks: tt.rule}.QueryChecks(Request{SHA: newCommit}, required)
			if got.SHA != newCommit || !slices.Equal(got.Names, tt.want) || got.History {
				t.Errorf("got %+v, want the names %q of %s", got, tt.want, newCommit)
			}
		})
	}
}
