package slackapp

import (
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/notify"
	simslack "github.com/seraph-deploy/seraph/test/sim/slack"
)

// home opens somebody's home tab, and returns all of its text.
func (w *world) home(user string) string {
	w.t.Helper()
	if _, err := w.sim.HomeOpened(user); err != nil {
		w.t.Fatal(err)
	}
	view, ok := w.sim.Home(user)
	if !ok {
		w.t.Fatalf("%s has no home tab", user)
	}
	return view.Words()
}

// TestHome_Refused checks that whoever is not linked is shown how to be, and that strangers are shown nothing.
func TestHome_Refused(t *testing.T) {
	w := newWorld(t)
	if got := w.home("U0UNLINKED"); !strings.Contains(got, "Seraph does not know yet who you are at GitHub.") ||
		!strings.Contains(got, "to link your account at GitHub") || strings.Contains(got, "api") {
		t.Errorf("got %q, want how to link, and nothing else", got)
	}

	w.sim.AddUser(simslack.User{ID: "U0EVE", Restricted: true})
	if got := w.home("U0EVE"); !strings.Contains(got, "Guests of this workspace may not") || strings.Contains(got, "api") {
		t.Errorf("got %q, want why nothing is shown", got)
	}
}

// TestHome_Shows checks that the home tab shows what runs where, and is shown anew after its owner has done
// something.
func TestHome_Shows(t *testing.T) {
	w := newWorld(t)
	got := w.home("U0ALICE")
	for _, part := range []string{"Deployments of alice", "Nothing waits for you", "You hold no lock", "staging", "production"} {
		if !strings.Contains(got, part) {
			t.Errorf("got %q, want %q in it", got, part)
		}
	}

	w.click("U0ALICE", w.card(waiting(w.now())), notify.VerbCancel)
	w.click("U0BOB", w.card(waiting(w.now())), notify.VerbCancel)
	var users []string
	for _, c := range w.sim.Calls("views.publish") {
		users = append(users, c.Args["user_id"])
	}
	if strings.Join(users, " ") != "U0ALICE U0ALICE" {
		t.Errorf("got home tabs shown to %q, want alice's once more", users)
	}
}

// TestHome_Item checks that a deployment in a list has the buttons of its card, but no longer a day after its end.
func TestHome_Item(t *testing.T) {
	w := newWorld(t)
	f := failed(w.now())
	item := w.actions.itemOf(f)
	if item.Row != 1 || item.Generation != notify.Generation(f) || item.State != deployment.Failed || len(item.Buttons) == 0 {
		t.Errorf("got %+v, want the buttons of the card", item)
	}

	w.pass(buttonsLast)
	for _, b := range w.actions.itemOf(f).Buttons {
		if b.Verb != notify.VerbOpen {
			t.Errorf("got the button %s a day later, want none that acts", b.Verb)
		}
	}
}

// TestHome_Patterns checks which environments and repositories that only a pattern names are shown: those where something
// happens, or has succeeded within a week.
func TestHome_Patterns(t *testing.T) {
	w := newWorld(t)
	const day = 24 * time.Hour
	in := func(repository, environment string, age time.Duration, queued int) deployment.EnvironmentStatus {
		return deployment.EnvironmentStatus{Queued: queued, Current: &deployment.Deployment{
			EndedAt: w.now().Add(-age),
			Request: deployment.Request{
				ID:          1,
				Repository:  deployment.Repository{Owner: "acme", Name: repository},
				Environment: environment,
			},
		}}
	}
	found := []deployment.EnvironmentStatus{
		in("api", "pr-1", 8*day, 0),
		in("api", "pr-2", 8*day, 1),
		in("api", "pr-3", day, 0),
		in("api", "staging", 30*day, 0),
		in("web", "pr-4", day, 0),
		in("web", "production", day, 0),
		in("docs", "pr-5", 8*day, 0),
	}
	environments := []grammar.Environment{{Name: "staging"}, {Name: "pr-*"}}

	for _, row := range []struct {
		name string
		app  grammar.App
		want string
	}{
		{
			name: "pattern of environments",
			app:  grammar.App{Name: "api", Repository: "acme/api", Environments: environments},
			want: "api: staging pr-2 pr-3",
		},
		{
			name: "pattern of repositories",
			app:  grammar.App{Repository: "acme/*", Environments: environments},
			want: "acme/api: pr-2 pr-3 staging acme/web: pr-4",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for _, app := range w.actions.homeApps(row.app, found, nil) {
				got = append(got, app.Name+":")
				for _, e := range app.Environments {
					got = append(got, e.Name)
				}
			}
			if text := strings.Join(got, " "); text != row.want {
				t.Errorf("got %q, want %q", text, row.want)
			}
		})
	}
}

// TestHome_OneAtATime checks that a user's home tab is made by one worker at a time, and once more for all who asked
// meanwhile.
func TestHome_OneAtATime(t *testing.T) {
	w := newWorld(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	names := w.actions.o.Names
	w.actions.o.Names = func() grammar.Names {
		begun <- struct{}{}
		<-goOn
		return names()
	}

	caller := command.Caller{By: alice}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.actions.publishHome(t.Context(), "U0ALICE", caller)
	}()
	<-begun
	for range 3 {
		w.actions.publishHome(t.Context(), "U0ALICE", caller) // returns at once
	}
	goOn <- struct{}{}
	<-begun
	goOn <- struct{}{}
	<-done

	if got := len(w.sim.Calls("views.publish")); got != 2 {
		t.Errorf("got %d home tabs shown, want 2", got)
	}
	w.actions.o.Names = names
	w.actions.publishHome(t.Context(), "U0ALICE", caller)
	if got := len(w.sim.Calls("views.publish")); got != 3 {
		t.Errorf("got %d home tabs shown, want one more later", got)
	}
}
