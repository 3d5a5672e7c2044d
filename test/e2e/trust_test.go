package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// headsOf makes CircleCI build the head that GitHub has at that moment, as it does.
func headsOf(w **world) func(*circleci.Options) {
	return func(o *circleci.Options) {
		o.Revision = func(_, ref string) string {
			sha, _ := (*w).gh.Head("acme/api", ref)
			return sha
		}
	}
}

// trusting is a world with one route, whose rules and refs are given, and the parameters that the
// documents recommend.
func trusting(t *testing.T, route string) *world {
	t.Helper()
	var w *world
	w = newWorld(t, setup{
		routes: "routes:\n  - repository: acme/api\n    " + route + strings.TrimRight(parameters, "\n") +
			"\n      deploy_sha: \"{{ .SHA }}\"\n",
		env: map[string]string{
			"API_TOKENS": "e2e:read:" + apiToken + ",face:behalf:" + behalfToken + ",root:admin:" + adminToken,
		},
		ci: headsOf(&w),
	})
	w.gh.AddRepository("acme/api")
	return w
}

func (w *world) wantNoPipeline(d github.Deployment) {
	w.t.Helper()
	if found := w.pipelines(d); len(found) > 0 {
		w.t.Errorf("got pipelines %v of deployment %d, want none", found, d.ID)
	}
}

// A branch that moves between the approval and the trigger is not built with the approver's consent.
func TestTrust_BranchThatMovesAfterApproval(t *testing.T) {
	t.Parallel()
	w := trusting(t, "approvals: {count: 1, users: [dave]}")
	w.gh.Push("acme/api", "topic", "")
	w.start()

	d := w.create("acme/api", github.NewDeployment{Ref: "topic", Payload: payload("success"), Creator: "mallory"})
	w.waits(d, "dave")
	moved := w.gh.Push("acme/api", "topic", "")
	w.does("POST", fmt.Sprintf("/deployments/%d/approve", d.ID), behalfToken, w.actor("dave"), 200, "")

	w.ends(d, "error", fmt.Sprintf("topic moved: wanted %.7s, is %.7s", d.SHA, moved))
	w.wantNoPipeline(d)
}

// A branch that somebody pushes under the name of a tag is not built in its place.
func TestTrust_BranchWithTheNameOfTheTag(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name  string
		other bool // the branch is at another commit than the tag
	}{
		{name: "another commit", other: true},
		{name: "the same commit", other: false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := trusting(t, "allow: {users: [alice], permission: write}")
			w.gh.SetRole("acme/api", "alice", "write")
			good := w.gh.Tag("acme/api", "v1.2.3", "")
			w.start()

			lock := w.does("POST", "/locks", adminToken, `{"reason":"a minute"}`, 201, "")
			d := w.create("acme/api", github.NewDeployment{Ref: "v1.2.3", Payload: payload("success"), Creator: "alice"})
			w.waits(d, "a minute")
			branch := good
			if c.other {
				branch = strings.Repeat("66", 20)
			}
			w.gh.Push("acme/api", "v1.2.3", branch)
			w.does("DELETE", lockPath(t, lock), adminToken, "", 204, "")

			if !c.other {
				w.ends(d, "error", "v1.2.3 is a branch and a tag: write refs/heads/v1.2.3 or refs/tags/v1.2.3")
				w.wantNoPipeline(d)
				return
			}

			w.silent[d.ID] = true // the simulated CircleCI does not tell a tag's commit from a branch's
			if p := w.pipeline(d); p.Tag != "v1.2.3" || p.Branch != "" {
				t.Errorf("got branch %q, tag %q, want the tag", p.Branch, p.Tag)
			}
		})
	}
}

// The rule refs holds for the ref that is built, too.
func TestTrust_RefsHoldForWhatIsBuilt(t *testing.T) {
	t.Parallel()
	w := trusting(t, "refs: [main]\n    circleci: {revision: note, ref: \"{{ .Payload.branch }}\"}")
	w.gh.Push("acme/api", "evil", "")
	w.start()

	evil := json.RawMessage(`{"story":"success","branch":"evil"}`)
	d := w.create("acme/api", github.NewDeployment{Payload: evil, Creator: "alice"})
	w.ends(d, "error", "evil may not be deployed to production (allowed: main)")
	w.wantNoPipeline(d)
}

// An event that was signed with the secret, and that GitHub does not show, runs nothing.
func TestTrust_ForgedEvent(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name  string
		forge func(body map[string]any)
	}{
		{
			name: "no such deployment",
			forge: func(body map[string]any) {
				body["deployment"].(map[string]any)["id"] = 987654321
				body["deployment"].(map[string]any)["created_at"] = nil
			},
		},
		{
			name:  "another creator",
			forge: func(body map[string]any) { body["deployment"].(map[string]any)["creator"].(map[string]any)["id"] = 583231 },
		},
		{
			name:  "another commit",
			forge: func(body map[string]any) { body["deployment"].(map[string]any)["sha"] = strings.Repeat("66", 20) },
		},
		{
			name:  "another environment",
			forge: func(body map[string]any) { body["deployment"].(map[string]any)["environment"] = "production" },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := trusting(t, "environment: production\n    refs: [main]")
			w.start()
			real := w.create("acme/api", github.NewDeployment{Environment: "unrouted", Payload: payload("success"), Creator: "mallory"})

			var body map[string]any
			decode(t, w.gh.EventBody(real.ID), &body)
			body["deployment"].(map[string]any)["environment"] = "production"
			c.forge(body)
			forged, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}

			if got := w.hook("deployment", forged); !strings.Contains(got, "accepted") {
				t.Fatalf("got %s, want the event accepted", got)
			}

			w.waitLog("GitHub shows another deployment")
			w.silent[real.ID] = true
			w.wantNoPipeline(real)
			if found := w.ci.ByParameter("deployment_id")["987654321"]; len(found) > 0 {
				t.Errorf("got pipelines %v of a deployment that GitHub does not show, want none", found)
			}
		})
	}
}

