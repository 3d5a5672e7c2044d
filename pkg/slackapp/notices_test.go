package slackapp

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// lockWorld is a world with a lock of alice, for which deployments wait as the test says.
type lockWorld struct {
	*world
	locks   []policy.Lock
	waiting []deployment.Deployment
	changes []policy.Notice
	newest  []deployment.Deployment
	notices *Notices
}

func newLockWorld(t *testing.T) *lockWorld {
	w := &lockWorld{world: newWorld(t)}
	w.locks = []policy.Lock{{ID: 3, Repository: "acme/api", Environment: "production", Owner: alice}}
	w.notices = w.another()
	return w
}

// another makes Notices of another process.
func (w *lockWorld) another() *Notices {
	return NewNotices(NoticeOptions{
		Locks:       w,
		Deployments: w,
		Leases:      w.db,
		Messages:    w,
		Persons:     w,
		Workspace:   func() string { return team },
		Log:         zerolog.Nop(),
		Now:         w.now,
	})
}

func (w *lockWorld) List(context.Context, deployment.Filter) ([]deployment.Deployment, error) {
	return w.newest, nil
}

func (w *lockWorld) ListEnvironments(context.Context, deployment.EnvironmentFilter) (
	[]deployment.EnvironmentStatus, deployment.EnvironmentID, error,
) {
	return nil, deployment.EnvironmentID{}, nil
}

func (w *lockWorld) Locks(context.Context) ([]policy.Lock, error) { return w.locks, nil }

func (w *lockWorld) WaitingFor(context.Context, policy.Lock) ([]deployment.Deployment, error) {
	return slices.Clone(w.waiting), nil
}

func (w *lockWorld) Notices(_ context.Context, after int64, _ int) (list []policy.Notice, _ error) {
	for _, n := range w.changes {
		if n.ID > after {
			list = append(list, n)
		}
	}
	return list, nil
}

