package gate

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// pinList is a store of pins.
type pinList struct {
	pins []policy.Pin
	down atomic.Bool
}

var errDown = errors.New("connection refused")

func (l *pinList) Pins(context.Context) ([]policy.Pin, error) {
	if l.down.Load() {
		return nil, errDown
	}
	return l.pins, nil
}

func (l *pinList) AddPin(_ context.Context, p policy.Pin) (policy.Pin, error) {
	if l.down.Load() {
		return p, errDown
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
	pins := pinsOf(&pinList{pins: stored})
	if err := pins.Load(t.Context(), names); err != nil {
		t.Fatal(err)
	}
	if missing := pins.lookUp(t.Context()); missing != 0 {
		t.Fatalf("got %d names not looked up, want none", missing)
	}

	return pins
}

// pinsOf has looked up no name.
func pinsOf(store PinStore) *Pins {
	return NewPins(PinOptions{
		Store:        store,
		People:       fakePeople{},
		Repositories: fakeRepositories{},
		Log:          zerolog.Nop(),
	})
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
		store := &pinList{}
		pins := pinsOf(store)
		if err := pins.Load(t.Context(), []policy.PinnedName{pinnedAlice}); err != nil {
			t.Fatal(err)
		}

		store.down.Store(true)
		stop := runPins(t, pins)
		synctest.Wait()
		if got := pins.id(policy.PinUser, "alice"); got != 0 {
			t.Errorf("got id %d from a store that is down, want none", got)
		}

		store.down.Store(false)
		<-time.After(minPinPause)
		synctest.Wait()
		if got := pins.id(policy.PinUser, "alice"); got != 1 {
			t.Errorf("got id %d, want 1", got)
		}

		stop()
	})
}

// runPins runs the look-ups until stop is called.
func runPins(t *testing.T, pins *Pins) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		pins.Run(ctx)
		close(done)
	}()

	return func() {
		cancel()
		<-done
	}
}

// TestPins_OtherNames loads the names of other routes while the look-ups run.
func TestPins_OtherNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &pinList{pins: []policy.Pin{{Kind: policy.PinTeam, Name: "acme/sre", ID: 5}}}
		pins := pinsOf(store)
		if err := pins.Load(t.Context(), []policy.PinnedName{pinnedAlice, pinnedAPI}); err != nil {
			t.Fatal(err)
		}

		stop := runPins(t, pins)
		synctest.Wait()
		store.down.Store(true)
		if err := pins.Load(t.Context(), []policy.PinnedName{pinnedSRE}); !errors.Is(err, errDown) {
			t.Errorf("got error %v from a store that is down, want %v", err, errDown)
		}
		if got := pins.id(policy.PinRepository, "acme/api"); got != 7 {
			t.Errorf("got id %d of the repository after names were not loaded, want 7 as before", got)
		}

		bob := policy.PinnedName{Pin: policy.Pin{Kind: policy.PinUser, Name: "bob"}}
		store.down.Store(false)
		if err := pins.Load(t.Context(), []policy.PinnedName{pinnedSRE, bob}); err != nil {
			t.Fatal(err)
		}
		if got := pins.id(policy.PinTeam, "acme/sre"); got != 5 {
			t.Errorf("got id %d of the team right after the load, want 5 from the store", got)
		}
		if got := pins.id(policy.PinRepository, "acme/api"); got != 7 {
			t.Errorf("got id %d of the repository while the former routes are in use, want 7 as before", got)
		}

		pins.Forget()
		synctest.Wait()
		for _, want := range []policy.Pin{
			{Kind: policy.PinTeam, Name: "acme/sre", ID: 5},
			{Kind: policy.PinUser, Name: "bob", ID: 2},
			{Kind: policy.PinUser, Name: "alice", ID: 1}, // decisions that began before may ask for her
			{Kind: policy.PinRepository, Name: "acme/api"},
		} {
			if got := pins.id(want.Kind, want.Name); got != want.ID {
				t.Errorf("got id %d of %s %s, want %d", got, want.Kind, want.Name, want.ID)
			}
		}

		stop()
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
			name:     "it has the former name of another one, whose route has no rules",
			policies: namedPolicies{"api": rules, "web": {}},
			id:       7,
			current:  "web",
			want:     "reject acme/web was acme/api, whose route has rules: name it so in the routes file",
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
			web := policy.Pin{Kind: policy.PinRepository, Name: "acme/web", ID: 6}
			g.Pins = newTestPins(t, []policy.PinnedName{pinnedAPI, {Pin: web}})

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

