package policy

import (
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func TestCompareEvent(t *testing.T) {
	event := deployment.Request{
		ID:          1,
		Environment: "production",
		Ref:         "main",
		SHA:         newCommit,
		Task:        "deploy",
		Creator:     deployment.Creator{ID: 7, Login: "alice", Type: "User"},
		Description: "as the event says",
		CreatedAt:   time.Unix(1, 0),
	}

	for _, c := range []struct {
		name   string
		change func(*deployment.Request)
		want   Decision
	}{
		{name: "the same", change: func(*deployment.Request) {}, want: DecisionAllow},
		{
			name:   "a new login and another description",
			change: func(r *deployment.Request) { r.Creator.Login, r.Description = "alice-b", "" },
			want:   DecisionAllow,
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
			c.change(&shown)
			if got := CompareEvent(event, &shown); got.Decision != c.want {
				t.Errorf("got %s, want %s", got.Decision, c.want)
			}
		})
	}

	t.Run("none", func(t *testing.T) {
		got := CompareEvent(event, nil)
		if got.Decision != DecisionReject || got.Deciding().Message != "GitHub shows another deployment" {
			t.Errorf("got %s %q, want a rejection in words", got.Decision, got.Deciding().Message)
		}
	})
}
