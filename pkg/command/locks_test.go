package command

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

func TestTakeLock_Request(t *testing.T) {
	good := LockRequest{Repository: "acme/api", Environment: "production", Reason: "moving"}
	with := func(change func(*LockRequest)) LockRequest {
		r := good
		change(&r)
		return r
	}
	const notPlain = "invalid reason_not_plain: the reason must be one line, without control and invisible characters"

	for _, test := range []struct {
		name    string
		request LockRequest
		admin   bool
		refused string
		unknown bool
		want    string
	}{
		{name: "good", request: good, want: "done"},
		{
			name:    "not allowed to deploy",
			request: good,
			refused: "alice is not allowed to deploy",
			want:    "forbidden not_allowed: alice is not allowed to deploy",
		},
		{name: "admin", request: good, admin: true, refused: "alice is not allowed to deploy", want: "done"},
		{
			name:    "GitHub does not say who asks",
			request: good,
			refused: "this depends on alice",
			unknown: true,
			want:    "unavailable unavailable: this depends on alice",
		},
		{
			name:    "environment that no route leads to",
			request: with(func(r *LockRequest) { r.Environment = "prodution" }),
			want:    "not_found not_found: there is no route for acme/api and prodution",
		},
		{
			name:    "spaces around the environment",
			request: with(func(r *LockRequest) { r.Environment = " prodution " }),
			want:    "not_found not_found: there is no route for acme/api and prodution",
		},
		{
			name:    "invisible character in the environment",
			request: with(func(r *LockRequest) { r.Environment = "production\u200b" }),
			want:    "invalid environment_not_plain: the environment must have at most 255 characters, none of them invisible",
		},
		{
			name:    "invisible character in the environment, every repository",
			request: LockRequest{Environment: "production\u202e", Reason: "moving"},
			admin:   true,
			want:    "invalid environment_not_plain: the environment must have at most 255 characters, none of them invisible",
		},
		{
			name:    "very long environment",
			request: with(func(r *LockRequest) { r.Environment = strings.Repeat("x", 256) }),
			want:    "invalid environment_not_plain: the environment must have at most 255 characters, none of them invisible",
		},
		{
			name:    "repository without a route",
			request: with(func(r *LockRequest) { r.Repository = "secret/api" }),
			want:    "not_found not_found: there is no route for secret/api and production",
		},
		{
			name:    "repository without a route that does not exist",
			request: with(func(r *LockRequest) { r.Repository = "secret/gone" }),
			want:    "not_found not_found: there is no route for secret/gone and production",
		},
		{
			name:    "repository without a route while GitHub is away",
			request: with(func(r *LockRequest) { r.Repository = "secret/away" }),
			want:    "not_found not_found: there is no route for secret/away and production",
		},
		{
			name:    "unknown repository",
			request: with(func(r *LockRequest) { r.Repository = "acme/gone" }),
			want:    "not_found not_found: repository acme/gone cannot be found: not found at GitHub",
		},
		{
			name:    "impossible repository",
			request: with(func(r *LockRequest) { r.Repository = "acme/.." }),
			want:    "not_found not_found: there is no repository acme/..",
		},
		{
			name:    "outage of GitHub",
			request: with(func(r *LockRequest) { r.Repository = "acme/away" }),
			want:    "fault: repository acme/away cannot be looked up: 503",
		},
		{
			name:    "no environment",
			request: with(func(r *LockRequest) { r.Environment = "" }),
			want:    "invalid environment_missing: the lock of a repository needs an environment",
		},
		{
			name:    "every repository",
			request: with(func(r *LockRequest) { r.Repository = "" }),
			want:    "forbidden not_allowed: a lock that spans repositories needs the scope admin",
		},
		{
			name:    "every repository, by an admin",
			request: with(func(r *LockRequest) { r.Repository = "" }),
			admin:   true,
			want:    "done",
		},
		{
			name:    "end in the past",
			request: with(func(r *LockRequest) { r.Until = testNow }),
			want:    "invalid already_over: the lock would have ended already",
		},
		{
			name:    "no reason",
			request: with(func(r *LockRequest) { r.Reason = "" }),
			want:    "invalid reason_missing: a reason is required",
		},
		{
			name:    "reason of two lines",
			request: with(func(r *LockRequest) { r.Reason = "moving\nand more" }),
			want:    notPlain,
		},
		{
			name:    "reason with an escape sequence",
			request: with(func(r *LockRequest) { r.Reason = "\x1b[31mred" }),
			want:    notPlain,
		},
		{
			name:    "reason with a direction override",
			request: with(func(r *LockRequest) { r.Reason = "all \u202eclear" }),
			want:    notPlain,
		},
		{
			name:    "non-ASCII reason",
			request: with(func(r *LockRequest) { r.Reason = "données déplacées 🚚" }),
			want:    "done",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			f.gate.refused, f.gate.unknown = test.refused, test.unknown
			_, err := s.TakeLock(t.Context(), Caller{By: alice, Admin: test.admin}, test.request)
			if got := outcome(err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Whoever asks for a lock must be allowed to deploy with the task that locks.
func TestTakeLock_JudgedByLockTask(t *testing.T) {
	s, f := newTestService()
	request := LockRequest{Repository: "acme/api", Environment: "production", Reason: "moving"}
	if _, err := s.TakeLock(t.Context(), Caller{By: alice}, request); err != nil {
		t.Fatal(err)
	}
	if got := f.gate.member.Request; got.Task != "ship:lock" || got.Environment != "production" {
		t.Errorf("got task %q and environment %q, want ship:lock and production", got.Task, got.Environment)
	}
}

func TestTakeLock_Locked(t *testing.T) {
	bobs := policy.Lock{ID: 7, Repository: "acme/api", Environment: "production", Owner: bob}
	for _, test := range []struct {
		name    string
		reason  string // of bob's lock
		steal   bool
		want    string
		notices []string
	}{
		{
			name:   "with a reason",
			reason: "testing",
			want:   "conflict locked: acme/api production is locked by bob: testing",
		},
		{name: "without a reason", want: "conflict locked: acme/api production is locked by bob"},
		{
			name:    "stolen",
			reason:  "testing",
			steal:   true,
			want:    "done",
			notices: []string{"alice took your lock on acme/api production: moving"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			lock := bobs
			lock.Reason = test.reason
			f.locks.lock = &lock

			request := LockRequest{Repository: "acme/api", Environment: "production", Reason: "moving", Steal: test.steal}
			_, err := s.TakeLock(t.Context(), Caller{By: alice}, request)
			if got := outcome(err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if !slices.Equal(f.locks.notices, test.notices) {
				t.Errorf("got notices %q, want %q", f.locks.notices, test.notices)
			}
			if test.steal && !strings.Contains(string(f.locks.events[0].Detail), `"how":"stolen from bob"`) {
				t.Errorf("got audit detail %s, want it to name bob", f.locks.events[0].Detail)
			}
		})
	}
}

// Whoever takes away somebody else's lock must be allowed by every route to the environment. The lock
// of an admin is taken by an admin only.
func TestTakeLock_Steal(t *testing.T) {
	for _, test := range []struct {
		name     string
		ofAdmin  bool
		admin    bool
		unlocker string
		want     string
	}{
		{name: "allowed by every route", want: "done"},
		{
			name:     "not allowed by every route",
			unlocker: "alice is not allowed to deploy",
			want:     "forbidden not_allowed: alice is not allowed to deploy",
		},
		{name: "admin", admin: true, unlocker: "alice is not allowed to deploy", want: "done"},
		{
			name:    "the lock of an admin",
			ofAdmin: true,
			want: "forbidden not_the_owner: acme/api production is locked by token ops, " +
				"which has the scope admin: ask them to release it",
		},
		{name: "the lock of an admin, by an admin", ofAdmin: true, admin: true, want: "done"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			f.gate.unlocker = test.unlocker
			f.locks.lock = &policy.Lock{
				ID:          7,
				Repository:  "acme/api",
				Environment: "production",
				Owner:       ops,
				Admin:       test.ofAdmin,
			}

			request := LockRequest{Repository: "acme/api", Environment: "production", Reason: "moving", Steal: true}
			_, err := s.TakeLock(t.Context(), Caller{By: alice, Admin: test.admin}, request)
			if got := outcome(err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if taken := f.locks.lock.Owner == alice; taken != (test.want == "done") {
				t.Errorf("got taken %v, want %v", taken, test.want == "done")
			}
		})
	}
}

// The audit names the old and the new owner with their ids, and the lock that was taken away.
func TestLock_Audit(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *Service) error
		want []string
	}{
		{
			name: "stolen",
			run: func(t *testing.T, s *Service) error {
				request := LockRequest{Repository: "acme/api", Environment: "production", Reason: "moving", Steal: true}
				_, err := s.TakeLock(t.Context(), Caller{By: alice}, request)
				return err
			},
			want: []string{
				`"how":"stolen from bob"`,
				`"old_id":7`,
				`"from":{"id":2,"login":"bob"}`,
				`"to":{"id":1,"login":"alice"}`,
			},
		},
		{
			name: "handed over",
			run: func(t *testing.T, s *Service) error {
				_, err := s.HandOverLock(t.Context(), Caller{By: bob}, 7, alice)
				return err
			},
			want: []string{
				`"how":"handed over to alice"`,
				`"id":7`,
				`"from":{"id":2,"login":"bob"}`,
				`"to":{"id":1,"login":"alice"}`,
			},
		},
		{
			name: "taken by an admin",
			run: func(t *testing.T, s *Service) error {
				request := LockRequest{Environment: "production", Reason: "moving", Steal: true}
				_, err := s.TakeLock(t.Context(), Caller{By: ops, Admin: true}, request)
				return err
			},
			want: []string{`"owner":{"token":"ops"}`, `"admin":true`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newTestService()
			f.locks.lock = &policy.Lock{ID: 7, Repository: "acme/api", Environment: "production", Owner: bob}
			if err := test.run(t, s); err != nil {
				t.Fatal(err)
			}

			got := string(f.locks.events[0].Detail)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("got detail %s, want %s in it", got, want)
				}
			}
		})
	}
}

// Only the owner and an admin change a lock. The owner gets a notice when an admin releases it.
func TestLock_Owner(t *testing.T) {
	commands := map[string]func(*testing.T, *Service, Caller) error{
		"extend": func(t *testing.T, s *Service, c Caller) error {
			_, err := s.ExtendLock(t.Context(), c, 7, testNow.Add(time.Hour))
			return err
		},
		"hand over": func(t *testing.T, s *Service, c Caller) error {
			_, err := s.HandOverLock(t.Context(), c, 7, alice)
			return err
		},
		"release": func(t *testing.T, s *Service, c Caller) error { return s.ReleaseLock(t.Context(), c, 7) },
	}

	for _, test := range []struct {
		name   string
		caller Caller
		ended  bool
		want   string
	}{
		{name: "owner", caller: Caller{By: bob}, want: "done"},
		{name: "admin", caller: Caller{By: ops, Admin: true}, want: "done"},
		{
			name:   "somebody else",
			caller: Caller{By: alice},
			want:   "forbidden not_the_owner: the lock belongs to bob: ask them, or an admin, to release it",
		},
		{
			name:   "owner of a lock that has ended",
			caller: Caller{By: bob},
			ended:  true,
			want:   "not_found not_found: no open lock has this id",
		},
	} {
		for command, run := range commands {
			t.Run(command+" by "+test.name, func(t *testing.T) {
				s, f := newTestService()
				if !test.ended {
					f.locks.lock = &policy.Lock{ID: 7, Environment: "production", Owner: bob}
				}

				if got := outcome(run(t, s, test.caller)); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}

				var want []string
				if command == "release" && test.name == "admin" {
					want = []string{"token ops released your lock on production of every repository"}
				}
				if !slices.Equal(f.locks.notices, want) {
					t.Errorf("got notices %q, want %q", f.locks.notices, want)
				}
			})
		}
	}
}

