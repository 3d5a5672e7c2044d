package route

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

const ruled = `
freeze:
  - {from: 2026-12-24T12:00:00Z, to: "2027-01-02 08:00", zone: Europe/Berlin, message: holidays, mode: reject}
routes:
  - repository: acme/api
    environment: production
    allow: {users: [alice, "id:5"], teams: [acme/sre], apps: [my-hubot], permission: write}
    refs: [main, release/*, refs/tags/v*]
    require_ahead: true
    checks: {require: [build, "ci/circleci: test"], ignore: [codecov/*], wait: 30m}
    after: [staging, canary]
    concurrency: replace
    freeze:
      - {cron: "0 18 * * FRI", duration: 62h, zone: Europe/Berlin, message: weekend}
    approvals: {count: 2, users: [bob], teams: [acme/sre], tokens: [ops], expires: 2h}
    force: {teams: [acme/sre], permission: admin}
    locked: reject
    max_wait: 48h
  - repository: acme/api
    environment: staging
    checks: required
  - repository: acme/web
    checks: [build]
    apps: [my-hubot]
  - repository: acme/web
    checks: all
    task: "*"
`

var holidays = policy.Freeze{
	From:    time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC),
	To:      time.Date(2027, 1, 2, 7, 0, 0, 0, time.UTC),
	Zone:    "Europe/Berlin",
	Message: "holidays",
	Mode:    policy.RejectMode,
}

func TestPolicy(t *testing.T) {
	everywhere := []policy.Freeze{holidays}
	in := func(name, environment, task string) deployment.Request {
		return request(
			func(r *deployment.Request) { r.Repository.Name, r.Environment, r.Task = name, environment, task },
		)
	}

	web := policy.Policy{
		Checks:  &policy.Checks{Set: policy.ChecksListed, Names: []string{"build"}},
		Freezes: everywhere,
	}

	webTask := policy.Policy{Checks: &policy.Checks{Set: policy.ChecksAll}, Freezes: everywhere}
	for name, c := range map[string]struct {
		req  deployment.Request
		want *policy.Policy
	}{
		"everything": {in("API", "Production", "deploy"), &policy.Policy{
			Allow: &policy.Subjects{
				Users:      []string{"alice", "id:5"},
				Teams:      []string{"acme/sre"},
				Apps:       []string{"my-hubot"},
				Permission: policy.PermissionWrite,
			},
			Refs:         []string{"main", "release/*", "refs/tags/v*"},
			RequireAhead: true,
			Checks: &policy.Checks{
				Set:    policy.ChecksListed,
				Names:  []string{"build", "ci/circleci: test"},
				Ignore: []string{"codecov/*"},
				Wait:   30 * time.Minute,
			},
			After:       []string{"staging", "canary"},
			Concurrency: policy.ConcurrencyReplace,
			Freezes: []policy.Freeze{
				{Cron: "0 18 * * FRI", Duration: 62 * time.Hour, Zone: "Europe/Berlin", Message: "weekend"},
				holidays,
			},
			Approvals: &policy.Approvals{
				Count:   2,
				Users:   []string{"bob"},
				Teams:   []string{"acme/sre"},
				Tokens:  []string{"ops"},
				Expires: 2 * time.Hour,
			},
			Force:   &policy.Subjects{Teams: []string{"acme/sre"}, Permission: policy.PermissionAdmin},
			Locked:  policy.RejectMode,
			MaxWait: 48 * time.Hour,
		}},
		"the second route": {in("api", "staging", "deploy"), &policy.Policy{
			Checks:  &policy.Checks{Set: policy.ChecksRequired},
			Freezes: everywhere,
		}},
		"a list of checks":         {in("web", "x", "deploy:all"), &web},
		"another task":             {in("web", "x", "migrate"), &webTask},
		"no task is the usual one": {in("web", "x", ""), &web},
		"a lock by whatever task":  {in("web", "x", "deploy:lock"), &web},
		"an unlock": {in("api", "staging", "deploy:unlock"), &policy.Policy{
			Checks:  &policy.Checks{Set: policy.ChecksRequired},
			Freezes: everywhere,
		}},
		"no route":                     {in("api", "dev", "deploy"), nil},
		"no route for a lock":          {in("api", "dev", "deploy:lock"), nil},
		"a task that none of them has": {in("api", "staging", "migrate"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := table(t, ruled).Policy(c.req)
			if ok != (c.want != nil) {
				t.Fatal(ok)
			}
			if ok && !cmp.Equal(*c.want, got) {
				t.Error(cmp.Diff(*c.want, got))
			}
			if a := table(t, ruled).Admit(c.req, "k"); c.req.Task != "" && a.Target.Ruled != ok {
				t.Errorf("%+v", a)
			}
		})
	}

	for text, want := range map[string]bool{
		"routes: [{repository: acme/*}]": false,
		// each route's
		`{freeze: [{from: "2026-12-24T12:00:00Z", to: "2027-01-02T12:00:00Z"}], routes: [{repository: acme/*}]}`: true,
	} {
		for _, task := range []string{"deploy", "deploy:lock"} {
			a := table(t, text).Admit(request(func(r *deployment.Request) { r.Task = task }), "k")
			if a.Ignored != "" || a.Target.Ruled != want {
				t.Errorf("%s of %s: %+v", task, text, a)
			}
		}
	}
}

