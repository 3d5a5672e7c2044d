package control

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// Facts is the body of POST /facts. Everything but Repository may be left out; what is not named
// stays as it is.
type Facts struct {
	Repository string `json:"repository"` // added when it does not exist
	// by login: admin, maintain, write, triage, read, or empty for none
	Roles map[string]string `json:"roles"`
	// by org/team, then by login: active, pending, or empty for none
	Teams map[string]map[string]string `json:"teams"`
	// the commit of Statuses and Checks; default main
	Ref      string            `json:"ref"`
	Statuses map[string]string `json:"statuses"` // by context: error, failure, pending or success
	// by name: a conclusion such as success, or queued or in_progress
	Checks   map[string]string `json:"checks"`
	Required []string          `json:"required"` // what the protection of main requires; [] removes it
	Rulesets []string          `json:"rulesets"` // what rulesets of main require; [] removes them
	Push     bool              `json:"push"`     // first put a new commit on main
	// by name: the ref or commit to put it on; empty for a new commit
	Branches map[string]string `json:"branches"`
	// by name: the ref or commit to put it on; empty for the head of main
	Tags map[string]string `json:"tags"`
}

// The values that GitHub knows.
var (
	roles            = []string{"", "admin", "maintain", "write", "triage", "read"}
	membershipStates = []string{"", "active", "pending"}
	commitStates     = []string{"error", "failure", "pending", "success"}
	runningStates    = []string{"queued", "in_progress"}
	conclusions      = []string{"success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"}
)

// facts applies all of the request or nothing, and answers with the commit that it is about.
func (c *Control) facts(r *http.Request) (any, error) {
	in := Facts{Ref: "main"}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if owner, name, _ := strings.Cut(in.Repository, "/"); owner == "" || name == "" {
		return nil, fmt.Errorf("repository is %q: use owner/name", in.Repository)
	}
	if err := in.validate(); err != nil {
		return nil, err
	}

	c.github.AddRepository(in.Repository)
	if err := in.checkRefs(c.github); err != nil {
		return nil, err
	}

	if in.Push {
		c.github.Push(in.Repository, "main", "")
	}

	for name, target := range in.Branches {
		sha, _ := c.github.Head(in.Repository, target)
		c.github.Push(in.Repository, name, sha)
	}

	for name, target := range in.Tags {
		sha, _ := c.github.Head(in.Repository, cmp.Or(target, "main"))
		c.github.Tag(in.Repository, name, sha)
	}

	sha, _ := c.github.Head(in.Repository, in.Ref)
	in.apply(c.github, sha)
	return map[string]string{"sha": sha}, nil
}

// checkRefs checks that every ref that is named exists or is created by this call: a tag may be put
// on a new branch.
func (in Facts) checkRefs(gh *github.Server) error {
	_, newBranch := in.Branches[in.Ref]
	_, newTag := in.Tags[in.Ref]
	if _, found := gh.Head(in.Repository, in.Ref); !found && !newBranch && !newTag {
		return fmt.Errorf("no ref found for: %s", in.Ref)
	}

	for name, target := range in.Branches {
		if _, found := gh.Head(in.Repository, target); target != "" && !found {
			return fmt.Errorf("branches: %s: no ref found for: %s", name, target)
		}
	}

	for name, target := range in.Tags {
		_, newBranch := in.Branches[target]
		if _, found := gh.Head(in.Repository, target); target != "" && !found && !newBranch {
			return fmt.Errorf("tags: %s: no ref found for: %s", name, target)
		}
	}

	return nil
}

func (in Facts) validate() error {
	problem := checkValues("roles", in.Roles, roles)
	for team, states := range in.Teams {
		if org, slug, _ := strings.Cut(team, "/"); org == "" || slug == "" {
			return fmt.Errorf("teams: %q: use org/team", team)
		}
		if problem == nil {
			problem = checkValues("teams", states, membershipStates)
		}
	}

	if problem == nil {
		problem = checkValues("statuses", in.Statuses, commitStates)
	}
	if problem == nil {
		problem = checkValues("checks", in.Checks, slices.Concat(conclusions, runningStates))
	}

	return problem
}

func checkValues(field string, given map[string]string, allowed []string) error {
	for name, value := range given {
		if !slices.Contains(allowed, value) {
			return fmt.Errorf("%s: %s is %q: use one of %q", field, name, value, allowed)
		}
	}
	return nil
}

func (in Facts) apply(gh *github.Server, sha string) {
	for login, role := range in.Roles {
		gh.SetRole(in.Repository, login, role)
	}

	for team, states := range in.Teams {
		org, slug, _ := strings.Cut(team, "/")
		gh.AddTeam(org, slug)
		for login, state := range states {
			gh.SetTeamMember(org, slug, login, state)
		}
	}

	for context, state := range in.Statuses {
		gh.SetCommitStatus(sha, context, state)
	}

	for name, value := range in.Checks {
		if slices.Contains(runningStates, value) {
			gh.AddCheck(sha, github.CheckRun{Name: name, Status: value})
		} else {
			gh.AddCheck(sha, github.CheckRun{Name: name, Conclusion: value})
		}
	}

	if in.Required != nil {
		gh.SetRequiredChecks(in.Repository, "main", in.Required...)
	}
	if in.Rulesets != nil {
		gh.SetRulesetChecks(in.Repository, "main", in.Rulesets...)
	}
}
