package route

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func TestAdmit_RendersTarget(t *testing.T) {
	got := parseTable(t, exampleTable).Admit(newRequest(), "k-1")
	want := deployment.Admission{Target: deployment.Target{
		Project:        "circleci/ORG/PROJ",
		Definition:     "3f0c9f6e-0000",
		Ref:            deployment.Ref{Kind: deployment.RefBare, Name: "main"},
		ConfigRef:      deployment.Ref{Kind: deployment.RefBranch, Name: "main"},
		FixedConfig:    true,
		Revision:       deployment.RevisionNote,
		Key:            "k-1",
		CarriesKey:     true,
		KeyParameters:  []string{"seraph_key"},
		Timeout:        30 * time.Minute,
		HoldTimeout:    2 * time.Hour,
		EnvironmentURL: "https://production.example.com/a%2Fb",
		Parameters: []deployment.Parameter{
			{Name: "seraph_key", Value: json.RawMessage(`"k-1"`)},
			{Name: "deploy_sha", Value: json.RawMessage(`"` + sha + `"`)},
			{Name: "deployment_id", Value: json.RawMessage(`9007199254740993`)},
			{Name: "hosts", Value: json.RawMessage(`"web-1,web-2"`)},
			{Name: "verbose", Value: json.RawMessage(`true`)},
			{Name: "count", Value: json.RawMessage(`7`)},
		},
	}}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("admission (-want +got):\n%s", diff)
	}
}

func TestAdmit_Defaults(t *testing.T) {
	got := admit(t, exampleTable, ofRepository("web")).Target
	want := deployment.Target{
		Project:     "gh/acme/web",
		Ref:         deployment.Ref{Kind: deployment.RefBare, Name: "main"},
		Revision:    deployment.RevisionStrict,
		Key:         "k",
		Timeout:     time.Hour,
		HoldTimeout: 24 * time.Hour,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
}

func TestAdmit_Creators(t *testing.T) {
	for _, c := range []struct {
		name    string
		req     deployment.Request
		ignored bool
	}{
		{name: "person", req: newRequest()},
		{name: "listed app", req: newRequest(byApp(5, "My-Hubot"))},
		{name: "listed bot", req: newRequest(byBot("my-hubot[bot]"))},
		{name: "other app", req: newRequest(byApp(6, "vercel")), ignored: true},
		{name: "other bot", req: newRequest(byBot("dependabot[bot]")), ignored: true},
		{name: "own app", req: newRequest(byApp(99, "whatever"))},
		{name: "own bot, without the app", req: newRequest(byBot("Seraph[bot]"))},
		{
			name:    "GitHub Actions",
			req:     newRequest(func(r *deployment.Request) { r.WorkflowRun = true }),
			ignored: true,
		},
		{name: "GitHub Pages", req: newRequest(ofRepository("web"), toEnvironment("github-pages")), ignored: true},
		{
			name:    "no route",
			req:     newRequest(func(r *deployment.Request) { r.Environment = "x"; r.Repository.Owner = "else" }),
			ignored: true,
		},
		{name: "lock task in another case", req: newRequest(withTask("Deploy:Lock"))},
		{name: "another task", req: newRequest(ofRepository("web"), withTask("test")), ignored: true},
		{name: "task with a suffix", req: newRequest(ofRepository("web"), withTask("deploy:migrations"))},
		{
			name: "names in another case",
			req: newRequest(
				func(r *deployment.Request) { r.Repository.Owner, r.Environment = "ACME", "Production" },
			),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			own := &OwnApp{ID: 99}
			own.SetSlug("seraph")
			got := parseTable(t, exampleTable).WithOwnApp(own).Admit(c.req, "k").Ignored
			if (got != "") != c.ignored {
				t.Errorf("got ignored %q, want ignored %v", got, c.ignored)
			}
		})
	}
}

// Before the App's name is known, no bot is taken for it.
func TestAdmit_OwnBotWhoseNameIsNotKnownYet(t *testing.T) {
	for _, test := range []struct {
		name string
		own  *OwnApp
	}{
		{name: "no answer yet", own: &OwnApp{ID: 99}},
		{name: "no App", own: nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, login := range []string{"seraph[bot]", "[bot]"} {
				got := parseTable(t, exampleTable).WithOwnApp(test.own).Admit(newRequest(byBot(login)), "k").Ignored
				if got == "" {
					t.Errorf("got the deployment of %s accepted, want it ignored", login)
				}
			}
		})
	}
}

