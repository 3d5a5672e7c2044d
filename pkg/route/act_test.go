package route

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

func TestTaskPrefix(t *testing.T) {
	text := `routes: [{repository: acme/api}, {repository: acme/web, task: "*"}]`
	tab, err := ParseWith([]byte(text), "r", Options{TaskPrefix: "ship"})
	if err != nil {
		t.Fatal(err)
	}

	for task, want := range map[string]string{
		"ship": "yes", "Ship:migrate": "yes", "deploy": "ignored", "deploy:lock": "ignored", "ship:lock": "lock", "SHIP:Unlock": "unlock", "shipping": "ignored", "ship:lock:now": "yes",
	} {
		a := tab.Admit(request(func(r *deployment.Request) { r.Task = task }), "k")
		got := "yes"
		switch {
		case a.Ignored != "":
			got = "ignored"
		case a.Target.LockTask != "":
			got = a.Target.LockTask
		}

		if got != want {
			t.Errorf("%s: %s, want %s", task, got, want)
		}
	}

	web := func(r *deployment.Request) { r.Repository.Name, r.Task = "web", "deploy:lock" }
	if a := tab.Admit(request(web), "k"); a.Ignored != "" || a.Target.LockTask != "" {
		t.Errorf("a task that another prefix reserves: %+v", a)
	}
	if got := tab.LockTask(); got != "ship:lock" {
		t.Errorf("the task that locks is %s", got)
	}

	if _, err := ParseWith([]byte(`routes: [{repository: acme/api, task: "ship:lock"}]`), "r", Options{
		TaskPrefix: "ship",
	}); err == nil {
		t.Error("a reserved task has a route")
	}
}

func TestLockTasks(t *testing.T) {
	lock := func(payload string, change ...func(*deployment.Request)) deployment.Request {
		return request(
			append(
				change,
				func(r *deployment.Request) { r.Task, r.Payload = "deploy:lock", json.RawMessage(payload) },
			)...)
	}

	in := func(name, environment string) func(*deployment.Request) {
		return func(r *deployment.Request) { r.Repository.Name, r.Environment = name, environment }
	}
	bot := func(r *deployment.Request) {
		r.Creator = deployment.Creator{ID: 8, Login: "my-hubot[bot]", Type: "Bot"}
	}
	stranger := func(r *deployment.Request) {
		r.Creator = deployment.Creator{ID: 8, Login: "dependabot[bot]", Type: "Bot"}
	}
	for name, c := range map[string]struct {
		req  deployment.Request
		want string // "lock 2h0m0s", or why not
	}{
		"for ever":                 {lock(``), "lock 0s"},
		"without a lock":           {lock(`{"seraph_force": 5}`), "lock 0s"},
		"without an end":           {lock(`{"lock":{"reason":"x"}}`), "lock 0s"},
		"null":                     {lock(`{"lock":{"expires":null}}`), "lock 0s"},
		"for two hours":            {lock(`{"lock":{"expires":"2h"}}`), "lock 2h0m0s"},
		"in a string":              {lock(`"{\"lock\":{\"expires\":\" 90m \"}}"`), "lock 1h30m0s"},
		"for no time":              {lock(`{"lock":{"expires":"0s"}}`), `problem: lock.expires must be a positive duration, such as "2h"`},
		"for less":                 {lock(`{"lock":{"expires":"-2h"}}`), `problem: lock.expires must be a positive duration, such as "2h"`},
		"for a number":             {lock(`{"lock":{"expires":7200}}`), `problem: lock.expires must be a positive duration, such as "2h"`},
		"for a day":                {lock(`{"lock":{"expires":"1d"}}`), `problem: lock.expires must be a positive duration, such as "2h"`},
		"a lock that is none":      {lock(`{"lock":"2h"}`), `problem: lock.expires must be a positive duration, such as "2h"`},
		"by a bot that counts":     {lock(``, in("web", "x"), bot), "lock 0s"},
		"by a bot that does not":   {lock(``, in("web", "x"), stranger), "ignored: no route matches this repository and environment, and lets whoever made it count"},
		"where no route is":        {lock(``, in("api", "dev")), "ignored: no route matches this repository and environment, and lets whoever made it count"},
		"of a payload too large":   {lock(``, func(r *deployment.Request) { r.PayloadTooLarge = true }), "problem: the payload is larger than 1 MiB"},
		"in another case of task":  {request(func(r *deployment.Request) { r.Task = "Deploy:LOCK" }), "lock 0s"},
		"an unlock":                {request(func(r *deployment.Request) { r.Task, r.PayloadTooLarge = "deploy:unlock", true }), "unlock 0s"},
		"an unlock for two hours":  {request(func(r *deployment.Request) { r.Task, r.Payload = "deploy:unlock", json.RawMessage(`{"lock":5}`) }), "unlock 0s"},
		"through another's number": {lock(`{"lock":{"expires":[2]}}`), `problem: lock.expires must be a positive duration, such as "2h"`},
	} {
		t.Run(name, func(t *testing.T) {
			a := table(t, ruled).For(Own{AppID: 99}).Admit(c.req, "k")
			got := fmt.Sprintf("%s %s", a.Target.LockTask, a.Target.LockFor)
			switch {
			case a.Ignored != "":
				got = "ignored: " + a.Ignored
			case a.Problem != "":
				got = "problem: " + a.Problem
			}

			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if a.Target.Project != "" || a.Target.Parameters != nil || a.Ignored == "" && a.Target.Key != "k" {
				t.Errorf("%+v", a.Target)
			}
		})
	}

	second := "routes:\n- {repository: acme/api, checks: all}\n- {repository: acme/api, task: x, apps: [my-hubot], checks: required}"
	if p, ok := table(t, second).Policy(lock(``, bot)); !ok || p.Checks.Set != policy.ChecksRequired {
		t.Errorf("the rules of a lock are not those of the route that lets it count: %+v", p)
	}
}

