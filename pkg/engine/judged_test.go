package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/gate"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// pushedWorld is a GitHub whose refs somebody moves while a deployment is on its way, and a CircleCI that
// reads the configuration from the head of a ref at the moment of the trigger.
type pushedWorld struct {
	emptyCircleCI
	rt     *rapid.T
	refs   map[string]string // full name -> commit
	truth  deployment.Request
	pushes int // that are still to come

	configs []string // commits whose configuration was read
}

// push moves a ref now and then.
func (w *pushedWorld) push() {
	if w.pushes == 0 || !rapid.Bool().Draw(w.rt, "push") {
		return
	}

	w.pushes--
	name := rapid.SampledFrom(pushedRefs).Draw(w.rt, "pushed ref")
	if rapid.IntRange(0, 4).Draw(w.rt, "deleted") == 0 {
		delete(w.refs, name)
		return
	}
	w.refs[name] = rapid.SampledFrom(pushedCommits).Draw(w.rt, "pushed commit")
}

var (
	pushedCommits = []string{strings.Repeat("aa", 20), strings.Repeat("bb", 20), strings.Repeat("cc", 20)}
	pushedRefs    = []string{
		"refs/heads/main",
		"refs/heads/topic",
		"refs/heads/v1",
		"refs/tags/main",
		"refs/tags/v1",
		"refs/pull/1/head",
	}
)

// resolve finds the commit of a ref as GitHub does when a deployment is created.
func (w *pushedWorld) resolve(ref string) string {
	for _, name := range []string{ref, "refs/" + ref, "refs/heads/" + ref, "refs/tags/" + ref} {
		if sha := w.refs[name]; sha != "" {
			return sha
		}
	}
	return ""
}

func (w *pushedWorld) Statuses(context.Context, deployment.Request) ([]deployment.Status, error) {
	w.push()
	return nil, nil
}

func (w *pushedWorld) Deployment(context.Context, deployment.Request) (deployment.Request, error) {
	w.push()
	return w.truth, nil
}

func (w *pushedWorld) Heads(
	_ context.Context,
	_ deployment.Request,
	ref deployment.Ref,
	_ bool,
) (deployment.Heads, error) {
	// a second look, at the ref of the configuration, is the last one
	if w.pushes > 0 {
		w.push()
	}

	heads := deployment.Heads{}
	switch ref.Kind {
	case deployment.RefBare:
		heads.Branch, heads.Tag = w.refs["refs/heads/"+ref.Name], w.refs["refs/tags/"+ref.Name]
	case deployment.RefBranch:
		heads.Branch = w.refs[ref.Full()]
	case deployment.RefTag:
		heads.Tag = w.refs[ref.Full()]
	case deployment.RefPull:
		heads.Pull = w.refs[ref.Full()]
	}

	return heads, nil
}

func (w *pushedWorld) Project(_ context.Context, slug string) (deployment.Project, deployment.Event) {
	w.push()
	return deployment.Project{ID: "uuid", Slug: slug}, nil
}

func (w *pushedWorld) Trigger(
	_ context.Context,
	t deployment.Target,
	ref deployment.Ref,
	_ time.Time,
) deployment.Event {
	config := ref
	if t.ConfigRef.Name != "" {
		config = t.ConfigRef
	}

	name := config.Full()
	if config.Kind == deployment.RefBare {
		name = "refs/heads/" + config.Name
	}

	commit := w.refs[name]
	if commit == "" {
		return deployment.TriggerRefused{Status: 400, Message: "Branch not found", RefNotFound: true}
	}

	w.configs = append(w.configs, commit)
	return triggered(fmt.Sprintf("p%d-%d", w.truth.ID, len(w.configs)))
}

func (w *pushedWorld) Poll(context.Context, string) (deployment.Progress, *deployment.PollFailed) {
	return deployment.Progress{}, &deployment.PollFailed{Cause: "not now"}
}

func (w *pushedWorld) PollWorkflows(ctx context.Context, id string) (deployment.Progress, *deployment.PollFailed) {
	return w.Poll(ctx, id)
}

func (w *pushedWorld) CancelWorkflow(context.Context, string) error { return nil }

