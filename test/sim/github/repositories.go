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
	targets   map[string]tagTarget // of tags that TagOf has set
	missing   map[string]bool      // see RemoveCommit
	pulls     map[string]string    // pull/N/head and pull/N/merge to commit
	parents   map[string]string    // commit to its parent
	behind    map[string]bool      // branches that auto_merge would merge the default branch into
	conflicts map[string]bool      // branches that the default branch cannot be merged into
	hook      *hookshot.Hook
	former    []formerName
	deleted   bool
	hidden    bool // calls answer 404
	installed bool // the app is installed on it
}

type formerName struct {
	fullName  string
	redirects bool
}

// AddRepository adds a private repository owner/name with the branch main, and returns its id. The
// owner becomes an organization. A repository that exists is kept.
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
		targets:   map[string]tagTarget{},
		missing:   map[string]bool{},
		pulls:     map[string]string{},
		parents:   map[string]string{},
		behind:    map[string]bool{},
		conflicts: map[string]bool{},
		installed: true,
	}

	if s.options.App == nil {
		r.hook = s.newHook(s.nextID("hook"), "repository", r.ID)
	}

	s.repositories = append(s.repositories, r)
	return r.ID
}

// Commit returns the generated commit id of a new ref: the first head of main is
// Commit("owner/name", "main").
func Commit(fullName, ref string) string {
	sum := sha1.Sum([]byte(fullName + "\x00" + ref)) // commit ids are SHA-1
	return hex.EncodeToString(sum[:])
}

// Push moves a branch, or creates it, and returns its new head. With an empty sha it generates one.
// The parent of a new commit is the old head, or the head of the default branch.
func (s *Server) Push(repo, branch, sha string) string {
	return s.setRef(repo, branch, sha, func(r *repository) map[string]string { return r.branches })
}

// Tag sets a tag, as Push moves a branch.
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

// Rename gives a repository another owner/name. The old name then redirects, or answers 404 when
// redirects is false (as when somebody took the old name and deleted that repository).
func (s *Server) Rename(repo, newFullName string, redirects bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.mustRepository(repo)
	r.former = append(r.former, formerName{fullName: strings.ToLower(r.FullName()), redirects: redirects})
	owner, name, _ := strings.Cut(newFullName, "/")
	r.Owner, r.Name = s.organization(owner), name
}

// Delete removes a repository: calls about it answer 404.
func (s *Server) Delete(repo string) { s.edit(repo, func(r *repository) { r.deleted = true }) }

// Hide makes calls about a repository answer 404, as if no token had access, or ends that.
func (s *Server) Hide(repo string, hidden bool) {
	s.edit(repo, func(r *repository) { r.hidden = hidden })
}

// Archive makes a repository read-only: writes answer 403.
func (s *Server) Archive(repo string) { s.edit(repo, func(r *repository) { r.Archived = true }) }

// SetBehind sets whether a branch lacks commits of the default branch, which decides what
// auto_merge does.
func (s *Server) SetBehind(repo, branch string, behind bool) {
	s.edit(repo, func(r *repository) { r.behind[branch] = behind })
}

// SetConflicting sets whether the default branch cannot be merged into a branch, which decides what
// auto_merge does.
func (s *Server) SetConflicting(repo, branch string, conflicting bool) {
	s.edit(repo, func(r *repository) { r.conflicts[branch] = conflicting })
}

func (s *Server) edit(repo string, change func(*repository)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.mustRepository(repo))
}

// repositoryByName finds a repository by its present name.
func (s *Server) repositoryByName(fullName string) *repository {
	for _, r := range s.repositories {
		if !r.deleted && strings.EqualFold(r.FullName(), fullName) {
			return r
		}
	}
	return nil
}

// mustRepository finds a repository for a call of a test, by its present or a former name, and
// panics when there is none.
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

// resolve returns the commit of a branch, tag or SHA.
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
	if sha, ok = r.branches[strings.TrimPrefix(name, "heads/")]; ok {
		return sha, true
	}
	if sha, ok = r.tags[strings.TrimPrefix(name, "tags/")]; ok {
		return sha, true
	}
	if sha, ok = r.pulls[strings.TrimPrefix(ref, "refs/")]; ok {
		return sha, true
	}

	return ref, isSHA(ref) && !r.missing[ref]
}

// RemoveCommit makes a commit one that the repository does not have. Every other full id is taken for a commit.
func (s *Server) RemoveCommit(repo, sha string) {
	s.edit(repo, func(r *repository) { r.missing[sha] = true })
}

func isSHA(ref string) bool {
	_, err := hex.DecodeString(ref)
	return err == nil && (len(ref) == 40 || len(ref) == 64)
}

// redirect answers a call to a former name, 301 for GET and 307 otherwise, with the address by id.
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
