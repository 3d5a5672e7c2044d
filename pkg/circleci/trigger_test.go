package circleci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

var classic = deployment.Target{
	Project: "gh/acme/api",
	Parameters: []deployment.Parameter{
		{Name: "n", Value: json.RawMessage("7")},
		{Name: "s", Value: json.RawMessage(`"x"`)},
	},
}

func trigger(t *testing.T, c *Client) deployment.Event {
	t.Helper()
	return c.Trigger(t.Context(), classic, branch, time.Now().Add(time.Minute))
}

// describe names an event and what the engine goes by in it.
func describe(e deployment.Event) string {
	switch e := e.(type) {
	case deployment.Triggered:
		return "triggered " + e.Pipeline.ID
	case deployment.TriggerSkipped:
		return "skipped"
	case deployment.TriggerNotSent:
		return "not sent, wait " + e.After.String()
	case deployment.TriggerRefused:
		switch {
		case e.RefNotFound:
			return "refused, ref not found"
		case e.AuthDoubt:
			return "refused, auth in doubt"
		}

		return "refused"
	case deployment.TriggerUnknown:
		return "unknown"
	default:
		return fmt.Sprintf("%T", e)
	}
}

func between(first, last int) []int {
	var all []int
	for n := first; n <= last; n++ {
		all = append(all, n)
	}
	return all
}

// The table has every status code once, with CircleCI's own message and with other bodies. A body
// without an id makes a 201 unknown.
func TestClient_TriggerOutcomeOfEveryStatus(t *testing.T) {
	table := []struct {
		statuses    []int
		withMessage string
		without     string
	}{
		{statuses: []int{200}, withMessage: "skipped", without: "unknown"},
		{statuses: []int{201}, withMessage: "unknown", without: "unknown"},
		{statuses: []int{202, 203}, withMessage: "skipped", without: "unknown"},
		{statuses: between(206, 299), withMessage: "skipped", without: "unknown"},
		{statuses: between(300, 303), withMessage: "unknown", without: "unknown"},
		{statuses: between(305, 399), withMessage: "unknown", without: "unknown"},
		{statuses: []int{400}, withMessage: "refused", without: "unknown"},
		{statuses: []int{401}, withMessage: "refused, auth in doubt", without: "unknown"},
		{statuses: []int{402}, withMessage: "unknown", without: "unknown"},
		{statuses: []int{403}, withMessage: "refused", without: "unknown"},
		{statuses: []int{404}, withMessage: "refused, auth in doubt", without: "unknown"},
		{statuses: []int{405}, withMessage: "refused", without: "unknown"},
		{statuses: between(406, 409), withMessage: "unknown", without: "unknown"},
		{statuses: []int{410}, withMessage: "refused", without: "unknown"},
		{statuses: []int{411, 412}, withMessage: "unknown", without: "unknown"},
		{statuses: []int{413}, withMessage: "refused", without: "unknown"},
		{statuses: []int{414}, withMessage: "unknown", without: "unknown"},
		{statuses: []int{415}, withMessage: "refused", without: "unknown"},
		{statuses: between(416, 421), withMessage: "unknown", without: "unknown"},
		{statuses: []int{422}, withMessage: "refused", without: "unknown"},
		{statuses: between(423, 428), withMessage: "unknown", without: "unknown"},
		{statuses: []int{429}, withMessage: "not sent, wait 7s", without: "not sent, wait 7s"},
		{statuses: between(430, 499), withMessage: "unknown", without: "unknown"},
		{statuses: between(500, 599), withMessage: "unknown", without: "unknown"},
	}

	var status int
	var body string
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})

	var all []int
	for _, tt := range table {
		all = append(all, tt.statuses...)
		for _, status = range tt.statuses {
			t.Run(fmt.Sprint(status), func(t *testing.T) {
				body = `{"message":"no, and why"}`
				if got := describe(trigger(t, c)); got != tt.withMessage {
					t.Errorf("with a message: got %q, want %q", got, tt.withMessage)
				}

				for _, body = range []string{`<html>`, ``, `{"message":7}`, `{}`} {
					if got := describe(trigger(t, c)); got != tt.without {
						t.Errorf("with body %q: got %q, want %q", body, got, tt.without)
					}
				}
			})
		}
	}

	withoutBody := []int{204, 205, 304}
	want := slices.DeleteFunc(between(200, 599), func(n int) bool { return slices.Contains(withoutBody, n) })
	if !slices.Equal(all, want) {
		t.Errorf("got statuses %v in the table, want every one but %v", all, withoutBody)
	}
}

