package circleci

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Project is a copy of a project for tests.
type Project struct {
	ID           string // a UUID
	Slug         string // as answers spell it: gh/acme/api
	DefinitionID string // of its first pipeline definition
}

type project struct {
	id, slug, orgID string
	defaultBranch   string
	definitions     []definition
	branches, tags  map[string]string // by name, to revisions
	lag             int               // triggers that will not find their branch
	number          int64
	expected        []string // scenarios of the next pipelines
	scenario        string   // of all other pipelines

	mineEmpty, listsEmpty, configUnreadable bool
}

type definition struct {
	id, name string
	created  time.Time
}

// RevisionOf returns the commit that a branch points to until a test sets it.
func RevisionOf(ref string) string {
	sum := sha1.Sum([]byte(ref))
	return hex.EncodeToString(sum[:])
}

// AddProject adds a project, unless it exists, and returns it. The slug is gh/owner/name (github/
// is the same project) or circleci/organization/project.
func (s *Server) AddProject(slug, defaultBranch string) Project {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(slug)
	if p == nil {
		p = s.addProject(slug, defaultBranch)
	}
	return Project{ID: p.id, Slug: p.slug, DefinitionID: p.definitions[0].id}
}

// AddDefinition adds a pipeline definition to a project and returns its id.
func (s *Server) AddDefinition(slug, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mustFind(slug)
	d := definition{id: uuid.NewString(), name: name, created: s.now()}
	p.definitions = append(p.definitions, d)
	return d.id
}

// SetDefinition sets the id of a project's first pipeline definition. It adds the project when it
// does not exist.
func (s *Server) SetDefinition(slug, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(slug)
	if p == nil {
		p = s.addProject(slug, "main")
	}
	p.definitions[0].id = id
}

func (s *Server) addProject(slug, defaultBranch string) *project {
	if !wellFormed(slug) {
		panic(fmt.Sprintf("project slug %q does not have the form vcs/organization/name", slug))
	}

	p := &project{
		id:            uuid.NewString(),
		orgID:         uuid.NewString(),
		slug:          canonicalSlug(slug),
		defaultBranch: defaultBranch,
		scenario:      "success",
		branches:      map[string]string{},
		tags:          map[string]string{},
		definitions:   []definition{{id: uuid.NewString(), name: "build-and-deploy", created: s.now()}},
	}

	s.projects = append(s.projects, p)
	return p
}

func wellFormed(slug string) bool { return strings.Count(slug, "/") == 2 }

// SetBranch makes a branch of a project point to a commit. From then on, branches that no test has
// set do not exist, unless Options.AnyBranch is set.
func (s *Server) SetBranch(slug, branch, sha string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustFind(slug).branches[branch] = sha
}

// SetTag makes a tag of a project point to a commit.
func (s *Server) SetTag(slug, tag, sha string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustFind(slug).tags[tag] = sha
}

// BranchLag makes the next n triggers of a project fail to find their branch or tag, as happens
// right after a push.
func (s *Server) BranchLag(slug string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustFind(slug).lag = n
}

// canonicalSlug returns a slug as responses spell it.
func canonicalSlug(slug string) string {
	for long, short := range map[string]string{"github/": "gh/", "bitbucket/": "bb/"} {
		if rest, ok := strings.CutPrefix(slug, long); ok {
			return short + rest
		}
	}
	return slug
}

// longSlug returns the slug as webhooks spell it.
func (p *project) longSlug() string {
	for short, long := range map[string]string{"gh/": "github/", "bb/": "bitbucket/"} {
		if rest, ok := strings.CutPrefix(p.slug, short); ok {
			return long + rest
		}
	}
	return p.slug
}

// fromGitHubApp reports whether the project uses CircleCI's GitHub App.
func (p *project) fromGitHubApp() bool { return strings.HasPrefix(p.slug, "circleci/") }

func (p *project) part(n int) string { return strings.Split(p.slug, "/")[n] }

func (s *Server) find(slug string) *project {
	slug = canonicalSlug(slug)
	for _, p := range s.projects {
		if p.slug == slug {
			return p
		}
	}
	return nil
}

// mustFind finds a project for a call of a test, and panics when there is none.
func (s *Server) mustFind(slug string) *project {
	p := s.find(slug)
	switch {
	case p != nil:
		return p
	case s.options.AnyProject:
		return s.addProject(slug, "main")
	}
	panic(fmt.Sprintf("no project %q: call AddProject first", slug))
}

// projectOf finds the project that a call names, or returns the 404.
func (s *Server) projectOf(c *call) (*project, *response) {
	slug := c.param("vcs") + "/" + c.param("org") + "/" + c.param("repo")
	p := s.find(slug)
	if p == nil && s.options.AnyProject {
		p = s.addProject(slug, "main")
	}
	if p == nil {
		return nil, errorResponse(http.StatusNotFound, "Project not found")
	}

	return p, nil
}

// resolveRef finds the commit of a branch or tag.
func (s *Server) resolveRef(p *project, branch, tag string) (revision string, resp *response) {
	if p.lag > 0 {
		p.lag--
		return "", branchNotFound()
	}

	if tag != "" {
		revision = p.tags[tag]
		if revision == "" && s.anyRef(p) && len(p.tags) == 0 {
			revision = s.options.TagRevision(p.slug, tag)
		}
	} else {
		revision = p.branches[branch]
		if revision == "" && s.anyRef(p) {
			revision = s.options.Revision(p.slug, branch)
		}
	}

	if revision == "" {
		return "", branchNotFound()
	}

	return revision, nil
}

func (s *Server) anyRef(p *project) bool { return s.options.AnyBranch || len(p.branches) == 0 }

func branchNotFound() *response { return errorResponse(http.StatusBadRequest, "Branch not found") }

func (s *Server) getMe(*call) *response {
	return ok(object{"id": s.options.UserID, "login": s.options.Login, "name": s.options.Login})
}

func (s *Server) getProject(c *call) *response {
	p, resp := s.projectOf(c)
	if resp != nil {
		return resp
	}

	return ok(object{
		"id":                p.id,
		"slug":              p.slug,
		"name":              p.part(2),
		"organization_name": p.part(1),
		"organization_slug": p.part(0) + "/" + p.part(1),
		"organization_id":   p.orgID,
		"vcs_info":          object{"vcs_url": p.url(), "provider": p.provider(), "default_branch": p.defaultBranch},
	})
}

func (p *project) url() string {
	if p.fromGitHubApp() {
		return "//circleci.com/" + p.orgID + "/" + p.id
	}
	return "https://github.com/" + p.part(1) + "/" + p.part(2)
}

func (p *project) provider() string {
	if p.fromGitHubApp() {
		return "CircleCI"
	}
	return "GitHub"
}

func (s *Server) listDefinitions(c *call) *response {
	i := slices.IndexFunc(s.projects, func(p *project) bool { return p.id == c.param("project") })
	if i < 0 {
		return errorResponse(http.StatusNotFound, "Project not found")
	}

	p := s.projects[i]
	provider := "github_oauth"
	if p.fromGitHubApp() {
		provider = "github_app"
	}

	items := []object{}
	for _, d := range p.definitions {
		source := object{
			"provider": provider,
			"repo":     object{"full_name": p.part(1) + "/" + p.part(2), "external_id": "700500100"},
		}

		items = append(items, object{
			"id":              d.id,
			"name":            d.name,
			"description":     "",
			"created_at":      d.created,
			"checkout_source": source,
			"config_source": object{
				"provider":  provider,
				"repo":      source["repo"],
				"file_path": ".circleci/config.yml",
			},
		})
	}

	return ok(object{"items": items})
}
