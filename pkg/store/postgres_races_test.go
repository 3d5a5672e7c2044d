package store

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/test/pgtest"
)

// A deployment that is being pruned while another delivery brings it in gets no second row.
func TestAccept_WhatIsBeingPrunedIsADuplicate(t *testing.T) {
	both := openReplicas(t, 2)
	a, b := both[0], both[1]
	a.mustSave(ended(a.accept(1, "production", "p"), deployment.Failed), deployment.Changes{})
	a.later(73 * time.Hour)
	release, done := holdTransaction(t, a, func(tx *tx) error {
		n, err := tx.pruneDeployments(micros(a.clock().Add(-72 * time.Hour)))
		if n != 1 {
			t.Errorf("pruned: got %d, want 1", n)
		}
		return err
	})

	accept := func(guid string) {
		t.Helper()
		again := b.newDeployment(1, "production", "p")
		again.Target.Key = guid
		dup, err := b.Accept(t.Context(), deployment.Delivery{GUID: guid, ReceivedAt: b.clock()}, again)
		if err != nil || !dup {
			t.Errorf("%s: got duplicate %v, %v, want a duplicate", guid, dup, err)
		}
	}

	accept("before the prune is committed")
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	accept("after it")

	list, err := a.List(t.Context(), deployment.Filter{State: deployment.Waiting, Limit: 9})
	if err != nil || len(list) != 0 {
		t.Errorf("rows that wait: got %d, %v, want none", len(list), err)
	}
}

// A repeated delivery that came in is reported once, though two replicas look at the same moment.
func TestRedelivered_OnceByTwoReplicas(t *testing.T) {
	both := openReplicas(t, 2)
	a, b := both[0], both[1]
	if err := a.CountRedelivery(t.Context(), "guid-1"); err != nil {
		t.Fatal(err)
	}

	a.accept(1, "production", "p")
	var first []int64
	release, done := holdTransaction(t, a, func(tx *tx) (err error) {
		first, err = tx.markRepeated()
		return err
	})

	second := make(chan []deployment.Deployment)
	go func() {
		list, err := b.Redelivered(t.Context())
		if err != nil {
			t.Error(err)
		}
		second <- list
	}()

	waitForTransaction(t, a)
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if list := <-second; len(first) != 1 || len(list) != 0 {
		t.Errorf("reported: got %d by the first and %d by the second, want 1 and 0", len(first), len(list))
	}
}

// A worker that goes on keeps the row as long as the call that follows may take.
func TestSave_KeptLeaseCoversTheCall(t *testing.T) {
	both := openReplicas(t, 2)
	a, b := both[0], both[1]
	pass := func(d time.Duration) {
		a.later(d)
		b.later(d)
	}

	d := a.accept(1, "production", "p")
	d, ok, err := a.Lease(t.Context(), d.Row)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}

	pass(20 * time.Second) // the rules, CircleCI's project, GitHub's statuses
	_, err = a.Save(t.Context(), triggering(d, a), deployment.Changes{}, deployment.SaveOptions{
		KeepLease:   true,
		CallTimeout: 20 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}

	pass(44 * time.Second)
	if taken, ok, err := b.Lease(t.Context(), d.Row); ok || err != nil {
		t.Errorf("another replica has the row, which is %s, while its sender sends: %v", taken.State, err)
	}

	pass(2 * time.Second)
	if _, ok, err := b.Lease(t.Context(), d.Row); !ok || err != nil {
		t.Fatalf("after a crash of the sender nobody gets the row: %v, %v", ok, err)
	}

	if err := a.Unlease(t.Context(), d.Row); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := a.Lease(t.Context(), d.Row); ok || err != nil {
		t.Errorf("a worker ended the lease of another: %v, %v", ok, err)
	}

	if err := b.Unlease(t.Context(), d.Row); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := a.Lease(t.Context(), d.Row); !ok || err != nil {
		t.Errorf("a lease was not given back: %v, %v", ok, err)
	}
}

// A clock that differs from the server's is logged at the start, and in the metrics.
func TestClockSkew_IsWarnedOf(t *testing.T) {
	for name, c := range map[string]struct {
		ahead time.Duration
		warns bool
	}{
		"right":     {},
		"a little":  {ahead: 3 * time.Second},
		"ahead":     {ahead: time.Minute, warns: true},
		"in arrear": {ahead: -time.Minute, warns: true},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			db, err := Open(t.Context(), Options{
				URL: pgtest.Database(t),
				Log: zerolog.New(&log),
				Now: func() time.Time { return time.Now().Add(c.ahead) },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()

			if warned := strings.Contains(log.String(), "clock differs"); warned != c.warns {
				t.Errorf("warned: got %v, want %v: %s", warned, c.warns, log.String())
			}
			if err := db.CheckClock(t.Context()); err != nil {
				t.Fatal(err)
			}

			stats, err := db.Stats(t.Context())
			if err != nil || (stats.ClockSkew-c.ahead).Abs() > 2*time.Second {
				t.Errorf("skew: got %v, %v, want about %v", stats.ClockSkew, err, c.ahead)
			}
		})
	}
}

// Lists are written in the order of their ids, whatever the order of the changes: a transaction that waits for one
// list has not locked another with a larger id, so that two transactions never wait for each other.
func TestMessages_ListsInOneOrder(t *testing.T) {
	both := openReplicas(t, 2)
	a, b := both[0], both[1]
	lease := a.mustHold()
	var lists, rows []int64
	for _, channel := range []string{"C1", "C2"} {
		card := a.newMessage(a.accept(int64(len(rows)+1), channel, "").Row, channel)
		if _, err := a.AddMessage(t.Context(), card); err != nil {
			t.Fatal(err)
		}
		list := a.newMessage(0, channel)
		list.Topic, list.Kind = "list/"+channel, deployment.MessageList
		cards, err := a.MessagesOf(t.Context(), card.Row)
		if err != nil || len(cards) != 1 {
			t.Fatalf("got %d cards, %v, want 1", len(cards), err)
		}
		if err := a.JoinList(t.Context(), cards[0], list); err != nil {
			t.Fatal(err)
		}
		found, _, ok, err := a.NewestList(t.Context(), "slack", channel, time.Time{})
		if err != nil || !ok {
			t.Fatalf("got list %v, %v, want one in %s", ok, err, channel)
		}
		lists, rows = append(lists, found.ID), append(rows, card.Row)
	}

	lock := func(list int64, wait string) func(*tx) error {
		return func(tx *tx) error {
			var id int64
			return tx.row(`SELECT id FROM cards WHERE id = $1 FOR UPDATE `+wait, []any{list}, &id)
		}
	}
	release, done := holdTransaction(t, b, lock(lists[0], ""))

	touched := make(chan error, 1)
	go func() {
		touched <- a.TouchMessages(t.Context(), lease, []deployment.MessageTouch{
			{Row: rows[1], Rank: deployment.RankEnd, Due: a.clock()},
			{Row: rows[0], Rank: deployment.RankEnd, Due: a.clock()},
		})
	}()
	waitForTransaction(t, b)
	if err := b.write(t.Context(), lock(lists[1], "NOWAIT")); err != nil {
		t.Errorf("lock the list %d while the change waits for %d: got %v, want it free", lists[1], lists[0], err)
	}

	release()
	if err := errors.Join(<-done, <-touched); err != nil {
		t.Fatal(err)
	}
}
