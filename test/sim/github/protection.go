package github

import (
	"slices"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// protection is what protects one branch. Rulesets may name a branch that does not exist.
type protection struct {
	contexts []string // required by classic protection; nil: not protected
	rulesets []ruleset
	pins     map[string]string // by context: slug of the only app that may set it
}

type ruleset struct {
	id       int64
	contexts []string
}

// branchKey is one branch of one repository.
type branchKey struct {
	repository int64
	branch     string
}

func (s *Server) protection(repository int64, branch string) *protection {
	at := branchKey{repository, branch}
	if s.protections[at] == nil {
		s.protections[at] = &protection{pins: map[string]string{}}
	}
	return s.protections[at]
}

// SetRequiredChecks protects a branch and sets the commit statuses and check runs it requires.
// Without contexts it removes the protection.
func (s *Server) SetRequiredChecks(repo, branch string, contexts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.protection(s.mustRepository(repo).ID, branch).contexts = slices.Clone(contexts)
}

// SetRulesetChecks replaces all rulesets of a branch with one that requires the contexts. Without
// contexts it removes them.
func (s *Server) SetRulesetChecks(repo, branch string, contexts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.protection(s.mustRepository(repo).ID, branch)
	p.rulesets = nil
	if len(contexts) > 0 {
		p.rulesets = []ruleset{{id: s.nextID("ruleset"), contexts: slices.Clone(contexts)}}
	}
}

// PinRequiredCheck says that a required context must come from one app, as the protection of the
// branch and its rulesets show it.
func (s *Server) PinRequiredCheck(repo, branch, context, app string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.protection(s.mustRepository(repo).ID, branch).pins[context] = app
}

func (s *Server) getBranch(c *call) *response {
	name := c.param("branch")
	head, found := c.repo.branches[name]
	if !found {
		return errorResponse(404, "Branch not found")
	}

	p := s.protection(c.repo.ID, name)
	self := s.api() + "/repos/" + c.repo.FullName() + "/branches/" + name
	required := wire.Object{"enforcement_level": "off", "contexts": []string{}, "checks": []any{}}
	if len(p.contexts) > 0 {
		checks := []any{}
		for _, context := range p.contexts {
			check := wire.Object{"context": context, "app_id": nil}
			if app := p.pins[context]; app != "" {
				check["app_id"] = s.appID(app)
			}

			checks = append(checks, check)
		}

		required = wire.Object{"enforcement_level": "non_admins", "contexts": p.contexts, "checks": checks}
	}

	return ok(wire.Object{
		"name":      name,
		"commit":    s.commitBody(c.repo, head),
		"_links":    wire.Object{"self": self, "html": s.web() + "/" + c.repo.FullName() + "/tree/" + name},
		"protected": len(p.contexts) > 0 || len(p.rulesets) > 0,
		"protection": wire.Object{
			"enabled":                len(p.contexts) > 0,
			"required_status_checks": required,
		},
		"protection_url": self + "/protection",
	})
}

// branchRules shows each ruleset as two rules, one of which is about checks.
func (s *Server) branchRules(c *call) *response {
	s.checkQuery(c, "per_page", "page")
	rules := []wire.Object{}
	p := s.protection(c.repo.ID, c.param("branch"))
	for _, set := range p.rulesets {
		checks := []any{}
		for _, context := range set.contexts {
			check := wire.Object{"context": context}
			if app := p.pins[context]; app != "" {
				check["integration_id"] = s.appID(app)
			}

			checks = append(checks, check)
		}

		rules = append(rules, s.ruleBody(c, set, "deletion", nil), s.ruleBody(c, set, "required_status_checks", wire.Object{
			"required_status_checks":               checks,
			"strict_required_status_checks_policy": false,
		}))
	}

	return paginate(s, c, rules)
}

func (s *Server) ruleBody(c *call, set ruleset, kind string, parameters wire.Object) wire.Object {
	body := wire.Object{
		"type":                kind,
		"ruleset_source_type": "Repository",
		"ruleset_source":      c.repo.FullName(),
		"ruleset_id":          set.id,
	}

	if parameters != nil {
		body["parameters"] = parameters
	}

	return body
}
