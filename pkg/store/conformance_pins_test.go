package store

import (
	"slices"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

func testPins(t *testing.T, b *testDB) {
	first := policy.Pin{Kind: policy.PinTeam, Name: "acme/sre", ID: 5}
	user := policy.Pin{Kind: policy.PinUser, Name: "acme/sre", ID: 6}
	changed := policy.Pin{Kind: policy.PinTeam, Name: "acme/sre", ID: 7}

	for _, c := range []struct{ add, want policy.Pin }{
		{add: first, want: first},
		{add: user, want: user},
		{add: changed, want: first},
	} {
		if got, err := b.AddPin(t.Context(), c.add); err != nil || got != c.want {
			t.Errorf("AddPin(%v): got %v, %v, want %v", c.add, got, err, c.want)
		}
	}

	got, err := b.Pins(t.Context())
	if want := []policy.Pin{first, user}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}
