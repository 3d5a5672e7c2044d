package route

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

// FuzzParse checks that no text is half accepted, and that no accepted policy allows a deployment of
// which nothing is known.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		exampleTable,
		ruledTable,
		`routes: [{repository: a/b, freeze: [{cron: "*/5 9-17 * * 1-5", duration: 4m, zone: America/New_York}], ` +
			`checks: {require: all}, approvals: {users: [a]}}]`,
		`{"freeze": [{"from": "2026-03-29 02:30", "to": "2026-12-24T18:00:00+01:00", "zone": "Europe/Berlin"}], ` +
			`"routes": [{"repository": "a/b", "allow": {}}]}`,
		"slack: {workspace: T0A}\npeople: [{id: 5, login: a, slack: U0A, hubot-irc: x/y}]\ndefaults: {logs: true, timeout: 5m}\n" +
			"routes: [{repository: a/b, name: x, ask: [C0A], notify: [{slack: C0A, states: [ends], mention: {approvals: S0A}}]}]",
		"routes: [{repository: a/b, production: true, holds: {approve: {users: [a]}}, rollback: {keep: 5, allow: {teams: [a/b]}}}]",
		"routes: [{repository: a/b, parameters: {x: {value: '{{ .Payload.a }}', match: 'a+'}}}]",
	} {
		f.Add(text)
	}

	now := time.Unix(1795608000, 0)
	f.Fuzz(func(t *testing.T, text string) {
		table, err := Parse([]byte(text), "f", Options{})
		if (table == nil) == (err == nil) {
			t.Fatalf("got table %v, error %v, want exactly one", table, err)
		}
		if table == nil {
			return
		}

		table.Admit(newRequest(), "k")
		p, _ := table.Policy(newRequest())
		if p.Digest() == "" {
			t.Fatal("the policy has no digest")
		}
		if v := p.Evaluate(policy.Request{Deployment: 1}, policy.Facts{}, now); v.Decision == policy.DecisionAllow {
			t.Fatalf("got %+v although no fact is known", v)
		}
	})
}

// FuzzPayload checks that every parameter is JSON, whatever the payload is.
func FuzzPayload(f *testing.F) {
	for _, payload := range []string{`{}`, `"{\"a\":1}"`, `null`, `[[[]]]`, `"`, ``, `{"hosts":{"a":[1]}}`} {
		f.Add([]byte(payload))
	}

	table, err := Parse([]byte(exampleTable), "f", Options{})
	if err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, p := range table.Admit(newRequest(withPayload(string(payload))), "k").Target.Parameters {
			if !json.Valid(p.Value) {
				t.Fatalf("parameter %s is not JSON: %s", p.Name, p.Value)
			}
		}
	})
}

// FuzzTemplate checks that a template which is accepted can be rendered.
func FuzzTemplate(f *testing.F) {
	f.Add("{{ .Payload.a.b }}{{ range $k, $v := .Payload }}{{ $k }}{{ end }}")
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 200 {
			return
		}

		parsed, err := parseURLTemplate(source)
		if err != nil {
			return
		}
		_, _ = parsed.render(newTemplateData(newRequest(), "k")) // it may fail, and must not panic
	})
}

// FuzzActs checks the lock and the force that a payload asks for: a lock is never for a negative
// time, and a reason is never too long.
func FuzzActs(f *testing.F) {
	for _, payload := range []string{
		`{"lock":{"expires":"2h"}}`,
		`{"lock":{"expires":"-1ns"}}`,
		`{"lock":{"expires":"9999999h"}}`,
		`{"seraph_force":" why "}`,
		`"{\"seraph_force\":\"\u0000\"}"`,
		`{"lock":null,"seraph_force":[]}`,
	} {
		f.Add([]byte(payload))
	}

	table, err := Parse([]byte(ruledTable), "f", Options{})
	if err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, payload []byte) {
		lock := table.Admit(newRequest(withTask("deploy:lock"), withPayload(string(payload))), "k")
		if d := lock.Target.LockFor; d < 0 || lock.Problem != "" && d != 0 {
			t.Fatalf("got lock for %s, problem %q", d, lock.Problem)
		}

		forced := table.Admit(newRequest(withPayload(string(payload))), "k")
		reason := forced.Target.ForceReason
		if reason != strings.TrimSpace(reason) || utf8.RuneCountInString(reason) > maxForceReason {
			t.Fatalf("got reason %q, want it trimmed and short", reason)
		}
		if forced.Problem != "" && reason != "" {
			t.Fatalf("got reason %q and problem %q, want one of them", reason, forced.Problem)
		}
	})
}
