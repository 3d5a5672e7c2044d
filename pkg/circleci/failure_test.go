package circleci

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
	sim "github.com/seraph-deploy/seraph/test/sim/circleci"
)

// Each kind of failing step, by both versions of the API.
func TestFailingStep_Simulated(t *testing.T) {
	long := strings.Repeat("a line of output\n", 10_000) + "the end"
	for _, tt := range []struct {
		name   string
		output sim.Output
		noV3   bool
		faults []string // operations that fail once
		want   deployment.StepOutput
		end    bool // Output is the end of the output
	}{
		{
			name:   "v3",
			output: sim.Output{Step: "Push image", Text: "denied\n"},
			want:   deployment.StepOutput{Step: "Push image", Output: "denied\n"},
		},
		{
			name:   "v3, standard error",
			output: sim.Output{Step: "Push image", Text: "denied\n", Stderr: true},
			want:   deployment.StepOutput{Step: "Push image", Output: "denied\n"},
		},
		{
			name:   "v3, timed out",
			output: sim.Output{Step: "Wait", Text: "…", TimedOut: true},
			want:   deployment.StepOutput{Step: "Wait", Output: "…"},
		},
		{
			name:   "v3, printed nothing",
			output: sim.Output{Step: "Push image"},
			want:   deployment.StepOutput{Step: "Push image"},
		},
		{
			name:   "v3, long",
			output: sim.Output{Step: "Push image", Text: long},
			want:   deployment.StepOutput{Step: "Push image", Output: "the end"},
			end:    true,
		},
		{
			name:   "v3, output away",
			output: sim.Output{Step: "Push image", Text: "denied\n"},
			faults: []string{sim.OpOutputV3, sim.OpOutputV3},
			want:   deployment.StepOutput{Step: "Push image"},
		},
		{
			name:   "v1.1",
			noV3:   true,
			output: sim.Output{Step: "Push image", Text: "denied\n"},
			want:   deployment.StepOutput{Step: "Push image", Output: "denied\n"},
		},
		{
			name:   "v1.1, timed out",
			noV3:   true,
			output: sim.Output{Step: "Wait", Text: "…", TimedOut: true},
			want:   deployment.StepOutput{Step: "Wait", Output: "…"},
		},
		{
			name:   "v1.1, printed nothing",
			noV3:   true,
			output: sim.Output{Step: "Push image"},
			want:   deployment.StepOutput{Step: "Push image"},
		},
		{
			name:   "v1.1, long",
			noV3:   true,
			output: sim.Output{Step: "Push image", Text: long},
			want:   deployment.StepOutput{Step: "Push image", Output: "the end"},
			end:    true,
		},
		{
			name:   "v1.1, too long",
			noV3:   true,
			output: sim.Output{Step: "Push image", Text: strings.Repeat("x", maxOutput)},
			want:   deployment.StepOutput{Step: "Push image", Output: outputTooLong},
		},
		{
			name:   "v1.1, output away",
			noV3:   true,
			output: sim.Output{Step: "Push image", Text: "denied\n"},
			faults: []string{sim.OpOutput},
			want:   deployment.StepOutput{Step: "Push image"},
		},
		{
			name:   "v3 away",
			output: sim.Output{Step: "Push image", Text: "denied\n"},
			faults: []string{sim.OpJobV3},
			want:   deployment.StepOutput{Step: "Push image", Output: "denied\n"},
		},
		{
			name:   "both away",
			output: sim.Output{Step: "Push image", Text: "denied\n"},
			faults: []string{sim.OpJobV3, sim.OpJobV1},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c, pipelineID := newSimulationWith(t, sim.Options{NoV3: tt.noV3})
			id, err := s.SetWorkflow(pipelineID, "deploy", "failed", sim.WorkflowOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.SetOutput(id, tt.output); err != nil {
				t.Fatal(err)
			}
			for _, op := range tt.faults {
				if err := s.NextNamed(op, "server-error", 1); err != nil {
					t.Fatal(err)
				}
			}

			got, err := c.FailingStep(t.Context(), deployment.Workflow{ID: id, Name: "deploy"})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Output) > keptOutput {
				t.Errorf("got %d bytes of output, want at most %d", len(got.Output), keptOutput)
			}
			if tt.end && strings.HasSuffix(got.Output, tt.want.Output) {
				got.Output = tt.want.Output
			}

			want := tt.want
			want.Workflow, want.Job = "deploy", "deploy"
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func newSimulationWith(t *testing.T, o sim.Options) (s *sim.Server, c *Client, pipelineID string) {
	t.Helper()
	o.Token, o.AnyProject, o.AnyBranch, o.Step = token, true, true, sim.ManualDrive
	s = sim.New(o)
	if err := s.Start(""); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		s.Close()
		for _, v := range s.Violations() {
			t.Errorf("violation: %s", v)
		}
	})

	base, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}

	transport := outbound.New(outbound.Options{Timeout: time.Minute})
	t.Cleanup(transport.CloseIdle)
	c = New(Options{BaseURL: base, Token: token, HTTP: transport.Client(), UserAgent: "seraph/test"})

	event := c.Trigger(t.Context(), deployment.Target{Project: "gh/acme/api"}, branch, time.Now().Add(time.Minute))
	started, ok := event.(deployment.Triggered)
	if !ok {
		t.Fatalf("trigger: got %+v, want a pipeline", event)
	}

	return s, c, started.Pipeline.ID
}

