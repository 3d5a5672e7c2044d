package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// event is one thing that happened. Its data is a deployment, a deploymentStatus, a delivery, a
// Pipeline, a slackMessage, a slackView or a slackDelivery.
type event struct {
	kind string
	key  string // an event with the same key is reported once
	data any
}

// deploymentStatus is a status with the id of its deployment.
type deploymentStatus struct {
	Deployment int64 `json:"deployment"`
	status
}

// events sends the existing events and then, unless follow=false, new ones until the caller closes
// the connection.
func (c *Control) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	c.follow(r.Context(), func(events []event) bool {
		for _, e := range events {
			if data, err := json.Marshal(e.data); err == nil {
				fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e.kind, data) // Flush reports a closed connection
			}
		}

		return http.NewResponseController(w).Flush() == nil && r.URL.Query().Get("follow") != "false"
	})
}

// follow reports the existing events and then new ones, until ctx ends or report returns false.
func (c *Control) follow(ctx context.Context, report func(events []event) bool) {
	reported := map[string]bool{}
	for {
		// The channels are taken before the lists are read, so that no change is missed.
		gh, hooks, ci, sl := c.github.Changed(), c.github.Hooks().Changed(), c.circleci.Changed(), c.slack.Changed()
		var events []event
		for _, e := range c.allEvents() {
			if !reported[e.key] {
				reported[e.key] = true
				events = append(events, e)
			}
		}

		if !report(events) {
			return
		}

		select {
		case <-gh:
		case <-hooks:
		case <-ci:
		case <-sl:
		case <-ctx.Done():
			return
		}
	}
}

// allEvents lists every event, in an order in which they can have happened.
func (c *Control) allEvents() []event {
	var all []event
	for _, d := range c.deployments() {
		statuses := d.Statuses
		d.Statuses = nil
		all = append(all, event{kind: "deployment", key: fmt.Sprint("deployment ", d.ID), data: d})
		for _, s := range statuses {
			all = append(all, event{
				kind: "status",
				key:  fmt.Sprint("status ", s.ID),
				data: deploymentStatus{d.ID, s},
			})
		}
	}

	for _, d := range c.deliveries() {
		all = append(all, event{kind: "delivery", key: fmt.Sprint("delivery ", d.ID), data: d})
	}

	for _, p := range c.circleci.Pipelines() {
		state := fmt.Sprint("pipeline ", p.ID, " ", p.State, " ", p.Workflows)
		all = append(all, event{kind: "pipeline", key: state, data: p})
	}

	return append(all, c.slackEvents()...)
}

// slackEvents lists what happened in Slack. A message or a view is reported again whenever it changes.
func (c *Control) slackEvents() []event {
	var all []event
	for _, m := range c.slack.Posted("") {
		key := fmt.Sprint("slack_message ", m.Channel, " ", m.TS, " ", m.Version)
		all = append(all, event{kind: "slack_message", key: key, data: slackMessageOf(m)})
	}
	for _, v := range c.slack.AllViews() {
		key := fmt.Sprint("slack_view ", v.ID, " ", v.Version, " ", v.Closed)
		all = append(all, event{kind: "slack_view", key: key, data: slackViewOf(v)})
	}
	for _, d := range slackDeliveriesOf(c.slack.Deliveries()) {
		all = append(all, event{kind: "slack_delivery", key: fmt.Sprint("slack_delivery ", d.ID), data: d})
	}

	return all
}