// Where the credentials may not read refs, a route with rules waits and says which permission is missing,
// and one without rules builds the branch.
func TestTrust_RefsThatMayNotBeRead(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name  string
		route string
		waits bool
	}{
		{name: "rules", route: "refs: [main]", waits: true},
		{name: "no rules", route: "timeout: 1h", waits: false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := trusting(t, c.route)
			if err := w.gh.NextNamed(github.OpGetRef, "forbidden", 1000); err != nil {
				t.Fatal(err)
			}
			w.start()

			d := w.create("acme/api", github.NewDeployment{Payload: payload("success"), Creator: "alice"})
			if !c.waits {
				w.ends(d, "success", "")
				return
			}

			w.waits(d, "contents: read")
			w.silent[d.ID] = true
			w.wantNoPipeline(d)
		})
	}
}

// A pull request's ref is a branch at CircleCI; what is no branch and no tag ends at once.
func TestTrust_OtherRefs(t *testing.T) {
	t.Parallel()
	w := trusting(t, "timeout: 1h")
	head := w.gh.Push("acme/api", "topic", "")
	w.gh.SetPull("acme/api", 12, head, strings.Repeat("5a", 20))
	w.gh.Tag("acme/api", "v1", "")
	w.start()

	for i, c := range []struct {
		ref    string
		branch string
		tag    string
	}{
		{ref: "refs/pull/12/merge", branch: "pull/12/merge"},
		{ref: "pull/12/head", branch: "pull/12/head"},
		{ref: "heads/topic", branch: "topic"},
		{ref: "tags/v1", tag: "v1"},
	} {
		t.Run(c.ref, func(t *testing.T) {
			w := w.in(t)
			d := w.create("acme/api", github.NewDeployment{
				Ref:         c.ref,
				Environment: fmt.Sprint("review-", i),
				Payload:     payload("success"),
			})
			w.ends(d, "success", "")
			if p := w.pipeline(d); p.Branch != c.branch || p.Tag != c.tag {
				t.Errorf("got branch %q, tag %q, want branch %q, tag %q", p.Branch, p.Tag, c.branch, c.tag)
			}
		})
	}
}

// GitHub is asked for nothing that is not needed: without rules for a bare name only.
func TestTrust_CallsOfADeployment(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name        string
		route       string
		ref         string
		deployments int
		refs        int
	}{
		{name: "no rules, branch", route: "timeout: 1h", ref: "refs/heads/main"},
		{name: "no rules, bare name", route: "timeout: 1h", ref: "main", refs: 1},
		{name: "rules, branch", route: "require_ahead: true", ref: "refs/heads/main", deployments: 1, refs: 1},
		{name: "rules for branches, bare name", route: "refs: [main]", ref: "main", deployments: 1, refs: 1},
		{name: "other rules, bare name", route: "require_ahead: true", ref: "main", deployments: 1, refs: 2},
		{
			name:        "rules, fixed branch",
			route:       "require_ahead: true\n    circleci: {branch: main}",
			ref:         "main",
			deployments: 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := trusting(t, c.route)
			w.start()
			w.ends(w.create("acme/api", github.NewDeployment{Ref: c.ref, Payload: payload("success")}), "success", "")

			calls := w.gh.Calls()
			if calls[github.OpGetDeployment] != c.deployments || calls[github.OpGetRef] != c.refs {
				t.Errorf("got %d reads of the deployment, %d of refs, want %d, %d",
					calls[github.OpGetDeployment], calls[github.OpGetRef], c.deployments, c.refs)
			}
		})
	}
}

// The check tells operators beforehand what a deployment would wait for, and whose configuration runs.
func TestTrust_Check(t *testing.T) {
	t.Parallel()
	const ownConfig = "its configuration is read from the requester's own ref"

	for _, c := range []struct {
		name   string
		route  string
		hidden bool // the credentials may not read refs
		code   int
		want   string
		not    string
	}{
		{name: "requester's configuration", route: "refs: [main]", want: ownConfig, not: "contents: read"},
		{name: "fixed configuration", route: "refs: [main]\n    circleci: {branch: main}", not: ownConfig},
		{name: "rules, refs are hidden", route: "refs: [main]", hidden: true, code: 1, want: "contents: read"},
		{name: "no rules, refs are hidden", route: "timeout: 1h", hidden: true, not: "contents: read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := trusting(t, c.route)
			if c.hidden {
				if err := w.gh.NextNamed(github.OpGetRef, "forbidden", 10); err != nil {
					t.Fatal(err)
				}
			}

			code, out, errs := command(t, w.env, "check")
			if code != c.code || !strings.Contains(out, c.want) || c.not != "" && strings.Contains(out, c.not) {
				t.Errorf("got %d %s%s, want %d with %q and without %q", code, out, errs, c.code, c.want, c.not)
			}
		})
	}
}
