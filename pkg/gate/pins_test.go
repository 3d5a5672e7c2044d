package gate

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// pinList is a store of pins.
type pinList struct {
	pins []policy.Pin
	down error
}

func (l *pinList) Pins(context.Context) ([]policy.Pin, error) { return l.pins, l.down }

func (l *pinList) AddPin(_ context.Context, p policy.Pin) (policy.Pin, error) {
	if l.down != nil {
		return p, l.down
	}

	for _, known := range l.pins {
		if known.Kind == p.Kind && known.Name == p.Name {
			return known, nil
		}
	}

	l.pins = append(l.pins, p)
	return p, nil
}

var (
	pinnedAlice = policy.PinnedName{Pin: policy.Pin{Kind: policy.PinUser, Name: "alice"}}
	pinnedSRE   = policy.PinnedName{Pin: policy.Pin{Kind: policy.PinTeam, Name: "acme/sre"}}
	pinnedAPI   = policy.PinnedName{Pin: policy.Pin{Kind: policy.PinRepository, Name: "acme/api"}}
)

// newTestPins has looked up some names, of which some had an id before.
func newTestPins(t *testing.T, names []policy.PinnedName, stored ...policy.Pin) *Pins {
	t.Helper()
	pins := &Pins{
		Names:        names,
		Store:        &pinList{pins: stored},
		People:       fakePeople{},
		Repositories: fakeRepositories{},
		Log:          zerolog.Nop(),
	}
	if err := pins.Load(t.Context()); err != nil {
		t.Fatal(err)
	}

	pins.Run(t.Context())
	return pins
}

// A name keeps the id that it had when it was first looked up; what the routes file says stands above.
func TestPins_Run(t *testing.T) {
	oldAlice := policy.Pin{Kind: policy.PinUser, Name: "alice", ID: 5}
	writtenAPI := pinnedAPI
	writtenAPI.ID = 9

	for _, c := range []struct {
		name   string
		pinned policy.PinnedName
		stored []policy.Pin
		want   int64
	}{
		{name: "a user", pinned: pinnedAlice, want: 1},
		{name: "a user with an id", pinned: pinnedAlice, stored: []policy.Pin{oldAlice}, want: 5},
		{name: "a team", pinned: pinnedSRE, want: 12},
		{name: "a repository", pinned: pinnedAPI, want: 7},
		{name: "an id in the routes file", pinned: writtenAPI, want: 9},
		{
			name:   "an id in the routes file, and an older one",
			pinned: writtenAPI,
			stored: []policy.Pin{{Kind: policy.PinRepository, Name: "acme/api", ID: 7}},
			want:   9,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			pins := newTestPins(t, []policy.PinnedName{c.pinned}, c.stored...)
			if got := pins.id(c.pinned.Kind, c.pinned.Name); got != c.want {
				t.Errorf("got id %d, want %d", got, c.want)
			}
		})
	}

	t.Run("a name that the routes file does not hold any more", func(t *testing.T) {
		pins := newTestPins(t, []policy.PinnedName{pinnedSRE}, oldAlice)
		if got := pins.id(policy.PinUser, "alice"); got != 0 {
			t.Errorf("got id %d, want none", got)
		}
	})
}

func TestPins_TriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &pinList{down: errors.New("connection refused")}
		pins := &Pins{
			Names:  []policy.PinnedName{pinnedAlice},
			Store:  store,
			People: fakePeople{},
			Log:    zerolog.Nop(),
		}

		done := make(chan struct{})
		go func() {
			pins.Run(t.Context())
			close(done)
		}()

		synctest.Wait()
		store.down = nil
		<-done
		if got := pins.id(policy.PinUser, "alice"); got != 1 {
			t.Errorf("got id %d, want 1", got)
		}
	})
}

