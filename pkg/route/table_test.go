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

func TestTable_Policy(t *testing.T) {
	freezes := []policy.Freeze{holidays}
	request := func(repository, environment, task string) deployment.Request {
		return newRequest(ofRepository(repository), toEnvironment(environment), withTask(task))
	}

	web := policy.Policy{
		Checks:  &policy.Checks{Set: policy.ChecksListed, Names: []policy.CheckName{{Name: "build"}}},
		Freezes: freezes,
	}
	webOtherTask := policy.Policy{
		Checks:  &policy.Checks{Set: policy.ChecksAll},
		Freezes: freezes,
	}

	for _, c := range []struct {
		name string
		req  deployment.Request
		want *policy.Policy // nil: no route
	}{
		{
			name: "every rule",
			req:  request("API", "Production", "deploy"),
			want: &policy.Policy{
				Allow: &policy.Subjects{
					Users:      []string{"alice", "id:5"},
					Teams:      []string{"acme/sre"},
					Apps:       []string{"my-hubot"},
					Permission: policy.PermissionWrite,
				},
				Refs:         []string{"main", "release/*", "refs/tags/v*"},
				RequireAhead: true,
				Checks: &policy.Checks{
					Set: policy.ChecksListed,
					Names: []policy.CheckName{
						{Name: "build"},
						{Name: "ci/circleci: test", App: "CircleCI[bot]"},
						{Name: "lint", App: "id:15368"},
					},
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
				Locked:  policy.ModeReject,
				MaxWait: 48 * time.Hour,
			},
		},
		{
			name: "second route",
			req:  request("api", "staging", "deploy"),
			want: &policy.Policy{Checks: &policy.Checks{Set: policy.ChecksRequired}, Freezes: freezes},
		},
		{name: "list of checks", req: request("web", "x", "deploy:all"), want: &web},
		{name: "other task", req: request("web", "x", "migrate"), want: &webOtherTask},
		{name: "no task stands for the usual one", req: request("web", "x", ""), want: &web},
		{name: "lock", req: request("web", "x", "deploy:lock"), want: &web},
		{
			name: "unlock",
			req:  request("api", "staging", "deploy:unlock"),
			want: &policy.Policy{Checks: &policy.Checks{Set: policy.ChecksRequired}, Freezes: freezes},
		},
		{name: "no route", req: request("api", "dev", "deploy")},
		{name: "no route, lock", req: request("api", "dev", "deploy:lock")},
		{name: "no route with the task", req: request("api", "staging", "migrate")},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := parseTable(t, ruledTable)
			got, ok := table.Policy(c.req)
			if ok != (c.want != nil) {
				t.Fatalf("got a route: %v, want %v", ok, c.want != nil)
			}
			if ok {
				if diff := cmp.Diff(*c.want, got); diff != "" {
					t.Errorf("policy (-want +got):\n%s", diff)
				}
			}

			if got := table.Admit(c.req, "k").Target.HasRules; c.req.Task != "" && got != ok {
				t.Errorf("got Target.Ruled %v, want %v", got, ok)
			}
		})
	}
}

func TestAdmit_Ruled(t *testing.T) {
	const (
		noRules      = "routes: [{repository: acme/*}]"
		commonFreeze = `{freeze: [{from: "2026-12-24T12:00:00Z", to: "2027-01-02T12:00:00Z"}], ` +
			`routes: [{repository: acme/*}]}`
	)
	for _, c := range []struct {
		name  string
		table string
		task  string
		want  bool
	}{
		{name: "no rules", table: noRules, task: "deploy", want: false},
		{name: "no rules, lock", table: noRules, task: "deploy:lock", want: false},
		{name: "freeze for all routes", table: commonFreeze, task: "deploy", want: true},
		{name: "freeze for all routes, lock", table: commonFreeze, task: "deploy:lock", want: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := admit(t, c.table, withTask(c.task))
			if got.Ignored != "" || got.Target.HasRules != c.want {
				t.Errorf("got ignored %q, ruled %v, want ruled %v", got.Ignored, got.Target.HasRules, c.want)
			}
		})
	}
}

