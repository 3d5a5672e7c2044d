package github_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	hub "github.com/google/go-github/v60/github"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
	"github.com/seraph-deploy/seraph/test/sim/shapes"
)

const secret = "It's a Secret to Everybody"

func setupWithWebhook(t *testing.T, options github.Options) (*github.Server, *receiver) {
	r := newReceiver(t)
	options.WebhookURL, options.WebhookSecret = r.URL, secret
	return setup(t, options), r
}

// wait returns the deliveries when there are at least count.
func wait(t *testing.T, s *github.Server, count int) []hookshot.Delivery {
	t.Helper()
	enough := func(all []hookshot.Delivery) bool { return len(all) >= count }
	if err := s.WaitDeliveries(testContext(t), enough); err != nil {
		t.Fatalf("got %d deliveries, want %d: %v", len(s.Deliveries()), count, err)
	}
	return s.Deliveries()
}

func mac(algorithm func() hash.Hash, body []byte) string {
	m := hmac.New(algorithm, []byte(secret))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}

// TestWebhook_SignatureAndHeaders checks the signatures, headers and body of a deployment event.
func TestWebhook_SignatureAndHeaders(t *testing.T) {
	s, r := setupWithWebhook(t, github.Options{})
	d := deploy(t, s, github.NewDeployment{
		Environment: "staging",
		Payload:     json.RawMessage(`{"n":12345678901234567890}`),
	})

	wait(t, s, 1)
	got := r.all()[0]
	if want := "sha256=" + mac(sha256.New, got.body); got.header.Get("X-Hub-Signature-256") != want {
		t.Errorf("got signature %s, want %s", got.header.Get("X-Hub-Signature-256"), want)
	}
	if want := "sha1=" + mac(sha1.New, got.body); got.header.Get("X-Hub-Signature") != want {
		t.Errorf("got SHA-1 signature %s, want %s", got.header.Get("X-Hub-Signature"), want)
	}

	want := map[string]string{
		"Content-Type":                           "application/json",
		"X-Github-Event":                         "deployment",
		"X-Github-Delivery":                      s.Deliveries()[0].GUID,
		"X-Github-Hook-Installation-Target-Type": "repository",
		"X-Github-Hook-Installation-Target-Id":   fmt.Sprint(d.RepositoryID),
		"X-Github-Enterprise-Host":               "",
	}

	for name, value := range want {
		if got.header.Get(name) != value {
			t.Errorf("got %s %q, want %q", name, got.header.Get(name), value)
		}
	}

	event, err := hub.ParseWebHook("deployment", got.body)
	if err != nil {
		t.Fatal(err)
	}

	parsed := event.(*hub.DeploymentEvent)
	if parsed.GetDeployment().GetID() != d.ID || parsed.GetDeployment().GetSHA() != d.SHA ||
		parsed.GetRepo().GetFullName() != repo {
		t.Errorf("got %+v", parsed)
	}
	if string(parsed.Deployment.Payload) != `{"n":12345678901234567890}` {
		t.Errorf("got payload %s", parsed.Deployment.Payload)
	}
}

// TestWebhook_MatchesSchema checks the events of each kind of webhook against GitHub's schema.
func TestWebhook_MatchesSchema(t *testing.T) {
	shapes.Need(t)
	key := newKey(t)
	for name, options := range map[string]github.Options{
		"hook":       {},
		"app":        {App: key.app()},
		"enterprise": {BasePath: "/api/v3"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := setupWithWebhook(t, options)
			deploy(t, s, github.NewDeployment{Payload: json.RawMessage(`"text"`)})
			d := deploy(t, s, github.NewDeployment{App: "my-hubot", Creator: "my-hubot[bot]"})
			call(t, s, "POST", statusesPath(d), `{"state":"success","description":"fine"}`)
			call(t, s, "POST", statusesPath(d), `{"state":"inactive"}`)
			wait(t, s, 3)
			if got := len(r.all()); got != 3 {
				t.Errorf("got %d events, want 3 (inactive has none)", got)
			}

			for _, e := range r.all() {
				if (e.header.Get("X-GitHub-Enterprise-Host") != "") != (name == "enterprise") {
					t.Errorf("got enterprise host %q", e.header.Get("X-GitHub-Enterprise-Host"))
				}
				if err := shapes.Webhook(e.header.Get("X-GitHub-Event"), e.body); err != nil {
					t.Errorf("%s: %v", e.header.Get("X-GitHub-Event"), err)
				}
			}

			wantNoViolations(t, s)
		})
	}
}

func TestWebhook_Treatments(t *testing.T) {
	cases := map[string]struct {
		plan     func(*hookshot.Sender)
		received int
		recorded int
	}{
		"plain":  {plan: func(*hookshot.Sender) {}, received: 1, recorded: 1},
		"lost":   {plan: func(h *hookshot.Sender) { h.Next("deployment", hookshot.Treatment{Lose: true}, 1) }},
		"failed": {plan: func(h *hookshot.Sender) { h.Next("*", hookshot.Treatment{Fail: 502}, 1) }, recorded: 1},
		"doubled": {
			plan:     func(h *hookshot.Sender) { h.Next("deployment", hookshot.Treatment{Copies: 1}, 1) },
			received: 2,
			recorded: 2,
		},
		"late": {
			plan: func(h *hookshot.Sender) {
				h.Next("deployment", hookshot.Treatment{
					Delay: time.Millisecond,
				}, 1)
			},
			received: 1,
			recorded: 1,
		},
	}

	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, r := setupWithWebhook(t, github.Options{})
			c.plan(s.Hooks())
			deploy(t, s, github.NewDeployment{})
			wait(t, s, max(1, c.recorded))
			if got := r.all(); len(got) != c.received {
				t.Errorf("got %d received events, want %d", len(got), c.received)
			} else if len(got) == 2 && got[0].header.Get("X-GitHub-Delivery") != got[1].header.Get("X-GitHub-Delivery") {
				t.Error("got copies with different GUIDs, want the same")
			}

			if got := call(t, s, "GET", deliveriesPath(t, s), ""); len(got.list) != c.recorded {
				t.Errorf("got %d listed deliveries, want %d", len(got.list), c.recorded)
			}

			wantNoViolations(t, s)
		})
	}
}

