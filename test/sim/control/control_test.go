package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/signal"
	"github.com/seraph-deploy/seraph/test/sim/slack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeCircleCI is a CircleCI that returns what a test sets and records calls.
type fakeCircleCI struct {
	signal.Broadcaster
	mu    sync.Mutex
	list  []Pipeline
	calls []string
}

func (p *fakeCircleCI) record(format string, args ...any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, fmt.Sprintf(format, args...))
	return nil
}

func (p *fakeCircleCI) set(list ...Pipeline) {
	p.mu.Lock()
	p.list = list
	p.mu.Unlock()
	p.Broadcast()
}

func (p *fakeCircleCI) Pipelines() []Pipeline {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Pipeline{}, p.list...)
}

func (p *fakeCircleCI) Expect(project, scenario string) error {
	return p.record("expect %s %s", project, scenario)
}
func (p *fakeCircleCI) Changed() <-chan struct{} { return p.Next() }
func (p *fakeCircleCI) Approve(id string) error  { return p.record("approve %s", id) }
func (p *fakeCircleCI) Cancel(id string) error   { return p.record("cancel %s", id) }
func (p *fakeCircleCI) Rerun(id string) error    { return p.record("rerun %s", id) }
func (p *fakeCircleCI) Faults() Faults           { return Faults{Faults: []string{"a"}} }
func (p *fakeCircleCI) Violations() []string     { return nil }
func (p *fakeCircleCI) Fault(op, fault string, times int) error {
	return p.record("fault %s %s %d", op, fault, times)
}

type fixture struct {
	github   *github.Server
	circleci *fakeCircleCI
	slack    *slack.Server
	url      string
}

func setup(t *testing.T) fixture {
	t.Helper()
	gh, ci, sl := github.New(github.Options{}), &fakeCircleCI{}, slack.New(slack.Options{})
	t.Cleanup(gh.Close)
	t.Cleanup(sl.Close)
	if err := gh.Start(""); err != nil {
		t.Fatal(err)
	}
	if err := sl.Start(""); err != nil {
		t.Fatal(err)
	}

	server := httptest.NewServer(New(gh, ci, sl).Handler())
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	})

	return fixture{github: gh, circleci: ci, slack: sl, url: server.URL}
}

// post sends a body and returns the status and the decoded answer.
func (b fixture) post(t *testing.T, path, body string) (int, map[string]any) {
	t.Helper()
	resp, err := http.Post(b.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}

	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	out := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%s answered %s", path, raw)
	}

	return resp.StatusCode, out
}

// writeStatus writes a deployment status as the program under test would.
func (b fixture) writeStatus(t *testing.T, d github.Deployment, body string) {
	t.Helper()
	url := fmt.Sprintf("%s/repos/%s/deployments/%d/statuses", b.github.URL(), d.Repository, d.ID)
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}

	req.Header.Set("Authorization", "Bearer "+github.DefaultToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}

	resp.Body.Close()
	if resp.StatusCode != 201 {
		t.Fatalf("got %d for a status, want 201", resp.StatusCode)
	}
}

// TestControl_DeployAndAct deploys, links a status to a pipeline, and approves, cancels and reruns it by
// the deployment.
func TestControl_DeployAndAct(t *testing.T) {
	b := setup(t)
	code, made := b.post(
		t,
		"/deploy",
		`{"repository":"acme/web","environment":"qa","payload":{"a":1},"scenario":"green"}`,
	)

	if code != 200 || made["environment"] != "qa" || made["ref"] != "main" || len(b.github.Deployments()) != 1 {
		t.Fatalf("got %d %v for /deploy", code, made)
	}

	act := fmt.Sprintf(`{"deployment":%v}`, made["id"])
	if code, got := b.post(t, "/approve", act); code != 400 ||
		!strings.Contains(fmt.Sprint(got["error"]), "no status") {
		t.Errorf("got %d %v for /approve without a pipeline, want 400", code, got)
	}

	b.circleci.set(Pipeline{
		ID:      "p-1",
		Project: "gh/acme/web",
		Number:  1,
	}, Pipeline{
		ID:      "p-12",
		Project: "gh/acme/web",
		Number:  12,
	})

	b.writeStatus(
		t,
		b.github.Deployments()[0],
		`{"state":"in_progress","log_url":"https://app.circleci.com/pipelines/gh/acme/web/12"}`,
	)

	for _, path := range []string{"/approve", "/cancel", "/rerun"} {
		t.Run(path, func(t *testing.T) {
			if code, got := b.post(t, path, act); code != 200 || got["pipeline"] != "p-12" {
				t.Errorf("got %d %v, want pipeline p-12", code, got)
			}
		})
	}

	b.post(t, "/cancel", `{"pipeline":"p-1"}`)
	b.post(t, "/faults", `{"side":"circleci","operation":"trigger","fault":"a"}`)
	want := "expect gh/acme/web green,approve p-12,cancel p-12,rerun p-12,cancel p-1,fault trigger a 1"
	if got := strings.Join(b.circleci.calls, ","); got != want {
		t.Errorf("got calls %s\nwant %s", got, want)
	}
}