// Who locks is judged by a route by which they could deploy there, whatever its task.
func TestWhoLocks(t *testing.T) {
	const (
		usual  = "routes:\n- {repository: acme/api, environment: production, checks: all}\n"
		others = "- {repository: acme/api, apps: [my-hubot], checks: required}"
	)

	bot := func(r *deployment.Request) {
		r.Creator = deployment.Creator{ID: 8, Login: "my-hubot[bot]", Type: "Bot"}
	}
	staging := func(r *deployment.Request) { r.Environment = "staging" }
	own := func(r *deployment.Request) { r.App = deployment.App{ID: 99, Slug: "seraph"} }
	for name, c := range map[string]struct {
		table  string
		change func(*deployment.Request)
		want   policy.CheckSet // empty: no route
	}{
		"a route that another one hides here":  {usual + others, bot, ""},
		"and not there":                        {usual + others, func(r *deployment.Request) { bot(r); staging(r) }, policy.ChecksRequired},
		"a route that two others hide":         {"routes:\n- {repository: acme/*, task: deploy}\n- {repository: acme/*, task: 'deploy:*'}\n" + others, bot, ""},
		"a route that another one hides half":  {"routes:\n- {repository: acme/*, task: deploy}\n" + others, bot, policy.ChecksRequired},
		"a route that a wider one hides":       {"routes:\n- {repository: acme/api, environment: prod*, task: '*'}\n" + others, bot, ""},
		"a route of another task":              {usual + "- {repository: acme/api, task: x, apps: [my-hubot], checks: required}", bot, policy.ChecksRequired},
		"our own app, which no route names":    {usual + others, own, policy.ChecksAll},
		"a person, where the first is no task": {"routes:\n- {repository: acme/api, task: x, checks: required}\n- {repository: acme/api, checks: all}", staging, policy.ChecksRequired},
	} {
		for _, task := range []string{"deploy:lock", "deploy:unlock"} {
			tab, req := table(t, c.table).For(Own{
				AppID: 99,
			}), request(c.change, func(r *deployment.Request) { r.Task = task })
			var got policy.CheckSet
			if p, ok := tab.Policy(req); ok {
				got = p.Checks.Set
			}
			if admitted := tab.Admit(req, "k").Ignored == ""; got != c.want || admitted != (c.want != "") {
				t.Errorf("%s, %s: judged by %q, want %q (admitted: %v)", name, task, got, c.want, admitted)
			}
		}
	}
}

func TestForceReason(t *testing.T) {
	long := strings.Repeat("ü", 200)
	for payload, want := range map[string]string{
		`{}`: "", ``: "", `"text"`: "", `{"seraph_force":null}`: "", `{"Seraph_Force":"x"}`: "", `{"a":{"seraph_force":"x"}}`: "",
		`{"seraph_force":"production is down"}`:     "production is down",
		`{"seraph_force":"  spaces \n"}`:            "spaces",
		`"{\"seraph_force\":\"in a string\"}"`:      "in a string",
		`{"seraph_force":"` + long + `"}`:           long,
		`{"seraph_force":"` + long + `x"}`:          "problem: seraph_force needs a reason: a text of at most 200 characters",
		`{"seraph_force":""}`:                       "problem: seraph_force needs a reason: a text",
		`{"seraph_force":" \t "}`:                   "problem: seraph_force needs a reason: a text",
		`{"seraph_force":"\u0000\u200b"}`:           "problem: seraph_force needs a reason: a text",
		`{"seraph_force":true}`:                     "problem: seraph_force needs a reason: a text",
		`{"seraph_force":7}`:                        "problem: seraph_force needs a reason: a text",
		`{"seraph_force":["x"]}`:                    "problem: seraph_force needs a reason: a text",
		`{"seraph_force":{"reason":"x"}}`:           "problem: seraph_force needs a reason: a text",
		`{"seraph_force":"a","seraph_force":false}`: "problem: seraph_force needs a reason: a text",
	} {
		a := table(t, ruled).Admit(request(func(r *deployment.Request) { r.Payload = json.RawMessage(payload) }), "k")
		got := a.Target.ForceReason
		if a.Problem != "" {
			got = "problem: " + a.Problem
		}
		if got != want || a.Ignored != "" {
			t.Errorf("%.60s: %q, want %q", payload, got, want)
		}
	}
}

// FuzzActs reads any payload for a lock and for a force: neither is ever for nothing.
func FuzzActs(f *testing.F) {
	for _, s := range []string{
		`{"lock":{"expires":"2h"}}`, `{"lock":{"expires":"-1ns"}}`, `{"seraph_force":" why "}`, `"{\"seraph_force\":\"\u0000\"}"`, `{"lock":null,"seraph_force":[]}`,
		`{"lock":{"expires":"9999999h"}}`,
	} {
		f.Add([]byte(s))
	}

	tab, err := Parse([]byte(ruled), "f")
	if err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, payload []byte) {
		lock := tab.Admit(request(func(r *deployment.Request) { r.Task, r.Payload = "deploy:lock", payload }), "k")
		if lock.Target.LockFor < 0 || lock.Problem != "" && lock.Target.LockFor != 0 {
			t.Fatalf("%+v", lock)
		}

		forced := tab.Admit(request(func(r *deployment.Request) { r.Payload = payload }), "k")
		reason := forced.Target.ForceReason
		if reason != strings.TrimSpace(reason) || utf8.RuneCountInString(reason) > maxReason ||
			forced.Problem != "" && reason != "" {
			t.Fatalf("%q %q", reason, forced.Problem)
		}
	})
}