// TestTable_PolicyIgnoresDeployment checks that nothing in a deployment changes its rules: they come
// from the operator's file only. (deliverybot reads its rules from the commit that is deployed, so a
// branch can remove them.)
func TestTable_PolicyIgnoresDeployment(t *testing.T) {
	table := parseTable(t, ruledTable)
	want, _ := table.Policy(newRequest())

	for _, c := range []struct {
		name   string
		change requestChange
	}{
		{
			name: "other branch",
			change: func(r *deployment.Request) {
				r.Ref, r.SHA = "refs/heads/free-for-all", strings.Repeat("f", 40)
			},
		},
		{
			name: "payload",
			change: withPayload(
				`{"allow":{},"checks":[],"approvals":null,"freeze":[],"required_contexts":[],` +
					`"policy":{},"routes":[{"repository":"acme/api"}]}`,
			),
		},
		{
			name:   "description",
			change: func(r *deployment.Request) { r.Description = "routes: [{repository: acme/api}]" },
		},
		{
			name: "other creator",
			change: func(r *deployment.Request) {
				r.Creator = deployment.Creator{ID: 9, Login: "mallory", Type: "User"}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := table.Policy(newRequest(c.change))
			if !ok || got.Digest() != want.Digest() {
				t.Errorf("got policy %+v, want %+v", got, want)
			}
		})
	}
}

// TestTarget_Digest checks what approvals are bound to: all that is built and with which parameters,
// but for the key.
func TestTarget_Digest(t *testing.T) {
	digest := func(key string, changes ...requestChange) string {
		return parseTable(t, exampleTable).Admit(newRequest(changes...), key).Target.Digest()
	}
	original := digest("k-1")
	if len(original) != 32 {
		t.Errorf("got %q, want 32 digits", original)
	}
	if got := digest("k-2"); got != original {
		t.Errorf("got %s with another key, want %s", got, original)
	}

	for _, c := range []struct {
		name   string
		change requestChange
	}{
		{name: "hosts", change: withPayload(`{"hosts":"web-3"}`)},
		{name: "ref", change: ofRef("refs/heads/main")},
		{name: "sha", change: func(r *deployment.Request) { r.SHA = strings.Repeat("b", 40) }},
		{name: "id", change: func(r *deployment.Request) { r.ID++ }},
	} {
		t.Run("request: "+c.name, func(t *testing.T) {
			if digest("k-1", c.change) == original {
				t.Errorf("got the same digest with another %s", c.name)
			}
		})
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

	for _, c := range []struct {
		name   string
		change func(*deployment.Target)
	}{
		{name: "project", change: func(t *deployment.Target) { t.Project = "q" }},
		{name: "definition", change: func(t *deployment.Target) { t.Definition = "" }},
		{name: "kind of ref", change: func(t *deployment.Target) { t.Ref.Kind = "tag" }},
		{name: "config ref", change: func(t *deployment.Target) { t.ConfigRef.Name = "" }},
		{name: "revision", change: func(t *deployment.Target) { t.Revision = "note" }},
		{name: "set of parameters", change: func(t *deployment.Target) { t.Parameters = t.Parameters[1:] }},
		{
			name: "value of a parameter",
			change: func(t *deployment.Target) {
				t.Parameters = []deployment.Parameter{t.Parameters[0], {Name: "x", Value: json.RawMessage(`2`)}}
			},
		},
	} {
		t.Run("target: "+c.name, func(t *testing.T) {
			other := full
			c.change(&other)
			if other.Digest() == full.Digest() {
				t.Errorf("got the same digest with another %s", c.name)
			}
		})
	}

	if full.Parameters[0].Value == nil {
		t.Error("Digest changed the target that it was called on")
	}
}
