package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

// lostWebhook makes GitHub not send a webhook.
var lostWebhook = hookshot.Treatment{Lose: true}

// TestWebhook_DeliveredAgain checks that a deployment runs once though GitHub delivers it several times.
func TestWebhook_DeliveredAgain(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	h.gh.Hooks().Next("deployment", hookshot.Treatment{Copies: 3}, 1)
	d := h.deploy("acme/api", "production", "success")
	h.expectEnd(d, "success", "")

	count := map[string]int{}
	for _, delivery := range h.waitDeliveries("deployment", 4) {
		count[deliveryResult(t, delivery)]++
	}
	if count["202 accepted"] != 1 || count["200 duplicate"] != 3 {
		t.Errorf("answers: got %v, want 1 accepted and 3 duplicates", count)
	}
}

// deployDelivered creates a deployment and waits until its webhook was answered. GitHub does not keep the
// order of webhooks, and an older deployment that comes second would be superseded.
func (h *harness) deployDelivered(repository, environment, scenario string) github.Deployment {
	h.t.Helper()
	d := h.deploy(repository, environment, scenario)
	h.waitDelivery(d)
	return d
}

// waitDelivery waits until the webhook of a deployment was answered or has failed, and returns it.
func (h *harness) waitDelivery(of github.Deployment) (found hookshot.Delivery) {
	h.t.Helper()
	ctx, cancel := h.waitContext()
	defer cancel()
	err := h.gh.WaitDeliveries(ctx, func(all []hookshot.Delivery) bool {
		i := slices.IndexFunc(all, func(d hookshot.Delivery) bool { return d.Event == "deployment" && deploymentIn(d) == of.ID })
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	if err != nil {
		h.t.Fatalf("webhook of deployment %d: got none: %v", of.ID, err)
	}

	return found
}

// deploymentIn returns the id of the deployment that a webhook is about.
func deploymentIn(d hookshot.Delivery) int64 {
	var body struct{ Deployment struct{ ID int64 } }
	_ = json.Unmarshal(d.Body, &body) // what cannot be read is about no deployment
	return body.Deployment.ID
}

// waitDeliveries waits until n webhooks of an event were answered.
func (h *harness) waitDeliveries(event string, n int) (found []hookshot.Delivery) {
	h.t.Helper()
	ctx, cancel := h.waitContext()
	defer cancel()
	err := h.gh.WaitDeliveries(ctx, func(all []hookshot.Delivery) bool {
		found = slices.DeleteFunc(slices.Clone(all), func(d hookshot.Delivery) bool { return d.Event != event })
		return len(found) >= n
	})
	if err != nil {
		h.t.Fatalf("answers to %s: got %d, want %d: %v", event, len(found), n, err)
	}

	return found
}

// deliveryResult returns the answer to a webhook as "code result".
func deliveryResult(t *testing.T, d hookshot.Delivery) string {
	t.Helper()
	var answer struct{ Result string }
	decode(t, d.Answer, &answer)
	return fmt.Sprint(d.StatusCode) + " " + answer.Result
}
