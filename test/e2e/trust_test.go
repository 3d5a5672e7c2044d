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
func headsOf(h **harness) func(*circleci.Options) {
	return func(o *circleci.Options) {
		o.Revision = func(_, ref string) string {
			sha, _ := (*h).gh.Head("acme/api", ref)
			return sha
		}
	}
}

// trusting is a world with one route, whose rules and refs are given, and the parameters that the
// documents recommend.
func trusting(t *testing.T, route string) *harness {
	t.Helper()
	var h *harness
	h = newHarness(t, setup{
		routes: "routes:\n  - repository: acme/api\n    " + route + strings.TrimRight(parameters, "\n") +
			"\n      deploy_sha: \"{{ .SHA }}\"\n",
		env: map[string]string{
			"API_TOKENS": "e2e:read:" + apiToken + ",face:behalf:" + chatToken + ",root:admin:" + adminToken,
		},
		ci: headsOf(&h),
	})
	h.gh.AddRepository("acme/api")
	return h
}

func (h *harness) wantNoPipeline(d github.Deployment) {
	h.t.Helper()
	if found := h.pipelines(d); len(found) > 0 {
		h.t.Errorf("got pipelines %v of deployment %d, want none", found, d.ID)
	}
}

// A branch that moves between the approval and the trigger is not built with the approver's consent.
func TestTrust_BranchThatMovesAfterApproval(t *testing.T) {
	t.Parallel()
	h := trusting(t, "approvals: {count: 1, users: [dave]}")
	h.gh.Push("acme/api", "topic", "")
	h.start()

	d := h.create("acme/api", github.NewDeployment{Ref: "topic", Payload: payload("success"), Creator: "mallory"})
	h.expectWaiting(d, "dave")
	moved := h.gh.Push("acme/api", "topic", "")
	h.expectAPI("POST", fmt.Sprintf("/deployments/%d/approve", d.ID), chatToken, h.actorBody("dave"), 200, "")

	h.expectEnd(d, "error", fmt.Sprintf("topic moved: wanted %.7s, is %.7s", d.SHA, moved))
	h.wantNoPipeline(d)
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
			h := trusting(t, "allow: {users: [alice], permission: write}")
			h.gh.SetRole("acme/api", "alice", "write")
			good := h.gh.Tag("acme/api", "v1.2.3", "")
			h.start()

			lock := h.expectAPI("POST", "/locks", adminToken, `{"reason":"a minute"}`, 201, "")
			d := h.create("acme/api", github.NewDeployment{Ref: "v1.2.3", Payload: payload("success"), Creator: "alice"})
			h.expectWaiting(d, "a minute")
			branch := good
			if c.other {
				branch = strings.Repeat("66", 20)
			}
			h.gh.Push("acme/api", "v1.2.3", branch)
			h.expectAPI("DELETE", lockPath(t, lock), adminToken, "", 204, "")

			if !c.other {
				h.expectEnd(d, "error", "v1.2.3 is a branch and a tag: write refs/heads/v1.2.3 or refs/tags/v1.2.3")
				h.wantNoPipeline(d)
				return
			}

			h.unchecked[d.ID] = true // the simulated CircleCI does not tell a tag's commit from a branch's
			if p := h.waitPipeline(d); p.Tag != "v1.2.3" || p.Branch != "" {
				t.Errorf("got branch %q, tag %q, want the tag", p.Branch, p.Tag)
			}
		})
	}
}

// The rule refs holds for the ref that is built, too.
func TestTrust_RefsHoldForWhatIsBuilt(t *testing.T) {
	t.Parallel()
	h := trusting(t, "refs: [main]\n    circleci: {revision: note, ref: \"{{ .Payload.branch }}\"}")
	h.gh.Push("acme/api", "evil", "")
	h.start()

	evil := json.RawMessage(`{"story":"success","branch":"evil"}`)
	d := h.create("acme/api", github.NewDeployment{Payload: evil, Creator: "alice"})
	h.expectEnd(d, "error", "evil may not be deployed to production (allowed: main)")
	h.wantNoPipeline(d)
}

// An event that was signed with the secret, and that GitHub does not show, runs nothing.
func TestTrust_ForgedEvent(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name  string
		forge func(body map[string]any)
		waits string // for this, for a minute, before it is rejected
	}{
		{
			name:  "no such deployment",
			waits: "GitHub to show the deployment",
			forge: func(body map[string]any) {
				body["deployment"].(map[string]any)["id"] = 987654321
				body["deployment"].(map[string]any)["created_at"] = nil
			},
		},
		{
			name: "another creator",
			forge: func(body map[string]any) {
				body["deployment"].(map[string]any)["creator"].(map[string]any)["id"] = 583231
			},
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
			h := trusting(t, "environment: production\n    refs: [main]")
			h.start()
			real := h.create("acme/api", github.NewDeployment{Environment: "unrouted", Payload: payload("success"), Creator: "mallory"})

			var body map[string]any
			decode(t, h.gh.EventBody(real.ID), &body)
			body["deployment"].(map[string]any)["environment"] = "production"
			c.forge(body)
			h.deliverForged(body)

			if c.waits != "" {
				h.wait(c.waits, func() bool {
					_, text := h.get("/api/v1/deployments/987654321", apiToken)
					return strings.Contains(text, c.waits)
				})
			} else {
				h.waitLog("GitHub shows another deployment")
			}

			h.unchecked[real.ID] = true
			h.wantNoPipeline(real)
			if found := h.ci.ByParameter("deployment_id")["987654321"]; len(found) > 0 {
				t.Errorf("got pipelines %v of a deployment that GitHub does not show, want none", found)
			}
		})
	}
}

