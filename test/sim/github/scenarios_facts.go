package github

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// NoPush is the answer to a token without push access that asks for the permission of a user.
var NoPush = Refuse(http.StatusForbidden, "Must have push access to view collaborator permission.")

// NotInPlan is the answer for rulesets of a private repository whose plan does not include them.
var NotInPlan = Refuse(
	http.StatusForbidden,
	"Upgrade to GitHub Pro or make this repository public to enable this feature.",
)

// NoCheckRuns answers with an empty list of check runs, as GitHub does for a while after a push.
var NoCheckRuns = respondWith(func(*Server) *response {
	return ok(wire.Object{
		"total_count": 0,
		"check_runs":  []any{},
	})
})

// factScenarios set what GitHub knows about people and commits, to test policy rules. The people
// and teams are those of the deployment: its creator, and the team "deployers" of the repository's
// owner.
var factScenarios = []Scenario{
	{
		Name:   "checks-green",
		About:  "a commit status and a check run of the commit succeeded",
		before: setChecks("success", CheckRun{Name: "build"}),
	},
	{
		Name:   "checks-red",
		About:  "a check run of the commit has failed",
		before: setChecks("success", CheckRun{Name: "build", Conclusion: "failure"}),
	},
	{
		Name:   "checks-pending",
		About:  "a check run of the commit never ends",
		before: setChecks("success", CheckRun{Name: "build", Status: "in_progress"}),
	},
	{
		Name:  "checks-lag",
		About: "the check runs of the commit are missing in the first two reads",
		before: func(s *Server, repo string, d *NewDeployment) {
			setChecks("success", CheckRun{Name: "build"})(s, repo, d)
			s.Next(OpCheckRuns, NoCheckRuns, 2)
		},
	},
	{
		Name:  "rerun-red",
		About: "a check run succeeded, and timed out when it ran again",
		before: func(s *Server, repo string, d *NewDeployment) {
			setChecks("success", CheckRun{Name: "build"})(s, repo, d)
			setChecks("success", CheckRun{Name: "build", Conclusion: "timed_out"})(s, repo, d)
		},
	},
	{
		Name:   "no-push",
		About:  "the token may not read permissions of users, twice",
		before: func(s *Server, _ string, _ *NewDeployment) { s.Next(OpCollaborator, NoPush, 2) },
	},
	{
		Name:   "member",
		About:  "the creator is a member of the team deployers and may write",
		before: setMembership("active"),
	},
	{
		Name:   "member-pending",
		About:  "the creator is invited to the team deployers and has not accepted",
		before: setMembership("pending"),
	},
	{
		Name:  "team-hidden",
		About: "the creator is a member of the team deployers, which the token may not see",
		before: func(s *Server, repo string, d *NewDeployment) {
			setMembership("active")(s, repo, d)
			s.HideTeam(ownerOf(repo), "deployers", true)
		},
	},
	{
		Name:   "creator-renamed",
		About:  "the creator changes the login at once, and another user takes the old one",
		before: func(s *Server, _ string, d *NewDeployment) { d.Creator = "wanderer" },
		after: func(s *Server, _ string) {
			s.RenameUser("wanderer", "wanderer-away")
			s.AddUser("wanderer")
		},
	},
	{
		Name:  "behind",
		About: "the deployment is of the commit before the branch's head",
		before: func(s *Server, repo string, d *NewDeployment) {
			if sha, found := s.Head(repo, d.Ref); found {
				s.Push(repo, "main", "")
				d.Ref = sha
			}
		},
	},
}

// setChecks sets the commit status "ci" and a check run on the commit to deploy.
func setChecks(state string, run CheckRun) func(*Server, string, *NewDeployment) {
	return func(s *Server, repo string, d *NewDeployment) {
		if sha, found := s.Head(repo, d.Ref); found {
			s.SetCommitStatus(sha, "ci", state)
			s.AddCheck(sha, run)
		}
	}
}

func setMembership(state string) func(*Server, string, *NewDeployment) {
	return func(s *Server, repo string, d *NewDeployment) {
		who := cmp.Or(d.Creator, "octocat")
		s.SetRole(repo, who, "write")
		s.SetTeamMember(ownerOf(repo), "deployers", who, state)
	}
}

func ownerOf(repo string) string {
	owner, _, _ := strings.Cut(repo, "/")
	return owner
}
