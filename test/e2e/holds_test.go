package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/circleci"
	"github.com/seraph-deploy/seraph/test/sim/github"
)

// deployHeld creates alice's deployment, whose pipeline plays a scenario with hold jobs, and waits until
// GitHub shows that it is held.
func deployHeld(h *harness, scenario string) (d github.Deployment, at string) {
	h.t.Helper()
	d = h.create("acme/api", github.NewDeployment{
		Environment: "production",
		Payload:     payload(scenario),
		Creator:     "alice",
	})
	h.waitStatus(d, "pending")

	return d, fmt.Sprintf("/deployments/%d", d.ID)
}

// Those whom the route names approve CircleCI's hold jobs, and GitHub and the audit name them.
func TestHolds_ApprovedThroughSeraph(t *testing.T) {
	t.Parallel()
	h := newRuledAPI(t, "holds: {approve: {users: [alice, carol], teams: [acme/leads]}}", nil)
	h.gh.SetTeamMember("acme", "leads", "dave", "active")
	d, at := deployHeld(h, "two-holds")
	body := func(login, job string) string {
		return strings.TrimSuffix(h.actorBody(login), "}") + fmt.Sprintf(`,"job":%q}`, job)
	}

	at += "/approve-hold"
	h.expectAPI("POST", at, chatToken, h.actorBody("mallory"), 403, "mallory is not allowed to approve")
	h.expectAPI("POST", at, chatToken, h.actorBody("alice"), 403, "alice requested the deployment")
	h.expectAPI("POST", at, managerToken, "", 403, "the API token manager is not allowed to approve")
	h.expectAPI("POST", at, chatToken, h.actorBody("carol"), 409, "name one of check-plan, go-live")
	h.expectAPI("POST", at, chatToken, body("carol", "release"), 409, "name one of check-plan, go-live")

	h.expectAPI("POST", at, chatToken, body("carol", "go-live"), 200, `"state":"held"`)
	h.expectAPI("POST", at, chatToken, body("carol", "go-live"), 200, "") // once more
	if got := h.ci.Calls()[circleci.OpApprove]; got != 1 {
		t.Errorf("got %d approvals at CircleCI, want 1", got)
	}

	h.expectAPI("POST", at, chatToken, h.actorBody("dave"), 200, "")
	h.expectEnd(d, "success", "Deployed")

	var descriptions []string
	for _, s := range h.gh.Statuses("acme/api", d.ID) {
		descriptions = append(descriptions, s.State+": "+s.Description)
	}
	if all := strings.Join(descriptions, "\n"); !strings.Contains(all, ", approved in CircleCI by dave through Seraph") {
		t.Errorf("got statuses\n%s\nwant one that names dave", all)
	}

	detail := h.apiDetail(d)
	for _, part := range []string{
		"carol approved job go-live of workflow deploy in CircleCI",
		"dave approved job check-plan of workflow deploy in CircleCI",
	} {
		if !strings.Contains(detail, part) {
			t.Errorf("the timeline has no %q: %s", part, detail)
		}
	}

	_, out, _ := command(t, h.env, "audit", "export")
	for _, part := range []string{`"carol"`, `\"job\":\"go-live\"`, `"hold"`} {
		if !strings.Contains(out, part) {
			t.Errorf("the audit has no %s:\n%s", part, out)
		}
	}
	h.expectAPI("POST", at, chatToken, body("carol", "go-live"), 200, `"state":"succeeded"`)
	h.expectAPI("POST", at, chatToken, h.actorBody("carol"), 409, "not_held")
}

// Without holds nobody may, and nothing is asked of CircleCI.
func TestHolds_NobodyWithoutRule(t *testing.T) {
	t.Parallel()
	h := newRuledAPI(t, "allow: {users: [alice, carol]}", nil)
	d, at := deployHeld(h, "hold-forever")
	h.expectAPI("POST", at+"/approve-hold", chatToken, h.actorBody("carol"), 403, "nobody may approve hold jobs")
	if calls := h.ci.Calls(); calls[circleci.OpListJobs] != 0 || calls[circleci.OpApprove] != 0 {
		t.Errorf("got calls %v, want none of jobs", calls)
	}

	h.expectAPI("POST", at+"/cancel", managerToken, `{}`, 202, "")
	h.expectEnd(d, "error", "")
}

// An answer that is lost is settled by reading the jobs, and nobody approves twice. A second held job keeps the
// workflow from ending, because the jobs of a workflow that has ended are not read.
func TestHolds_AnswerLost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault string
		code  int
	}{
		{fault: "lost-answer", code: 200},
		{fault: "error-after", code: 200},
		{fault: "no-answer", code: 503},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			h := newRuledAPI(t, "holds: {approve: {users: [carol]}}", nil)
			d, at := deployHeld(h, "two-holds")
			if err := h.ci.NextNamed(circleci.OpApprove, tt.fault, 1); err != nil {
				t.Fatal(err)
			}

			job := func(name string) string {
				return strings.TrimSuffix(h.actorBody("carol"), "}") + fmt.Sprintf(`,"job":%q}`, name)
			}
			h.expectAPI("POST", at+"/approve-hold", chatToken, job("go-live"), tt.code, "")
			if tt.code != 200 {
				h.expectAPI("POST", at+"/approve-hold", chatToken, job("go-live"), 200, "")
			}
			h.expectAPI("POST", at+"/approve-hold", chatToken, job("check-plan"), 200, "")
			h.expectEnd(d, "success", "Deployed")
		})
	}
}