// Without the jobs nothing is known, and a workflow in which none failed has no step.
func TestFailingStep_NoJob(t *testing.T) {
	s, c, pipelineID := newSimulation(t)
	id, err := s.SetWorkflow(pipelineID, "deploy", "success", sim.WorkflowOptions{})
	if err != nil {
		t.Fatal(err)
	}

	w := deployment.Workflow{ID: id, Name: "deploy"}
	if got, err := c.FailingStep(t.Context(), w); err != nil || got != (deployment.StepOutput{}) {
		t.Errorf("got %+v (%v), want nothing", got, err)
	}
	if err := s.NextNamed(sim.OpListJobs, "server-error", 1); err != nil {
		t.Fatal(err)
	}
	if got, err := c.FailingStep(t.Context(), w); err == nil {
		t.Errorf("got %+v and no error", got)
	}
}

// The job that failed first counts, and one that was canceled because of it does not.
func TestFirstFailed(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	jobs := []job{
		{Name: "hold", Type: typeApproval, Status: "failed", StoppedAt: at(1)},
		{Name: "canceled", Type: "build", Status: "canceled", StoppedAt: at(2)},
		{Name: "second", Type: "build", Status: "timedout", StoppedAt: at(5)},
		{Name: "first", Type: "build", Status: "failed", StoppedAt: at(4)},
		{Name: "green", Type: "build", Status: "success", StoppedAt: at(3)},
	}

	for _, tt := range []struct {
		name string
		jobs []job
		want string
	}{
		{name: "failed", jobs: jobs, want: "first"},
		{name: "canceled only", jobs: jobs[:2], want: "canceled"},
		{name: "none", jobs: jobs[4:]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := firstFailed(tt.jobs); got.Name != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q %t, want %q", got.Name, ok, tt.want)
			}
		})
	}
}

