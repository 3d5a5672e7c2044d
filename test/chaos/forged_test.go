package chaos

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// forgery is what was sent by somebody who knows the webhook secret, and must not run.
type forgery struct {
	sent, accepted int
	ids            []int64 // of deployments
}

// noSuchDeployment is the first id of events about deployments that do not exist at GitHub.
const noSuchDeployment = 987_654_321

// forgeries change the event of a deployment for an environment without a route, at a commit that the rules
// allow. Each names an environment with rules, so that it would run if nobody compared it with GitHub.
var forgeries = []struct {
	creator string // whom GitHub shows
	change  func(h *harness, deployment map[string]any)
}{
	{creator: mayDeploy, change: func(*harness, map[string]any) {}},
	{creator: stranger, change: func(*harness, map[string]any) {}},
	{creator: mayDeploy, change: func(_ *harness, d map[string]any) { d["sha"] = github.Commit("acme", "evil") }},
	{
		creator: mayDeploy,
		change: func(h *harness, d map[string]any) {
			d["id"], d["created_at"] = noSuchDeployment+h.forged.sent, nil
		},
	},
}

// forgeEvents sends one event of each kind, and two bodies that are no JSON: with a byte order mark before
// it, and with a NUL behind it.
func (h *harness) forgeEvents(t *testing.T, rng *rand.Rand) {
	for _, f := range forgeries {
		h.sendForged(t, h.forge(t, f.creator, f.change, rng))
	}

	body := h.forge(t, mayDeploy, func(*harness, map[string]any) {}, rng)
	h.sendForged(t, append([]byte("\ufeff"), body...))
	h.sendForged(t, append(body, 0))
}

// forge creates a deployment and returns its event, in the name of somebody who may deploy.
func (h *harness) forge(
	t *testing.T,
	creator string,
	change func(*harness, map[string]any),
	rng *rand.Rand,
) []byte {
	t.Helper()
	h.forged.sent++
	name := h.ruled[rng.IntN(len(h.ruled))].name
	ref := fmt.Sprint("work-forged-", h.forged.sent)
	sha := h.github.Push(name, ref, "")
	h.github.AddCheck(sha, github.CheckRun{Name: "build"})
	id := h.createAs(t, creator, name, unrouted, ref, rng)

	var event map[string]any
	if err := json.Unmarshal(h.github.EventBody(id), &event); err != nil {
		t.Fatal(err)
	}

	deployment := event["deployment"].(map[string]any)
	deployment["environment"] = ruledEnvironments[0]
	deployment["creator"].(map[string]any)["id"] = h.github.AddUser(mayDeploy)
	deployment["creator"].(map[string]any)["login"] = mayDeploy
	change(h, deployment)
	body, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}

	h.forged.ids = append(h.forged.ids, id, int64(noSuchDeployment+h.forged.sent))
	return body
}

// sendForged signs a body and sends it until the service answers.
func (h *harness) sendForged(t *testing.T, body []byte) {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body) // never fails
	header := http.Header{
		"Content-Type":        {"application/json"},
		"User-Agent":          {"GitHub-Hookshot/5e1a7c0"},
		"X-Github-Event":      {"deployment"},
		"X-Github-Delivery":   {fmt.Sprintf("00000000-0000-4000-8000-%012d", h.forged.sent)},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}

	for range 40 {
		switch status := h.post(t.Context(), header, body); {
		case status == http.StatusAccepted:
			h.forged.accepted++
			return
		case status > 0 && status < 500:
			return
		}

		pause(t.Context(), 250*time.Millisecond)
	}
}

// post sends a webhook and returns the status of the answer; 0: there was none.
func (h *harness) post(ctx context.Context, header http.Header, body []byte) int {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.address+"/webhooks/github", bytes.NewReader(body))
	if err != nil {
		return 0
	}

	req.Header = header
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return 0
	}

	res.Body.Close() // only the status matters
	return res.StatusCode
}

// verifyForged checks that nothing that was forged ran.
func (h *harness) verifyForged(t *testing.T) {
	byID := h.circleci.ByParameter("deployment_id")
	for _, id := range h.forged.ids {
		if found := byID[formatID(id)]; len(found) > 0 {
			t.Errorf("a forged event about deployment %d started the pipelines %v", id, found)
		}
	}

	t.Logf("%d events were forged, %d of them accepted", h.forged.sent, h.forged.accepted)
	if h.forged.sent > 0 && h.forged.accepted == 0 {
		t.Error("got no forged event accepted, want some")
	}
}