// tell lets a minute pass, and looks for something to say.
func (w *lockWorld) tell(n *Notices) {
	w.t.Helper()
	w.pass(time.Minute)
	if err := n.Tell(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// wait adds a deployment that waits for the lock.
func (w *lockWorld) wait(row int64, by deployment.Actor) {
	f := waiting(w.now())
	f.Deployment.Row, f.Deployment.Request.ID, f.Deployment.Request.Asked = row, 100+row, &deployment.Asked{By: by}
	w.waiting = append(w.waiting, f.Deployment)
}

// checkSent checks how many notes alice was sent, and what is in one of them.
func (w *lockWorld) checkSent(n int, topic string, want ...string) {
	w.t.Helper()
	if len(w.sent) != n {
		w.t.Fatalf("got notes %+v, want %d", w.sent, n)
	}
	note, ok := w.sent[topic+" U0ALICE"]
	if !ok {
		w.t.Fatalf("got notes %+v, want one about %s to alice", w.sent, topic)
	}
	got := textOf(note)
	for _, part := range want {
		if !strings.Contains(got, part) {
			w.t.Errorf("got %q, want %q in it", got, part)
		}
	}
}

func textOf(n notify.Note) string {
	var b strings.Builder
	for _, line := range n.Lines {
		for _, span := range line {
			b.WriteString(span.Text)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestNotices_Waits checks that the owner of a lock gets one message about each deployment that waits for it, about
// several together at most every 15 minutes, also if another process goes on, and not of their own.
func TestNotices_Waits(t *testing.T) {
	w := newLockWorld(t)
	w.wait(1, alice)
	w.tell(w.notices)
	if len(w.sent) != 0 {
		t.Fatalf("got %+v, want nothing about alice's own deployment", w.sent)
	}

	w.wait(2, bob)
	w.tell(w.notices)
	w.checkSent(1, "lock-waits:3:2", "A deployment waits for your lock on acme/api in production.", "#102: acme/api@main",
		"asked for by bob")

	w.wait(3, bob)
	w.wait(4, bob)
	w.tell(w.notices)
	w.tell(w.another())
	if len(w.sent) != 1 {
		t.Fatalf("got %+v, want nothing more within 15 minutes", w.sent)
	}

	w.pass(waitsAgain)
	w.tell(w.another())
	w.checkSent(2, "lock-waits:3:4", "3 deployments wait for your lock", "#103", "#104")
	w.pass(waitsAgain)
	w.tell(w.notices)
	if len(w.sent) != 2 {
		t.Errorf("got %+v, want nothing more: alice knows of all", w.sent)
	}
}

// TestNotices_WaitsBriefly checks that a deployment that has just come is not mentioned yet.
func TestNotices_WaitsBriefly(t *testing.T) {
	w := newLockWorld(t)
	w.wait(1, bob)
	w.waiting[0].AcceptedAt = w.now().Add(time.Minute)
	w.tell(w.notices)
	if len(w.sent) != 0 {
		t.Errorf("got %+v, want nothing yet", w.sent)
	}
}

// TestNotices_Changes checks that owners learn what others did to their locks, once, and nothing that is old.
func TestNotices_Changes(t *testing.T) {
	w := newLockWorld(t)
	w.changes = []policy.Notice{
		{ID: 1, At: w.now().Add(-2 * time.Hour), To: alice, Text: "carol stole your lock on everything"},
		{ID: 2, At: w.now(), To: alice, Text: "bob released your lock on acme/api production"},
		{ID: 3, At: w.now(), To: deployment.Actor{ID: 77, Login: "nobody"}, Text: "bob released your lock"},
	}
	w.tell(w.notices)
	w.checkSent(1, "lock-notice:2", "Bob released your lock on acme/api production.")

	clear(w.sent)
	w.tell(w.another())
	if len(w.sent) != 0 {
		t.Errorf("got %+v, want nothing sent again", w.sent)
	}
}

// TestNotices_WorkspaceUnknown checks that the notice of a change that came before Slack had said which workspace this
// is, is sent afterwards.
func TestNotices_WorkspaceUnknown(t *testing.T) {
	w := newLockWorld(t)
	workspace := ""
	w.notices.o.Workspace = func() string { return workspace }
	w.notices.o.Persons = personsOf{w.world}
	w.changes = []policy.Notice{{ID: 7, At: w.now(), To: alice, Text: "bob has released your lock"}}
	w.tell(w.notices)
	if len(w.sent) != 0 {
		t.Errorf("got %+v sent, want nothing", w.sent)
	}

	workspace = team
	w.tell(w.notices)
	if _, ok := w.sent["lock-notice:7 U0ALICE"]; !ok {
		t.Errorf("got %+v sent, want the notice", w.sent)
	}
}

// personsOf knows nobody in an unknown workspace.
type personsOf struct{ *world }

func (p personsOf) ChatUser(face, workspace string, id int64) (string, bool) {
	if workspace == "" {
		return "", false
	}
	return p.world.ChatUser(face, workspace, id)
}

// TestNotices_Ends checks that whoever asked in a direct message learns once how a deployment ended that took more
// than five minutes, and nobody else is.
func TestNotices_Ends(t *testing.T) {
	w := newLockWorld(t)
	ended := func(row int64, change func(*deployment.Deployment)) {
		d := failed(w.now()).Deployment
		d.Row, d.AcceptedAt = row, d.EndedAt.Add(-endsAfter)
		d.Request.Asked = &deployment.Asked{By: alice, Channel: deployment.ChannelSlack, Place: "D0ALICE"}
		change(&d)
		w.newest = append(w.newest, d)
	}
	ended(1, func(*deployment.Deployment) {})
	ended(2, func(d *deployment.Deployment) { d.Request.Asked.Place = room })
	ended(3, func(d *deployment.Deployment) { d.AcceptedAt = d.EndedAt.Add(-time.Minute) })
	ended(4, func(d *deployment.Deployment) { d.Request.Asked = nil })
	ended(5, func(d *deployment.Deployment) { d.State = deployment.Running })
	ended(6, func(d *deployment.Deployment) { d.EndedAt = w.now().Add(-2 * time.Hour) })
	ended(7, func(d *deployment.Deployment) { d.Request.Asked.Channel = deployment.ChannelAPI })
	ended(8, func(d *deployment.Deployment) { d.Request.Asked.By = deployment.Actor{ID: 77, Login: "nobody"} })

	w.tell(w.notices)
	w.tell(w.another())
	w.checkSent(1, "ended:1", "asked for by alice) failed")
}

// TestAskForLock checks that the owner of a lock learns that somebody waits for it, once for each deployment, and that
// whoever asked learns that.
func TestAskForLock(t *testing.T) {
	f := waiting(time.Now())
	f.Lock = &policy.Lock{ID: 3, Repository: "acme/api", Environment: "staging", Owner: alice}

	t.Run("known", func(t *testing.T) {
		w := newWorld(t)
		ts := w.card(f)
		w.click("U0BOB", ts, notify.VerbAskForLock)
		if got := w.private("U0BOB"); !strings.Contains(got, "alice gets a message that #12 waits for the lock.") {
			t.Errorf("got %q, want that alice gets a message", got)
		}
		note := textOf(w.sent["lock-asked:3:1 U0ALICE"])
		if !strings.Contains(note, "bob asks you to release your lock on acme/api in staging:") {
			t.Errorf("got %q, want who asks", note)
		}

		w.click("U0BOB", ts, notify.VerbAskForLock)
		if got := w.private("U0BOB"); !strings.Contains(got, "alice gets no second message that #12 waits for the lock.") {
			t.Errorf("got %q, want that alice knows", got)
		}
	})
	t.Run("the owner asks", func(t *testing.T) {
		w := newWorld(t)
		w.click("U0ALICE", w.card(f), notify.VerbAskForLock)
		got := w.private("U0ALICE")
		if len(w.sent) != 0 || !strings.Contains(got, "You have the lock on acme/api in staging yourself, and can release it.") {
			t.Errorf("got %q and %+v sent, want no message", got, w.sent)
		}
	})
	t.Run("owner not known in Slack", func(t *testing.T) {
		w := newWorld(t)
		delete(w.people, "U0ALICE")
		w.click("U0BOB", w.card(f), notify.VerbAskForLock)
		if got := w.private("U0BOB"); !strings.Contains(got, "alice has the lock, but Seraph does not know who that is") {
			t.Errorf("got %q, want that nobody got a message", got)
		}
	})
}