// Literal jobs of API v1.1: a step that timed out has neither an exit code nor "failed" (public issue
// votingworks/vxsuite#9149).
func TestFailingStep_LiteralV1(t *testing.T) {
	job := func(actions string) string {
		return `{"steps":[{"name":"Checkout code","actions":[{"name":"Checkout code","status":"success","failed":null,` +
			`"exit_code":0}]},{"name":"Deploy","actions":[` + actions + `]}]}`
	}

	for _, tt := range []struct {
		name string
		body string
		want string
	}{
		{name: "failed", body: job(`{"status":"failed","failed":true,"exit_code":1}`), want: "Deploy"},
		{name: "exit code", body: job(`{"status":"running","failed":null,"exit_code":137}`), want: "Deploy"},
		{name: "timed out", body: job(`{"status":"timedout","failed":null,"exit_code":null}`), want: "Deploy"},
		{name: "unknown", body: job(`{"status":"odd","failed":null,"exit_code":null}`), want: "Deploy"},
		{name: "no steps", body: `{"steps":[]}`},
		{name: "not JSON", body: `<html>`},
		{name: "empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var paths []string
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				paths = append(paths, r.URL.EscapedPath())
				switch {
				case strings.HasSuffix(r.URL.Path, "/job"):
					_, _ = io.WriteString(w, `{"items":[{"id":"j1","name":"ship","type":"build","status":"failed",
						"job_number":7,"project_slug":"gh/acme/a b"}],"next_page_token":null}`)
				case strings.Contains(r.URL.Path, "/v1.1/"):
					_, _ = io.WriteString(w, tt.body)
				default:
					w.WriteHeader(http.StatusNotFound)
				}
			})

			got, err := c.FailingStep(t.Context(), deployment.Workflow{ID: "w1", Name: "deploy"})
			if err != nil || got.Job != "ship" || got.Step != tt.want {
				t.Errorf("got %+v (%v), want job ship, step %q", got, err, tt.want)
			}

			want := []string{"/api/v2/workflow/w1/job", "/api/v3/jobs/j1", "/api/v1.1/project/github/acme/a%20b/7"}
			if diff := cmp.Diff(want, paths); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An output is read only where it is safe to: by https, or as the API itself is called.
func TestOutputByV1_Addresses(t *testing.T) {
	called := false
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		called = true
		_, _ = io.WriteString(w, `[{"message":"x"}]`)
	})
	host := strings.TrimSuffix(strings.TrimPrefix(c.base, "http://"), "/api/v2")

	for _, tt := range []struct {
		name, root, address string
		called              bool
	}{
		{name: "as the API", root: "http://x", address: "http://" + host + "/o", called: true},
		{name: "plain text", root: "https://x", address: "http://" + host + "/o"},
		{name: "another scheme", root: "https://x", address: "file:///etc/passwd"},
		{name: "user info", root: "http://x", address: "http://a:b@" + host + "/o"},
		{name: "no host", root: "http://x", address: "http:///o"},
		{name: "relative", root: "http://x", address: "/o"},
		{name: "empty", root: "http://x"},
		{name: "malformed", root: "http://x", address: "http://%zz"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			called = false
			_, err := c.outputByV1(t.Context(), tt.root, tt.address)
			if called != tt.called || (err == nil) != tt.called {
				t.Errorf("got called %t (%v), want %t", called, err, tt.called)
			}
		})
	}
}

func FuzzFailingStep(f *testing.F) {
	f.Add([]byte(`{"steps":[{"name":"a","actions":[{"failed":true,"exit_code":1,"output_url":"https://x"}]}]}`))
	f.Add([]byte(`{"data":{"attributes":{"parallel_executions":[{"steps":[{"num":1,"outcome":"failed"}]}]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var v1 jobV1
		var results []stepResult
		if json.Unmarshal(body, &v1) == nil {
			for _, s := range v1.Steps {
				for _, a := range s.Actions {
					results = append(results, a.result())
				}
			}
		}

		var v3 jobV3
		if json.Unmarshal(body, &v3) == nil {
			for _, e := range v3.Data.Attributes.Executions {
				for _, s := range e.Steps {
					results = append(results, s.result())
				}
			}
		}

		if i := failingStep(results); i < -1 || i >= len(results) {
			t.Errorf("got step %d of %d", i, len(results))
		}
	})
}

func TestReadEnd(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int
		want int // bytes
	}{
		{name: "empty"},
		{name: "short", size: 10, want: 10},
		{name: "as much as is kept", size: keptOutput, want: keptOutput},
		{name: "more", size: 5 * keptOutput, want: keptOutput},
		{name: "as much as is read", size: maxOutput, want: keptOutput},
		{name: "too much", size: maxOutput + 1, want: len(outputTooLong)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Repeat("x", max(0, tt.size-1)) + strings.Repeat("y", min(1, tt.size))
			got := readEnd(strings.NewReader(text))
			if len(got) != tt.want || tt.size > 0 && tt.size <= maxOutput && !strings.HasSuffix(got, "y") {
				t.Errorf("got %d bytes, want the last %d", len(got), tt.want)
			}
		})
	}
}