func TestControl_RejectsInvalidRequests(t *testing.T) {
	cases := map[string]struct{ path, body, says string }{
		"no repository": {path: "/deploy", body: `{}`, says: "repository is missing"},
		"unknown field": {path: "/deploy", body: `{"repo":"a/b"}`, says: "unknown field"},
		"unknown scenario": {
			path: "/deploy",
			body: `{"repository":"a/b","github_scenario":"x"}`,
			says: "no scenario",
		},
		"unknown ref": {path: "/deploy", body: `{"repository":"a/b","ref":"nope"}`, says: "no ref found"},
		"unknown fault": {
			path: "/faults",
			body: `{"side":"github","operation":"create status","fault":"x"}`,
			says: "no fault",
		},
		"unknown operation": {
			path: "/faults",
			body: `{"side":"github","operation":"x","fault":"slow"}`,
			says: "no operation",
		},
		"unknown side":            {path: "/faults", body: `{"side":"x"}`, says: "side must be"},
		"no deployment":           {path: "/rerun", body: `{"deployment":7}`, says: "no deployment 7"},
		"unknown delivery":        {path: "/redeliver", body: `{"delivery":7}`, says: "no delivery"},
		"no repository for facts": {path: "/facts", body: `{}`, says: "use owner/name"},
		"unknown role":            {path: "/facts", body: `{"repository":"a/b","roles":{"x":"king"}}`, says: "roles: x is"},
		"unknown member": {
			path: "/facts",
			body: `{"repository":"a/b","teams":{"a/b":{"x":"maybe"}}}`,
			says: "teams: x is",
		},
		"no team": {path: "/facts", body: `{"repository":"a/b","teams":{"a":{}}}`, says: "use org/team"},
		"unknown check": {
			path: "/facts",
			body: `{"repository":"a/b","checks":{"x":"fine"}}`,
			says: "checks: x is",
		},
		"unknown branch": {
			path: "/facts",
			body: `{"repository":"a/b","branches":{"x":"nope"}}`,
			says: "branches: x: no ref found",
		},
		"unknown tag": {
			path: "/facts",
			body: `{"repository":"a/b","tags":{"x":"nope"}}`,
			says: "tags: x: no ref found",
		},
		"unknown commit": {path: "/facts", body: `{"repository":"a/b","ref":"nope"}`, says: "no ref found"},
		"not JSON":       {path: "/approve", body: `{`, says: "unexpected EOF"},
	}

	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			code, got := setup(t).post(t, c.path, c.body)
			if code != 400 || !strings.Contains(fmt.Sprint(got["error"]), c.says) {
				t.Errorf("got %d %v, want 400 %q", code, got, c.says)
			}
		})
	}
}

// TestControl_EventsFollow reads the stream while a deployment, a status and a pipeline are created.
func TestControl_EventsFollow(t *testing.T) {
	b := setup(t)
	b.github.AddRepository("acme/web")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", b.url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}

	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}

	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	expect := func(kind, part string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == "event: "+kind {
				lines.Scan()
				if !strings.Contains(lines.Text(), part) {
					t.Errorf("got %s event %s, want %s", kind, lines.Text(), part)
				}

				return
			}
		}

		t.Fatalf("got no %s event: %v", kind, lines.Err())
	}

	d, err := b.github.CreateDeployment("acme/web", github.NewDeployment{Ref: "main"})
	if err != nil {
		t.Fatal(err)
	}

	expect("deployment", fmt.Sprint(d.ID))
	b.writeStatus(t, d, `{"state":"queued"}`)
	expect("status", `"state":"queued"`)
	b.circleci.set(Pipeline{ID: "p-1", State: "created"})
	expect("pipeline", `"state":"created"`)
	b.circleci.set(Pipeline{ID: "p-1", State: "created", Workflows: []Workflow{{Name: "deploy", Status: "success"}}})
	expect("pipeline", `"status":"success"`)
}

func TestControl_Lists(t *testing.T) {
	b := setup(t)
	b.post(t, "/deploy", `{"repository":"acme/web"}`)
	for path, part := range map[string]string{
		"/deployments":         `"repository":"acme/web"`,
		"/pipelines":           `[]`,
		"/deliveries":          `[]`,
		"/violations":          `"github":[]`,
		"/faults":              `"lost-answer"`,
		"/events?follow=false": "event: deployment",
	} {
		t.Run(path, func(t *testing.T) {
			resp, err := http.Get(b.url + path)
			if err != nil {
				t.Fatal(err)
			}

			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if !strings.Contains(string(body), part) {
				t.Errorf("got %s, want %s", body, part)
			}
		})
	}
}