// An account that several people use changes its lock only where it may release anybody's: nobody knows who of them
// took it. To take it again can end it at once.
func TestLock_OfSharedAccount(t *testing.T) {
	const refused = "bob is not allowed to deploy to production"
	request := LockRequest{Repository: "acme/api", Environment: "Production", Reason: "moving"}
	commands := map[string]func(*testing.T, *Service, Caller) error{
		"extend": func(t *testing.T, s *Service, c Caller) error {
			_, err := s.ExtendLock(t.Context(), c, 7, testNow.Add(time.Hour))
			return err
		},
		"hand over": func(t *testing.T, s *Service, c Caller) error {
			_, err := s.HandOverLock(t.Context(), c, 7, alice)
			return err
		},
		"release": func(t *testing.T, s *Service, c Caller) error { return s.ReleaseLock(t.Context(), c, 7) },
		"take again": func(t *testing.T, s *Service, c Caller) error {
			_, err := s.TakeLock(t.Context(), c, request)
			return err
		},
	}

	for name, run := range commands {
		t.Run(name, func(t *testing.T) {
			for _, test := range []struct {
				name   string
				caller Caller
				owner  string // what the rules refuse with
				want   string
			}{
				{name: "refused", caller: Caller{By: bob}, owner: refused, want: "forbidden not_the_owner: " + refused},
				{name: "allowed", caller: Caller{By: bob}, want: "done"},
				{name: "admin", caller: Caller{By: bob, Admin: true}, owner: refused, want: "done"},
			} {
				t.Run(test.name, func(t *testing.T) {
					s, f := newTestService()
					f.gate.owner = test.owner
					f.locks.lock = &policy.Lock{
						ID: 7, RepositoryID: 9, Repository: "acme/api", Environment: "production", Owner: bob,
					}
					if got := outcome(run(t, s, test.caller)); got != test.want {
						t.Errorf("got %q, want %q", got, test.want)
					}
				})
			}
		})
	}

	t.Run("take another one", func(t *testing.T) {
		s, f := newTestService()
		f.gate.owner = refused
		f.locks.lock = &policy.Lock{ID: 7, RepositoryID: 9, Repository: "acme/api", Environment: "staging", Owner: bob}
		if _, err := s.TakeLock(t.Context(), Caller{By: bob}, request); outcome(err) != "done" {
			t.Errorf("got %q, want done", outcome(err))
		}
	})
}

