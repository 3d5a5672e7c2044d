package route

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// detourTable has a route with rules, an exception for one task, routes without a pattern in the
// environment, and one for everything else.
const detourTable = `
routes:
- repository: acme/api
  environment: production
  task: deploy
  allow: {users: [alice]}
  refs: [main]
- repository: acme/api
  environment: prod-*
  allow: {users: [alice]}
- repository: acme/*
  task: docs
- repository: acme/api
  environment: produсtion-eu
- repository: acme/api
  environment: staging
- repository: acme/*
`

// What somebody writes into a deployment must not lead it past the rules that are meant for it.
func TestTable_RejectsDetours(t *testing.T) {
	const (
		byTask        = `task "deploy:x" avoids the rules of line 3 (acme/api to production)`
		byEnvironment = "looks like production, whose rules are in line 3"
	)

	for _, c := range []struct {
		name    string
		changes []requestChange
		want    string // part of the reason; empty: the deployment is not rejected by the routes
	}{
		{name: "the route with rules"},
		{name: "another task", changes: []requestChange{withTask("deploy:x")}, want: byTask},
		{name: "a task that a route names", changes: []requestChange{withTask("docs")}},
		{name: "upper case", changes: []requestChange{toEnvironment("PRODUCTION")}},
		{name: "space at the end", changes: []requestChange{toEnvironment("production ")}, want: byEnvironment},
		{name: "space in front", changes: []requestChange{toEnvironment(" production")}, want: byEnvironment},
		{name: "no-break space", changes: []requestChange{toEnvironment("production\u00a0")}, want: byEnvironment},
		{name: "zero width space", changes: []requestChange{toEnvironment("production\u200b")}, want: byEnvironment},
		{name: "right-to-left mark", changes: []requestChange{toEnvironment("prod\u200fuction")}, want: byEnvironment},
		{name: "variation selector", changes: []requestChange{toEnvironment("production\ufe0f")}, want: byEnvironment},
		{name: "Hangul filler", changes: []requestChange{toEnvironment("production\u3164")}, want: byEnvironment},
		{name: "Cyrillic о", changes: []requestChange{toEnvironment("pr\u043eduction")}, want: byEnvironment},
		{name: "Greek Ρ", changes: []requestChange{toEnvironment("\u03a1roduction")}, want: byEnvironment},
		{name: "full width", changes: []requestChange{toEnvironment("ｐroduction")}, want: byEnvironment},
		{name: "mathematical letter", changes: []requestChange{toEnvironment("𝐩roduction")}, want: byEnvironment},
		{name: "zero in place of o", changes: []requestChange{toEnvironment("pr0duction")}, want: byEnvironment},
		{
			name:    "written differently, and another task",
			changes: []requestChange{toEnvironment("production "), withTask("deploy:x")},
			want:    byEnvironment,
		},
		{
			name:    "written differently, with a task that a route names",
			changes: []requestChange{toEnvironment("production "), withTask("docs")},
		},
		{
			name:    "a pattern with rules, another dash",
			changes: []requestChange{toEnvironment("prod\u2010eu")},
			want:    "looks like prod-*",
		},
		{
			name:    "a route names what is written differently",
			changes: []requestChange{toEnvironment("produ\u0441tion-eu")},
		},
		{name: "another environment", changes: []requestChange{toEnvironment("staging")}},
		{name: "another environment, no route of its own", changes: []requestChange{toEnvironment("dev")}},
		{name: "another repository", changes: []requestChange{ofRepository("web"), toEnvironment("production ")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, req := parseTable(t, detourTable), newRequest(c.changes...)

			p, ok := table.Policy(req)
			if !ok {
				t.Fatal("no route matches")
			}
			if p.WrongRoute == "" != (c.want == "") || !strings.Contains(p.WrongRoute, c.want) {
				t.Errorf("got reason %q, want one with %q", p.WrongRoute, c.want)
			}

			if c.want != "" && !table.Admit(req, "k").Target.HasRules {
				t.Error("the deployment is accepted as one without rules")
			}
		})
	}
}

