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

// repository is the one that is deployed.
const repository = "acme/api"

// story is one deployment, what its pipeline does in CircleCI, and how GitHub must show its end.
type story struct {
	environment, scenario, end string
}

var stories = []story{
	{environment: "staging", scenario: "success", end: "success"},
	{environment: "production", scenario: "approve-then-fail", end: "failure"},
}

// play deploys, shows what GitHub is told, and approves when GitHub shows that an approval is waited for.
func (w *world) play(ctx context.Context, s story) error {
	w.screen.title("Deploy main of %s to %s", repository, s.environment)
	d, err := w.github.CreateDeployment(repository, github.NewDeployment{Ref: "main", Environment: s.environment})
	if err != nil {
		return err
	}
	w.screen.line(event{d.Environment, "you", "deploy", fmt.Sprintf("deployment %d of %s, %.7s", d.ID, d.Ref, d.SHA), ""})
	if err := w.delivered(ctx, d); err != nil {
		return err
	}
	for shown := 0; ; {
		all, err := w.statuses(ctx, d, shown)
		if err != nil {
			return err
		}
		for _, st := range all[shown:] {
			w.screen.line(event{d.Environment, "GitHub", st.State, st.Description, st.LogURL})
		}
		shown = len(all)
		if done, err := w.after(s, d, all[shown-1].State); done || err != nil {
			return err
		}
	}
}

// delivered waits for the answer to the deployment's webhook.
func (w *world) delivered(ctx context.Context, d github.Deployment) error {
	var last hookshot.Delivery
	err := w.github.WaitDeliveries(ctx, func(all []hookshot.Delivery) bool {
		if len(all) == 0 || !strings.Contains(string(all[len(all)-1].Body), fmt.Sprint(d.ID)) {
			return false
		}
		last = all[len(all)-1]
		return true
	})
	if err != nil {
		return fmt.Errorf("GitHub's webhook got no answer: %w", err)
	}
	signed := "unsigned"
	if last.Header.Get("X-Hub-Signature-256") != "" {
		signed = "signed"
	}
	w.screen.line(event{d.Environment, "GitHub", "webhook", fmt.Sprintf("%s %s event, answered %d %s", signed, last.Event, last.StatusCode, http.StatusText(last.StatusCode)), ""})
	if last.StatusCode != http.StatusAccepted {
		return fmt.Errorf("the webhook was answered %d, want %d", last.StatusCode, http.StatusAccepted)
	}
	return nil
}

// statuses waits until GitHub holds more than so many statuses of a deployment.
func (w *world) statuses(ctx context.Context, d github.Deployment, more int) ([]github.Status, error) {
	var all []github.Status
	err := w.github.WaitStatus(ctx, repository, d.ID, func(list []github.Status) bool {
		all = slices.Clone(list)
		return len(list) > more
	})
	if err != nil {
		return nil, fmt.Errorf("GitHub was told nothing more after %d statuses: %w", more, err)
	}
	return all, nil
}

// after acts on the newest status as a person would, and says whether the story is over.
func (w *world) after(s story, d github.Deployment, state string) (bool, error) {
	switch state {
	case "pending":
		return false, w.approve(d)
	case s.end:
		return true, nil
	case "success", "failure", "error":
		return true, fmt.Errorf("it ended %s, want %s", state, s.end)
	}
	return false, nil
}

// approve presses the button in CircleCI.
func (w *world) approve(d github.Deployment) error {
	for _, p := range w.circleci.Pipelines() {
		if environment(p) == d.Environment {
			w.screen.line(event{d.Environment, "you", "approve", fmt.Sprintf("pipeline %d in CircleCI, as a person does", p.Number), ""})
			return w.circleci.Approve(p.ID)
		}
	}
	return errors.New("no pipeline is there to approve")
}

// summary says what GitHub shows in the end and what it took, and fails where a deployment did not run exactly once.
func (w *world) summary() error {
	w.screen.title("In the end GitHub shows")
	deployments := w.github.Deployments()
	for _, d := range deployments {
		last := d.Statuses[len(d.Statuses)-1]
		w.screen.line(event{d.Environment, "GitHub", last.State, last.Description, last.LogURL})
	}
	triggers := w.circleci.Triggers()
	w.screen.note("%d deployments, %d pipelines triggered, %d statuses written to GitHub", len(deployments), len(triggers), w.github.Writes())
	if len(triggers) != len(deployments) || len(w.circleci.Pipelines()) != len(deployments) {
		return errors.New("a deployment did not run exactly once")
	}
	if bad := append(w.github.Violations(), w.circleci.Violations()...); len(bad) > 0 {
		return fmt.Errorf("calls that the vendors' references do not allow: %s", strings.Join(bad, "; "))
	}
	return nil
}

// environment is what a pipeline was told to deploy to.
func environment(p circleci.Pipeline) string {
	name, _ := p.Parameters["deploy_environment"].(string)
	return name
}
