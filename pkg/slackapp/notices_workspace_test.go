package slackapp

import (
	"testing"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

// TestNotices_UnknownWorkspace wants that a notice waits until the workspace is known: Slack may say it only after the
// start, and the routes file need not name it.
func TestNotices_UnknownWorkspace(t *testing.T) {
	w := newLockWorld(t)
	workspace := ""
	o := w.notices.o
	o.Workspace = func() string { return workspace }
	o.Persons = ofTeam{w}
	n := NewNotices(o)
	w.changes = []policy.Notice{{ID: 7, At: w.now(), To: alice, Text: "somebody has signed in as you"}}

	w.tell(n)
	if len(w.sent) != 0 {
		t.Fatalf("got %+v, want nothing while nobody can be found", w.sent)
	}

	workspace = team
	w.tell(n)
	w.checkSent(1, "lock-notice:7", "Somebody has signed in as you.")
}

// ofTeam knows people in their own workspace only.
type ofTeam struct{ *lockWorld }

func (o ofTeam) ChatUser(face, workspace string, githubID int64) (user string, ok bool) {
	if workspace != team {
		return "", false
	}
	return o.lockWorld.ChatUser(face, workspace, githubID)
}