// A later route with as many rules is a stricter or an equal one, and no detour by its task.
func TestTable_DetourNeedsFewerRules(t *testing.T) {
	const first = "routes:\n- {repository: acme/api, environment: production, task: deploy, " +
		"allow: {users: [alice]}, checks: all}\n"

	for _, c := range []struct {
		name  string
		later string
		want  bool
	}{
		{name: "the same rules", later: "- {repository: acme/*, allow: {users: [bob]}, checks: required}"},
		{name: "more rules", later: "- {repository: acme/*, allow: {users: [bob]}, checks: all, refs: [main]}"},
		{
			name:  "the same rules, looser people",
			later: "- {repository: acme/*, allow: {users: [bob, alice]}, checks: all}",
			want:  true,
		},
		{
			name:  "the same rules, everybody",
			later: "- {repository: acme/*, allow: {permission: write}, checks: all}",
			want:  true,
		},
		{name: "one less", later: "- {repository: acme/*, allow: {users: [bob]}}", want: true},
		{name: "others", later: "- {repository: acme/*, allow: {users: [bob]}, refs: [main]}", want: true},
		{name: "none", later: "- {repository: acme/*}", want: true},
		{name: "none, but it names the environment", later: "- {repository: acme/api, environment: Production}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, ok := parseTable(t, first+c.later).Policy(newRequest(withTask("deploy:x")))
			if !ok {
				t.Fatal("no route matches")
			}
			if got := p.WrongRoute != ""; got != c.want {
				t.Errorf("got reason %q, want one: %v", p.WrongRoute, c.want)
			}
		})
	}
}

func TestTable_Bypasses(t *testing.T) {
	for _, c := range []struct {
		name  string
		table string
		want  []string
	}{
		{name: "no rules", table: "routes:\n- {repository: acme/api, environment: x}\n- {repository: acme/*}"},
		{
			name:  "a route for everything else",
			table: "routes:\n- {repository: acme/api, environment: x, refs: [main], checks: all}\n- {repository: acme/*}",
			want: []string{
				"line 2 (acme/api to x): line 3 (acme/* to *) is for the same place without refs, checks, " +
					"and takes other tasks there",
			},
		},
		{
			name:  "a narrower route",
			table: "routes:\n- {repository: acme/*, task: deploy, checks: all}\n- {repository: acme/api, environment: x}",
			want: []string{
				"line 2 (acme/* to *): line 3 (acme/api to x) is for the same place without checks, " +
					"and takes other tasks there",
			},
		},
		{
			name:  "the same rules",
			table: "routes:\n- {repository: acme/api, environment: x, refs: [main]}\n- {repository: acme/*, refs: [dev]}",
		},
		{
			name: "looser rules",
			table: "routes:\n- {repository: acme/api, environment: x, refs: [main], checks: all}\n" +
				"- {repository: acme/*, refs: [\"*\"]}",
			want: []string{
				"line 2 (acme/api to x): line 3 (acme/* to *) is for the same place without checks and with a looser refs, " +
					"and takes other tasks there",
			},
		},
		{
			name:  "another environment",
			table: "routes:\n- {repository: acme/api, environment: x, refs: [main]}\n- {repository: acme/*, environment: y}",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, b := range parseTable(t, c.table).Bypasses() {
				got = append(got, b.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("bypasses (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a pattern matches, its skeleton matches the skeleton of: otherwise a route could match a
// deployment that does not resemble its own environment.
func TestSkeleton_OfEqualNames(t *testing.T) {
	for _, name := range []string{"production", "Prod-1/EU", "prod_x", "zürich", "生产", "हिन्दी", "a b"} {
		t.Run(name, func(t *testing.T) {
			upper := newRequest(toEnvironment(strings.ToUpper(name)))
			if r := (Route{Environment: name}); !r.resembles(upper.Environment) {
				t.Errorf("got skeletons %q and %q, want equal ones", skeleton(name), skeleton(upper.Environment))
			}
		})
	}
}

// Every look-alike has the skeleton of its letter, and a skeleton is its own skeleton.
func TestSkeleton_OfLookAlikes(t *testing.T) {
	for other, letter := range lookAlikes {
		if got, want := skeleton(string(other)), string(letter); got != want {
			t.Errorf("%+q: got %q, want %q", other, got, want)
		}
	}

	rapid.Check(t, func(r *rapid.T) {
		first := skeleton(rapid.String().Draw(r, "name"))
		if again := skeleton(first); again != first {
			r.Fatalf("got %q of %q, want it unchanged", again, first)
		}
	})
}
