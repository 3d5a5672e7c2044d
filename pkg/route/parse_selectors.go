package route

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// What GitHub lets the names of owners and repositories be. The owner of a managed user's repository
// ends in _ and the enterprise's short code.
var (
	ownerPattern          = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	repositoryNamePattern = regexp.MustCompile(`^[A-Za-z0-9._*?-]+$`)
	acceptedAppPattern    = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9-]*(\[bot\])?|app [1-9][0-9]*)$`)
)

// How long names may be, in characters: package webhook refuses longer environments and tasks.
const (
	maxRepositoryName = 100
	maxSelector       = 255
)

// selectors reads which deployments a route matches. One that could match nothing that GitHub sends
// is a problem: the deployments that it was written for would take a later route.
func (r *reader) selectors(route *Route, m mapping, t *Table) {
	r.repository(route, m)

	if s, n := r.text(m, "environment"); n != nil {
		route.Environment = s
		r.selectorText(n, "environment", s)
	}

	apps := r.items(m, "apps")
	for _, it := range apps {
		if !acceptedAppPattern.MatchString(it.text) {
			r.problem(it.node, "apps: %+q is not the slug of an app, such as my-hubot", it.text)
		}
	}
	route.apps = textsOf(apps)

	task, n := r.text(m, "task")
	route.Task = task
	if n == nil {
		route.tasks = []glob{glob(t.taskPrefix), glob(t.taskPrefix + ":*")}
		return
	}

	route.tasks = []glob{glob(task)}
	r.selectorText(n, "task", task)
	if t.reservedTask(task) != "" {
		r.problem(n, "task %q is reserved for locks and never deploys", task)
	}
}

func (r *reader) repository(route *Route, m mapping) {
	repository, n := r.text(m, "repository")
	owner, name, ok := strings.Cut(repository, "/")
	route.Repository = repository
	route.repositoryID = r.repositoryID(m, repository)

	switch {
	case m.values["repository"] == nil:
		r.problem(m.first(), "repository is required, such as acme/api or acme/*")
	case n == nil: // its problem is known
	case !ok || name == "" || strings.Contains(name, "/"):
		r.problem(n, "repository %+q must be OWNER/NAME", repository)
	case strings.ContainsAny(owner, "*?"):
		r.problem(n, "repository %+q: the owner must be written out; only the name may hold * and ?", repository)
	case !ownerPattern.MatchString(owner) || len(owner) > maxLogin:
		r.problem(n, "repository %+q: GitHub has no owner of such a name", repository)
	case !repositoryNamePattern.MatchString(name) || minLength(name) > maxRepositoryName ||
		name == "." || name == ".." || strings.HasSuffix(strings.ToLower(name), ".git"):
		r.problem(n, "repository %+q: GitHub has no repository of such a name", repository)
	}
}

// repositoryID reads the id of the repository, which is given where the name has passed to another one.
func (r *reader) repositoryID(m mapping, repository string) int64 {
	s, n := r.text(m, "repository_id")
	if n == nil {
		return 0
	}

	id, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || id <= 0:
		r.problem(n, "repository_id %q is not the id of a repository", s)
	case !glob(repository).literal():
		r.problem(n, "repository_id needs a repository without * and ?")
	}

	return id
}

// selectorText reports what the name of an environment or a task at GitHub cannot hold, or what
// nobody would see in it.
func (r *reader) selectorText(n ast.Node, what, text string) {
	unseen := func(c rune) bool { return invisible(c) || c != ' ' && unicode.IsSpace(c) }
	switch {
	case strings.TrimSpace(text) != text:
		r.problem(n, "%s %+q begins or ends with white space, so that it matches nothing", what, text)
	case strings.ContainsFunc(text, unseen) || strings.ContainsRune(text, utf8.RuneError):
		r.problem(n, "%s %+q holds a character that nobody sees", what, text)
	case minLength(text) > maxSelector:
		r.problem(n, "%s is longer than the %d characters that GitHub allows", what, maxSelector)
	}
}

// minLength returns the length of the shortest text that a pattern matches, in characters.
func minLength(pattern string) int {
	return utf8.RuneCountInString(strings.ReplaceAll(pattern, "*", ""))
}
