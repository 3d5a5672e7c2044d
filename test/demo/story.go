package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
)

// repository is the one that GitHub and the command line deploy.
const repository = "acme/web"

// playGitHub creates a deployment at GitHub and prints each status that GitHub gets, until it succeeded.
func (w *world) playGitHub(ctx context.Context) error {
	const environment = "staging"
	w.screen.printTitle("From GitHub: deploy main of %s to %s", repository, environment)
	d, err := w.github.CreateDeployment(repository, github.NewDeployment{Ref: "main", Environment: environment})
	if err != nil {
		return err
	}
	w.screen.printEvent(event{
		environment: d.Environment,
		source:      "you",
		what:        "deploy",
		text:        fmt.Sprintf("deployment %d of %s, %.7s", d.ID, d.Ref, d.SHA),
	})
	if err := w.waitDelivery(ctx, d); err != nil {
		return err
	}

	printed := 0
	for {
		statuses, err := w.waitStatuses(ctx, d, printed)
		if err != nil {
			return err
		}
		for _, st := range statuses[printed:] {
			w.screen.printEvent(event{
				environment: d.Environment,
				source:      "GitHub",
				what:        st.State,
				text:        st.Description,
				link:        st.LogURL,
			})
		}

		printed = len(statuses)
		switch state := statuses[printed-1].State; state {
		case "success":
			return nil
		case "failure", "error":
			return fmt.Errorf("the deployment ended with %s, want success", state)
		}
	}
}

// waitDelivery waits for the answer to the deployment's webhook.
func (w *world) waitDelivery(ctx context.Context, d github.Deployment) error {
	var last hookshot.Delivery
	err := w.github.WaitDeliveries(ctx, func(all []hookshot.Delivery) bool {
		if len(all) == 0 || !strings.Contains(string(all[len(all)-1].Body), fmt.Sprint(d.ID)) {
			return false
		}
		last = all[len(all)-1]
		return true
	})
	if err != nil {
		return fmt.Errorf("wait for the webhook's answer: %w", err)
	}

	signed := "unsigned"
	if last.Header.Get("X-Hub-Signature-256") != "" {
		signed = "signed"
	}
	answer := fmt.Sprintf("%d %s", last.StatusCode, http.StatusText(last.StatusCode))
	w.screen.printEvent(event{
		environment: d.Environment,
		source:      "GitHub",
		what:        "webhook",
		text:        fmt.Sprintf("%s %s event, answered %s", signed, last.Event, answer),
	})
	if last.StatusCode != http.StatusAccepted {
		return fmt.Errorf("the webhook was answered %s, want %d", answer, http.StatusAccepted)
	}
	return nil
}

// waitStatuses waits until GitHub holds more statuses of a deployment than were there before, and returns all.
func (w *world) waitStatuses(ctx context.Context, d github.Deployment, before int) ([]github.Status, error) {
	var all []github.Status
	err := w.github.WaitStatus(ctx, repository, d.ID, func(list []github.Status) bool {
		all = slices.Clone(list)
		return len(list) > before
	})
	if err != nil {
		return nil, fmt.Errorf("wait for a status after %d: %w", before, err)
	}
	return all, nil
}

// printSummary prints what GitHub shows at the end. It fails where a deployment did not run exactly once.
func (w *world) printSummary() error {
	w.screen.printTitle("In the end GitHub shows")
	deployments := w.github.Deployments()
	for _, d := range deployments {
		last := d.Statuses[len(d.Statuses)-1]
		w.screen.printEvent(event{
			environment: d.Environment,
			source:      "GitHub",
			what:        last.State,
			text:        last.Description,
			link:        last.LogURL,
		})
	}
	triggers := w.circleci.Triggers()
	w.screen.printNote("%d deployments, %d pipelines triggered, %d statuses written to GitHub",
		len(deployments), len(triggers), w.github.Writes())
	w.screen.printNote("To try it by hand: `make sim`, and in a second terminal `make run ENV_FILE=deploy/simulator.env`,")
	w.screen.printNote("and http://127.0.0.1:9003 in a browser: the channel of Slack, in which you may be anybody")

	if len(triggers) != len(deployments) || len(w.circleci.Pipelines()) != len(deployments) {
		return errors.New("a deployment did not run exactly once")
	}
	if bad := append(w.github.Violations(), w.circleci.Violations()...); len(bad) > 0 {
		return fmt.Errorf("calls that the vendors' references do not allow: %s", strings.Join(bad, "; "))
	}
	return nil
}

// environmentOf is the environment that a pipeline deploys to.
func environmentOf(p circleci.Pipeline) string {
	name, _ := p.Parameters["deploy_environment"].(string)
	return name
}
