package store

import (
	"errors"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// testAnswers: the first answer to a message stands, counts only for its asker, and goes after
// deployment.KeepAnswers.
func testAnswers(t *testing.T, b *testDB) {
	first := deployment.Answer{
		Asker:        "hubot",
		Request:      "m1",
		Digest:       "d1",
		Text:         "#5 deploys acme/api.\nIt starts now.",
		DeploymentID: 5,
	}
	second, other := first, first
	second.Text, second.DeploymentID = "something else", 6
	other.Asker, other.Text = "another", "to another asker"

	if _, err := b.Answer(t.Context(), "hubot", "m1"); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("got %v before there is an answer, want ErrNotFound", err)
	}

	for _, c := range []struct{ add, want deployment.Answer }{
		{add: first, want: first},
		{add: second, want: first},
		{add: other, want: other},
	} {
		got, err := b.AddAnswer(t.Context(), c.add)
		c.want.At = asStored(b.clock())
		if err != nil || got != c.want {
			t.Errorf("AddAnswer: got %+v, %v, want %+v", got, err, c.want)
		}
		read, err := b.Answer(t.Context(), c.add.Asker, c.add.Request)
		if err != nil || read != got {
			t.Errorf("Answer: got %+v, %v, want %+v", read, err, got)
		}
	}

	b.later(deployment.KeepAnswers + time.Minute)
	if _, err := b.Prune(t.Context(), b.clock().Add(-time.Hour*24*365)); err != nil {
		t.Fatal(err)
	}
	if got := b.count(`SELECT count(*) FROM answers`); got != 0 {
		t.Errorf("got %d answers after %s, want none", got, deployment.KeepAnswers)
	}
}
