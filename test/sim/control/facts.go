package control

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// Facts is the body of POST /facts. All but Repository may be left out; what is not named stays as it is.
type Facts struct {
	Repository string                       `json:"repository"` // made when it is not there
	Roles      map[string]string            `json:"roles"`      // by login: admin, maintain, write, triage, read, or empty for none
	Teams      map[string]map[string]string `json:"teams"`      // by org/team, then by login: active, pending, or empty for none
	Ref        string                       `json:"ref"`        // which commit statuses and checks are about; default main
	Statuses   map[string]string            `json:"statuses"`   // by context: error, failure, pending or success
	Checks     map[string]string            `json:"checks"`     // by name: a conclusion such as success, or queued or in_progress
	Required   []string                     `json:"required"`   // what the protection of main requires; [] lifts it
	Rulesets   []string                     `json:"rulesets"`   // what rulesets on main require; [] takes them away
	Push       bool                         `json:"push"`       // first put a new commit on main
	Branches   map[string]string            `json:"branches"`   // by name: the ref or commit it points to; empty: a new commit
	Tags       map[string]string            `json:"tags"`       // by name: the ref or commit it points to; empty: main
}

// The words that GitHub knows.
var (
	roles    = []string{"", "admin", "maintain", "write", "triage", "read"}
	members  = []string{"", "active", "pending"}
	statuses = []string{"error", "failure", "pending", "success"}
	running  = []string{"queued", "in_progress"}
	ends     = []string{"success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"}
)

// facts takes all of it or nothing, and answers with the commit that it is about.
func (c *Control) facts(r *http.Request) (any, error) {
	in := Facts{Ref: "main"}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if owner, name, _ := strings.Cut(in.Repository, "/"); owner == "" || name == "" {
		return nil, fmt.Errorf("repository is %q: say owner/name", in.Repository)
	}
	if err := in.check(); err != nil {
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
	in.set(c.github, sha)
	return map[string]string{"sha": sha}, nil
}

// checkRefs wants that every ref that is named is there, or is made by this call: a tag may be put on a new branch.
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

func (in Facts) check() error {
	problem := known("roles", in.Roles, roles)
	for team, states := range in.Teams {
		if org, slug, _ := strings.Cut(team, "/"); org == "" || slug == "" {
			return fmt.Errorf("teams: %q: say org/team", team)
		}
		if problem == nil {
			problem = known("teams", states, members)
		}
	}
	if problem == nil {
		problem = known("statuses", in.Statuses, statuses)
	}
	if problem == nil {
		problem = known("checks", in.Checks, slices.Concat(ends, running))
	}
	return problem
}

func known(field string, given map[string]string, words []string) error {
	for name, word := range given {
		if !slices.Contains(words, word) {
			return fmt.Errorf("%s: %s is %q, want one of %q", field, name, word, words)
		}
	}
	return nil
}

func (in Facts) set(gh *github.Server, sha string) {
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
	for name, word := range in.Checks {
		if slices.Contains(running, word) {
			gh.AddCheck(sha, github.CheckRun{Name: name, Status: word})
		} else {
			gh.AddCheck(sha, github.CheckRun{Name: name, Conclusion: word})
		}
	}
	if in.Required != nil {
		gh.SetRequiredChecks(in.Repository, "main", in.Required...)
	}
	if in.Rulesets != nil {
		gh.SetRulesetChecks(in.Repository, "main", in.Rulesets...)
	}
}