// drawRoute draws a route with rules. fixed says that its configuration is read from a ref that no
// requester can choose.
func drawRoute(rt *rapid.T) (text string, fixed bool) {
	fixedRefs := []string{"main", "refs/heads/main", "refs/tags/v1"}
	chosenRefs := []string{"{{ .Ref }}", "{{ .Payload.branch }}", "refs/heads/{{ .Payload.branch }}", "refs/tags/{{ .Ref }}"}
	refs := slices.Concat(fixedRefs, chosenRefs)

	circleci := []string{"revision: " + rapid.SampledFrom([]string{"auto", "strict", "note", "note"}).Draw(rt, "revision")}
	fixed = false
	if rapid.Bool().Draw(rt, "has a ref") {
		ref := rapid.SampledFrom(refs).Draw(rt, "ref")
		fixed = slices.Contains(fixedRefs, ref)
		circleci = append(circleci, fmt.Sprintf("ref: %q", ref))
	}
	if rapid.Bool().Draw(rt, "has a definition") {
		circleci = append(circleci, "project: circleci/org/project", "definition: d")
		if rapid.Bool().Draw(rt, "has a config_ref") {
			ref := rapid.SampledFrom(refs).Draw(rt, "config_ref")
			fixed = slices.Contains(fixedRefs, ref)
			circleci = append(circleci, fmt.Sprintf("config_ref: %q", ref))
		}
	}

	rule := rapid.SampledFrom([]string{
		"refs: [main]",
		`refs: ["*"]`,
		`refs: ["refs/*"]`,
		"require_ahead: true",
	}).Draw(rt, "rule")
	parameter := rapid.SampledFrom([]string{"{{ .Key }}", "{{ .SHA }}"}).Draw(rt, "parameter")
	return fmt.Sprintf("routes:\n  - repository: acme/api\n    %s\n    circleci: {%s}\n    parameters: {p: %q}\n",
		rule, strings.Join(circleci, ", "), parameter), fixed
}

// Whatever people ask for, push and forge: the commit whose configuration CircleCI reads is the one that
// the rules judged and GitHub shows, or nobody who deploys can choose the configuration, or nothing runs.
func TestProperty_WhatRunsIsWhatWasJudged(t *testing.T) {
	e := newTestEngine(t)
	ran, n := map[string]int{}, int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		text, fixed := drawRoute(rt)
		table, err := route.Parse([]byte(text), "routes.yaml", route.Options{})
		if err != nil {
			rt.Fatalf("%v in\n%s", err, text)
		}

		w := &pushedWorld{rt: rt, refs: map[string]string{}, pushes: rapid.IntRange(0, 3).Draw(rt, "pushes")}
		for _, name := range pushedRefs {
			if rapid.IntRange(0, 3).Draw(rt, "there is "+name) > 0 {
				w.refs[name] = rapid.SampledFrom(pushedCommits).Draw(rt, name)
			}
		}

		n++
		e.GitHub, e.Starter, e.Poller, e.Searcher = w, w, w, w
		e.Gate = &gate.Gate{Policies: table, Rows: e.db, History: e.db, Now: e.clock}

		event, ok := w.drawEvent(rt, n, e.clock())
		if !ok {
			return // there is no such ref
		}

		d, _ := e.Machine.New(event, table.Admit(event, keyOf(n)), e.clock())
		delivery := deployment.Delivery{GUID: keyOf(n), RepositoryID: 7, DeploymentID: n, ReceivedAt: e.clock()}
		if _, err := e.db.Accept(t.Context(), delivery, d); err != nil {
			rt.Fatal(err)
		}
		if d, err = e.db.ByKey(t.Context(), keyOf(n)); err != nil {
			rt.Fatal(err)
		}

		w.push()
		d = e.run(t, d.Row, 30*time.Second)

		for _, commit := range w.configs {
			judged := commit == w.truth.SHA && policy.CompareEvent(event, &w.truth).Decision == policy.DecisionAllow
			if !judged && !fixed {
				rt.Fatalf("the configuration of %.7s was read, want %.7s; it is %s, built %+v\n%s",
					commit, w.truth.SHA, d.State, d.Attempts, text)
			}
		}
		ran[string(d.State)]++
	})

	if ran[string(deployment.Running)] == 0 || len(ran) < 3 {
		t.Errorf("got ends %v, want some that ran and some that did not", slices.Sorted(maps.Keys(ran)))
	}
}

// drawEvent draws a deployment, as GitHub shows it and as an event says, which may be forged.
func (w *pushedWorld) drawEvent(rt *rapid.T, id int64, now time.Time) (event deployment.Request, ok bool) {
	ref := rapid.SampledFrom(slices.Concat(pushedRefs, pushedCommits, []string{
		"main", "topic", "v1", "heads/topic", "tags/v1", "pull/1/head", "aaaaaaa", "refs/notes/x",
	})).Draw(rt, "ref")
	sha := w.resolve(ref)
	if slices.Contains(pushedCommits, ref) || ref == "refs/notes/x" || ref == "aaaaaaa" {
		sha = pushedCommits[0]
	}

	branch := rapid.SampledFrom([]string{"main", "topic", "v1"}).Draw(rt, "payload")
	w.truth = deployment.Request{
		ID:          id,
		Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: fmt.Sprint("review-", id),
		Ref:         ref,
		SHA:         sha,
		Task:        "deploy",
		Payload:     fmt.Appendf(nil, `{"branch":%q}`, branch),
		Creator:     deployment.Creator{ID: 7, Login: "mallory", Type: "User"},
		CreatedAt:   now,
	}

	event = w.truth
	switch rapid.IntRange(0, 14).Draw(rt, "forged") {
	case 0:
		event.SHA = rapid.SampledFrom(pushedCommits).Draw(rt, "forged commit")
	case 1:
		event.Creator.ID = 8
	case 2:
		event.Ref = "main"
	}

	return event, sha != ""
}