// A forged event with the id of a real deployment, which comes before GitHub's own or before the deployment is
// made, does not keep the real one from running, once.
func TestTrust_ForgedEventGivesWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		forge func(d map[string]any)
	}{
		{name: "another creator", forge: func(d map[string]any) { d["creator"].(map[string]any)["id"] = 583231 }},
		{name: "another payload", forge: func(d map[string]any) { d["payload"] = map[string]any{"hosts": "evil"} }},
		{name: "too old", forge: func(d map[string]any) { d["created_at"] = "2020-01-01T00:00:00Z" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := trusting(t, "allow: {users: [alice]}")
			h.gh.AddUser("alice")
			h.withoutRecovery().start()
			h.gh.Hooks().Next("deployment", lostWebhook, 1)
			real := h.create("acme/api", github.NewDeployment{Payload: payload("success"), Creator: "alice"})

			var body map[string]any
			decode(t, h.gh.EventBody(real.ID), &body)
			c.forge(body["deployment"].(map[string]any))
			h.deliverForged(body)
			h.expectEnd(real, "success", "")
			if got := h.deliver("deployment", h.gh.EventBody(real.ID)); !strings.Contains(got, "duplicate") {
				t.Errorf("GitHub's own event: got %s, want a duplicate", got)
			}
			h.expectAPI("GET", fmt.Sprintf("/deployments/%d", real.ID), apiToken, "", 200, `"state":"succeeded"`)
		})
	}
}

// An event that names another repository than the one whose id it has is judged by neither.
func TestTrust_ForgedRepository(t *testing.T) {
	t.Parallel()
	h := trusting(t, "refs: [main]")
	h.gh.AddRepository("mallory/sandbox")
	h.start()
	real := h.create("mallory/sandbox", github.NewDeployment{Payload: payload("success"), Creator: "mallory"})

	var body map[string]any
	decode(t, h.gh.EventBody(real.ID), &body)
	body["repository"].(map[string]any)["full_name"] = "acme/api"
	h.deliverForged(body)

	h.waitLog("GitHub shows another deployment")
	h.unchecked[real.ID] = true
	h.wantNoPipeline(real)
}

// A lock task that was signed with the secret, in the name of somebody who may release the lock, releases
// nothing.
func TestTrust_ForgedUnlock(t *testing.T) {
	t.Parallel()
	h := trusting(t, "environment: production\n    allow: {users: [alice]}")
	h.start()
	lock := h.createTask("alice", "acme/api", "deploy:lock", "hands off")
	h.expectEnd(lock, "success", "Locked production for alice")

	real := h.create("acme/api", github.NewDeployment{
		Environment: "unrouted",
		Payload:     payload("success"),
		Creator:     "mallory",
	})
	var alices, body map[string]any
	decode(t, h.gh.EventBody(lock.ID), &alices)
	decode(t, h.gh.EventBody(real.ID), &body)
	forged := body["deployment"].(map[string]any)
	forged["environment"], forged["task"] = "production", "deploy:unlock"
	forged["creator"] = alices["deployment"].(map[string]any)["creator"]
	h.deliverForged(body)

	h.waitLog("GitHub shows another deployment")
	h.unchecked[real.ID] = true
	h.expectAPI("GET", "/locks", adminToken, "", 200, "hands off")
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
			h := trusting(t, c.route)
			if err := h.gh.NextNamed(github.OpGetRef, "forbidden", 1000); err != nil {
				t.Fatal(err)
			}
			h.start()

			d := h.create("acme/api", github.NewDeployment{Payload: payload("success"), Creator: "alice"})
			if !c.waits {
				h.expectEnd(d, "success", "")
				return
			}

			h.expectWaiting(d, "contents: read")
			h.unchecked[d.ID] = true
			h.wantNoPipeline(d)
		})
	}
}

// A pull request's ref is a branch at CircleCI; what is no branch and no tag ends at once.
func TestTrust_OtherRefs(t *testing.T) {
	t.Parallel()
	h := trusting(t, "timeout: 1h")
	head := h.gh.Push("acme/api", "topic", "")
	h.gh.SetPull("acme/api", 12, head, strings.Repeat("5a", 20))
	h.gh.Tag("acme/api", "v1", "")
	h.start()

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
			h := h.withT(t)
			d := h.create("acme/api", github.NewDeployment{
				Ref:         c.ref,
				Environment: fmt.Sprint("review-", i),
				Payload:     payload("success"),
			})
			h.expectEnd(d, "success", "")
			if p := h.waitPipeline(d); p.Branch != c.branch || p.Tag != c.tag {
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
			h := trusting(t, c.route)
			h.withoutRecovery().start() // what recovery has listed is not read again
			h.expectEnd(h.create("acme/api", github.NewDeployment{Ref: c.ref, Payload: payload("success")}), "success", "")

			calls := h.gh.Calls()
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
			h := trusting(t, c.route)
			if c.hidden {
				if err := h.gh.NextNamed(github.OpGetRef, "forbidden", 10); err != nil {
					t.Fatal(err)
				}
			}

			code, out, errs := command(t, h.env, "check")
			if code != c.code || !strings.Contains(out, c.want) || c.not != "" && strings.Contains(out, c.not) {
				t.Errorf("got %d %s%s, want %d with %q and without %q", code, out, errs, c.code, c.want, c.not)
			}
		})
	}
}
