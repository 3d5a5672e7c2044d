package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

// withoutRecovery keeps Seraph from finding a deployment by itself, so that it learns of it by its webhook alone.
// After its start, Seraph lists the repositories of the routes, and may otherwise find what was created before the
// webhook comes.
func (h *harness) withoutRecovery() *harness {
	h.t.Helper()
	if err := h.gh.NextNamed(github.OpListHooks, "unavailable", 10_000); err != nil {
		h.t.Fatal(err)
	}
	return h.withoutListing()
}

// withoutListing keeps Seraph from finding a deployment in GitHub's list.
func (h *harness) withoutListing() *harness {
	h.t.Helper()
	if err := h.gh.NextNamed(github.OpListDeployments, "unavailable", 10_000); err != nil {
		h.t.Fatal(err)
	}
	return h
}

// deliverForged delivers an event about a deployment that GitHub did not send so, signed with the webhook secret, and
// wants it accepted.
func (h *harness) deliverForged(event any) {
	h.t.Helper()
	body, err := json.Marshal(event)
	if err != nil {
		h.t.Fatal(err)
	}
	if got := h.deliver("deployment", body); !strings.Contains(got, "accepted") {
		h.t.Fatalf("got %s, want the event accepted", got)
	}
}

// A forged event that comes before GitHub's own about the same deployment is rejected, and the real deployment
// runs as GitHub shows it.
func TestTrust_ForgedBeforeTheRealEvent(t *testing.T) {
	t.Parallel()
	h := trusting(t, "environment: production\n    refs: [main]")
	h.withoutRecovery().start()
	h.gh.Hooks().Next("deployment", hookshot.Treatment{Fail: http.StatusBadGateway}, 1)
	real := h.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     payload("success"),
		Creator:     "alice",
	})

	var body map[string]any
	decode(t, h.gh.EventBody(real.ID), &body)
	body["deployment"].(map[string]any)["sha"] = strings.Repeat("66", 20)
	h.deliverForged(body)

	h.waitLog("GitHub shows another deployment")
	h.expectEnd(real, "success", "")
	if p := h.waitPipeline(real); p.Parameters["deploy_sha"] != real.SHA {
		t.Errorf("got deploy_sha %v, want that of the real deployment, %s", p.Parameters["deploy_sha"], real.SHA)
	}
}

// A forged event that names an installation of the App which does not see the repository gives way to the real one,
// too. With the token of that installation GitHub shows nothing.
func TestTrust_ForgedInstallation(t *testing.T) {
	t.Parallel()
	s := asApp(t)
	s.routes = "routes:\n  - repository: acme/api\n    refs: [main]\n    circleci: {revision: note}" + parameters
	h := newHarness(t, s)
	h.gh.AddRepository("acme/api")
	h.gh.InstallElsewhere(816)
	h.withoutRecovery().start()
	h.gh.Hooks().Next("deployment", hookshot.Treatment{Fail: http.StatusBadGateway}, 1)
	real := h.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     payload("success"),
		Creator:     "alice",
	})

	var body map[string]any
	decode(t, h.gh.EventBody(real.ID), &body)
	body["installation"] = map[string]any{"id": 816}
	body["deployment"].(map[string]any)["sha"] = strings.Repeat("66", 20)
	h.deliverForged(body)

	h.waitLog("GitHub shows another deployment")
	h.expectEnd(real, "success", "")
}

// A forged event that moves a deployment to a route without rules takes its id. It gets nothing that any forged
// event of that route does not get: by the route with rules nothing runs.
func TestTrust_ForgedForARouteWithoutRules(t *testing.T) {
	t.Parallel()
	h := trusting(t, "environment: production\n    refs: [main]\n  - repository: acme/api\n    environment: staging")
	h.withoutRecovery().start()
	h.gh.Hooks().Next("deployment", hookshot.Treatment{Fail: http.StatusBadGateway}, 1)
	real := h.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     payload("success"),
		Creator:     "alice",
	})

	event := h.gh.EventBody(real.ID)
	var body map[string]any
	decode(t, event, &body)
	body["deployment"].(map[string]any)["environment"] = "staging"
	h.deliverForged(body)
	if got := h.deliver("deployment", event); !strings.Contains(got, "duplicate") {
		t.Errorf("got %s for the real event, want a duplicate", got)
	}

	h.expectEnd(real, "success", "")
	if found := h.pipelines(real); len(found) != 1 {
		t.Fatalf("got pipelines %v, want one", found)
	}
	h.expectAPI("GET", fmt.Sprintf("/deployments/%d", real.ID), apiToken, "", 200, `"environment":"staging"`)
}

