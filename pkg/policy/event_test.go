package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func TestCompareEvent(t *testing.T) {
	payload := json.RawMessage(`{"hosts":"web","n":1.0}`)
	event := deployment.Request{
		ID:          1,
		Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: "production",
		Ref:         "main",
		SHA:         newCommit,
		Task:        "deploy",
		Creator:     deployment.Creator{ID: 7, Login: "alice", Type: "User"},
		Description: "as the event says",
		CreatedAt:   time.Unix(1, 0),

		PayloadDigest: deployment.PayloadDigest(payload),
	}

	for _, c := range []struct {
		name   string
		change func(*deployment.Request)
		want   Decision
	}{
		{name: "the same", change: func(*deployment.Request) {}, want: DecisionAllow},
		{name: "another time", change: func(r *deployment.Request) { r.CreatedAt = time.Unix(2, 0) }, want: DecisionAllow},
		{name: "another login", change: func(r *deployment.Request) { r.Creator.Login = "alice-b" }, want: DecisionReject},
		{name: "another description", change: func(r *deployment.Request) { r.Description = "" }, want: DecisionReject},
		{name: "another app", change: func(r *deployment.Request) { r.App.ID = 9 }, want: DecisionReject},
		{
			name:   "another payload",
			change: func(r *deployment.Request) { r.Payload = json.RawMessage(`{"hosts":"db"}`) },
			want:   DecisionReject,
		},
		{
			name:   "a payload that is written in another way",
			change: func(r *deployment.Request) { r.Payload = json.RawMessage(`{"n":1.0, "hosts" : "\u0077eb"}`) },
			want:   DecisionAllow,
		},
		{
			name:   "the repository's name in another case",
			change: func(r *deployment.Request) { r.Repository.Owner = "Acme" },
			want:   DecisionAllow,
		},
		{name: "another repository", change: func(r *deployment.Request) { r.Repository.ID = 99 }, want: DecisionReject},
		{
			name:   "a repository of another name",
			change: func(r *deployment.Request) { r.Repository.Name = "sandbox" },
			want:   DecisionReject,
		},
		{name: "another id", change: func(r *deployment.Request) { r.ID = 2 }, want: DecisionReject},
		{name: "another creator", change: func(r *deployment.Request) { r.Creator.ID = 8 }, want: DecisionReject},
		{name: "no creator", change: func(r *deployment.Request) { r.Creator = deployment.Creator{} }, want: DecisionReject},
		{name: "a bot", change: func(r *deployment.Request) { r.Creator.Type = "Bot" }, want: DecisionReject},
		{name: "another commit", change: func(r *deployment.Request) { r.SHA = oldCommit }, want: DecisionReject},
		{name: "another ref", change: func(r *deployment.Request) { r.Ref = "Main" }, want: DecisionReject},
		{name: "another task", change: func(r *deployment.Request) { r.Task = "deploy:x" }, want: DecisionReject},
		{
			name:   "another environment",
			change: func(r *deployment.Request) { r.Environment = "production " },
			want:   DecisionReject,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			shown := event
			shown.Payload, shown.PayloadDigest = payload, ""
			c.change(&shown)
			if got := CompareEvent(event, &shown); got.Decision != c.want {
				t.Errorf("got %s, want %s", got.Decision, c.want)
			}
		})
	}

	t.Run("a row of an older version", func(t *testing.T) {
		old, shown := event, event
		old.PayloadDigest, shown.Payload = "", payload
		if got := CompareEvent(old, &shown); got.Decision != DecisionAllow {
			t.Errorf("got %s, want %s", got.Decision, DecisionAllow)
		}
	})

	t.Run("a description that was cut", func(t *testing.T) {
		long, shown := event, event
		long.Description = strings.Repeat("é", 4096)
		shown.Description, shown.Payload = long.Description+"more", payload
		if got := CompareEvent(long, &shown); got.Decision != DecisionAllow {
			t.Errorf("got %s, want %s", got.Decision, DecisionAllow)
		}
	})

	t.Run("none", func(t *testing.T) {
		got := CompareEvent(event, nil)
		if got.Decision != DecisionReject || got.Deciding().Message != "GitHub shows another deployment" {
			t.Errorf("got %s %q, want a rejection in words", got.Decision, got.Deciding().Message)
		}
	})
}