func TestLock_Arguments(t *testing.T) {
	s, f := newTestService()
	f.locks.lock = &policy.Lock{ID: 7, Owner: bob}

	_, err := s.ExtendLock(t.Context(), Caller{By: bob}, 7, testNow)
	if want := "invalid already_over: the lock would have ended already: release it"; outcome(err) != want {
		t.Errorf("extend to the past: got %q, want %q", outcome(err), want)
	}

	_, err = s.HandOverLock(t.Context(), Caller{By: bob}, 7, deployment.Actor{Login: "carol"})
	if want := "invalid owner_missing: the GitHub id and login of the new owner are required"; outcome(err) != want {
		t.Errorf("hand over without an id: got %q, want %q", outcome(err), want)
	}

	_, err = s.HandOverLock(t.Context(), Caller{By: bob}, 7, deployment.Actor{ID: 3, Login: "carol\nthe CTO"})
	if want := "invalid owner_missing: the GitHub id and login of the new owner are required"; outcome(err) != want {
		t.Errorf("hand over to a login that nobody can have: got %q, want %q", outcome(err), want)
	}

	state, err := s.Lock(t.Context(), 7)
	if err != nil || state.ID != 7 || len(state.Waiting) != 1 {
		t.Errorf("got lock %d with %d waiting, %v, want lock 7 with 1", state.ID, len(state.Waiting), err)
	}
}