func TestAdmit_Refs(t *testing.T) {
	const (
		anyRef   = "routes: [{repository: acme/api}]"
		mainOnly = "routes: [{repository: acme/api, circleci: {branch: main}}]"
	)
	rules := func(glob string) string { return `routes: [{repository: acme/api, refs: ["` + glob + `"]}]` }

	for _, c := range []struct {
		name    string
		table   string
		ref     string
		want    deployment.Ref
		problem string
	}{
		{
			name:  "bare name",
			table: anyRef,
			ref:   "main",
			want:  deployment.Ref{Kind: deployment.RefBare, Name: "main"},
		},
		{
			name:  "branch",
			table: anyRef,
			ref:   "refs/heads/a/b",
			want:  deployment.Ref{Kind: deployment.RefBranch, Name: "a/b"},
		},
		{
			name:  "tag",
			table: anyRef,
			ref:   "refs/tags/v1",
			want:  deployment.Ref{Kind: deployment.RefTag, Name: "v1"},
		},
		{
			name:    "commit",
			table:   anyRef,
			ref:     sha,
			want:    deployment.Ref{Kind: deployment.RefSHA, Name: sha},
			problem: "the ref is a commit, which CircleCI cannot build: set circleci.ref on the route",
		},
		{
			name:  "commit, the route builds a branch",
			table: mainOnly,
			ref:   sha,
			want:  deployment.Ref{Kind: deployment.RefBranch, Name: "main"},
		},
		{
			name:  "bare name, rules for short names",
			table: rules("main"),
			ref:   "main",
			want:  deployment.Ref{Kind: deployment.RefBranch, Name: "main"},
		},
		{
			name:  "bare name, rules for branches",
			table: rules("refs/heads/*"),
			ref:   "main",
			want:  deployment.Ref{Kind: deployment.RefBranch, Name: "main"},
		},
		{
			name:  "bare name, rules for branches and tags",
			table: rules("refs/*/main"),
			ref:   "main",
			want:  deployment.Ref{Kind: deployment.RefBare, Name: "main"},
		},
		{
			name:  "bare name, rules for tags",
			table: rules("refs/tags/*"),
			ref:   "main",
			want:  deployment.Ref{Kind: deployment.RefBare, Name: "main"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := admit(t, c.table, ofRef(c.ref))
			if got.Target.Ref != c.want || got.Problem != c.problem {
				t.Errorf("got %+v, problem %q, want %+v, problem %q", got.Target.Ref, got.Problem, c.want, c.problem)
			}
		})
	}
}

func TestAdmit_PayloadTooLarge(t *testing.T) {
	for _, c := range []struct {
		name      string
		parameter string
		want      string
	}{
		{
			name:      "used",
			parameter: `"{{ .Payload.v }}"`,
			want:      "the payload is larger than 1 MiB, and a template of the route uses it",
		},
		{name: "not used", parameter: `"{{ .SHA }}"`, want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := admit(t, oneParameterTable(c.parameter), withoutPayload).Problem; got != c.want {
				t.Errorf("got problem %q, want %q", got, c.want)
			}
		})
	}
}

func TestAdmit_ForceReason(t *testing.T) {
	long := strings.Repeat("ü", 200)
	for _, c := range []struct {
		name    string
		payload string
		want    string
		problem string
	}{
		{name: "empty object", payload: `{}`},
		{name: "empty payload", payload: ``},
		{name: "text payload", payload: `"text"`},
		{name: "null", payload: `{"seraph_force":null}`},
		{name: "key in another case", payload: `{"Seraph_Force":"x"}`},
		{name: "key at depth", payload: `{"a":{"seraph_force":"x"}}`},
		{name: "reason", payload: `{"seraph_force":"production is down"}`, want: "production is down"},
		{name: "spaces around", payload: `{"seraph_force":"  spaces \n"}`, want: "spaces"},
		{name: "object in a string", payload: `"{\"seraph_force\":\"in a string\"}"`, want: "in a string"},
		{name: "200 characters", payload: `{"seraph_force":"` + long + `"}`, want: long},
		{
			name:    "201 characters",
			payload: `{"seraph_force":"` + long + `x"}`,
			problem: "seraph_force needs a reason of at most 200 characters",
		},
		{name: "empty reason", payload: `{"seraph_force":""}`, problem: "seraph_force needs a reason, as text"},
		{name: "white space", payload: `{"seraph_force":" \t "}`, problem: "seraph_force needs a reason, as text"},
		{
			name:    "nothing visible",
			payload: `{"seraph_force":"\u0000\u200b"}`,
			problem: "seraph_force needs a reason, as text",
		},
		{name: "boolean", payload: `{"seraph_force":true}`, problem: "seraph_force needs a reason, as text"},
		{name: "number", payload: `{"seraph_force":7}`, problem: "seraph_force needs a reason, as text"},
		{name: "list", payload: `{"seraph_force":["x"]}`, problem: "seraph_force needs a reason, as text"},
		{
			name:    "object",
			payload: `{"seraph_force":{"reason":"x"}}`,
			problem: "seraph_force needs a reason, as text",
		},
		{
			name:    "repeated key",
			payload: `{"seraph_force":"a","seraph_force":false}`,
			problem: "seraph_force needs a reason, as text",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := admit(t, ruledTable, withPayload(c.payload))
			if got.Target.ForceReason != c.want || got.Problem != c.problem {
				t.Errorf("got reason %q, problem %q, want reason %q, problem %q",
					got.Target.ForceReason, got.Problem, c.want, c.problem)
			}
			if got.Ignored != "" {
				t.Errorf("got ignored %q, want admitted", got.Ignored)
			}
		})
	}
}
