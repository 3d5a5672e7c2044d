package store

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// note is a change with one line of the timeline.
func (b *testDB) note(event string) deployment.Changes {
	return deployment.Changes{Timeline: []deployment.Entry{{At: b.clock(), Event: event}}}
}

// readChanges reads all changes after a cursor, as "id state version" in their order.
func readChanges(t *testing.T, b *testDB, from deployment.ChangeCursor) (texts []string, to deployment.ChangeCursor) {
	t.Helper()
	last := int64(0)
	for more := true; more; {
		var changes []deployment.Change
		var err error
		changes, from, more, err = b.ReadChanges(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}

		for _, c := range changes {
			d := c.Deployment
			texts = append(texts, fmt.Sprintf("%d %s %d", d.Request.ID, d.State, d.Version))
			if c.Position == last {
				t.Errorf("got position %d twice", last)
			}
			last = c.Position
		}
	}

	return texts, from
}

func wantChanges(
	t *testing.T,
	b *testDB,
	from deployment.ChangeCursor,
	want ...string,
) (to deployment.ChangeCursor) {
	t.Helper()
	got, to := readChanges(t, b, from)
	if !slices.Equal(got, want) {
		t.Errorf("got changes %v, want %v", got, want)
	}
	return to
}

func (b *testDB) mustLastChange() deployment.ChangeCursor {
	b.t.Helper()
	cursor, err := b.LastChange(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return cursor
}

func testChanges(t *testing.T, b *testDB) {
	var announced atomic.Int64
	b.OnChange(func() { announced.Add(1) })

	start := b.mustLastChange()
	one, two := b.accept(1, "production", ""), b.accept(2, "staging", "")
	if n := announced.Load(); n != 2 {
		t.Errorf("got %d announcements of two new deployments, want 2", n)
	}

	after := wantChanges(t, b, start, "1 waiting 1", "2 waiting 1")
	if last := b.mustLastChange(); last.Position != after.Position || after.Settled() != after.Position {
		t.Errorf("got cursor %v, want the last one, %v", after, last)
	}

	// What changes nothing that people see is not announced.
	one = b.mustSave(one, deployment.Changes{})
	if err := b.Postpone(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	after = wantChanges(t, b, after)
	if n := announced.Load(); n != 2 {
		t.Errorf("got %d announcements after a save without a line, want 2", n)
	}

	// Each deployment comes once, as it is now, in the order of the newest changes.
	one.State = deployment.Triggering
	one = b.mustSave(one, b.note("triggering"))
	b.mustSave(ended(two, deployment.Canceled), b.note("canceled"))
	one = b.mustSave(running(one, "p", b.clock()), b.note("running"))
	wantChanges(t, b, after, "2 canceled 2", "1 running 4")
	wantChanges(t, b, start, "2 canceled 2", "1 running 4")
	if n := announced.Load(); n != 5 {
		t.Errorf("got %d announcements, want 5", n)
	}
}

func testChangesBatches(t *testing.T, b *testDB) {
	start := b.mustLastChange()
	d := b.accept(1, "production", "")
	changes := b.note("note")
	changes.Timeline = slices.Repeat(changes.Timeline, changesBatch)
	b.mustSave(d, changes)
	b.accept(2, "staging", "")

	_, _, more, err := b.ReadChanges(t.Context(), start)
	if err != nil || !more {
		t.Errorf("got more %v, %v, want true", more, err)
	}
	wantChanges(t, b, start, "1 waiting 2", "1 waiting 2", "2 waiting 1")
}

// The positions rise, whatever is deleted.
func testChangesPruned(t *testing.T, b *testDB) {
	b.acceptEnded(1, "production", "a", deployment.Failed)
	before := b.mustLastChange()
	b.later(100 * time.Hour)
	if _, err := b.Prune(t.Context(), b.clock()); err != nil {
		t.Fatal(err)
	}

	wantChanges(t, b, deployment.ChangeCursor{})
	b.accept(2, "production", "")
	wantChanges(t, b, before, "2 waiting 1")
}

// Another replica's transaction may commit after one that has larger positions.
func TestPostgres_LateChanges(t *testing.T) {
	b := freshPostgres(t)
	d := b.accept(1, "production", "")
	live, rolledBack := b.mustLastChange(), b.mustLastChange()

	insert := func() (commit, rollback func() error) {
		t.Helper()
		sqltx, err := b.wdb.Begin()
		if err != nil {
			t.Fatal(err)
		}
		_, err = sqltx.Exec(`INSERT INTO timeline (row_id, at, event, detail) VALUES ($1, $2, 'late', '')`,
			d.Row, micros(b.clock()))
		if err != nil {
			t.Fatal(err)
		}
		return sqltx.Commit, sqltx.Rollback
	}

	commit, _ := insert()
	two := b.mustSave(b.accept(2, "staging", ""), b.note("note"))
	live = wantChanges(t, b, live, fmt.Sprintf("2 waiting %d", two.Version))
	if live.Settled() >= live.Position {
		t.Errorf("got cursor %v, want one that is not settled", live)
	}
	opened := b.mustLastChange() // by another replica that starts to read now
	wantChanges(t, b, opened)

	if err := commit(); err != nil {
		t.Fatal(err)
	}
	for name, cursor := range map[string]deployment.ChangeCursor{
		"who reads on":                live,
		"who had just started":        opened,
		"who resumes from a position": {Position: live.Settled()},
	} {
		got, to := readChanges(t, b, cursor)
		if !slices.Contains(got, "1 waiting 1") || to.Settled() != to.Position {
			t.Errorf("%s: got changes %v and cursor %v, want deployment 1 and a settled one", name, got, to)
		}
	}

	// What was rolled back is not waited for for ever.
	_, rollback := insert()
	if err := rollback(); err != nil {
		t.Fatal(err)
	}
	b.mustSave(two, b.note("note"))
	_, rolledBack = readChanges(t, b, rolledBack)
	if len(rolledBack.Missing) != 1 {
		t.Errorf("got cursor %v, want one missing position", rolledBack)
	}
	b.later(missingFor + time.Second)
	rolledBack = wantChanges(t, b, rolledBack)
	if rolledBack.Settled() != rolledBack.Position {
		t.Errorf("got cursor %v after a minute, want a settled one", rolledBack)
	}
	if again := b.mustLastChange(); len(again.Missing) != 0 {
		t.Errorf("got cursor %v at a new start, want a settled one", again)
	}
}
