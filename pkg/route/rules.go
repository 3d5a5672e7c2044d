package route

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

// rules reads who may deploy what, when and in which order.
func (r *reader) rules(route *Route, m mapping) {
	route.Policy = policy.Policy{
		Allow:        r.subjects(m, policy.RuleAllow),
		Refs:         texts(r.distinct(m, policy.RuleRefs, sameText)),
		RequireAhead: r.flag(m, policy.RuleRequireAhead),
		Checks:       r.checks(m),
		After:        r.after(m, route.Environment),
		Concurrency:  policy.Concurrency(r.choice(m, policy.RuleConcurrency, "queue", "replace", "cancel", "reject")),
		Freezes:      r.freezes(m),
		Approvals:    r.approvals(m),
		Force:        r.subjects(m, policy.RuleForce),
		Locked:       policy.Mode(r.choice(m, "locked", "wait", "reject")),
		MaxWait:      r.duration(m, policy.RuleMaxWait, 0),
	}
}

// within reads the mapping under a key, if it is there.
func (r *reader) within(m mapping, key string, known ...string) (mapping, bool) {
	n, ok := m.values[key]
	if !ok {
		return mapping{}, false
	}
	return r.mapping(n, key, known)
}

// What GitHub lets names be. A login of an enterprise's managed user ends in _ and its short code.
var (
	loginPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*(_[A-Za-z0-9]+)?$`)
	idPattern    = regexp.MustCompile(`^id:[1-9][0-9]{0,17}$`)
	teamPattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+$`)
	appPattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*(\[bot\])?$`)
	tokenPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
)

const (
	maxLogin = 39
	mostYes  = 20 // approvals
)

// subjects reads people and apps.
func (r *reader) subjects(m mapping, key string) *policy.Subjects {
	inner, ok := r.within(m, key, "users", "teams", "apps", "permission")
	if !ok {
		return nil
	}
	if len(inner.order) == 0 {
		r.wrong(m.keys[key], "%s names nobody: give users, teams, apps or permission", key)
	}

	return &policy.Subjects{
		Users:      r.users(inner),
		Teams:      r.teams(inner),
		Apps:       r.names(inner, "apps", appPattern, "is no app's slug, such as my-hubot"),
		Permission: policy.Permission(r.choice(inner, "permission", "write", "maintain", "admin")),
	}
}

// names reads a list of names in which case does not count.
func (r *reader) names(m mapping, key string, pattern *regexp.Regexp, otherwise string) []string {
	items := r.distinct(m, key, strings.EqualFold)
	for _, i := range items {
		if !pattern.MatchString(i.text) {
			r.wrong(i.node, "%s: %q %s", key, i.text, otherwise)
		}
	}
	return texts(items)
}

func (r *reader) teams(m mapping) []string {
	return r.names(m, "teams", teamPattern, "must be ORG/TEAM, with the team as in its address, such as acme/sre")
}

func (r *reader) users(m mapping) []string {
	items := r.distinct(m, "users", strings.EqualFold)
	for _, i := range items {
		switch {
		case strings.HasPrefix(i.text, "id:"):
			if !idPattern.MatchString(i.text) {
				r.wrong(i.node, "users: %q must be id: and a number", i.text)
			}
		case strings.HasSuffix(i.text, "[bot]"):
			r.wrong(i.node, "users: %q is a bot: name it under apps", i.text)
		case teamPattern.MatchString(i.text):
			r.wrong(i.node, "users: %q is a team: name it under teams", i.text)
		case !loginPattern.MatchString(i.text) || len(i.text) > maxLogin:
			r.wrong(i.node, "users: %q is no login, such as alice, and no id:N", i.text)
		}
	}

	return texts(items)
}

// checks reads all, required, a list of names, or {require, ignore, wait}.
func (r *reader) checks(m mapping) *policy.Checks {
	n, ok := m.values[policy.RuleChecks]
	if !ok {
		return nil
	}

	c := &policy.Checks{}
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		inner, _ := r.mapping(n, "checks", []string{"require", "ignore", "wait"})
		if _, ok := inner.values["require"]; !ok {
			r.wrong(inner.first(), "checks needs require: all, required or a list of names")
			return c
		}

		r.required(c, inner, "require")
		ignore := r.distinct(inner, "ignore", sameText)
		r.listedAndIgnored(c, ignore)
		c.Ignore, c.Wait = texts(ignore), r.duration(inner, "wait", 0)
	default:
		r.required(c, m, policy.RuleChecks)
	}

	return c
}

func (r *reader) required(c *policy.Checks, m mapping, key string) {
	if _, ok := m.values[key].(*ast.SequenceNode); ok {
		c.Set, c.Names = policy.ChecksListed, texts(r.distinct(m, key, sameText))
		return
	}

	switch which, _ := scalar(m.values[key]); which {
	case "all", "required":
		c.Set = policy.CheckSet(which)
	default:
		r.wrong(m.values[key], "%s must be all, required or a list of names", key)
	}
}

func (r *reader) listedAndIgnored(c *policy.Checks, ignore []item) {
	for _, i := range ignore {
		if at := slices.IndexFunc(c.Names, func(name string) bool { return policy.Match(i.text, name) }); at >= 0 {
			r.wrong(i.node, "ignore: %q takes %q out, which require names", i.text, c.Names[at])
		}
	}
}

func (r *reader) after(m mapping, own string) []string {
	items := r.distinct(m, policy.RuleAfter, strings.EqualFold)
	for _, i := range items {
		switch {
		case !glob(i.text).literal():
			r.wrong(i.node, "after: %q must name one environment, without * and ?", i.text)
		case strings.EqualFold(i.text, own):
			r.wrong(i.node, "after: %q is the route's own environment", i.text)
		}
	}

	return texts(items)
}

func (r *reader) approvals(m mapping) *policy.Approvals {
	inner, ok := r.within(m, policy.RuleApprovals, "count", "users", "teams", "tokens", "expires")
	if !ok {
		return nil
	}

	a := &policy.Approvals{
		Count:   r.count(inner),
		Users:   r.users(inner),
		Teams:   r.teams(inner),
		Tokens:  r.names(inner, "tokens", tokenPattern, "is no name of an API token"),
		Expires: r.duration(inner, "expires", 0),
	}

	named := len(a.Users) + len(a.Tokens)
	switch {
	case named+len(a.Teams) == 0:
		r.wrong(m.keys[policy.RuleApprovals], "approvals names nobody who may approve: give users, teams or tokens")
	case len(a.Teams) == 0 && a.Count > named:
		r.wrong(
			m.keys[policy.RuleApprovals],
			"approvals: %d are asked for, and only %d could ever approve",
			a.Count,
			named,
		)
	}

	return a
}

// count reads how many must approve.
func (r *reader) count(m mapping) int {
	s, n := r.text(m, "count")
	if n == nil {
		return 1
	}

	count, err := strconv.Atoi(s)
	if err != nil || count < 1 || count > mostYes {
		r.wrong(n, "count %q must be a number from 1 to %d", s, mostYes)
	}

	return count
}
