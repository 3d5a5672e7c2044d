package command

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// fakeGate lets nobody force, lets people lock who come as a task, and knows few repositories.
type fakeGate struct{ Gate }

func (fakeGate) Forcer(_ context.Context, _ deployment.Deployment, by deployment.Actor) string {
	return by.String() + " may not force"
}

func (fakeGate) Member(_ context.Context, d deployment.Deployment, _ deployment.Actor) string {
	if d.Request.Task == "ship:lock" {
		return ""
	}
	return "not for the task " + d.Request.Task
}

func (fakeGate) ResolveRepository(_ context.Context, owner, name string) (deployment.Source, error) {
	switch name {
	case "gone":
		return deployment.Source{}, policy.ErrMissing
	case "away":
		return deployment.Source{}, errors.New("503")
	default:
		return deployment.Source{Repository: deployment.Repository{ID: 9, Owner: owner, Name: name}}, nil
	}
}

// oneDeployment is the only deployment that there is.
type oneDeployment struct{ Deployments }

func (oneDeployment) Get(context.Context, int64) ([]deployment.Record, error) {
	return []deployment.Record{{Deployment: deployment.Deployment{Row: 1, State: deployment.Waiting}}}, nil
}

func desk() *Service {
	return &Service{
		Gate:        fakeGate{},
		Resolver:    fakeGate{},
		Deployments: oneDeployment{},
		Store:       &fakeLocks{},
		Now:         time.Now,
		LockTask:    "ship:lock",
	}
}

// outcome says in a word how an ask ended.
func outcome(err error) string {
	var refused *Error
	switch {
	case errors.As(err, &refused):
		return fmt.Sprintf("%s: %s", refused.Kind, refused.Message)
	case err != nil:
		return "later: " + err.Error()
	default:
		return "done"
	}
}

// Nobody forces where the rules let nobody: not the admin's token either.
func TestForceAsksTheRules(t *testing.T) {
	for _, c := range []struct {
		by   Caller
		want string
	}{
		{Caller{By: deployment.Actor{Token: "ops"}}, "forbidden: a token needs the scope admin to force a deployment"},
		{Caller{By: deployment.Actor{Token: "root"}, Admin: true}, "forbidden: token root may not force"},
		{Caller{By: deployment.Actor{ID: 1, Login: "alice", Token: "face"}}, "forbidden: alice may not force"},
	} {
		if _, err := desk().Force(t.Context(), c.by, 5, "fire"); outcome(err) != c.want {
			t.Errorf("%s: %s, want %s", c.by.By, outcome(err), c.want)
		}
	}
}

// Who locks through the API is judged as one who locks by a deployment; an outage is no answer.
func TestWantedLock(t *testing.T) {
	for name, c := range map[string]struct {
		desk               *Service
		repository, reason string
		want               string
	}{
		"a lock": {desk(), "acme/api", "moving", "done"},
		"by another task": {&Service{
			Gate:     fakeGate{},
			Resolver: fakeGate{},
			Store:    &fakeLocks{},
			Now:      time.Now,
		}, "acme/api", "moving", "forbidden: not for the task "},
		"of no repository":     {desk(), "acme/gone", "moving", "not_found: repository acme/gone cannot be found: " + policy.ErrMissing.Error()},
		"of no name":           {desk(), "acme/..", "moving", "not_found: there is no repository acme/.."},
		"in an outage":         {desk(), "acme/away", "moving", "later: repository acme/away cannot be looked up: 503"},
		"without a reason":     {desk(), "acme/api", "", "invalid: a reason is needed"},
		"of two lines":         {desk(), "acme/api", "moving\nand more", "invalid: the reason must be one line, without control characters"},
		"with an escape":       {desk(), "acme/api", "\x1b[31mred", "invalid: the reason must be one line, without control characters"},
		"in letters of others": {desk(), "acme/api", "données déplacées 🚚", "done"},
	} {
		_, err := c.desk.TakeLock(t.Context(), Caller{By: deployment.Actor{ID: 1, Login: "alice"}}, LockRequest{
			Repository:  c.repository,
			Environment: "production",
			Reason:      c.reason,
		})

		if outcome(err) != c.want {
			t.Errorf("%s: %s, want %s", name, outcome(err), c.want)
		}
	}
}

// askErrorGate is a gate that only answers questions, in one way.
type askErrorGate struct {
	Gate
	err error
}

func (q askErrorGate) Ask(context.Context, policy.Question) (policy.Verdict, error) {
	return policy.Verdict{}, q.err
}

func TestAskTellsAnOutageFromNothing(t *testing.T) {
	for want, err := range map[string]error{
		"not_found: there is no person bob": &policy.NotFoundError{What: "person bob"},
		"later: 503":                        errors.New("503"),
	} {
		if _, err := (&Service{Gate: askErrorGate{err: err}}).Ask(t.Context(), policy.Question{}); outcome(err) != want {
			t.Errorf("%s, want %s", outcome(err), want)
		}
	}
}
