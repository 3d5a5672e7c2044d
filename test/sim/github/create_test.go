package github_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

const createBody = `{"ref":"main","auto_merge":false,"required_contexts":[],"environment":"staging",` +
	`"payload":{"seraph":{"nonce":"n1"}}}`

// The webhook of a deployment made by API comes before the answer, or after it.
func TestCreateDeployment_WebhookOrder(t *testing.T) {
	for _, fault := range []string{"webhook-first", "webhook-last", "lost-answer", "late-error"} {
		t.Run(fault, func(t *testing.T) {
			events := make(chan string, 2)
			hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				events <- string(body)
			}))
			defer hook.Close()

			s := setup(t, github.Options{WebhookURL: hook.URL})
			if err := s.NextNamed(github.OpCreateDeployment, fault, 1); err != nil {
				t.Fatal(err)
			}

			answered := make(chan int, 1)
			go func() {
				answered <- post(s, "/repos/"+repo+"/deployments", createBody)
			}()

			switch fault {
			case "webhook-first":
				<-events
				wantAnswer(t, <-answered, 201)
			case "webhook-last":
				wantAnswer(t, <-answered, 201)
				<-events
			case "lost-answer":
				wantAnswer(t, <-answered, 0)
				<-events
			case "late-error":
				wantAnswer(t, <-answered, 502)
				<-events
			}

			if made := len(s.Deployments()); made != 1 {
				t.Errorf("got %d deployments, want 1", made)
			}
			wantNoViolations(t, s)
		})
	}
}

func wantAnswer(t *testing.T, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("got answer %d, want %d", got, want)
	}
}

// post returns the status of the answer, or 0 where none came.
func post(s *github.Server, path, body string) int {
	req, err := http.NewRequest(http.MethodPost, s.URL()+path, strings.NewReader(body))
	if err != nil {
		return 0
	}

	req.Header.Set("Authorization", "Bearer "+github.DefaultToken)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()

	return resp.StatusCode
}

// The creator is the account of the token, or the App with its name in performed_via_github_app.
func TestCreateDeployment_CredentialIsCreator(t *testing.T) {
	key := newKey(t)
	cases := []struct {
		name               string
		options            github.Options
		creator, kind, app string
	}{
		{name: "token", creator: "seraph-bot", kind: "User", app: "<nil>"},
		{
			name:    "app",
			options: github.Options{App: key.app()},
			creator: "seraph[bot]",
			kind:    "Bot",
			app:     "seraph",
		},
	}

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			received := newReceiver(t)
			c.options.WebhookURL = received.URL
			s := setup(t, c.options)
			token := github.DefaultToken
			if c.options.App != nil {
				jwt := key.jwt(t, time.Now(), time.Minute)
				token = do(t, s, http.MethodPost, "/app/installations/9001/access_tokens", jwt, "").text("token")
			}

			if got := do(t, s, http.MethodPost, "/repos/"+repo+"/deployments", token, createBody); got.status != 201 {
				t.Fatalf("got %d %v, want 201", got.status, got.body)
			}

			if err := s.Hooks().Wait(testContext(t), func(d []hookshot.Delivery) bool { return len(d) == 1 }); err != nil {
				t.Fatal(err)
			}

			var event struct {
				Deployment struct {
					Creator     struct{ Login, Type string }
					ViaApp      *struct{ Slug string } `json:"performed_via_github_app"`
					Environment string
					Payload     json.RawMessage
				}
				Sender struct{ Login string }
			}
			if err := json.Unmarshal(received.all()[0].body, &event); err != nil {
				t.Fatal(err)
			}

			d := event.Deployment
			via := "<nil>"
			if d.ViaApp != nil {
				via = d.ViaApp.Slug
			}
			got := fmt.Sprint(d.Creator, via, event.Sender.Login, d.Environment, string(d.Payload))
			want := fmt.Sprint(
				struct{ Login, Type string }{c.creator, c.kind},
				c.app,
				c.creator,
				"staging",
				`{"seraph":{"nonce":"n1"}}`,
			)
			if got != want {
				t.Errorf("got event %s, want %s", got, want)
			}

			wantNoViolations(t, s)
		})
	}
}

// Refs by the beginning of their names, and commits by their ids.
func TestRefs_MatchingAndCommit(t *testing.T) {
	s := setup(t, github.Options{})
	sha := s.Push(repo, "feature/log-in", "")
	s.Push(repo, "feature/log-out", "")
	s.Tag(repo, "v1", "")

	for path, want := range map[string]int{
		"heads/feature/log": 2,
		"heads/feature/":    2,
		"heads/nothing":     0,
		"tags/v":            1,
	} {
		t.Run(path, func(t *testing.T) {
			got := call(t, s, http.MethodGet, "/repos/"+repo+"/git/matching-refs/"+path, "")
			if got.status != 200 || got.list == nil || len(got.list) != want {
				t.Errorf("got %d with %v, want %d refs", got.status, got.list, want)
			}
		})
	}

	wantNoViolations(t, s)
	for ref, want := range map[string]string{
		sha:                "200 " + sha,
		sha[:8]:            "200 " + sha,
		"feature%2Flog-in": "200 " + sha,
		"0123456789012345678901234567890123456789": `422 {"documentation_url"`,
		"nothing": `422 {"documentation_url"`,
	} {
		t.Run(ref, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/repos/"+repo+"/commits/"+ref, nil)
			if err != nil {
				t.Fatal(err)
			}

			req.Header.Set("Authorization", "Bearer "+github.DefaultToken)
			req.Header.Set("Accept", "application/vnd.github.sha")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if got := fmt.Sprint(resp.StatusCode, " ", string(body)); got[:min(len(got), len(want))] != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
