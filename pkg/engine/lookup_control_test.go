package engine

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/circleci"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	simci "github.com/seraph-deploy/seraph/test/sim/circleci"
)

// lookupEngine is an engine that searches a simulated CircleCI, whose pipelines do only what the test says.
type lookupEngine struct {
	*testEngine
	ci     *simci.Server
	client *circleci.Client
}

func newLookupEngine(t *testing.T) *lookupEngine {
	t.Helper()
	e := &lookupEngine{testEngine: newTestEngine(t)}
	e.ci = simci.New(simci.Options{Now: e.clock, Step: simci.ManualDrive, AnyProject: true, AnyBranch: true})
	t.Cleanup(e.ci.Close)
	if err := e.ci.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}

	base, err := url.Parse(e.ci.URL())
	if err != nil {
		t.Fatal(err)
	}

	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	e.client = circleci.New(circleci.Options{
		BaseURL: base,
		Token:   simci.DefaultToken,
		HTTP:    &http.Client{Transport: transport, Timeout: time.Minute},
		Now:     e.clock,
	})
	e.Searcher = e.client

	return e
}

// earlier is a pipeline that was started before the look-up.
type earlier struct {
	branch string
	state  string // the one that it has reached at CircleCI
	hides  bool   // its configuration does not use the key
}

// start starts the pipeline of a deployment at CircleCI.
func (e *lookupEngine) start(t *testing.T, d deployment.Deployment, p earlier) deployment.Triggered {
	t.Helper()
	if p.hides {
		d.Target.Parameters = nil
	}

	ref := deployment.ParseRef("refs/heads/" + p.branch)
	event := e.client.Trigger(t.Context(), d.Target, ref, e.clock().Add(time.Minute))
	started, ok := event.(deployment.Triggered)
	if !ok {
		t.Fatalf("trigger: got %#v, want %T", event, started)
	}
	if err := e.ci.SetState(started.Pipeline.ID, p.state); err != nil {
		t.Fatal(err)
	}

	return started
}

// deploy makes a deployment in an environment of its own, which carries its key to CircleCI.
func (e *lookupEngine) deploy(t *testing.T, id int64, branch string, events ...deployment.Event) deployment.Deployment {
	t.Helper()
	return e.accept(t, id, func(d *deployment.Deployment) {
		d.Request.Environment = keyOf(id)
		d.Target.Ref = deployment.ParseRef("refs/heads/" + branch)
		d.Target.KeyParameters = []string{"seraph_key"}
		d.Target.Parameters = []deployment.Parameter{
			{Name: "seraph_key", Value: json.RawMessage(strconv.Quote(d.Target.Key))},
		}
	}, append([]deployment.Event{resolved, e.startEvent()}, events...)...)
}

// deployEarlier makes a deployment that got its pipeline.
func (e *lookupEngine) deployEarlier(t *testing.T, id int64, p earlier) {
	t.Helper()
	d := e.deploy(t, id, p.branch)
	if _, err := e.commit(t.Context(), d, commitOptions{}, e.start(t, d, p)); err != nil {
		t.Fatal(err)
	}
	e.pass(time.Second)
}