// A forged event of a route without rules can have an id that GitHub has not reached. What GitHub makes afterwards
// counts as older there, and in no other environment.
func TestTrust_ForgedIDOfTheFuture(t *testing.T) {
	t.Parallel()
	h := trusting(t, "environment: production\n    refs: [main]\n  - repository: acme/api")
	h.start()
	first := h.deploy("acme/api", "staging", "success")
	h.expectEnd(first, "success", "")

	var body map[string]any
	decode(t, h.gh.EventBody(first.ID), &body)
	id := first.ID + 1_000_000_000
	body["deployment"].(map[string]any)["id"] = id
	body["deployment"].(map[string]any)["created_at"] = time.Now().Add(time.Minute).UTC().Format(time.RFC3339)
	h.deliverForged(body)
	h.waitLog(fmt.Sprintf(`"deployment":%d,"repository":"acme/api","environment":"staging","state":"succeeded"`, id))

	h.expectEnd(h.deploy("acme/api", "staging", "success"), "error", fmt.Sprintf("superseded by #%d", id))
	for _, environment := range []string{"production", "review"} {
		h.expectEnd(h.deploy("acme/api", environment, "success"), "success", "")
	}
}

// A webhook of CircleCI that was signed with the secret ends nothing: what counts is what the API shows.
func TestTrust_ForgedCircleCIWebhook(t *testing.T) {
	t.Parallel()
	h := trusting(t, "refs: [main]")
	h.start()
	d := h.create("acme/api", github.NewDeployment{Payload: payload("manual"), Creator: "alice"})
	p := h.waitPipeline(d)
	if _, err := h.ci.SetWorkflow(p.ID, "deploy", "running", circleci.WorkflowOptions{}); err != nil {
		t.Fatal(err)
	}
	h.waitStatus(d, "in_progress")

	body := fmt.Appendf(nil, `{"type":"workflow-completed","id":"%s","pipeline":{"id":%q},
		"workflow":{"id":"w","name":"deploy","status":"success"}}`, strings.Repeat("a", 8), p.ID)
	mac := hmac.New(sha256.New, []byte(circleciSecret))
	mac.Write(body)
	header := http.Header{
		"Content-Type":       {"application/json"},
		"Circleci-Signature": {"v1=" + hex.EncodeToString(mac.Sum(nil))},
	}
	code, text := h.send(http.MethodPost, "/webhooks/circleci", body, header)
	if code != http.StatusOK || !strings.Contains(string(text), "accepted") {
		t.Fatalf("got %d %s, want 200 accepted", code, text)
	}

	if _, err := h.ci.SetWorkflow(p.ID, "deploy", "failed", circleci.WorkflowOptions{}); err != nil {
		t.Fatal(err)
	}
	h.expectEnd(d, "failure", "Workflow deploy failed")
}

// No address that stands in an event is ever called.
func TestTrust_NoURLOfAnEventIsCalled(t *testing.T) {
	t.Parallel()
	var called atomic.Int64
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	t.Cleanup(stranger.Close)

	h := trusting(t, "refs: [main]")
	h.withoutRecovery().start()
	h.gh.Hooks().Next("deployment", hookshot.Treatment{Lose: true}, 1)
	d := h.create("acme/api", github.NewDeployment{Payload: payload("success"), Creator: "alice"})

	var body any
	decode(t, h.gh.EventBody(d.ID), &body)
	replaced := replaceURLs(body, stranger.URL)
	if replaced < 20 {
		t.Fatalf("got %d addresses in the event, want many", replaced)
	}
	h.deliverForged(body)

	h.expectEnd(d, "success", "")
	if n := called.Load(); n > 0 {
		t.Errorf("got %d calls of addresses in the event, want none", n)
	}
}

// replaceURLs replaces all addresses in a JSON value and returns how many there were.
func replaceURLs(v any, with string) (n int) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if text, ok := value.(string); ok && strings.HasPrefix(text, "http") {
				v[key] = with + "/" + key
				n++
			}
			n += replaceURLs(value, with)
		}
	case []any:
		for _, value := range v {
			n += replaceURLs(value, with)
		}
	}
	return n
}

// An event of which one part is not what GitHub shows is rejected, whatever the part. The deployment runs as
// GitHub shows it.
func TestTrust_ForgedPart(t *testing.T) {
	t.Parallel()
	alice := map[string]any{"id": 583231, "login": "alice", "type": "User"}
	for _, c := range []struct {
		part  string
		value any
	}{
		{part: "creator", value: alice},
		{part: "sha", value: strings.Repeat("66", 20)},
		{part: "ref", value: "refs/heads/main"},
		{part: "task", value: "deploy:migrate"},
		{part: "environment", value: "production"},
		{part: "description", value: "approved by the CTO"},
		{part: "payload", value: map[string]any{"story": "success", "hosts": "db"}},
	} {
		t.Run(c.part, func(t *testing.T) {
			t.Parallel()
			h := trusting(t, "refs: [main]").withoutRecovery()
			h.start()
			h.gh.Hooks().Next("deployment", hookshot.Treatment{Lose: true}, 1)
			real := h.create("acme/api", github.NewDeployment{
				Environment: "review-" + c.part,
				Payload:     payload("success"),
				Creator:     "mallory",
			})

			var body map[string]any
			decode(t, h.gh.EventBody(real.ID), &body)
			body["deployment"].(map[string]any)[c.part] = c.value
			h.deliverForged(body)

			h.waitLog("GitHub shows another deployment")
			h.expectEnd(real, "success", "") // as GitHub shows it
			if p := h.waitPipeline(real); p.Parameters["deploy_sha"] != real.SHA {
				t.Errorf("got deploy_sha %v, want %s", p.Parameters["deploy_sha"], real.SHA)
			}
		})
	}
}
