package control

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// event is one thing that happened, for GET /events.
type event struct {
	kind string
	key  string // the same thing twice is told once
	data any
}

// events tells what there is and then, unless follow=false, what changes, until the caller hangs up.
func (c *Control) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	told := map[string]bool{}
	for {
		gh, hooks, ci := c.github.Changed(), c.github.Hooks().Changed(), c.circleci.Changed() // before the look
		for _, e := range c.happened() {
			if !told[e.key] {
				told[e.key] = true
				tell(w, e)
			}
		}
		if err := http.NewResponseController(w).Flush(); err != nil || r.URL.Query().Get("follow") == "false" {
			return
		}
		select {
		case <-gh:
		case <-hooks:
		case <-ci:
		case <-r.Context().Done():
			return
		}
	}
}

func tell(w http.ResponseWriter, e event) {
	data, err := json.Marshal(e.data)
	if err != nil {
		return
	}
	fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e.kind, data) // the caller hung up
}

// happened lists everything there is to tell, in an order in which it may have happened.
func (c *Control) happened() []event {
	var all []event
	for _, d := range c.deployments() {
		statuses := d.Statuses
		d.Statuses = nil
		all = append(all, event{"deployment", fmt.Sprint("deployment ", d.ID), d})
		for _, s := range statuses {
			data := struct {
				Deployment int64 `json:"deployment"`
				status
			}{d.ID, s}
			all = append(all, event{"status", fmt.Sprint("status ", s.ID), data})
		}
	}
	for _, d := range c.deliveries() {
		all = append(all, event{"delivery", fmt.Sprint("delivery ", d.ID), d})
	}
	for _, p := range c.circleci.Pipelines() {
		state := fmt.Sprint("pipeline ", p.ID, " ", p.State, " ", p.Workflows)
		all = append(all, event{"pipeline", state, p})
	}
	return all
}
