package engine

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/gate"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// TestMain gives the property test a fixed seed and 1000 cases. SERAPH_RAPID_SEED sets another seed; 0
// stands for a random one, which rapid prints if the test fails.
func TestMain(m *testing.M) {
	seed := os.Getenv("SERAPH_RAPID_SEED")
	if seed == "" {
		seed = "1"
	}
	for name, value := range map[string]string{"rapid.seed": seed, "rapid.checks": "1000"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}

	flag.Parse()
	os.Exit(m.Run())
}

// ruledRoute is a route with rules to production, and the rules that the test applies itself.
type ruledRoute struct {
	text        string
	fixedConfig bool // the configuration is read from a ref that no requester can choose
	fixedRef    bool // the same for what is built
	refs        string
	onlyAlice   bool
	onlyGreen   bool
}

func drawRoute(rt *rapid.T) ruledRoute {
	fixedRefs := []string{"main", "refs/heads/main", "refs/tags/v1"}
	chosenRefs := []string{"{{ .Ref }}", "{{ .Payload.branch }}", "refs/heads/{{ .Payload.branch }}", "refs/tags/{{ .Ref }}"}
	refs := slices.Concat(fixedRefs, chosenRefs)

	var r ruledRoute
	circleci := []string{"revision: " + rapid.SampledFrom([]string{"auto", "strict", "note", "note"}).Draw(rt, "revision")}
	if rapid.Bool().Draw(rt, "has a ref") {
		ref := rapid.SampledFrom(refs).Draw(rt, "ref")
		r.fixedRef = slices.Contains(fixedRefs, ref)
		circleci = append(circleci, fmt.Sprintf("ref: %q", ref))
	}
	r.fixedConfig = r.fixedRef
	if rapid.Bool().Draw(rt, "has a definition") {
		circleci = append(circleci, "project: circleci/org/project", "definition: d")
		if rapid.Bool().Draw(rt, "has a config_ref") {
			ref := rapid.SampledFrom(refs).Draw(rt, "config_ref")
			r.fixedConfig = slices.Contains(fixedRefs, ref)
			circleci = append(circleci, fmt.Sprintf("config_ref: %q", ref))
		}
	}

	rules := r.drawRules(rt)
	parameter := rapid.SampledFrom([]string{"{{ .Key }}", "{{ .SHA }}"}).Draw(rt, "parameter")
	r.text = fmt.Sprintf("routes:\n  - repository: acme/api\n    environment: production\n    task: deploy\n    %s\n"+
		"    circleci: {%s}\n    parameters: {p: %q}\n", strings.Join(rules, "\n    "), strings.Join(circleci, ", "), parameter)
	if rapid.Bool().Draw(rt, "another route, without rules") {
		r.text += "  - {repository: \"acme/*\", task: \"deploy*\"}\n"
	}

	return r
}

// drawRules draws one rule at least.
func (r *ruledRoute) drawRules(rt *rapid.T) []string {
	r.refs = rapid.SampledFrom([]string{"", "main", "*", "refs/*"}).Draw(rt, "refs")
	r.onlyAlice = rapid.IntRange(0, 3).Draw(rt, "allow") == 0
	r.onlyGreen = rapid.Bool().Draw(rt, "checks")

	var rules []string
	if r.refs != "" {
		rules = append(rules, fmt.Sprintf("refs: [%q]", r.refs))
	}
	if r.onlyAlice {
		rules = append(rules, "allow: {users: [alice]}")
	}
	if r.onlyGreen {
		rules = append(rules, "checks: [build]")
	}
	if len(rules) == 0 {
		rules = append(rules, "require_ahead: true")
	}

	return rules
}

// broken returns what the route does not let run; empty: it may run.
func (r ruledRoute) broken(w *pushedWorld, s started) string {
	built := strings.HasPrefix(s.built, "refs/heads/")
	switch {
	case w.truth == nil:
		return "GitHub shows no such deployment"
	case s.config != w.truth.SHA && !r.fixedConfig:
		return fmt.Sprintf("the configuration of %.7s was read, and %.7s was judged", s.config, w.truth.SHA)
	case r.refs == "main" && !r.fixedRef && s.built != "refs/heads/main", r.refs == "*" && !r.fixedRef && !built:
		return s.built + " is built, and refs does not allow it"
	case r.onlyAlice && w.truth.Creator.ID != alice:
		return "only alice may deploy"
	case r.onlyGreen && !s.green:
		return "the check is not green"
	default:
		return ""
	}
}