// deliverybot reads its rules from the commit that is deployed, so that a branch takes its own
// gates away (peers.md §8, 10): here they come from the operator's file, whatever a deployment
// holds.
func TestPeerBug10RulesComeFromTheOperatorsFileOnly(t *testing.T) {
	tab := table(t, ruled)
	want, _ := tab.Policy(request())
	for name, change := range map[string]func(*deployment.Request){
		"another branch": func(r *deployment.Request) { r.Ref, r.SHA = "refs/heads/free-for-all", strings.Repeat("f", 40) },
		"a payload": func(r *deployment.Request) {
			r.Payload = json.RawMessage(`{"allow":{},"checks":[],"approvals":null,"freeze":[],"required_contexts":[],"policy":{},"routes":[{"repository":"acme/api"}]}`)
		},
		"a description": func(r *deployment.Request) { r.Description = "routes: [{repository: acme/api}]" },
		"another creator": func(r *deployment.Request) {
			r.Creator = deployment.Creator{
				ID:    9,
				Login: "mallory",
				Type:  "User",
			}
		},
	} {
		if got, ok := tab.Policy(request(change)); !ok || got.Digest() != want.Digest() {
			t.Errorf("%s changes the rules: %+v", name, got)
		}
	}
}

func TestRuleProblems(t *testing.T) {
	route := func(lines ...string) string {
		return "routes:\n- repository: acme/api\n  environment: production\n  " + strings.Join(lines, "\n  ")
	}
	for name, c := range map[string]struct{ text, want string }{
		"allow: nothing":             {route("allow: {}"), "routes.yaml:4: allow names nobody"},
		"allow: a list":              {route("allow: [alice]"), "routes.yaml:4: allow must be a mapping"},
		"allow: unknown key":         {route("allow:", "  user: [alice]"), `routes.yaml:5: allow: unknown key "user"; did you mean "users"?`},
		"allow: no users":            {route("allow:", "  users: []"), "routes.yaml:5: users is empty"},
		"allow: users in words":      {route("allow: {users: alice}"), "users must be a list"},
		"allow: at":                  {route("allow:", "  users:", "  - alice", `  - "@bob"`), `routes.yaml:7: users: "@bob" is no login`},
		"allow: a login too long":    {route("allow: {users: [" + strings.Repeat("a", 40) + "]}"), "is no login"},
		"allow: a bot":               {route(`allow: {users: ["my-hubot[bot]"]}`), "is a bot: name it under apps"},
		"allow: a team as a user":    {route("allow: {users: [acme/sre]}"), "is a team: name it under teams"},
		"allow: an id":               {route(`allow: {users: ["id:x"]}`), "must be id: and a number"},
		"allow: id 0":                {route(`allow: {users: ["id:0"]}`), "must be id: and a number"},
		"allow: a user twice":        {route("allow:", "  users:", "  - alice", "  - Alice"), `routes.yaml:7: users: "Alice" is given twice (first in line 6)`},
		"allow: a team without org":  {route("allow: {teams: [sre]}"), `teams: "sre" must be ORG/TEAM`},
		"allow: a team's mention":    {route(`allow: {teams: ["@acme/sre"]}`), "must be ORG/TEAM"},
		"allow: a team three deep":   {route("allow: {teams: [acme/sre/db]}"), "must be ORG/TEAM"},
		"allow: a team by its name":  {route(`allow: {teams: ["acme/Site Reliability"]}`), "must be ORG/TEAM"},
		"allow: an app":              {route(`allow: {apps: ["my hubot"]}`), "is no app's slug"},
		"allow: a permission":        {route("allow: {permission: read}"), `permission "read" must be write, maintain or admin`},
		"allow: all at once":         {route("allow: {users: [a b], teams: [x], permission: root}"), "must be write, maintain or admin"},
		"refs: none":                 {route("refs: []"), "routes.yaml:4: refs is empty"},
		"refs: in words":             {route("refs: main"), "refs must be a list"},
		"refs: twice":                {route("refs: [main, dev, main]"), `refs: "main" is given twice`},
		"refs: null":                 {route("refs: [null]"), "each element must be text"},
		"require_ahead: words":       {route(`require_ahead: "yes"`), "routes.yaml:4: require_ahead must be true or false"},
		"checks: a word":             {route("checks: some"), "routes.yaml:4: checks must be all, required or a list of names"},
		"checks: nothing":            {route("checks: []"), "checks is empty"},
		"checks: null":               {route("checks:"), "checks must be all, required or a list"},
		"checks: without require":    {route("checks: {wait: 5m}"), "checks needs require"},
		"checks: require what":       {route("checks:", "  require: 5"), "routes.yaml:5: require must be all, required or a list of names"},
		"checks: wait":               {route("checks: {require: all, wait: 0s}"), "wait \"0s\" is no positive duration"},
		"checks: twice":              {route("checks: [a, b, a]"), `"a" is given twice`},
		"checks: listed and ignored": {route("checks:", "  require: [lint-a]", "  ignore:", "  - x", "  - lint-*"), `routes.yaml:8: ignore: "lint-*" takes "lint-a" out`},
		"after: a glob":              {route("after: [stag*]"), "without * and ?"},
		"after: itself":              {route("after: [Production]"), "is the route's own environment"},
		"after: twice":               {route("after: [staging, Staging]"), "is given twice"},
		"after: none":                {route("after: []"), "after is empty"},
		"concurrency":                {route("concurrency: skip"), `concurrency "skip" must be queue, replace, cancel or reject`},
		"locked":                     {route("locked: skip"), `locked "skip" must be wait or reject`},
		"max_wait":                   {route("max_wait: 1d"), "no positive duration"},
		"force: nothing":             {route("force: {}"), "force names nobody"},
		"approvals: nobody":          {route("approvals: {count: 1}"), "routes.yaml:4: approvals names nobody who may approve"},
		"approvals: none":            {route("approvals: {count: 0, teams: [acme/sre]}"), `count "0" must be a number from 1`},
		"approvals: many":            {route("approvals: {count: 21, teams: [acme/sre]}"), "from 1 to 20"},
		"approvals: a half":          {route("approvals: {count: 1.5, teams: [acme/sre]}"), "must be a number"},
		"approvals: too few":         {route("approvals: {count: 3, users: [a], tokens: [b]}"), "3 are asked for, and only 2 could ever approve"},
		"approvals: a token":         {route(`approvals: {tokens: ["a:b"]}`), "no name of an API token"},
		"approvals: apps":            {route("approvals: {apps: [a]}"), `approvals: unknown key "apps"`},
		"approvals: expires":         {route("approvals: {users: [a], expires: never}"), "no positive duration"},
		"freeze: a mapping":          {route("freeze: {cron: x}"), "freeze must be a list"},
		"freeze: none":               {route("freeze: []"), "freeze must be a list of at least one"},
		"freeze: empty":              {route("freeze: [{}]"), "a freeze needs cron and duration, or from and to"},
		"freeze: no duration":        {route("freeze:", `- cron: "0 0 * * *"`), "routes.yaml:5: cron says when a freeze begins: give its duration"},
		"freeze: no cron":            {route("freeze:", "- duration: 5h"), "routes.yaml:5: duration works only with cron"},
		"freeze: a long one":         {route(`freeze: [{cron: "0 0 * * *", duration: 9000h}]`), "duration must be at most 8784h"},
		"freeze: bad cron":           {route("freeze:", "- duration: 5h", `  cron: "0 25 * * *"`), `routes.yaml:6: cron "0 25 * * *": end of range (25) above maximum (23)`},
		"freeze: cron of six fields": {route(`freeze: [{cron: "0 0 0 * * *", duration: 1h}]`), "expected exactly 5 fields"},
		"freeze: cron with a zone":   {route(`freeze: [{cron: "TZ=UTC 0 0 * * *", duration: 1h}]`), "a time zone goes under zone"},
		"freeze: never":              {route(`freeze: [{cron: "0 0 31 2 *", duration: 1h}]`), "it never comes"},
		"freeze: both":               {route(`freeze: [{cron: "0 0 * * *", duration: 1h, from: "2026-01-01 00:00", to: "2026-01-02 00:00"}]`), "make two of it"},
		"freeze: no end":             {route(`freeze: [{from: "2026-01-01 00:00"}]`), "needs both from and to"},
		"freeze: ends before":        {route(`freeze: [{from: "2026-01-02 00:00", to: "2026-01-01 00:00"}]`), "to must be after from"},
		"freeze: ends at once":       {route(`freeze: [{from: 2026-01-02T00:00:00+01:00, to: 2026-01-01T23:00:00Z}]`), "to must be after from"},
		"freeze: a day":              {route(`freeze: [{from: 2026-01-02, to: 2026-01-03}]`), "must be a time, such as"},
		"freeze: no such day":        {route(`freeze: [{from: "2026-02-30 00:00", to: "2026-03-03 00:00"}]`), "must be a time, such as"},
		"freeze: far away":           {route(`freeze: [{from: "2026-02-20 00:00", to: "9999-12-31 00:00"}]`), "must be a time, such as"},
		"freeze: no such hour":       {route(`freeze: [{zone: Europe/Berlin, from: "2026-03-29 02:30", to: "2026-04-01 00:00"}]`), "the clocks of Europe/Berlin are set over this hour"},
		"freeze: zone":               {route("freeze:", `- {cron: "0 0 * * *", duration: 1h}`, "- cron: 0 0 * * *", "  duration: 1h", "  zone: Europe/Berlín"), "routes.yaml:8: zone: \"Europe/Berlín\" is no time zone"},
		"freeze: zone of the place":  {route(`freeze: [{cron: "0 0 * * *", duration: 1h, zone: Local}]`), "depends on the machine"},
		"freeze: mode":               {route(`freeze: [{cron: "0 0 * * *", duration: 1h, mode: stop}]`), "must be wait or reject"},
		"freeze: message":            {route(`freeze: [{cron: "0 0 * * *", duration: 1h, message: "` + strings.Repeat("x", 61) + `"}]`), "at most 60 characters"},
		"freeze: lines":              {route(`freeze: [{cron: "0 0 * * *", duration: 1h, message: "a\nb"}]`), "one line"},
		"freeze: unknown key":        {route(`freeze: [{cron: "0 0 * * *", duration: 1h, timezone: UTC}]`), `a freeze: unknown key "timezone"`},
		"freeze: twice":              {route("freeze:", `- {cron: "0 0 * * *", duration: 1h}`, `- {duration: 1h, cron: "0 0 * * *"}`), "routes.yaml:6: freeze: this one is given twice"},
		"freeze: once, twice": {route("freeze:", `- {from: "2026-01-01 01:00", to: "2026-01-02 00:00", zone: Europe/Berlin}`,
			`- {from: 2026-01-01T00:00:00Z, to: "2026-01-02 00:00", zone: Europe/Berlin}`), "routes.yaml:6: freeze: this one is given twice"},
		"freeze for all: a list": {"freeze: x\nroutes:\n- repository: acme/api", "routes.yaml:1: freeze must be a list"},
		"freeze for all: cron":   {"routes:\n- repository: acme/api\nfreeze:\n- {cron: x, duration: 1h}", `routes.yaml:4: cron "x"`},
		"table: unknown key":     {"freezes: []\nroutes:\n- repository: acme/api", `did you mean "freeze"?`},
	} {
		t.Run(name, func(t *testing.T) {
			tab, err := Parse([]byte(c.text), "routes.yaml")
			if tab != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}

	_, err := Parse(
		[]byte(route("allow: {users: [a b], teams: [x], permission: root}", "checks: some", "freeze: [{}]")),
		"routes.yaml",
	)

	if n := strings.Count(err.Error(), "\n"); n != 4 {
		t.Errorf("not every problem is told, or one twice: %v", err)
	}
}

// A reading of the wall that comes twice begins a freeze early and ends it late.
func TestHourThatComesTwice(t *testing.T) {
	for _, c := range []struct{ from, to, begins, ends string }{
		{"2026-10-25 02:30", "2026-10-25 04:00", "00:30", "03:00"},
		{"2026-10-25 01:00", "2026-10-25 02:30", "23:00", "01:30"},
		{"2026-10-25 02:00", "2026-10-25 02:59", "00:00", "01:59"},
		{"2026-10-25 02:30", "2026-10-25 02:30", "00:30", "01:30"},
		{"2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00", "01:30", "02:00"},
	} {
		text := "routes: [{repository: acme/api}]\nfreeze: [{zone: Europe/Berlin, from: " + c.from + ", to: " + c.to + "}]"
		f := table(t, text).Routes()[0].Policy.Freezes[0]
		if begins, ends := f.From.Format("15:04"), f.To.Format("15:04"); begins != c.begins || ends != c.ends {
			t.Errorf("from %s to %s is %s to %s, want %s to %s", c.from, c.to, begins, ends, c.begins, c.ends)
		}
	}
}

func TestNamesThatGitHubKnows(t *testing.T) {
	text := `routes: [{repository: acme/api, allow: {users: [a, octo-cat, octocat_acme, "123", X9], teams: [acme/sre, acme_corp/db-2, Acme/Web_Team], apps: [github-actions, "dependabot[bot]"]}}]`
	p, _ := table(t, text).Policy(request())
	if len(p.Allow.Users) != 5 || len(p.Allow.Teams) != 3 || len(p.Allow.Apps) != 2 {
		t.Errorf("%+v", p.Allow)
	}
}

// What approvals are bound to: all that is built and with what, but for the key.
func TestTargetDigest(t *testing.T) {
	digest := func(key string, change ...func(*deployment.Request)) string {
		return table(t, example).Admit(request(change...), key).Target.Digest()
	}
	same := digest("k-1")
	if len(same) != 32 || digest("k-2") != same {
		t.Errorf("%s, and with another key %s", same, digest("k-2"))
	}

	for name, change := range map[string]func(*deployment.Request){
		"hosts": func(r *deployment.Request) { r.Payload = json.RawMessage(`{"hosts":"web-3"}`) },
		"ref":   func(r *deployment.Request) { r.Ref = "refs/heads/main" },
		"sha":   func(r *deployment.Request) { r.SHA = strings.Repeat("b", 40) },
		"id":    func(r *deployment.Request) { r.ID++ },
	} {
		if digest("k-1", change) == same {
			t.Errorf("another %s, and the same digest", name)
		}
	}

	full := deployment.Target{
		Project:       "p",
		Definition:    "d",
		Ref:           deployment.Ref{Name: "r"},
		ConfigRef:     deployment.Ref{Name: "c"},
		Revision:      "strict",
		Key:           "k",
		KeyParameters: []string{"key"},
		Parameters: []deployment.Parameter{
			{Name: "key", Value: json.RawMessage(`"k"`)},
			{Name: "x", Value: json.RawMessage(`1`)},
		},
	}

	for name, change := range map[string]func(*deployment.Target){
		"project": func(t *deployment.Target) { t.Project = "q" }, "definition": func(t *deployment.Target) { t.Definition = "" },
		"ref": func(t *deployment.Target) { t.Ref.Kind = "tag" }, "config": func(t *deployment.Target) { t.ConfigRef.Name = "" },
		"revision": func(t *deployment.Target) { t.Revision = "note" }, "no key": func(t *deployment.Target) { t.Parameters = t.Parameters[1:] },
		"value": func(t *deployment.Target) {
			t.Parameters = []deployment.Parameter{t.Parameters[0], {Name: "x", Value: json.RawMessage(`2`)}}
		},
	} {
		other := full
		change(&other)
		if other.Digest() == full.Digest() {
			t.Errorf("another %s, and the same digest", name)
		}
	}

	if full.Parameters[0].Value == nil {
		t.Error("the digest takes the key away")
	}
}
