package github

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github/wire"
)

// team is one team of an organization.
type team struct {
	id      int64
	slug    string
	org     wire.Account
	members map[int64]string // by account: active or pending
	hidden  bool             // calls answer 404
}

// AddTeam adds a team without members. A team that exists is kept.
func (s *Server) AddTeam(org, slug string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.team(org, slug)
}

// HideTeam makes calls about a team answer 404, as for a token without access to it, or ends that.
func (s *Server) HideTeam(org, slug string, hidden bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.team(org, slug).hidden = hidden
}

// SetTeamMember sets the state of a membership: active or pending. An empty state removes it, and
// the API answers 404.
func (s *Server) SetTeamMember(org, slug, login, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.team(org, slug).members[s.account(login).ID] = state
}

func (s *Server) team(org, slug string) *team {
	key := strings.ToLower(org + "/" + slug)
	if s.teams[key] == nil {
		s.teams[key] = &team{id: s.nextID("team"), slug: slug, org: s.organization(org), members: map[int64]string{}}
	}
	return s.teams[key]
}

// TeamID returns the id of a team.
func (s *Server) TeamID(org, slug string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.team(org, slug).id
}

// RenameTeam gives a team another slug, so that the old one is free.
func (s *Server) RenameTeam(org, slug, newSlug string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.team(org, slug)
	delete(s.teams, strings.ToLower(org+"/"+slug))
	t.slug = newSlug
	s.teams[strings.ToLower(org+"/"+newSlug)] = t
}

// findTeam returns the team that a call's path names, by slugs or by ids, or nil.
func (s *Server) findTeam(c *call) *team {
	t := s.teams[strings.ToLower(c.param("org")+"/"+c.param("team"))]
	for _, other := range s.teams {
		if c.param("team_id") == strconv.FormatInt(other.id, 10) && c.param("org_id") == strconv.FormatInt(other.org.ID, 10) {
			t = other
		}
	}

	if t == nil || t.hidden {
		return nil
	}

	return t
}

func (s *Server) getTeam(c *call) *response {
	t := s.findTeam(c)
	if t == nil {
		return notFound()
	}

	self := fmt.Sprintf("%s/organizations/%d/team/%d", s.api(), t.org.ID, t.id)
	made := wire.Time(time.Date(2024, 5, 1, 9, 0, 0, 0, time.UTC))
	return ok(wire.Object{
		"id":                   t.id,
		"node_id":              wire.NodeID("Team", t.id),
		"url":                  self,
		"html_url":             fmt.Sprintf("%s/orgs/%s/teams/%s", s.web(), t.org.Login, t.slug),
		"name":                 t.slug,
		"slug":                 t.slug,
		"description":          nil,
		"privacy":              "closed",
		"notification_setting": "notifications_enabled",
		"permission":           "pull",
		"members_url":          self + "/members{/member}",
		"repositories_url":     self + "/repos",
		"parent":               nil,
		"type":                 "organization",
		"members_count":        len(t.members),
		"repos_count":          0,
		"created_at":           made,
		"updated_at":           made,
		"organization":         s.teamOrganization(t.org, made),
	})
}

func (s *Server) teamOrganization(org wire.Account, made string) wire.Object {
	body := org.Organization(s.api())
	for _, field := range []string{"public_repos", "public_gists", "followers", "following"} {
		body[field] = 0
	}
	body["html_url"], body["type"], body["archived_at"] = s.web()+"/"+org.Login, "Organization", nil
	body["has_organization_projects"], body["has_repository_projects"] = true, true
	body["created_at"], body["updated_at"] = made, made
	return body
}

func (s *Server) teamMembership(c *call) *response {
	t := s.findTeam(c)
	who, known := s.accountByLogin(c.param("user"))
	if t == nil || !known || t.members[who.ID] == "" {
		return notFound()
	}

	return ok(wire.Object{
		"state": t.members[who.ID],
		"role":  "member",
		"url":   fmt.Sprintf("%s/organizations/%d/team/%d/memberships/%s", s.api(), t.org.ID, t.id, who.Login),
	})
}