// Whatever people ask for, push and forge: the commit whose configuration CircleCI reads is the one that
// the rules judged and GitHub shows, or nobody who deploys can choose the configuration, or nothing runs.
func TestProperty_WhatRunsIsWhatWasJudged(t *testing.T) {
	e := newTestEngine(t)
	ends, n := map[deployment.State]int{}, int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		r := drawRoute(rt)
		table, err := route.Parse([]byte(r.text), "routes.yaml", route.Options{})
		if err != nil {
			rt.Fatalf("%v in\n%s", err, r.text)
		}

		n++
		w := drawWorld(rt, e.pass)
		e.GitHub, e.Starter, e.Poller, e.Searcher = w, w, w, w
		e.Gate = &gate.Gate{Policies: table, Rows: e.db, History: e.db, People: w, Commits: w, Now: e.clock}

		event, forged := w.drawEvent(rt, n, e.clock())
		admission := table.Admit(event, keyOf(n))
		if event.SHA == "" || admission.Ignored != "" {
			return // there is no such ref, or no route
		}

		d, _ := e.Machine.New(event, admission, e.clock())
		delivery := deployment.Delivery{GUID: keyOf(n), RepositoryID: n, DeploymentID: n, ReceivedAt: e.clock()}
		if _, err := e.db.Accept(t.Context(), delivery, d); err != nil {
			rt.Fatal(err)
		}
		if d, err = e.db.ByKey(t.Context(), keyOf(n)); err != nil {
			rt.Fatal(err)
		}

		d = e.run(t, d.Row, 90*time.Second)

		detour := !strings.EqualFold(event.Environment, "production") || event.Task != "deploy"
		for _, s := range w.started {
			problem := r.broken(w, s)
			switch {
			case forged != "":
				problem = "the event is forged: " + forged
			case detour:
				problem = fmt.Sprintf("%q of %q avoids the route with rules", event.Task, event.Environment)
			}
			if problem != "" {
				rt.Fatalf("a pipeline was started, although %s; it is %s, %+v\n%s", problem, d.State, d.Attempts, r.text)
			}
		}
		ends[d.State]++
	})

	t.Log(ends)
	if ends[deployment.Running] < 100 || ends[deployment.Rejected] < 100 || ends[deployment.Errored] < 100 {
		t.Errorf("got ends %v, want 100 at least that ran, were rejected and errored", ends)
	}
}

// drawEvent draws a deployment, as GitHub shows it and as an event says, and what of the event is forged.
func (w *pushedWorld) drawEvent(rt *rapid.T, id int64, now time.Time) (event deployment.Request, forged string) {
	ref := rapid.SampledFrom(slices.Concat(pushedRefs, pushedCommits, []string{
		"main", "main", "main", "main", "topic", "topic", "topic", "v1", "heads/topic", "tags/v1", "pull/1/head", "aaaaaaa", "refs/notes/x",
	})).Draw(rt, "ref")
	sha := w.resolve(ref)
	if slices.Contains(pushedCommits, ref) || ref == "refs/notes/x" || ref == "aaaaaaa" {
		sha = pushedCommits[0]
	}

	branch := rapid.SampledFrom([]string{"main", "topic", "v1"}).Draw(rt, "payload")
	creator := rapid.SampledFrom([]deployment.Creator{
		{ID: alice, Login: "alice", Type: "User"},
		{ID: mallory, Login: "mallory", Type: "User"},
	}).Draw(rt, "creator")
	w.truth = &deployment.Request{
		ID:          id,
		Repository:  deployment.Repository{ID: id, Owner: "acme", Name: "api"},
		Environment: rapid.SampledFrom(environments).Draw(rt, "environment"),
		Ref:         ref,
		SHA:         sha,
		Task:        rapid.SampledFrom([]string{"deploy", "deploy", "deploy", "deploy", "deploy", "deploy:x"}).Draw(rt, "task"),
		Payload:     fmt.Appendf(nil, `{"branch":%q}`, branch),
		Creator:     creator,
		CreatedAt:   now,
	}

	event = *w.truth
	forged = w.forge(rt, &event)
	event.PayloadDigest = deployment.PayloadDigest(event.Payload)
	return event, forged
}

// environments are what people write for production. GitHub does not distinguish upper and lower case in it.
var environments = []string{
	"production",
	"production",
	"production",
	"production",
	"production",
	"production",
	"Production",
	"production ",
	"pr\u043educ\u0442ion",
	"produc\u200btion",
}

// forge changes one event in five at most, and says what is forged.
func (w *pushedWorld) forge(rt *rapid.T, event *deployment.Request) (what string) {
	switch rapid.IntRange(0, 34).Draw(rt, "forged") {
	case 0:
		event.SHA = rapid.SampledFrom(pushedCommits).Draw(rt, "forged commit")
		if event.SHA != w.truth.SHA {
			what = "commit"
		}
	case 1:
		event.Creator.ID, what = 8, "creator"
	case 2:
		event.Ref = "main"
		if w.truth.Ref != "main" {
			what = "ref"
		}
	case 3:
		event.Payload, what = []byte(`{"branch":"main","more":1}`), "payload"
	case 4:
		event.Environment = "production"
		if w.truth.Environment != "production" {
			what = "environment"
		}
	case 5:
		event.Task = "deploy"
		if w.truth.Task != "deploy" {
			what = "task"
		}
	case 6:
		w.truth, what = nil, "all of it"
	}

	return what
}