func TestClient_TriggerAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"started": {
			status: 201,
			body:   `{"id":"p1","number":7,"state":"pending"}`,
			want:   "triggered p1",
		},
		"201 cut short": {
			status: 201,
			body:   `{"id":"p1","num`,
			want:   "unknown",
		},
		"201 without an id": {
			status: 201,
			body:   `{"message":"ok"}`,
			want:   "unknown",
		},
		"[ci skip]": {
			status: 200,
			body:   `{"message":"skipped"}`,
			want:   "skipped",
		},
		"branch not found": {
			status: 400,
			body:   `{"message":"Branch not found"}`,
			want:   "refused, ref not found",
		},
		"tag not found, as a 404": {
			status: 404,
			body:   `{"message":"Tag not found"}`,
			want:   "refused, ref not found",
		},
		"error object": {
			status: 400,
			body:   `{"error":{"id":"e","title":"Bad Request","detail":"Unexpected argument(s): sha"}}`,
			want:   "refused",
		},
		"keyword of Clojure": {
			status: 404,
			body:   `{":message":"Branch not found"}`,
			want:   "refused, ref not found",
		},
		"message without words": {
			status: 400,
			body:   `{"message":" \u0000"}`,
			want:   "unknown",
		},
		"error of a proxy": {
			status: 403,
			body:   `{"error":"forbidden"}`,
			want:   "unknown",
		},
		"hidden project": {
			status: 404,
			body:   `{"message":"Project not found"}`,
			want:   "refused, auth in doubt",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, answerWith(tt.status, tt.body))
			if got := describe(trigger(t, c)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClient_TriggerWithoutAnswer(t *testing.T) {
	t.Run("connection dropped", func(t *testing.T) {
		c := newClient(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		if got, want := describe(trigger(t, c)), "unknown"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})

	t.Run("no answer in time", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := newClient(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			cancel() // the time is over
			<-r.Context().Done()
		})

		got := describe(c.Trigger(ctx, classic, branch, time.Now().Add(time.Minute)))
		if want := "unknown"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})

	for _, tt := range []struct {
		name   string
		before time.Duration // until when it may be sent, from now on
	}{
		{name: "too late to send", before: -time.Millisecond},
		{name: "may be sent for too long, because the clock was set back", before: 24 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			called := false
			c := newClient(t, func(http.ResponseWriter, *http.Request) { called = true })
			got := describe(c.Trigger(t.Context(), classic, branch, time.Now().Add(tt.before)))
			if want := "not sent, wait 0s"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if called {
				t.Error("got a request, want none")
			}
		})
	}

	t.Run("nobody listens", func(t *testing.T) {
		c := newClient(t, nil)
		c.base = "http://127.0.0.1:1"
		if got, want := describe(trigger(t, c)), "not sent, wait 0s"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// What everybody may read of a lost answer names no address; the timeline has it.
func TestClient_Trigger_PublicCauseHasNoAddress(t *testing.T) {
	c := newClient(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	got, ok := trigger(t, c).(deployment.TriggerUnknown)
	const want = "CircleCI did not answer the trigger"
	if !ok || got.Cause != want || got.Detail == "" {
		t.Errorf("got %#v, want the cause %q and a detail", got, want)
	}
}

func TestClient_TriggerRequests(t *testing.T) {
	tag := deployment.Ref{Kind: deployment.RefTag, Name: "v1"}
	for name, tt := range map[string]struct {
		target   deployment.Target
		ref      deployment.Ref
		wantPath string
		wantBody string
	}{
		"classic route, branch": {
			target:   classic,
			ref:      branch,
			wantPath: "/api/v2/project/gh/acme/api/pipeline",
			wantBody: `{"branch":"main","parameters":{"n":7,"s":"x"}}`,
		},
		"classic route, tag": {
			target:   deployment.Target{Project: "gh/acme/api"},
			ref:      tag,
			wantPath: "/api/v2/project/gh/acme/api/pipeline",
			wantBody: `{"tag":"v1"}`,
		},
		"run route": {
			target:   deployment.Target{Project: "circleci/org/proj", Definition: "d1", ConfigRef: branch},
			ref:      tag,
			wantPath: "/api/v2/project/circleci/org/proj/pipeline/run",
			wantBody: `{"definition_id":"d1","config":{"branch":"main"},"checkout":{"tag":"v1"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got *http.Request
			var gotBody []byte
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				got = r
				gotBody, _ = io.ReadAll(r.Body)
				w.WriteHeader(http.StatusCreated)
			})

			c.Trigger(t.Context(), tt.target, tt.ref, time.Now().Add(time.Minute))
			if got.URL.Path != tt.wantPath {
				t.Errorf("got path %s, want %s", got.URL.Path, tt.wantPath)
			}
			if string(gotBody) != tt.wantBody {
				t.Errorf("got body %s, want %s", gotBody, tt.wantBody)
			}
			if h := got.Header.Get("Circle-Token"); h != token {
				t.Errorf("got Circle-Token %q, want %q", h, token)
			}
			if h := got.Header.Get("Content-Type"); h != "application/json" {
				t.Errorf("got Content-Type %q, want application/json", h)
			}
		})
	}
}

// TestClient_TriggerOutcome_Words wants CircleCI's words in whatever form they come, and the status where
// there are none, because that is what people read at the end.
func TestClient_TriggerOutcome_Words(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   deployment.Event
	}{
		{
			name:   "error object",
			status: 400,
			body:   `{"error":{"id":"e","title":"Bad Request","detail":"Unexpected argument(s): sha"}}`,
			want:   deployment.TriggerRefused{Status: 400, Message: "Bad Request: Unexpected argument(s): sha"},
		},
		{
			name:   "control and format characters",
			status: 400,
			body:   `{"message":"a\u0000b\u202ec"}`,
			want:   deployment.TriggerRefused{Status: 400, Message: "a bc"},
		},
		{
			name:   "200 with a keyword",
			status: 200,
			body:   `{":message":"Branch not found"}`,
			want:   deployment.TriggerSkipped{Message: "Branch not found"},
		},
		{
			name:   "404 with a page",
			status: 404,
			body:   `<html><title>Not found</title></html>`,
			want:   deployment.TriggerUnknown{Cause: "CircleCI answered 404 without a message", Refused: true},
		},
		{
			name:   "502 with a page",
			status: 502,
			body:   `<html>`,
			want:   deployment.TriggerUnknown{Cause: "CircleCI answered 502 without a message"},
		},
		{
			name:   "500 with a message",
			status: 500,
			body:   `{"message":"oops"}`,
			want:   deployment.TriggerUnknown{Cause: "CircleCI answered 500: oops"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t, answerWith(test.status, test.body))
			if got := trigger(t, c); got != test.want {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
		})
	}
}

// A page in place of a project is not believed: a proxy in between may have answered.
func TestClient_Project_PageIsNoRefusal(t *testing.T) {
	c := newClient(t, answerWith(http.StatusForbidden, `<html>denied</html>`))
	_, event := c.Project(t.Context(), "gh/acme/api")
	if got, ok := event.(deployment.TriggerNotSent); !ok || !strings.Contains(got.Cause, "403") {
		t.Errorf("got %#v, want TriggerNotSent with the status", event)
	}
}

// FuzzMessage wants words that can be stored and shown, or none.
func FuzzMessage(f *testing.F) {
	f.Add(`{"message":"a\u0000b"}`)
	f.Add(`{"error":{"title":7,"detail":"x"}}`)
	f.Fuzz(func(t *testing.T, body string) {
		text, ok := message([]byte(body))
		if ok != (text != "") || deployment.Readable(text) != text {
			t.Errorf("got %q and %v of %q", text, ok, body)
		}
	})
}
