package route

import (
	"fmt"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

func TestTaskPrefix(t *testing.T) {
	const text = `routes: [{repository: acme/api}, {repository: acme/web, task: "*"}]`
	table, err := Parse([]byte(text), "r", Options{TaskPrefix: "ship"})
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		repository string
		task       string
		want       string
	}{
		{repository: "api", task: "ship", want: "admitted"},
		{repository: "api", task: "Ship:migrate", want: "admitted"},
		{repository: "api", task: "ship:lock:now", want: "admitted"},
		{repository: "api", task: "shipping", want: "ignored"},
		{repository: "api", task: "deploy", want: "ignored"},
		{repository: "api", task: "deploy:lock", want: "ignored"},
		{repository: "api", task: "ship:lock", want: "lock"},
		{repository: "api", task: "SHIP:Unlock", want: "unlock"},
		{repository: "web", task: "deploy:lock", want: "admitted"},
	} {
		t.Run(c.repository+" "+c.task, func(t *testing.T) {
			a := table.Admit(newRequest(ofRepository(c.repository), withTask(c.task)), "k")
			got := "admitted"
			switch {
			case a.Ignored != "":
				got = "ignored"
			case a.Target.LockTask != "":
				got = a.Target.LockTask
			}

			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}

	if got := table.LockTask(); got != "ship:lock" {
		t.Errorf("got lock task %s, want ship:lock", got)
	}

	reserved := `routes: [{repository: acme/api, task: "ship:lock"}]`
	if _, err := Parse([]byte(reserved), "r", Options{TaskPrefix: "ship"}); err == nil {
		t.Error("got no error for a route with a reserved task")
	}
}

func TestAdmit_LockTasks(t *testing.T) {
	const (
		notPositive = `problem: lock.expires must be a positive duration, such as "2h"`
		noRoute     = "ignored: no route for this repository and environment accepts deployments of its creator"
	)
	lock := func(payload string, changes ...requestChange) deployment.Request {
		return newRequest(append([]requestChange{withTask("deploy:lock"), withPayload(payload)}, changes...)...)
	}

	for _, c := range []struct {
		name string
		req  deployment.Request
		want string // the task and the duration, or why not
	}{
		{name: "no payload", req: lock(``), want: "lock 0s"},
		{name: "no lock in the payload", req: lock(`{"seraph_force": 5}`), want: "lock 0s"},
		{name: "no expires", req: lock(`{"lock":{"reason":"x"}}`), want: "lock 0s"},
		{name: "expires is null", req: lock(`{"lock":{"expires":null}}`), want: "lock 0s"},
		{name: "two hours", req: lock(`{"lock":{"expires":"2h"}}`), want: "lock 2h0m0s"},
		{name: "payload in a string", req: lock(`"{\"lock\":{\"expires\":\" 90m \"}}"`), want: "lock 1h30m0s"},
		{name: "zero", req: lock(`{"lock":{"expires":"0s"}}`), want: notPositive},
		{name: "negative", req: lock(`{"lock":{"expires":"-2h"}}`), want: notPositive},
		{name: "number", req: lock(`{"lock":{"expires":7200}}`), want: notPositive},
		{name: "unit of days", req: lock(`{"lock":{"expires":"1d"}}`), want: notPositive},
		{name: "lock is a string", req: lock(`{"lock":"2h"}`), want: notPositive},
		{name: "listed bot", req: lock(``, ofRepository("web"), byBot("my-hubot[bot]")), want: "lock 0s"},
		{name: "other bot", req: lock(``, ofRepository("web"), byBot("dependabot[bot]")), want: noRoute},
		{name: "no route", req: lock(``, toEnvironment("dev")), want: noRoute},
		{
			name: "payload too large",
			req:  lock(``, withoutPayload),
			want: "problem: the payload is larger than 1 MiB",
		},
		{name: "task in another case", req: newRequest(withTask("Deploy:LOCK")), want: "lock 0s"},
		{
			name: "unlock, payload too large",
			req:  newRequest(withTask("deploy:unlock"), withoutPayload),
			want: "unlock 0s",
		},
		{
			name: "unlock, payload not read",
			req:  newRequest(withTask("deploy:unlock"), withPayload(`{"lock":5}`)),
			want: "unlock 0s",
		},
		{name: "list", req: lock(`{"lock":{"expires":[2]}}`), want: notPositive},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := parseTable(t, ruledTable).WithOwnApp(&OwnApp{ID: 99}).Admit(c.req, "k")
			got := fmt.Sprintf("%s %s", a.Target.LockTask, a.Target.LockFor)
			switch {
			case a.Ignored != "":
				got = "ignored: " + a.Ignored
			case a.Problem != "":
				got = "problem: " + a.Problem
			}

			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if a.Target.Project != "" || a.Target.Parameters != nil {
				t.Errorf("got target %+v, want no project and no parameters", a.Target)
			}
			if a.Ignored == "" && a.Target.Key != "k" {
				t.Errorf("got key %q, want k", a.Target.Key)
			}
		})
	}
}

