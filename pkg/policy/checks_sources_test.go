package policy

import (
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var (
	pinnedBuild  = requiredChecks(Known([]CheckName{{Name: "build", App: "id:15368"}}))
	ownPipelines = func(s *scenario) {
		s.facts.Pipelines = Known([]deployment.Pipeline{{ID: "5034460f", Number: 25, Slug: "gh/acme/api"}})
	}
)

func runInSuite(c Check, suite int64) Check {
	c.Suite = suite
	return c
}

func runInSeries(c Check, suite int64, series string) Check {
	c.Suite, c.Series = suite, series
	return c
}

func runOf(name, app string, id int64, state CheckState) Check {
	c := checkRun(name, app, state, int(id%60))
	c.AppID, c.Suite = id, id
	return c
}

func statusOf(name string, app int64, state CheckState, minute int) Check {
	c := checkRun(name, "", state, minute)
	c.AppID = app
	return c
}

// ownStatus is the status of a job of the pipeline in ownPipelines.
func ownStatus(state CheckState, minute int) Check {
	c := checkRun("ci/circleci: deploy", "", state, minute)
	c.URL = "https://app.circleci.com/pipelines/github/acme/api/25/workflows/7a2b/jobs/3"
	return c
}

// checkSourceCases are about what tells two checks of one name apart, and about who set them.
var checkSourceCases = []verdictCase{
	{
		name: "two suites, the older one red",
		given: requireChecks(
			listedBuild,
			runInSuite(checkRun("build", "actions", CheckRed, 1), 100),
			runInSuite(checkRun("build", "actions", CheckGreen, 2), 200),
		),
		want: `reject checks_failed: check "build" failed`,
	},
	{
		name: "two suites, the older one pending",
		given: requireChecks(
			listedBuild,
			runInSuite(checkRun("build", "actions", CheckPending, 1), 100),
			runInSuite(checkRun("build", "actions", CheckGreen, 2), 200),
		),
		want: `wait checks_pending: check "build"`,
	},
	{
		name: "two suites, the newer one red",
		given: requireChecks(
			allChecks,
			runInSuite(checkRun("build", "actions", CheckGreen, 1), 100),
			runInSuite(checkRun("build", "actions", CheckRed, 2), 200),
		),
		want: `reject checks_failed: check "build" failed`,
	},
	{
		name: "two suites, one run again until green",
		given: requireChecks(
			listedBuild,
			runInSuite(checkRun("build", "actions", CheckRed, 1), 100),
			runInSuite(checkRun("build", "actions", CheckGreen, 2), 200),
			runInSuite(checkRun("build", "actions", CheckGreen, 3), 100),
		),
		want: "allow",
	},
	{
		name: "two runs whose suite is not known",
		given: requireChecks(
			listedBuild,
			runInSuite(checkRun("build", "actions", CheckRed, 1), 0),
			runInSuite(checkRun("build", "actions", CheckGreen, 2), 0),
		),
		want: `reject checks_failed: check "build" failed`,
	},
	{
		name: "a red suite that a newer one of its series replaced",
		given: requireChecks(
			listedBuild,
			runInSeries(checkRun("build", "actions", CheckRed, 1), 100, "1 push main"),
			runInSeries(checkRun("build", "actions", CheckGreen, 2), 200, "1 push main"),
		),
		want: "allow",
	},
	{
		name: "a rerun in a suite that was replaced",
		given: requireChecks(
			listedBuild,
			runInSeries(checkRun("build", "actions", CheckGreen, 3), 100, "1 push main"),
			runInSeries(checkRun("build", "actions", CheckRed, 2), 200, "1 push main"),
		),
		want: `reject checks_failed: check "build" failed`,
	},
	{
		name: "two series, one red",
		given: requireChecks(
			listedBuild,
			runInSeries(checkRun("build", "actions", CheckRed, 1), 100, "1 push main"),
			runInSeries(checkRun("build", "actions", CheckGreen, 2), 200, "1 pull_request main"),
		),
		want: `reject checks_failed: check "build" failed`,
	},
	{
		name: "status of another creator is newer",
		given: requireChecks(
			listedBuild,
			statusOf("build", 15368, CheckRed, 1),
			statusOf("build", 0, CheckGreen, 2),
		),
		want: "allow",
	},
	{
		name:  "pinned: only another app's run",
		given: combine(requireChecks(branchChecks, runOf("build", "other-app", 999, CheckGreen)), pinnedBuild),
		want:  `wait checks_pending: check "build" of app 15368`,
	},
	{
		name:  "pinned: only a person's status",
		given: combine(requireChecks(branchChecks, statusOf("build", 0, CheckGreen, 1)), pinnedBuild),
		want:  `wait checks_pending: check "build" of app 15368`,
	},
	{
		name:  "pinned: the app's run",
		given: combine(requireChecks(branchChecks, runOf("build", "github-actions", 15368, CheckGreen)), pinnedBuild),
		want:  "allow",
	},
	{
		name:  "pinned: the app's status",
		given: combine(requireChecks(branchChecks, statusOf("build", 15368, CheckGreen, 1)), pinnedBuild),
		want:  "allow",
	},
	{
		name: "pinned: the app's run is red, another app's green",
		given: combine(
			requireChecks(
				branchChecks,
				runOf("build", "github-actions", 15368, CheckRed),
				runOf("build", "other-app", 999, CheckGreen),
			),
			pinnedBuild,
		),
		want: `reject checks_failed: check "build" of app github-actions failed`,
	},
	{
		name: "pinned: the app's run is green, another app's red",
		given: combine(
			requireChecks(
				branchChecks,
				runOf("build", "github-actions", 15368, CheckGreen),
				runOf("build", "other-app", 999, CheckRed),
			),
			pinnedBuild,
		),
		want: "allow",
	},
	{
		name: "required from one app and from any",
		given: combine(
			requireChecks(
				branchChecks,
				runOf("build", "github-actions", 15368, CheckGreen),
				runOf("build", "other-app", 999, CheckRed),
			),
			requiredChecks(Known([]CheckName{{Name: "build"}, {Name: "build", App: "id:15368"}})),
		),
		want: `reject checks_failed: check "build" failed`,
	},
	{
		name: "listed with an app: only another app's run",
		given: requireChecks(
			Checks{Set: ChecksListed, Names: []CheckName{{Name: "build", App: "GitHub-Actions"}}},
			runOf("build", "other-app", 999, CheckGreen),
		),
		want: `wait checks_pending: check "build" of app GitHub-Actions`,
	},
	{
		name: "listed with an app: its run",
		given: requireChecks(
			Checks{Set: ChecksListed, Names: []CheckName{{Name: "build", App: "GitHub-Actions[bot]"}}},
			runOf("build", "github-actions", 15368, CheckGreen),
		),
		want: "allow",
	},
	{
		name:  "own pipeline's red status",
		given: combine(requireChecks(allChecks, checkRun("build", "", CheckGreen, 1), ownStatus(CheckRed, 2)), ownPipelines),
		want:  "allow",
	},
	{
		name:  "own pipeline's green status is no check",
		given: combine(requireChecks(allChecks, ownStatus(CheckGreen, 1)), ownPipelines),
		want:  "wait checks_pending: the first check of a1b2c3d",
	},
	{
		name: "own pipeline's status hides none of CI",
		given: combine(
			requireChecks(allChecks, checkRun("ci/circleci: deploy", "", CheckRed, 1), ownStatus(CheckGreen, 2)),
			ownPipelines,
		),
		want: `reject checks_failed: check "ci/circleci: deploy" failed`,
	},
	{
		name: "own pipelines unknown",
		given: combine(requireChecks(allChecks, ownStatus(CheckRed, 1)), func(s *scenario) {
			s.facts.Pipelines = Unknown[[]deployment.Pipeline]("disk")
		}),
		want: "wait unknown: the pipelines of a1b2c3d, which could not be read (disk)",
	},
}

func TestEvaluate_CheckSources(t *testing.T) { runVerdictCases(t, checkSourceCases) }

func TestWrittenBy(t *testing.T) {
	pipelines := []deployment.Pipeline{
		{ID: "5034460f-c7c4-4c43-9457-de07e2029e7b", Number: 25, Slug: "gh/acme/api"},
		{
			ID:     "0c0a3d1e-0000-4000-8000-000000000001",
			Number: 7,
			Slug:   "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat",
		},
		{ID: "0c0a3d1e-0000-4000-8000-000000000002"},
		{ID: "0c0a3d1e-0000-4000-8000-000000000003", Number: 3, Slug: "github/acme/web", Jobs: []int64{71, 72}},
	}

	tests := []struct {
		name string
		url  string
		want bool
	}{
		{name: "pipeline", url: "https://app.circleci.com/pipelines/github/acme/api/25", want: true},
		{name: "workflow", url: "https://app.circleci.com/pipelines/github/acme/api/25/workflows/1-2", want: true},
		{name: "job", url: "https://app.circleci.com/pipelines/gh/Acme/api/25/workflows/1-2/jobs/9?x=y#z", want: true},
		{
			name: "project of a GitHub App",
			url: "https://app.circleci.com/pipelines/circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat/7" +
				"/workflows/1-2",
			want: true,
		},
		{name: "by id", url: "https://ci.example.com/pipeline/5034460F-C7C4-4C43-9457-DE07E2029E7B", want: true},
		{name: "another number", url: "https://app.circleci.com/pipelines/github/acme/api/26/workflows/1-2"},
		{name: "number that begins alike", url: "https://app.circleci.com/pipelines/github/acme/api/250"},
		{name: "another project", url: "https://app.circleci.com/pipelines/github/acme/web/25"},
		{name: "another system", url: "https://app.circleci.com/pipelines/bitbucket/acme/api/25"},
		{name: "another id", url: "https://app.circleci.com/pipeline/5034460f"},
		{name: "no number", url: "https://app.circleci.com/pipelines/github/acme/api"},
		{name: "number of a job", url: "https://circleci.com/gh/acme/api/25"},
		{name: "number of a job of the pipeline", url: "https://circleci.com/gh/Acme/web/72?utm_medium=referral", want: true},
		{name: "number of another job", url: "https://circleci.com/gh/acme/web/73"},
		{name: "number of a job of another project", url: "https://circleci.com/gh/acme/api/72"},
		{name: "number of a job and more", url: "https://circleci.com/gh/acme/web/72/parallel-runs/0"},
		{name: "pipeline that was never read", url: "https://app.circleci.com/pipelines///0"},
		{name: "empty"},
		{name: "no address", url: "://pipelines/github/acme/api/25"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := WrittenBy(Check{URL: tt.url}, pipelines); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}
