package chaos

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

var environments = []string{"production", "staging", "eu-west", "canary"}

// warmUp starts the cluster and deploys once in each repository, without faults. From then on Seraph
// knows a pipeline of each project, which it compares lists of pipelines with when it looks for the
// result of a lost trigger.
func (h *harness) warmUp(t *testing.T) {
	h.start(t)
	for i, name := range h.repositories {
		h.create(t, name, environments[0], h.rng(streamDeployment+i))
	}
	for i, r := range h.ruled {
		h.createRuled(t, r, warmUpIndex+i, noTrouble, h.rng(streamDeployment+warmUpIndex+i))
	}
	h.waitEnded(t.Context())
}

// deployAll creates all other deployments, distributed over most of the fault period. Deployments that a
// restored backup does not contain are replaced by others.
func (h *harness) deployAll(t *testing.T) {
	gap := h.faultPeriod * 3 / 4 / time.Duration(h.deployments)
	created := len(h.repositories) + len(h.ruled)
	for i := created; t.Context().Err() == nil; i++ {
		h.quiet.RLock()
		enough := created >= h.deployments+h.restored.forgottenCount()
		switch {
		case enough:
		case h.large && h.restoreDone.Load() && i%burstEvery == 0:
			created += h.deployBurst(t, i)
		default:
			created += h.deploy(t, i)
		}

		h.quiet.RUnlock()
		if enough {
			return
		}

		pause(t.Context(), gap)
	}
}

// deploy creates one deployment, or sometimes two of one project at once, and returns how many.
func (h *harness) deploy(t *testing.T, i int) int {
	rng := h.rng(streamDeployment + i)
	if rng.IntN(ruledEvery) == 0 {
		h.treatWebhook(rng)
		h.deployRuled(t, i, rng)
		return 1
	}

	name, env := h.repositories[rng.IntN(len(h.repositories))], rng.IntN(len(environments))
	if withoutKey(name) && !h.restoreDone.Load() {
		name = "acme/left" // without a key its pipelines cannot be assigned after the restore
	}

	h.treatWebhook(rng)
	h.create(t, name, environments[env], rng)
	if i%8 != 0 {
		return 1
	}

	h.create(t, sameProject(name), environments[(env+1)%len(environments)], rng)
	return 2
}

// A burst is as many deployments at once as make the service commit large batches. The large run has one
// or two, after the restore, because the restore needs a moment without pipelines.
const (
	burstSize  = 200
	burstEvery = 60
)

// deployBurst creates many deployments at once, each in an environment of its own.
func (h *harness) deployBurst(t *testing.T, i int) int {
	names := slices.DeleteFunc(slices.Clone(h.repositories), withoutKey)

	var creating sync.WaitGroup
	for n := range burstSize {
		creating.Go(func() {
			rng := h.rng(streamBurst + i*burstSize + n)
			h.create(t, names[n%len(names)], fmt.Sprintf("review-%d-%d", i, n), rng)
		})
	}

	creating.Wait()
	return burstSize
}

// sameProject returns another repository of the same CircleCI project, or the repository itself.
func sameProject(name string) string {
	switch name {
	case "acme/left":
		return "acme/right"
	case "acme/right":
		return "acme/left"
	default:
		return name
	}
}

// treatWebhook sometimes fails, doubles, delays or loses the webhook of the next deployment. GitHub
// does not retry.
func (h *harness) treatWebhook(rng *rand.Rand) {
	treatments := []hookshot.Treatment{
		{Fail: http.StatusBadGateway},
		{Copies: 2},
		{Delay: interval{time.Second, 3 * time.Second}.pick(rng)},
		{Lose: true},
	}

	if !h.large {
		treatments = treatments[:3] // redeliver cannot repeat a delivery that was never sent
	}
	if n := rng.IntN(5 * len(treatments)); n < len(treatments) {
		h.github.Hooks().Next("deployment", treatments[n], 1)
	}
}

// redeliver asks GitHub to repeat what it could not deliver, as a person does who does not want to wait:
// after a kill it can take a minute until another replica looks for it.
func (h *harness) redeliver(t *testing.T) {
	all := h.github.Deliveries()
	for _, d := range all {
		delivered := func(other hookshot.Delivery) bool { return other.GUID == d.GUID && other.StatusCode/100 == 2 }
		if d.Lost || d.Redelivery || slices.ContainsFunc(all, delivered) {
			continue
		}
		if err := h.github.Hooks().Redeliver(d.ID); err != nil {
			t.Error(err)
		}
	}
}

// oddText returns, as JSON, a text that people can see, or one that has a NUL and a byte order mark.
func oddText(rng *rand.Rand) string {
	if rng.IntN(4) > 0 {
		return "as usual"
	}
	return "\ufeffodd \\u0000 text"
}

func (h *harness) create(t *testing.T, repository, environment string, rng *rand.Rand) {
	h.createAs(t, mayDeploy, repository, environment, "main", rng)
}

func (h *harness) createAs(
	t *testing.T,
	creator, repository, environment, ref string,
	rng *rand.Rand,
) (id int64) {
	scenario := scenarios[rng.IntN(len(scenarios))]
	if scenario == "odd-error" && !h.restoreDone.Load() {
		scenario = "odd-name" // a pipeline that did not compile shows no key, so the restored database cannot assign it
	}
	payload := fmt.Sprintf(`{"scenario":%q,"note":"%s"}`, scenario, oddText(rng))
	d, err := h.github.CreateDeployment(repository, github.NewDeployment{
		Ref:         ref,
		Environment: environment,
		Payload:     json.RawMessage(payload),
		Creator:     creator,
		Description: strings.ReplaceAll(oddText(rng), `\u0000`, "\x00"),
	})
	if err != nil {
		t.Errorf("create deployment of %s: %v", repository, err)
	}
	return d.ID
}
