package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/shapes"
)

// answers are what GitHub's own sample payloads must be answered with, by event and place. A place
// that is not named has its event's answer. The samples of deployments are all of one deployment,
// made years ago.
var answers = map[string]string{
	"deployment 0":      "202 accepted",
	"deployment 1":      "200 duplicate",
	"deployment 2":      "200 duplicate",
	"deployment 3":      "200 duplicate",
	"deployment_status": "200 ignored event deployment_status is not used",
	"status":            "200 ignored event status is not used",
	"check_run":         "200 ignored event check_run is not used",
	"workflow_job":      "200 ignored event workflow_job is not used", // one of them carries a deployment
	"ping":              "200 pong",
}

// Every sample payload that GitHub publishes is understood.
func TestOfficialExamples(t *testing.T) {
	t.Parallel()
	examples := shapes.Examples(t)
	w := newWorld(t, setup{routes: strings.Replace(keyed, "acme/*", "Codertocat/*", 1)}).start()
	for event, bodies := range examples {
		for i, body := range bodies {
			want, ok := answers[fmt.Sprint(event, " ", i)]
			if !ok {
				want = answers[event]
			}
			if got := w.hook(event, body); got != want {
				t.Errorf("%s, sample %d: %q, want %q", event, i, got, want)
			}
		}
	}

	w.waitLog("deployment errored", "arrived too late")
	if n := len(w.ci.Triggers()); n != 0 {
		t.Errorf("%d triggers", n)
	}
}
