package circleci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "very-secret-token"

func client(t *testing.T, h http.HandlerFunc) *Client {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	base, err := url.Parse(s.URL + "/api/v2/")
	if err != nil {
		t.Fatal(err)
	}

	tr := outbound.New(outbound.Options{Timeout: 2 * time.Second})
	t.Cleanup(tr.CloseIdle)
	return New(Options{BaseURL: base, Token: token, HTTP: tr.Client(), UserAgent: "seraph/test"})
}

var (
	classic = deployment.Target{
		Project: "gh/acme/api",
		Parameters: []deployment.Parameter{
			{Name: "n", Value: json.RawMessage("7")},
			{Name: "s", Value: json.RawMessage(`"x"`)},
		},
	}
	branch = deployment.Ref{Kind: deployment.RefBranch, Name: "main"}
)

func trigger(t *testing.T, c *Client) deployment.Event {
	return c.Trigger(t.Context(), classic, branch, time.Now().Add(time.Minute))
}

// Every status code, with CircleCI's JSON and without: what a trigger's answer means.
func TestTriggerOutcomes(t *testing.T) {
	var status int
	var body string
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})

	clearNo := []int{400, 401, 403, 404, 405, 410, 413, 415, 422}
	for status = 200; status < 600; status++ {
		if status == 204 || status == 205 || status == 304 {
			continue // no body
		}

		for _, body = range []string{`{"message":"no, and why"}`, `<html>`, ``, `{"message":7}`, `{}`} {
			own := strings.Contains(body, "no, and why")
			want := "unknown"
			switch {
			case status == 201, status == 0:
			case status/100 == 2:
				want = "skipped"
			case status == 429:
				want = "not sent 7s"
			case slices.Contains(clearNo, status) && own:
				want = fmt.Sprintf("refused %v", status == 401 || status == 404)
			}

			if got := describe(trigger(t, c)); got != want {
				t.Errorf("%d %s: got %q, want %q", status, body, got, want)
			}
		}
	}
}

func describe(e deployment.Event) string {
	switch e := e.(type) {
	case deployment.Triggered:
		return "triggered " + e.Pipeline.ID
	case deployment.TriggerSkipped:
		return "skipped"
	case deployment.TriggerNotSent:
		return "not sent " + e.After.String()
	case deployment.TriggerRefused:
		if e.BranchNotFound {
			return "no ref"
		}

		return fmt.Sprintf("refused %v", e.AuthDoubt)
	case deployment.TriggerUnknown:
		return "unknown"
	default:
		return fmt.Sprintf("%T", e)
	}
}

func TestTriggerAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		body, want string
	}{
		"started":            {201, `{"id":"p1","number":7,"state":"pending"}`, "triggered p1"},
		"201 cut short":      {201, `{"id":"p1","num`, "unknown"},
		"201 without id":     {201, `{"message":"ok"}`, "unknown"},
		"ci skip":            {200, `{"message":"skipped"}`, "skipped"},
		"branch not found":   {400, `{"message":"Branch not found"}`, "no ref"},
		"tag not found, 404": {404, `{"message":"Tag not found"}`, "no ref"},
		"hidden project":     {404, `{"message":"Project not found"}`, "refused true"},
	} {
		t.Run(name, func(t *testing.T) {
			cl := client(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})

			if got := describe(trigger(t, cl)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTriggerWithoutAnswer(t *testing.T) {
	reset := client(t, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	if got := describe(trigger(t, reset)); got != "unknown" {
		t.Errorf("a dropped connection: %s", got)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	slow := client(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body); <-r.Context().Done() })
	if got := describe(slow.Trigger(ctx, classic, branch, time.Now().Add(time.Minute))); got != "unknown" {
		t.Errorf("no answer: %s", got)
	}

	called := false
	late := client(t, func(http.ResponseWriter, *http.Request) { called = true })
	if got := describe(late.Trigger(t.Context(), classic, branch, time.Now().Add(-time.Millisecond))); got != "not sent 0s" ||
		called {
		t.Errorf("after its moment: %s, sent %v", got, called)
	}

	nobody := client(t, nil)
	nobody.base = "http://127.0.0.1:1"
	if got := describe(trigger(t, nobody)); got != "not sent 0s" {
		t.Errorf("nobody there: %s", got)
	}
}

func TestTriggerRequests(t *testing.T) {
	tag := deployment.Ref{Kind: deployment.RefTag, Name: "v1"}
	app := deployment.Target{Project: "circleci/org/proj", Definition: "d1", ConfigRef: branch}
	for name, c := range map[string]struct {
		target     deployment.Target
		ref        deployment.Ref
		path, body string
	}{
		"classic branch": {classic, branch, "/api/v2/project/gh/acme/api/pipeline", `{"branch":"main","parameters":{"n":7,"s":"x"}}`},
		"classic tag": {
			deployment.Target{Project: "gh/acme/api"},
			tag,
			"/api/v2/project/gh/acme/api/pipeline",
			`{"tag":"v1"}`,
		},
		"run": {app, tag, "/api/v2/project/circleci/org/proj/pipeline/run", `{"definition_id":"d1","config":{"branch":"main"},"checkout":{"tag":"v1"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			cl := client(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.URL.Path != c.path || string(body) != c.body || r.Header.Get("Circle-Token") != token ||
					r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("got %s %s %v", r.URL.Path, body, r.Header)
				}

				w.WriteHeader(http.StatusCreated)
			})

			cl.Trigger(t.Context(), c.target, c.ref, time.Now().Add(time.Minute))
		})
	}
}

func TestLook(t *testing.T) {
	pages := map[string]string{
		"":   `{"items":[{"id":"w1","name":"a","status":"success","created_at":"2026-11-22T12:00:00Z"},{"id":"w2","name":"b","status":null,"tag":"setup"}],"next_page_token":"p2"}`,
		"p2": `{"items":[{"id":"w3","name":"c","status":"brand-new","auto_rerun_number":1,"max_auto_reruns":3,"stopped_at":null}],"next_page_token":null}`,
	}

	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/workflow") {
			_, _ = io.WriteString(w, pages[r.URL.Query().Get("page-token")])
			return
		}

		_, _ = io.WriteString(
			w,
			`{"id":"p1","number":9,"state":"created","project_slug":"gh/acme/api","errors":[{"type":"config","message":"bad"}],
			"trigger":{"type":"api","actor":{"login":"bot"}},"trigger_parameters":{"git":{"branch":"main","checkout_sha":"abc"},"circleci":{"actor_id":"u1"}}}`,
		)
	})

	p, err := c.readPipeline(t.Context(), "p1")
	if err != nil || len(p.Workflows) != 3 || p.Workflows[1].Status != "" || !p.Workflows[1].Setup ||
		p.Workflows[2].MaxAutoRerun != 3 {
		t.Fatalf("%+v %v", p, err)
	}

	if glance, unseen := c.PollWorkflows(t.Context(), "p1"); unseen != nil ||
		!reflect.DeepEqual(glance, deployment.Progress{
			Pipeline:  deployment.PipelineFacts{ID: "p1"},
			Workflows: p.Workflows,
		}) {
		t.Errorf("at a glance: %+v %+v", glance, unseen)
	}

	if f := p.Pipeline; f.Revision != "abc" || f.Branch != "main" || f.ActorID != "u1" || f.Errors[0] != "bad" ||
		f.Number != 9 {
		t.Errorf("%+v", f)
	}
	if _, err := c.readPipeline(t.Context(), "p2"); err == nil {
		t.Error("another pipeline's answer was believed")
	}
}

func TestPagesThatGoInCircles(t *testing.T) {
	calls := 0
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		_, _ = io.WriteString(w, `{"id":"p1","items":[],"next_page_token":"again"}`)
	})
	if _, err := c.readPipeline(t.Context(), "p1"); err == nil || calls > 5 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestObserveWithoutAnswer(t *testing.T) {
	status := 404
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "9")
		w.WriteHeader(status)
	})

	for _, see := range []func(context.Context, string) (deployment.Progress, *deployment.PollFailed){c.Poll, c.PollWorkflows} {
		status = 404
		if _, unseen := see(t.Context(), "p1"); unseen == nil || !unseen.Gone {
			t.Errorf("%+v", unseen)
		}

		status = 429
		if _, unseen := see(t.Context(), "p1"); unseen == nil || unseen.Gone || unseen.After != 9*time.Second {
			t.Errorf("%+v", unseen)
		}
	}
}

func TestEvidence(t *testing.T) {
	for name, c := range map[string]struct {
		values, config string
		want           deployment.KeyEvidence
	}{
		"in the values":            {`{"pipeline.parameters.seraph_key":"k-123"}`, ``, deployment.KeyFound},
		"part of a value":          {`{"x":"a k-123 b","n":7}`, ``, deployment.KeyFound},
		"another key":              {`{"pipeline.parameters.seraph_key":"other"}`, ``, deployment.KeyOther},
		"in the compiled config":   {`{}`, `{"source":"a","compiled":"environment:\n K: k-123"}`, deployment.KeyFound},
		"in the setup config":      {``, `{"source":"a","compiled":"","compiled-setup-config":"K: k-123"}`, deployment.KeyFound},
		"nowhere":                  {`{}`, `{"source":"a","compiled":"jobs:"}`, deployment.KeyAbsent},
		"not compiled yet":         {`{}`, `{"source":"a","compiled":""}`, deployment.KeyUnreadable},
		"neither can be read":      {``, ``, deployment.KeyUnreadable},
		"values only, without key": {`{"pipeline.id":"p1"}`, ``, deployment.KeyUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			cl := client(t, func(w http.ResponseWriter, r *http.Request) {
				body := c.config
				if strings.HasSuffix(r.URL.Path, "/values") {
					body = c.values
				}
				if body == "" {
					w.WriteHeader(http.StatusNotFound)
				}

				_, _ = io.WriteString(w, body)
			})

			if got, err := cl.Evidence(t.Context(), "p1", "k-123", []string{"seraph_key"}); got != c.want ||
				err != nil {
				t.Errorf("got %s %v, want %s", got, err, c.want)
			}
		})
	}

	broken := client(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	if _, err := broken.Evidence(t.Context(), "p1", "k", nil); err == nil {
		t.Error("a broken answer counts as evidence")
	}
}

func TestList(t *testing.T) {
	now := time.Now()
	item := func(id string, age time.Duration) string {
		return fmt.Sprintf(`{"id":%q,"created_at":%q}`, id, now.Add(-age).UTC().Format(time.RFC3339))
	}
	mineBroken, reads := false, 0
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		reads++
		switch {
		case r.URL.Path == "/api/v2/me":
			_, _ = io.WriteString(w, `{"id":"u1","login":"bot"}`)
		case mineBroken && strings.HasSuffix(r.URL.Path, "/mine"):
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Query().Get("page-token") == "":
			_, _ = fmt.Fprintf(
				w,
				`{"items":[%s,%s],"next_page_token":"2"}`,
				item("p3", time.Second),
				item("p2", time.Minute),
			)
		case r.URL.Query().Get("page-token") == "2":
			_, _ = fmt.Fprintf(w, `{"items":[%s],"next_page_token":"3"}`, item("p1", time.Hour))
		default:
			_, _ = fmt.Fprintf(w, `{"items":[%s],"next_page_token":null}`, item("p0", 2*time.Hour))
		}
	})

	l, err := c.List(t.Context(), "gh/acme/api", now.Add(-10*time.Minute), "p2")
	if err != nil || len(l.Mine) != 3 || len(l.Project) != 3 || !l.MineComplete || !l.ProjectComplete ||
		l.Me != "bot" ||
		l.MeID != "u1" {
		t.Errorf("%+v %v", l, err)
	}

	if l, _ = c.List(t.Context(), "gh/acme/api", now.Add(-10*time.Minute), "p0"); len(l.Mine) != 4 {
		t.Errorf("did not read on to the control: %+v", l.Mine)
	}

	mineBroken = true
	if l, err = c.List(t.Context(), "gh/acme/api", now.Add(-10*time.Minute), ""); err != nil || l.MineComplete ||
		!l.ProjectComplete {
		t.Errorf("%+v %v", l, err)
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"message":"You must log in first."}`)
	})
	_, err := c.Me(t.Context())
	if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, err), token) {
		t.Errorf("%v", err)
	}
}

func FuzzPipeline(f *testing.F) {
	f.Add([]byte(`{"id":"p","vcs":{"revision":"x"},"trigger_parameters":[],"errors":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p pipeline
		if json.Unmarshal(data, &p) == nil {
			p.facts()
		}

		var w page[workflow]
		if json.Unmarshal(data, &w) == nil {
			for _, item := range w.Items {
				item.facts()
			}
		}

		message(data)
		startedEvent(data)
		isCompiled(data)
	})
}
