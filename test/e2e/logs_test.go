package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// failWith has a deployment's workflow fail at a step, and waits until GitHub shows the end.
func failWith(h *harness, o circleci.Output) github.Deployment {
	h.t.Helper()
	d := h.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     payload("forever"),
		Creator:     "alice",
	})
	h.waitStatus(d, "in_progress")

	p := h.waitPipeline(d)
	id, err := h.ci.SetWorkflow(p.ID, "deploy", "running", circleci.WorkflowOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	o.Text = strings.ReplaceAll(o.Text, "KEY", fmt.Sprint(p.Parameters[circleci.KeyParameter]))
	if err := h.ci.SetOutput(id, o); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.ci.SetWorkflow(p.ID, "deploy", "failed", circleci.WorkflowOptions{}); err != nil {
		h.t.Fatal(err)
	}

	h.expectEnd(d, "failure", "Workflow deploy failed")
	return d
}

// waitDetail waits until the API's answer about a deployment has a text.
func (h *harness) waitDetail(d github.Deployment, part string) string {
	h.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()

	for end := time.Now().Add(maxWait); ; <-tick.C {
		detail := h.apiDetail(d)
		if strings.Contains(detail, part) {
			return detail
		}
		if time.Now().After(end) {
			h.t.Fatalf("got %s, want %q in it", detail, part)
		}
	}
}

// The failing step is in answers and on the timeline, without secrets, and never in a status at GitHub.
func TestLogs_FailingStepIsShown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		noV3 bool
	}{
		{name: "v3"},
		{name: "v1.1", noV3: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newRuledAPI(t, "logs: true", nil)
			if tt.noV3 {
				if err := h.ci.NextNamed(circleci.OpJobV3, "not-found", 3); err != nil {
					t.Fatal(err)
				}
			}

			d := failWith(h, circleci.Output{
				Step: "Push image",
				Text: "key KEY\n\x1b[31mdenied\x1b[0m: token=abc123\r\n",
			})
			detail := h.waitDetail(d, `"failure":{"workflow":"deploy","job":"deploy","step":"Push image",`+
				`"lines":["key ****","denied: token=****"]}`)
			if want := "job deploy, step Push image: key **** | denied: token=****"; !strings.Contains(detail, want) {
				t.Errorf("got %s, want %q on the timeline", detail, want)
			}

			for _, s := range h.gh.Statuses("acme/api", d.ID) {
				if strings.Contains(s.Description, "denied") || strings.Contains(s.Description, "Push image") {
					t.Errorf("got status %q, want no output in it", s.Description)
				}
			}
		})
	}
}

// A CircleCI that does not show the step changes nothing of the end, nor does a route without logs ask it.
func TestLogs_Absent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, rules string
		asked       bool // CircleCI is asked for jobs, perhaps after this test
	}{
		{name: "CircleCI away", rules: "logs: true", asked: true},
		{name: "route without logs", rules: "logs: false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newRuledAPI(t, tt.rules, nil)
			if err := h.ci.NextNamed(circleci.OpListJobs, "server-error", 100); err != nil {
				t.Fatal(err)
			}

			d := failWith(h, circleci.Output{Step: "Push image", Text: "denied"})
			if detail := h.apiDetail(d); !strings.Contains(detail, `"failure":null`) {
				t.Errorf("got %s, want no failing step", detail)
			}
			if !tt.asked && h.ci.Calls()[circleci.OpListJobs] != 0 {
				t.Error("CircleCI was asked for jobs")
			}
		})
	}
}
