package route

import (
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

// rules reads who may deploy what, when and in which order.
func (r *reader) rules(route *Route, m mapping) {
	route.Policy = policy.Policy{
		Allow:         r.subjects(m, policy.RuleAllow),
		Refs:          textsOf(r.distinctItems(m, policy.RuleRefs, sameText)),
		RequireAhead:  r.boolean(m, policy.RuleRequireAhead),
		Checks:        r.checks(m),
		After:         r.after(m, route.Environment),
		Concurrency:   policy.Concurrency(r.choice(m, policy.RuleConcurrency, "queue", "replace", "cancel", "reject")),
		Freezes:       r.freezes(m),
		Approvals:     r.approvals(m),
		Force:         r.subjects(m, policy.RuleForce),
		HoldApprovers: r.holdApprovers(m),
		Locked:        policy.Mode(r.choice(m, "locked", "wait", "reject")),
		MaxWait:       r.duration(m, policy.RuleMaxWait, 0),
	}

	r.rollback(route, m)
}

// holdApprovers reads who may approve CircleCI's hold jobs; nil: nobody.
func (r *reader) holdApprovers(m mapping) *policy.Subjects {
	holds, ok := r.optionalMapping(m, "holds", "approve")
	if !ok {
		return nil
	}
	if holds.values["approve"] == nil {
		r.problem(holds.first(), "holds needs approve: {users: …, teams: …}")
		return nil
	}

	approve, ok := r.optionalMapping(holds, "approve", "users", "teams")
	if !ok {
		return nil
	}
	if len(approve.order) == 0 {
		r.problem(holds.keys["approve"], "approve names nobody: give users or teams")
	}

	return &policy.Subjects{Users: r.users(approve, "users"), Teams: r.teams(approve)}
}

// How many successes of an environment stay targets of a rollback.
const (
	defaultRollbackKeep = 10
	maxRollbackKeep     = 1000
)

// rollback reads how many successes are kept as targets of a rollback, and who may roll back.
func (r *reader) rollback(route *Route, m mapping) {
	route.RollbackKeep = defaultRollbackKeep
	inner, ok := r.optionalMapping(m, "rollback", "keep", policy.RuleAllow)
	if !ok {
		return
	}

	route.HasRollback = true
	route.Policy.RollbackAllow = r.subjects(inner, policy.RuleAllow)
	if inner.values["keep"] != nil {
		route.RollbackKeep = r.number(inner, "keep", maxRollbackKeep)
	}
}

// What GitHub lets names be. The login of a managed user of an enterprise ends in _ and the
// enterprise's short code.
var (
	loginPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*(_[A-Za-z0-9]+)?$`)
	idPattern    = regexp.MustCompile(`^id:[1-9][0-9]{0,17}$`)
	teamPattern  = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+|id:[1-9][0-9]{0,17})$`)
	appPattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*(\[bot\])?$`)
	tokenPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
)

const (
	maxLogin     = 39
	maxApprovals = 20
)

// subjects reads people and apps; nil if there are none.
func (r *reader) subjects(m mapping, key string) *policy.Subjects {
	inner, ok := r.optionalMapping(m, key, "users", "teams", "apps", "permission")
	if !ok {
		return nil
	}
	if len(inner.order) == 0 {
		r.problem(m.keys[key], "%s names nobody: give users, teams, apps or permission", key)
	}

	return &policy.Subjects{
		Users:      r.users(inner, "users"),
		Teams:      r.teams(inner),
		Apps:       r.names(inner, "apps", appPattern, "is not the slug of an app, such as my-hubot"),
		Permission: policy.Permission(r.choice(inner, "permission", "write", "maintain", "admin")),
	}
}

// names reads a list of names in which case does not count. mismatch says what is wrong with one
// that does not match the pattern.
func (r *reader) names(m mapping, key string, pattern *regexp.Regexp, mismatch string) []string {
	items := r.distinctItems(m, key, strings.EqualFold)
	for _, it := range items {
		if !pattern.MatchString(it.text) {
			r.problem(it.node, "%s: %q %s", key, it.text, mismatch)
		}
	}
	return textsOf(items)
}

// teams reads a list of teams: ORG/TEAM, or id:N for a team of the repository's owner.
func (r *reader) teams(m mapping) []string {
	return r.names(m, "teams", teamPattern,
		"must be ORG/TEAM, with the team as in its address, such as acme/sre, or id:N")
}

// users reads a list of accounts of people: logins or id:N.
func (r *reader) users(m mapping, key string) []string {
	items := r.distinctItems(m, key, strings.EqualFold)
	for _, it := range items {
		switch {
		case strings.HasPrefix(it.text, "id:"):
			if !idPattern.MatchString(it.text) {
				r.problem(it.node, "%s: %q must be id: and a number", key, it.text)
			}
		case strings.HasSuffix(it.text, "[bot]"):
			r.problem(it.node, "%s: %q is a bot: name it under apps", key, it.text)
		case teamPattern.MatchString(it.text):
			r.problem(it.node, "%s: %q is a team: name it under teams", key, it.text)
		case !loginPattern.MatchString(it.text) || len(it.text) > maxLogin:
			r.problem(it.node, "%s: %q is neither a login, such as alice, nor id:N", key, it.text)
		}
	}

	return textsOf(items)
}

// checks reads all, required, a list of names, or {require, ignore, wait}; nil if there is none.
func (r *reader) checks(m mapping) *policy.Checks {
	n, ok := m.values[policy.RuleChecks]
	if !ok {
		return nil
	}

	c := &policy.Checks{}
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		r.requiredChecks(c, m, policy.RuleChecks)
		return c
	}

	inner, _ := r.mapping(n, "checks", []string{"require", "ignore", "wait"})
	if inner.values["require"] == nil {
		r.problem(inner.first(), "checks needs require: all, required or a list of names")
		return c
	}

	r.requiredChecks(c, inner, "require")
	ignore := r.distinctItems(inner, "ignore", sameText)
	r.refuseIgnoredNames(c.Names, ignore)
	c.Ignore = textsOf(ignore)
	c.Wait = r.duration(inner, "wait", 0)
	return c
}

// requiredChecks reads which checks count: all, required or a list of names.
func (r *reader) requiredChecks(c *policy.Checks, m mapping, key string) {
	if _, ok := m.values[key].(*ast.SequenceNode); ok {
		c.Set = policy.ChecksListed
		c.Names = r.checkNames(m, key)
		return
	}

	switch set, _ := scalar(m.values[key]); set {
	case "all", "required":
		c.Set = policy.CheckSet(set)
	default:
		r.problem(m.values[key], "%s must be all, required or a list of names", key)
	}
}

// checkNames reads a list of checks: names, or {name, app} where one app must have set the check.
func (r *reader) checkNames(m mapping, key string) []policy.CheckName {
	list := m.values[key].(*ast.SequenceNode)
	if len(list.Values) == 0 {
		r.problem(m.keys[key], "%s is empty: leave it out or give a value", key)
	}

	var names []policy.CheckName
	lines := map[policy.CheckName]int{}
	for _, element := range list.Values {
		name, ok := r.checkName(element, key)
		if !ok {
			continue
		}

		same := policy.CheckName{Name: name.Name, App: strings.ToLower(name.App)}
		if first := lines[same]; first != 0 {
			r.problem(element, "%s: %q is given twice (first in line %d)", key, name.Name, first)
			continue
		}

		lines[same] = lineOf(element)
		names = append(names, name)
	}

	return names
}

func (r *reader) checkName(n ast.Node, key string) (policy.CheckName, bool) {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		s, ok := scalar(n)
		if !ok || strings.TrimSpace(s) == "" {
			r.problem(n, "%s: each element must be a name, or {name: …, app: …}", key)
			return policy.CheckName{}, false
		}
		return policy.CheckName{Name: s}, true
	}

	inner, _ := r.mapping(n, key, []string{"name", "app"})
	name, nameNode := r.text(inner, "name")
	if nameNode == nil {
		if inner.values["name"] == nil {
			r.problem(inner.first(), "%s: an element needs name", key)
		}
		return policy.CheckName{}, false
	}

	app, appNode := r.text(inner, "app")
	if appNode != nil && !appPattern.MatchString(app) && !idPattern.MatchString(app) {
		r.problem(appNode, "app: %q is neither the slug of an app, such as github-actions, nor id:N", app)
	}

	return policy.CheckName{Name: name, App: app}, true
}

// refuseIgnoredNames reports names that are listed and ignored as well.
func (r *reader) refuseIgnoredNames(names []policy.CheckName, ignore []item) {
	for _, it := range ignore {
		i := slices.IndexFunc(names, func(n policy.CheckName) bool { return policy.Match(it.text, n.Name) })
		if i >= 0 {
			r.problem(it.node, "ignore: %q matches %q, which require lists", it.text, names[i].Name)
		}
	}
}

// after reads the environments that come first.
func (r *reader) after(m mapping, own string) []string {
	items := r.distinctItems(m, policy.RuleAfter, strings.EqualFold)
	for _, it := range items {
		switch {
		case !glob(it.text).literal():
			r.problem(it.node, "after: %q must name one environment, without * and ?", it.text)
		case strings.EqualFold(it.text, own):
			r.problem(it.node, "after: %q is the route's own environment", it.text)
		}
	}

	return textsOf(items)
}

// approvals reads how many must approve, and who may; nil if there is no such rule.
func (r *reader) approvals(m mapping) *policy.Approvals {
	inner, ok := r.optionalMapping(m, policy.RuleApprovals, "count", "users", "teams", "tokens", "expires")
	if !ok {
		return nil
	}

	a := &policy.Approvals{
		Count:   r.approvalCount(inner),
		Users:   r.users(inner, "users"),
		Teams:   r.teams(inner),
		Tokens:  r.names(inner, "tokens", tokenPattern, "is not the name of an API token"),
		Expires: r.duration(inner, "expires", 0),
	}

	key := m.keys[policy.RuleApprovals]
	named := len(a.Users) + len(a.Tokens)
	switch {
	case named+len(a.Teams) == 0:
		r.problem(key, "approvals names nobody who may approve: give users, teams or tokens")
	case len(a.Teams) == 0 && a.Count > named:
		r.problem(key, "approvals: count is %d, but only %d could ever approve", a.Count, named)
	case len(a.Teams) == 0 && named < 2 && m.values["apps"] != nil:
		r.problem(key, "approvals: a deployment by an app needs 2 approvals, because nobody knows who asked the app, "+
			"but only %d could ever approve", named)
	}

	return a
}

// sharedApprovers reports accounts that may approve by name although several people use them.
func (r *reader) sharedApprovers(n ast.Node, p policy.Policy) {
	if p.Approvals == nil {
		return
	}
	for _, user := range p.Approvals.Users {
		if slices.ContainsFunc(p.SharedAccounts, func(shared string) bool { return strings.EqualFold(user, shared) }) {
			r.problem(n, "approvals: several people use the account %q (shared_accounts), so it cannot approve", user)
		}
	}
}

func (r *reader) approvalCount(m mapping) int {
	if m.values["count"] == nil {
		return 1
	}
	return r.number(m, "count", maxApprovals)
}