// TestTable_LockPolicy checks that whoever locks is judged by the first route by which they could
// deploy to the environment, whatever its task.
func TestTable_LockPolicy(t *testing.T) {
	const (
		general   = "routes:\n- {repository: acme/api, environment: production, checks: all}\n"
		hubotOnly = "- {repository: acme/api, apps: [my-hubot], checks: required}"
	)

	for _, c := range []struct {
		name   string
		table  string
		change requestChange
		want   policy.CheckSet // empty: no route
	}{
		{name: "route shadowed in this environment", table: general + hubotOnly, change: byBot("my-hubot[bot]")},
		{
			name:   "route shadowed only in another environment",
			table:  general + hubotOnly,
			change: func(r *deployment.Request) { byBot("my-hubot[bot]")(r); toEnvironment("staging")(r) },
			want:   policy.ChecksRequired,
		},
		{
			name:   "route shadowed by two together",
			table:  "routes:\n- {repository: acme/*, task: deploy}\n- {repository: acme/*, task: 'deploy:*'}\n" + hubotOnly,
			change: byBot("my-hubot[bot]"),
		},
		{
			name:   "route shadowed in part",
			table:  "routes:\n- {repository: acme/*, task: deploy}\n" + hubotOnly,
			change: byBot("my-hubot[bot]"),
			want:   policy.ChecksRequired,
		},
		{
			name:   "route shadowed by a wider one",
			table:  "routes:\n- {repository: acme/api, environment: prod*, task: '*'}\n" + hubotOnly,
			change: byBot("my-hubot[bot]"),
		},
		{
			name:   "route of another task",
			table:  general + "- {repository: acme/api, task: x, apps: [my-hubot], checks: required}",
			change: byBot("my-hubot[bot]"),
			want:   policy.ChecksRequired,
		},
		{
			name:   "own app, which no route lists",
			table:  general + hubotOnly,
			change: byApp(99, "seraph"),
			want:   policy.ChecksAll,
		},
		{
			name:   "person, first route has another task",
			table:  "routes:\n- {repository: acme/api, task: x, checks: required}\n- {repository: acme/api, checks: all}",
			change: toEnvironment("staging"),
			want:   policy.ChecksRequired,
		},
	} {
		for _, task := range []string{"deploy:lock", "deploy:unlock"} {
			t.Run(c.name+", "+task, func(t *testing.T) {
				table := parseTable(t, c.table).WithOwnApp(&OwnApp{ID: 99})
				req := newRequest(c.change, withTask(task))

				var got policy.CheckSet
				if p, ok := table.Policy(req); ok {
					got = p.Checks.Set
				}
				if got != c.want {
					t.Errorf("got the route with checks %q, want %q", got, c.want)
				}
				if admitted := table.Admit(req, "k").Ignored == ""; admitted != (c.want != "") {
					t.Errorf("got admitted %v, want %v", admitted, c.want != "")
				}
			})
		}
	}
}

func TestTable_LockPolicyByCreator(t *testing.T) {
	const text = "routes:\n- {repository: acme/api, checks: all}\n" +
		"- {repository: acme/api, task: x, apps: [my-hubot], checks: required}"
	p, ok := parseTable(t, text).Policy(newRequest(withTask("deploy:lock"), byBot("my-hubot[bot]")))
	if !ok || p.Checks.Set != policy.ChecksRequired {
		t.Errorf("got policy %+v, want that of the route that accepts the bot", p)
	}
}

// Every route by which something is deployed to an environment counts for an unlock of somebody else's
// lock.
func TestUnlockPolicies(t *testing.T) {
	const text = `routes:
  - {repository: acme/api, environment: "*", task: docs, apps: [my-hubot]}
  - {repository: acme/api, environment: production, allow: {users: [alice]}}
  - {repository: acme/api, environment: staging, apps: [my-hubot]}
  - {repository: "acme/*", task: docs, allow: {users: [dave]}}
  - {repository: "acme/*", task: migrate, allow: {users: [bob]}}
`
	table, err := Parse([]byte(text), "r", Options{})
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name        string
		environment string
		bot         bool
		want        string
	}{
		{name: "person", environment: "production", want: "anybody [alice] [bob] "},
		{name: "person elsewhere", environment: "staging", want: "anybody anybody [bob] "},
		{name: "bot that a route does not accept", environment: "production", bot: true, want: "not accepted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := newRequest(withTask("deploy:unlock"))
			req.Environment = c.environment
			if c.bot {
				req.Creator = deployment.Creator{ID: 90, Login: "my-hubot[bot]", Type: "Bot"}
			}

			got := ""
			all, accepted := table.UnlockPolicies(req)
			for _, p := range all {
				if p.Allow == nil {
					got += "anybody "
				} else {
					got += fmt.Sprint(p.Allow.Users) + " "
				}
			}
			if !accepted {
				got = "not accepted"
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