func deliveriesPath(t *testing.T, s *github.Server) string {
	t.Helper()
	hooks := call(t, s, "GET", "/repos/"+repo+"/hooks", "").list
	if len(hooks) != 1 {
		t.Fatalf("got hooks %v, want one", hooks)
	}
	return fmt.Sprintf("/repos/%s/hooks/%v/deliveries", repo, hooks[0]["id"])
}

func TestWebhook_Reorder(t *testing.T) {
	s, r := setupWithWebhook(t, github.Options{})
	s.Hooks().Reorder("deployment", 3)
	var want []int64
	for range 3 {
		want = append([]int64{deploy(t, s, github.NewDeployment{}).ID}, want...)
	}

	wait(t, s, 3)
	var got []int64
	for _, e := range r.all() {
		event, err := hub.ParseWebHook("deployment", e.body)
		if err != nil {
			t.Fatal(err)
		}

		got = append(got, event.(*hub.DeploymentEvent).GetDeployment().GetID())
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestWebhook_Redelivery lets a delivery fail, finds it in the list and requests a redelivery, for the
// webhook of a repository and of an app.
func TestWebhook_Redelivery(t *testing.T) {
	key := newKey(t)
	for name, options := range map[string]github.Options{"repository": {}, "app": {App: key.app()}} {
		t.Run(name, func(t *testing.T) {
			s, r := setupWithWebhook(t, options)
			list, token := "/app/hook/deliveries", key.jwt(t, time.Now(), 5*time.Minute)
			if options.App == nil {
				list, token = deliveriesPath(t, s), github.DefaultToken
			}

			r.answer(503)
			d := deploy(t, s, github.NewDeployment{})
			first := wait(t, s, 1)[0]
			failed := do(t, s, "GET", list+"?status=failure", token, "").list
			if len(failed) != 1 || fmt.Sprint(failed[0]["id"]) != fmt.Sprint(first.ID) ||
				fmt.Sprint(failed[0]["status_code"]) != "503" {
				t.Fatalf("got failed deliveries %v, want one with 503", failed)
			}

			r.answer(202)
			if got := do(t, s, "POST", fmt.Sprintf("%s/%d/attempts", list, first.ID), token, ""); got.status != 202 {
				t.Fatalf("got %d %v for the redelivery, want 202", got.status, got.body)
			}

			again := wait(t, s, 2)[1]
			if again.GUID != first.GUID || again.ID == first.ID || !again.Redelivery || again.StatusCode != 202 {
				t.Errorf("got %+v", again)
			}

			full := do(t, s, "GET", fmt.Sprintf("%s/%d", list, again.ID), token, "")
			payload := full.body["request"].(map[string]any)["payload"].(map[string]any)["deployment"].(map[string]any)
			if fmt.Sprint(payload["id"]) != fmt.Sprint(d.ID) {
				t.Errorf("got deployment %v in the delivery, want %d", payload["id"], d.ID)
			}

			wantNoViolations(t, s)
		})
	}
}

func TestDeliveries_PagesByCursor(t *testing.T) {
	s, _ := setupWithWebhook(t, github.Options{})
	for i := range 5 {
		deploy(t, s, github.NewDeployment{})
		wait(t, s, i+1)
	}

	var want, got []string
	for _, d := range slices.Backward(s.Deliveries()) {
		want = append(want, fmt.Sprint(d.ID))
	}

	path := deliveriesPath(t, s) + "?per_page=2"
	for path != "" {
		page := call(t, s, "GET", path, "")
		for _, d := range page.list {
			got = append(got, fmt.Sprint(d["id"]))
		}

		path = next(s, page)
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	wantNoViolations(t, s)
}

// TestWebhook_UnreachableReceiver: a failed delivery is recorded, and Close does not wait for a delayed
// one.
func TestWebhook_UnreachableReceiver(t *testing.T) {
	s := setup(t, github.Options{WebhookURL: "http://127.0.0.1:1/", WebhookSecret: secret})
	deploy(t, s, github.NewDeployment{})
	if got := wait(t, s, 1)[0]; got.StatusCode != 502 {
		t.Errorf("got %d %s, want 502", got.StatusCode, got.Status)
	}
	s.Hooks().Next("deployment", hookshot.Treatment{Delay: time.Hour}, 1)
	deploy(t, s, github.NewDeployment{})
}

// TestWebhook_OtherEvents sends a ping and an event with any body.
func TestWebhook_OtherEvents(t *testing.T) {
	s, r := setupWithWebhook(t, github.Options{})
	s.Ping(repo)
	s.Send(repo, "star", json.RawMessage(`{"action":"created"}`))
	wait(t, s, 2)
	var got []string
	for _, e := range r.all() {
		got = append(got, e.header.Get("X-GitHub-Event"))
	}

	slices.Sort(got)
	if diff := cmp.Diff([]string{"ping", "star"}, got); diff != "" {
		t.Error(diff)
	}
}