// Whoever has got the name of a person or a team since does not get their rights.
func TestDecide_NameOfSomebodyElse(t *testing.T) {
	for _, c := range []struct {
		name  string
		allow policy.Subjects
		pin   policy.Pin
		want  string
	}{
		{
			name:  "the same person",
			allow: policy.Subjects{Users: []string{"alice"}},
			pin:   policy.Pin{Kind: policy.PinUser, Name: "alice", ID: 1},
			want:  "allow",
		},
		{
			name:  "another person",
			allow: policy.Subjects{Users: []string{"alice"}},
			pin:   policy.Pin{Kind: policy.PinUser, Name: "alice", ID: 5},
			want: "wait alice's GitHub account, which could not be read " +
				"(alice is another user than before: if that is right, write id:1 (was 5))",
		},
		{
			name:  "another person, whose id is written",
			allow: policy.Subjects{Users: []string{"alice", "id:1"}},
			pin:   policy.Pin{Kind: policy.PinUser, Name: "alice", ID: 5},
			want:  "allow",
		},
		{
			name:  "another person, who is in a team",
			allow: policy.Subjects{Users: []string{"alice"}, Teams: []string{"acme/leads"}},
			pin:   policy.Pin{Kind: policy.PinUser, Name: "alice", ID: 5},
			want:  "allow",
		},
		{
			name:  "another person, whose permission decides",
			allow: policy.Subjects{Permission: policy.PermissionWrite},
			pin:   policy.Pin{Kind: policy.PinUser, Name: "alice", ID: 5},
			want:  "allow",
		},
		{
			name:  "the same team",
			allow: policy.Subjects{Teams: []string{"acme/sre"}},
			pin:   policy.Pin{Kind: policy.PinTeam, Name: "acme/sre", ID: 12},
			want:  "allow",
		},
		{
			name:  "another team",
			allow: policy.Subjects{Teams: []string{"acme/SRE"}},
			pin:   policy.Pin{Kind: policy.PinTeam, Name: "acme/sre", ID: 5},
			want: "wait alice's membership in acme/SRE, which could not be read " +
				"(acme/sre is another team than before: if that is right, write id:12 (was 5))",
		},
		{
			name:  "a team by its id",
			allow: policy.Subjects{Teams: []string{"id:12"}},
			pin:   policy.Pin{Kind: policy.PinTeam, Name: "acme/sre", ID: 5},
			want:  "allow",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newTestGate(policy.Policy{Allow: &c.allow}, nil)
			g.Pins = newTestPins(t, []policy.PinnedName{pinnedAlice, pinnedSRE}, c.pin)

			v, err := g.Decide(t.Context(), deploymentOf(0))
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(v); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// namedPolicies are the policies of repositories by their names.
type namedPolicies map[string]policy.Policy

func (n namedPolicies) Policy(req deployment.Request) (policy.Policy, bool) {
	p, ok := n[req.Repository.Name]
	return p, ok
}

// UnlockPolicies implements Policies.
func (n namedPolicies) UnlockPolicies(req deployment.Request) ([]policy.Policy, bool) {
	rules, ok := n.Policy(req)
	return []policy.Policy{rules}, ok
}

// A repository does not get rid of rules by a new name, and another one does not get its route.
func TestDecide_RenamedRepository(t *testing.T) {
	rules := policy.Policy{Allow: &policy.Subjects{Users: []string{"alice"}}}

	for _, c := range []struct {
		name     string
		policies namedPolicies
		id       int64
		current  string // its name
		want     string
	}{
		{name: "as before", policies: namedPolicies{"api": rules}, id: 7, current: "api", want: "allow"},
		{
			name:     "another one has the name",
			policies: namedPolicies{"api": rules},
			id:       9,
			current:  "api",
			want:     "reject acme/api is another repository than before: if that is right, write repository_id: 9 (was 7)",
		},
		{
			name:     "another one has the name of a route without rules",
			policies: namedPolicies{"api": {}},
			id:       9,
			current:  "api",
			want:     "allow",
		},
		{
			name:     "it has another name, and comes to a route without rules",
			policies: namedPolicies{"api": rules, "api2": {}},
			id:       7,
			current:  "api2",
			want:     "reject acme/api2 was acme/api, whose route has rules: name it so in the routes file",
		},
		{
			name:     "it has another name, and its route had no rules",
			policies: namedPolicies{"api": {}, "api2": {}},
			id:       7,
			current:  "api2",
			want:     "allow",
		},
		{
			name:     "another one with another name",
			policies: namedPolicies{"api": rules, "api2": {}},
			id:       8,
			current:  "api2",
			want:     "allow",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newTestGate(policy.Policy{}, nil)
			g.Policies = c.policies
			g.Pins = newTestPins(t, []policy.PinnedName{pinnedAPI})

			d := deploymentOf(0)
			d.Request.Repository.ID, d.Request.Repository.Name = c.id, c.current
			v, err := g.Decide(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(v); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPinnedNames_OfPolicy(t *testing.T) {
	p := policy.Policy{
		Allow:     &policy.Subjects{Users: []string{"alice", "id:5"}, Teams: []string{"acme/sre"}},
		Force:     &policy.Subjects{Teams: []string{"id:6"}},
		Approvals: &policy.Approvals{Users: []string{"bob"}, Teams: []string{"acme/leads"}},
	}

	users, teams := p.Names()
	if diff := cmp.Diff([]string{"alice", "bob"}, users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"acme/sre", "acme/leads"}, teams); diff != "" {
		t.Errorf("teams (-want +got):\n%s", diff)
	}
}
