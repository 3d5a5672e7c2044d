package github

import (
	"cmp"
	"crypto/sha1" // commit ids are SHA-1
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/test/sim/github/hookshot"
	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// repository is one repository with its refs and its former names.
type repository struct {
	wire.Repository
	branches  map[string]string // name to head
	tags      map[string]string
	parents   map[string]string // commit to the one before
	behind    map[string]bool   // branches that auto_merge would merge the default branch into
	hook      *hookshot.Hook
	former    []formerName
	deleted   bool
	hidden    bool // callers get 404
	installed bool // the app may see it
}

type formerName struct {
	fullName  string
	redirects bool
}

// AddRepository makes a private repository owner/name with branch main, and returns its id. The
// owner becomes an organization. An existing name keeps its repository.
func (s *Server) AddRepository(fullName string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repositoryByName(fullName); r != nil {
		return r.ID
	}

	owner, name, _ := strings.Cut(fullName, "/")
	r := &repository{
		Repository: wire.Repository{
			ID:            s.nextID("repository"),
			Owner:         s.organization(owner),
			Name:          name,
			DefaultBranch: "main",
			Private:       true,
			CreatedAt:     s.options.Now(),
		},
		branches:  map[string]string{"main": Commit(fullName, "main")},
		tags:      map[string]string{},
		parents:   map[string]string{},
		behind:    map[string]bool{},
		installed: true,
	}

	if s.options.App == nil {
		r.hook = s.newHook(s.nextID("hook"), "repository", r.ID)
	}

	s.repositories = append(s.repositories, r)
	return r.ID
}

// Commit is the made-up commit id that a name starts with: the first head of main is
// Commit("owner/name", "main").
func Commit(fullName, ref string) string {
	sum := sha1.Sum([]byte(fullName + "\x00" + ref)) // as above
	return hex.EncodeToString(sum[:])
}

// Push moves a branch, making it when there is none. An empty sha makes one up. It returns the new
// head. A commit that was not there before comes after the old head, or after that of the default
// branch.
func (s *Server) Push(repo, branch, sha string) string {
	return s.setRef(repo, branch, sha, func(r *repository) map[string]string { return r.branches })
}

// Tag sets a tag as Push moves a branch.
func (s *Server) Tag(repo, tag, sha string) string {
	return s.setRef(repo, tag, sha, func(r *repository) map[string]string { return r.tags })
}

func (s *Server) setRef(repo, name, sha string, refs func(*repository) map[string]string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.mustRepository(repo)
	if sha == "" {
		sha = Commit(repo, name+refs(r)[name])
	}

	before := cmp.Or(refs(r)[name], r.branches[r.DefaultBranch])
	if r.parents[sha] == "" && !slices.Contains(r.history(before), sha) {
		r.parents[sha] = before
	}

	refs(r)[name] = sha
	return sha
}

// Rename gives a repository another owner/name. Its old name then redirects, or answers 404 when
// redirects is false (as when somebody took the old name and dropped it again).
func (s *Server) Rename(repo, newFullName string, redirects bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.mustRepository(repo)
	r.former = append(r.former, formerName{fullName: strings.ToLower(r.FullName()), redirects: redirects})
	owner, name, _ := strings.Cut(newFullName, "/")
	r.Owner, r.Name = s.organization(owner), name
}

// Delete removes a repository: every call about it answers 404.
func (s *Server) Delete(repo string) { s.edit(repo, func(r *repository) { r.deleted = true }) }

// Hide takes a repository out of all callers' sight (404), or brings it back.
func (s *Server) Hide(repo string, hidden bool) {
	s.edit(repo, func(r *repository) { r.hidden = hidden })
}

// Archive makes a repository read-only: writes answer 403.
func (s *Server) Archive(repo string) { s.edit(repo, func(r *repository) { r.Archived = true }) }

// SetBehind says whether a branch lacks commits of the default branch, which matters to auto_merge.
func (s *Server) SetBehind(repo, branch string, behind bool) {
	s.edit(repo, func(r *repository) { r.behind[branch] = behind })
}

func (s *Server) edit(repo string, change func(*repository)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.mustRepository(repo))
}

// find looks for a repository by its current name.
func (s *Server) repositoryByName(fullName string) *repository {
	for _, r := range s.repositories {
		if !r.deleted && strings.EqualFold(r.FullName(), fullName) {
			return r
		}
	}
	return nil
}

// must finds a repository for a test's own call, by its current name or a former one.
func (s *Server) mustRepository(fullName string) *repository {
	if r := s.repositoryByName(fullName); r != nil {
		return r
	}

	for _, r := range s.repositories {
		if strings.EqualFold(r.FullName(), fullName) {
			return r
		}

		for _, f := range r.former {
			if f.fullName == strings.ToLower(fullName) {
				return r
			}
		}
	}

	panic(fmt.Sprintf("the simulated GitHub has no repository %s: call AddRepository first", fullName))
}

// resolve turns what a caller names as a ref into a commit.
func (r *repository) resolve(ref string) (sha string, ok bool) {
	if name, full := strings.CutPrefix(ref, "refs/tags/"); full {
		sha, ok = r.tags[name]
		return sha, ok
	}

	name := strings.TrimPrefix(ref, "refs/heads/")
	if sha, ok = r.branches[name]; ok {
		return sha, true
	}
	if sha, ok = r.tags[ref]; ok {
		return sha, true
	}

	return ref, isSHA(ref)
}

func isSHA(ref string) bool {
	_, err := hex.DecodeString(ref)
	return err == nil && (len(ref) == 40 || len(ref) == 64)
}

// moved answers a call to a former name: GET 301, everything else 307, both to the address by id.
func (s *Server) redirect(c *call, r *repository) *response {
	rest := strings.TrimPrefix(c.r.URL.Path, s.options.BasePath+"/repos/")
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, c.param("owner")+"/"), c.param("repo"))
	target := fmt.Sprintf("%s/repositories/%d%s", s.api(), r.ID, rest)
	if c.r.URL.RawQuery != "" {
		target += "?" + c.r.URL.RawQuery
	}

	status, message := http.StatusMovedPermanently, "Moved Permanently"
	if c.r.Method != http.MethodGet {
		status, message = http.StatusTemporaryRedirect, "Temporary Redirect"
	}

	body := wire.Object{
		"message":           message,
		"url":               target,
		"documentation_url": docs + "/guides/best-practices-for-using-the-rest-api#follow-redirects",
	}

	return &response{status: status, body: body, header: map[string]string{"Location": target}}
}
