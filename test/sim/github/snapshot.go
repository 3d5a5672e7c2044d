package github

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// Status is a copy of one status for tests.
type Status struct {
	ID             int64
	State          string
	Description    string
	LogURL         string
	EnvironmentURL string
	Environment    string
	Creator        string
	At             time.Time
}

func (d *deployment) snapshot() Deployment {
	out := Deployment{
		ID:           d.ID,
		Repository:   d.repo.FullName(),
		RepositoryID: d.repo.ID,
		SHA:          d.SHA,
		Ref:          d.Ref,
		Task:         d.Task,
		Environment:  d.Environment,
		Description:  d.Description,
		Payload:      d.Payload,
		Production:   d.Production,
		Creator:      d.Creator.Login,
		CreatorID:    d.Creator.ID,
		At:           d.CreatedAt,
	}

	if d.App != nil {
		out.App = d.App.Slug
	}

	for _, st := range d.statuses {
		out.Statuses = append(out.Statuses, Status{
			ID:             st.ID,
			State:          st.State,
			Description:    st.Description,
			LogURL:         st.LogURL,
			At:             st.CreatedAt,
			EnvironmentURL: st.EnvironmentURL,
			Environment:    st.Environment,
			Creator:        st.Creator.Login,
		})
	}

	return out
}

// Deployments returns all deployments of all repositories, oldest first.
func (s *Server) Deployments() []Deployment {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Deployment, 0, len(s.deployments))
	for _, d := range s.deployments {
		out = append(out, d.snapshot())
	}
	return out
}

// Statuses returns a deployment's statuses, oldest first.
func (s *Server) Statuses(repo string, deploymentID int64) []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.mustRepository(repo)
	for _, d := range s.deployments {
		if d.ID == deploymentID && d.repo == r {
			return d.snapshot().Statuses
		}
	}

	return nil
}

// WaitStatus returns nil when done is true for the deployment's statuses (oldest first), or the
// cause of the end of ctx.
func (s *Server) WaitStatus(ctx context.Context, repo string, deploymentID int64, done func([]Status) bool) error {
	return s.changed.Wait(ctx, func() bool { return done(s.Statuses(repo, deploymentID)) })
}

// Reached returns a condition for WaitStatus: the newest status has this state.
func Reached(state string) func([]Status) bool {
	return func(statuses []Status) bool { return len(statuses) > 0 && statuses[len(statuses)-1].State == state }
}

// Writes counts the calls for a new deployment or status that were not refused because of
// permissions or a rate limit.
func (s *Server) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// Calls counts the calls that reached the simulator, by operation.
func (s *Server) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Violations lists what callers did against GitHub's reference: unknown paths, query parameters and
// fields, wrong types, missing fields, values out of bounds.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// Report adds a violation that was found elsewhere, such as by a check in Options.Wrap.
func (s *Server) Report(violation string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, violation)
}

// Deliveries returns all webhook deliveries, oldest first, with the responses of the receiver.
func (s *Server) Deliveries() []hookshot.Delivery { return s.hooks.Deliveries() }

// WaitDeliveries returns nil when done is true for the deliveries, or the cause of the end of ctx.
func (s *Server) WaitDeliveries(ctx context.Context, done func([]hookshot.Delivery) bool) error {
	return s.hooks.Wait(ctx, done)
}

// Send sends an event with any body to the webhooks of a repository, whether they subscribe to it
// or not.
func (s *Server) Send(repo, event string, body json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(s.mustRepository(repo), event, body)
}

func (s *Server) send(r *repository, event string, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}

	var about struct {
		Action string `json:"action"`
	}
	json.Unmarshal(raw, &about) // on failure the action is empty
	hooks := s.hooksFor(r)
	for i := range hooks {
		hooks[i].Events = []string{"*"}
	}

	s.hooks.Send(hookshot.Message{Event: event, Action: about.Action, RepositoryID: r.ID, Body: raw}, hooks...)
}

// EventBody returns the body of a deployment's webhook, for tests that send it themselves.
func (s *Server) EventBody(deploymentID int64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.deployments {
		if d.ID == deploymentID {
			e := wire.Event{Action: "created", Deployment: d.view(), Sender: d.Creator, WorkflowRun: d.run}
			body, err := json.Marshal(e.JSON(s.api(), s.web()))
			if err != nil {
				panic(err)
			}

			return body
		}
	}

	return nil
}