// A new name of a repository does not open its environments to people who may not deploy there by its former one.
func TestPeople_RenamedRepository(t *testing.T) {
	const renamed = "acme/api2 was acme/api, whose route has rules: name it so in the routes file"
	rules := policy.Policy{Allow: &policy.Subjects{Users: []string{"alice"}}, Force: &policy.Subjects{Users: []string{"bob"}}}

	g := newTestGate(policy.Policy{}, nil)
	g.Policies = namedPolicies{"api": rules, "api2": {}}
	g.Rows = lockedRows{locks: []policy.Lock{{ID: 3, RepositoryID: 7, Environment: "production", Owner: alice}}}
	g.Pins = newTestPins(t, []policy.PinnedName{pinnedAPI})
	d := deploymentOf(0)
	d.Request.Repository.Name = "api2"
	d.Request.Creator = deployment.Creator{ID: bob.ID, Login: bob.Login, Type: "User"}

	want := policy.Refusal{Reason: renamed}
	for name, got := range map[string]policy.Refusal{
		"member":   g.Member(t.Context(), d, bob),
		"unlocker": g.Unlocker(t.Context(), d, bob),
		"forcer":   g.Forcer(t.Context(), d, bob),
	} {
		t.Run(name, func(t *testing.T) {
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}

	for _, task := range []string{deployment.TaskLock, deployment.TaskUnlock} {
		t.Run(task, func(t *testing.T) {
			d.Target.LockTask = task
			v, err := g.DecideLockTask(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(v); got != "reject "+renamed {
				t.Errorf("got %q, want %q", got, "reject "+renamed)
			}
		})
	}
}

// To take away somebody else's lock, the routes of the former name count as well, whichever of them has rules.
func TestUnlocker_RoutesOfTheFormerName(t *testing.T) {
	g := newTestGate(policy.Policy{}, nil)
	g.Policies = formerRoutes{}
	g.Pins = newTestPins(t, []policy.PinnedName{pinnedAPI})
	d := deploymentOf(0)
	d.Request.Repository.Name = "api2"

	want := policy.Refusal{Reason: "alice is not allowed to deploy to production"}
	if got := g.Unlocker(t.Context(), d, alice); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// formerRoutes are two routes to api, of which the second has rules, and one without rules for all others.
type formerRoutes struct{ twoRoutes }

// UnlockPolicies implements Policies.
func (r formerRoutes) UnlockPolicies(req deployment.Request) ([]policy.Policy, bool) {
	if req.Repository.Name == "api" {
		return r.twoRoutes.UnlockPolicies(req)
	}
	return []policy.Policy{{}}, true
}

// An account that several people use stays one under a new login.
func TestDecide_RenamedSharedAccount(t *testing.T) {
	for _, c := range []struct {
		name string
		pin  int64 // what deploy-bot was when it was looked up
		want string
	}{
		{name: "the account was renamed", pin: 1, want: "wait alice's lock on production: testing"},
		{name: "another account", pin: 5, want: "allow"},
		{name: "not looked up yet", want: "allow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newTestGate(policy.Policy{SharedAccounts: []string{"Deploy-Bot"}}, nil)
			g.Rows = lockedRows{locks: []policy.Lock{{
				ID:           3,
				RepositoryID: 7,
				Repository:   "acme/api",
				Environment:  "production",
				Owner:        alice,
				Reason:       "testing",
			}}}
			bot := policy.Pin{Kind: policy.PinUser, Name: "deploy-bot", ID: c.pin}
			g.Pins = pinsOf(&pinList{})
			if err := g.Pins.Load(t.Context(), []policy.PinnedName{{Pin: bot}}); err != nil {
				t.Fatal(err)
			}

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

func TestPinnedNames_OfPolicy(t *testing.T) {
	p := policy.Policy{
		Allow:     &policy.Subjects{Users: []string{"alice", "id:5"}, Teams: []string{"acme/sre"}},
		Force:     &policy.Subjects{Teams: []string{"id:6"}},
		Approvals: &policy.Approvals{Users: []string{"bob"}, Teams: []string{"acme/leads"}},

		HoldApprovers:  &policy.Subjects{Users: []string{"carol"}, Teams: []string{"acme/holds"}},
		RollbackAllow:  &policy.Subjects{Users: []string{"erin"}, Teams: []string{"acme/oncall"}},
		SharedAccounts: []string{"deploy-bot", "id:7"},
	}

	users, teams := p.Names()
	if diff := cmp.Diff([]string{"alice", "carol", "erin", "bob", "deploy-bot"}, users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"acme/sre", "acme/holds", "acme/oncall", "acme/leads"}, teams); diff != "" {
		t.Errorf("teams (-want +got):\n%s", diff)
	}
}