// lookUpAtLast looks for the pipeline of a deployment when no more may come, and returns what became of it.
func (e *lookupEngine) lookUpAtLast(t *testing.T, d deployment.Deployment) deployment.Deployment {
	t.Helper()
	e.pass(e.Machine.LookupDeadline(d).Add(e.Machine.LookupGrace + time.Second).Sub(e.clock()))
	if err := e.lookUp(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return e.load(t, d.Row)
}

// A pipeline that shows no key is somebody else's, if another deployment's pipeline shows that its key would be seen.
// That is the newest one with a compiled configuration of the same branch, whatever was started after it.
func TestLookUp_SeeksAPipelineThatShowsItsKey(t *testing.T) {
	shows := earlier{branch: "main", state: "created"}
	hides := earlier{branch: "main", state: "created", hides: true}
	broken := earlier{branch: "main", state: "errored"}
	other := earlier{branch: "other", state: "created"}
	for _, test := range []struct {
		name    string
		earlier []earlier // oldest first
		want    deployment.State
	}{
		{
			name:    "the newest shows its key",
			earlier: []earlier{shows},
			want:    deployment.Waiting,
		},
		{
			name:    "the newest did not compile",
			earlier: []earlier{shows, broken},
			want:    deployment.Waiting,
		},
		{
			name:    "the newest three did not compile",
			earlier: []earlier{shows, broken, broken, broken},
			want:    deployment.Waiting,
		},
		{
			name:    "the newest ones are of another branch",
			earlier: []earlier{shows, other, other, other, other, other, broken},
			want:    deployment.Waiting,
		},
		{
			name:    "the configuration uses the key again",
			earlier: []earlier{hides, shows, broken},
			want:    deployment.Waiting,
		},
		{
			name:    "the configuration stopped using the key",
			earlier: []earlier{shows, hides, broken},
			want:    deployment.Errored,
		},
		{
			name:    "none compiled",
			earlier: []earlier{broken, broken},
			want:    deployment.Errored,
		},
		{
			name:    "the one that shows its key is too far back",
			earlier: []earlier{shows, broken, broken, broken, broken},
			want:    deployment.Errored,
		},
		{
			name:    "only other branches",
			earlier: []earlier{other},
			want:    deployment.Errored,
		},
		{
			name: "the first deployment of the project",
			want: deployment.Errored,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newLookupEngine(t)
			for i, p := range test.earlier {
				e.deployEarlier(t, int64(i+1), p)
			}

			d := e.deploy(t, 100, "main", deployment.TriggerUnknown{Cause: "reset"})
			e.ci.AddUnrelatedPipeline("gh/acme/api", "main")

			if got := e.lookUpAtLast(t, d); got.State != test.want {
				t.Errorf("got %s %q, want %s", got.State, got.Reason, test.want)
			}
		})
	}
}

// A lost answer's pipeline whose configuration did not compile is adopted, although it cannot show the key. What
// somebody else's pipelines of the same time show does not matter.
func TestLookUp_AdoptsAPipelineThatDidNotCompile(t *testing.T) {
	for _, test := range []struct {
		name  string
		lost  []earlier // what was started and may be the deployment's, oldest first
		want  deployment.State
		adopt bool // the first of them
	}{
		{
			name:  "one",
			lost:  []earlier{{branch: "main", state: "errored"}},
			want:  deployment.Running,
			adopt: true,
		},
		{
			name:  "beside one of another branch",
			lost:  []earlier{{branch: "main", state: "errored"}, {branch: "other", state: "errored"}},
			want:  deployment.Running,
			adopt: true,
		},
		{
			name: "only one of another branch",
			lost: []earlier{{branch: "other", state: "errored"}},
			want: deployment.Waiting,
		},
		{
			name: "two",
			lost: []earlier{{branch: "main", state: "errored"}, {branch: "main", state: "errored"}},
			want: deployment.Errored,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newLookupEngine(t)
			e.deployEarlier(t, 1, earlier{branch: "main", state: "created"})
			e.deployEarlier(t, 2, earlier{branch: "main", state: "errored"})

			d := e.deploy(t, 100, "main", deployment.TriggerUnknown{Cause: "reset"})
			first := ""
			for _, p := range test.lost {
				first = cmp.Or(first, e.start(t, d, p).Pipeline.ID)
			}
			e.ci.AddUnrelatedPipeline("gh/acme/api", "main")

			got := e.lookUpAtLast(t, d)
			if got.State != test.want {
				t.Errorf("got %s %q, want %s", got.State, got.Reason, test.want)
			}
			if adopted := got.Pipeline != nil && got.Pipeline.ID == first; adopted != test.adopt {
				t.Errorf("got pipeline %+v, want %s: %v", got.Pipeline, first, test.adopt)
			}
		})
	}
}
