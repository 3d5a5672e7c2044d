package chaos

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

var environments = []string{"production", "staging", "eu-west", "canary"}

// warmUp starts the fleet and lets each repository deploy once while all is well. From then on each
// project has a pipeline that is known, which is what a look-up of a lost one measures the lists
// by.
func (w *world) warmUp(t *testing.T) {
	w.start(t)
	for i, name := range w.repositories {
		w.create(t, name, environments[0], w.dice(diceDeployment+i))
	}
	w.waitEnded(t.Context())
}

// deployAll makes all other deployments, spread over most of the storm. Those that a restored
// backup forgets do not count.
func (w *world) deployAll(t *testing.T) {
	gap := w.rage * 3 / 4 / time.Duration(w.deployments)
	made := len(w.repositories)
	for i := made; t.Context().Err() == nil; i++ {
		w.hush.RLock()
		enough := made >= w.deployments+len(w.restored.forgotten)
		switch {
		case enough:
		case w.large && w.again.Load() && i%crowdEvery == 0:
			made += w.deployCrowd(t, i)
		default:
			made += w.deploy(t, i)
		}

		w.hush.RUnlock()
		if enough {
			return
		}

		pause(t.Context(), gap)
	}
}

// deploy makes one deployment; now and then two of one project at once. It returns how many.
func (w *world) deploy(t *testing.T, i int) int {
	dice := w.dice(diceDeployment + i)
	name, place := w.repositories[dice.IntN(len(w.repositories))], dice.IntN(len(environments))
	if withoutKey(name) && !w.again.Load() {
		name = "acme/left" // nothing tells its pipelines from those that the restored database has forgotten
	}

	w.treatWebhook(dice)
	w.create(t, name, environments[place], dice)
	if i%8 != 0 {
		return 1
	}

	w.create(t, sibling(name), environments[(place+1)%len(environments)], dice)
	return 2
}

// A crowd is as many deployments at once as make the service commit large batches. The large
// run has one or two, after the restore, for which there must be a moment of peace.
const (
	diceCrowd  = 10_000
	crowd      = 200
	crowdEvery = 60
)

// deployCrowd makes many deployments at once, each of an environment of its own.
func (w *world) deployCrowd(t *testing.T, i int) int {
	names := slices.DeleteFunc(slices.Clone(w.repositories), withoutKey)
	var making sync.WaitGroup
	for n := range crowd {
		making.Go(func() {
			w.create(t, names[n%len(names)], fmt.Sprintf("review-%d-%d", i, n), w.dice(diceCrowd+i*crowd+n))
		})
	}

	making.Wait()
	return crowd
}

// sibling is another repository of the same project, or the same one.
func sibling(name string) string {
	switch name {
	case "acme/left":
		return "acme/right"
	case "acme/right":
		return "acme/left"
	default:
		return name
	}
}

// treatWebhook fails, doubles, delays or loses the next deployment's webhook now and then. GitHub
// sends it once.
func (w *world) treatWebhook(dice *rand.Rand) {
	treatments := []hookshot.Treatment{
		{
			Fail: http.StatusBadGateway,
		}, {
			Copies: 2,
		}, {
			Delay: span{time.Second, 3 * time.Second}.pick(dice),
		}, {
			Lose: true,
		},
	}

	if !w.large {
		treatments = treatments[:3] // redeliver cannot help with one that was never sent
	}
	if n := dice.IntN(5 * len(treatments)); n < len(treatments) {
		w.github.Hooks().Next("deployment", treatments[n], 1)
	}
}

// redeliver asks GitHub to deliver again what it could not, as a person does who does not want to
// wait: after a kill it may take a minute until another replica looks for it.
func (w *world) redeliver(t *testing.T) {
	list := w.github.Deliveries()
	for _, d := range list {
		came := func(other hookshot.Delivery) bool { return other.GUID == d.GUID && other.StatusCode/100 == 2 }
		if d.Lost || d.Redelivery || slices.ContainsFunc(list, came) {
			continue
		}
		if err := w.github.Hooks().Redeliver(d.ID); err != nil {
			t.Error(err)
		}
	}
}

func (w *world) create(t *testing.T, repository, environment string, dice *rand.Rand) {
	payload, err := json.Marshal(map[string]string{"story": names[dice.IntN(len(names))]})
	if err == nil {
		_, err = w.github.CreateDeployment(repository, github.NewDeployment{
			Ref:         "main",
			Environment: environment,
			Payload:     payload,
		})
	}

	if err != nil {
		t.Errorf("a deployment of %s cannot be made: %v", repository, err)
	}
}
