package deployment

import (
	"strings"
	"testing"
	"time"
)

var (
	t0      = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	machine = Machine{
		TriggerTimeout: 15 * time.Second,
		LookupGrace:    2 * time.Minute,
		WorkflowGrace:  2 * time.Minute,
		StartTimeout:   15 * time.Minute,
		PollMin:        5 * time.Second,
		PollMax:        30 * time.Second,
		MaxAge:         time.Hour,
		AppURL:         "https://app.circleci.com",
	}

	testSHA  = strings.Repeat("a1b2c3d4e5", 4)
	otherSHA = strings.Repeat("0f", 20)
	alice    = Actor{ID: 1, Login: "alice"}

	resolved  = Resolved{Project: Project{ID: "uuid", Slug: "gh/acme/api"}}
	start     = Start{SendBefore: t0.Add(SendWindow)}
	triggered = Triggered{Pipeline: PipelineFacts{ID: "p1", Number: 9}}
)

// newWaiting returns a deployment that was accepted at t0.
func newWaiting() Deployment {
	request := Request{
		ID:          42,
		Repository:  Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: "Production",
		Ref:         "main",
		SHA:         testSHA,
		Task:        "deploy",
		CreatedAt:   t0,
	}
	target := Target{
		Project:        "gh/acme/api",
		Ref:            ParseRef("main"),
		Revision:       RevisionStrict,
		Key:            "k",
		CarriesKey:     true,
		EnvironmentURL: "https://x.example.com",
		Timeout:        time.Hour,
		HoldTimeout:    24 * time.Hour,
	}

	d, _ := machine.New(request, Admission{Target: target}, t0)
	return d
}

// newRunning returns a deployment whose trigger was answered with pipeline p1 at t0.
func newRunning(t *testing.T) Deployment {
	t.Helper()
	d, _ := applyAll(t, newWaiting(), t0, resolved, start, triggered)
	return d
}

// applyOne applies one event, which must be possible.
func applyOne(t *testing.T, d Deployment, now time.Time, e Event) (Deployment, Changes) {
	t.Helper()
	next, changes, err := machine.Apply(d, e, now)
	if err != nil {
		t.Fatal(err)
	}
	return next, changes
}

// applyAll applies events in turn, and returns all reports that they add.
func applyAll(t *testing.T, d Deployment, now time.Time, events ...Event) (Deployment, []Report) {
	t.Helper()
	var reports []Report
	for _, e := range events {
		next, changes := applyOne(t, d, now, e)
		d, reports = next, append(reports, changes.Reports...)
	}
	return d, reports
}

// progress returns what CircleCI shows of pipeline p1 on the deployment's commit.
func progress(state string, workflows ...Workflow) Progress {
	return Progress{
		Pipeline:  PipelineFacts{ID: "p1", Number: 9, Slug: "gh/acme/api", State: state, Revision: testSHA},
		Workflows: workflows,
	}
}

func polled(state string, workflows ...Workflow) Polled {
	return Polled{Progress: progress(state, workflows...)}
}

func workflow(name, status string, change ...func(*Workflow)) Workflow {
	w := Workflow{ID: name + "-" + status, Name: name, Status: status, CreatedAt: t0}
	for _, c := range change {
		c(&w)
	}
	return w
}

func createdAfter(after time.Duration) func(*Workflow) {
	return func(w *Workflow) { w.CreatedAt = t0.Add(after); w.ID += after.String() }
}

func setupWorkflow(w *Workflow) { w.Setup = true }

func autoRerun(n, most int) func(*Workflow) {
	return func(w *Workflow) { w.AutoRerun, w.MaxAutoRerun = n, most }
}
