package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/shapes"
)

// exampleAnswers are the answers to GitHub's own sample payloads, by event and index, or by event alone.
// The samples of deployments are all of one deployment, which is years old.
var exampleAnswers = map[string]string{
	"deployment 0":      "202 accepted",
	"deployment 1":      "200 duplicate",
	"deployment 2":      "200 duplicate",
	"deployment 3":      "200 duplicate",
	"deployment_status": "200 ignored event deployment_status is not used",
	"status":            "200 ignored event status is not used",
	"check_run":         "200 ignored event check_run is not used",
	"workflow_job":      "200 ignored event workflow_job is not used", // one of them contains a deployment
	"ping":              "200 pong",
}

// TestWebhook_OfficialExamples delivers every sample payload that GitHub publishes.
func TestWebhook_OfficialExamples(t *testing.T) {
	t.Parallel()
	examples := shapes.Examples(t)
	h := newHarness(t, setup{routes: strings.Replace(wildcardRoutes, "acme/*", "Codertocat/*", 1)}).start()
	for event, bodies := range examples {
		for i, body := range bodies {
			want, ok := exampleAnswers[fmt.Sprint(event, " ", i)]
			if !ok {
				want = exampleAnswers[event]
			}
			if got := h.deliver(event, body); got != want {
				t.Errorf("%s, sample %d: got %q, want %q", event, i, got, want)
			}
		}
	}

	h.waitLog("deployment errored", "arrived too late")
	if got := len(h.ci.Triggers()); got != 0 {
		t.Errorf("triggers: got %d, want 0", got)
	}
}
