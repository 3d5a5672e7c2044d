package route

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// What Slack's ids look like: of workspaces and organizations, of people, of channels, and of those
// who can be mentioned.
var (
	slackWorkspacePattern = regexp.MustCompile(`^[TE][A-Z0-9]{2,30}$`)
	slackUserPattern      = regexp.MustCompile(`^[UW][A-Z0-9]{2,30}$`)
	slackChannelPattern   = regexp.MustCompile(`^[CG][A-Z0-9]{2,30}$`)
	slackMentionPattern   = regexp.MustCompile(`^[SUW][A-Z0-9]{2,30}$`)
)

var (
	hubotFacePattern = regexp.MustCompile(`^hubot-[a-z0-9-]{1,50}$`)
	chatUserPattern  = regexp.MustCompile(`^([A-Za-z0-9._-]{1,100})/([!-~]{1,100})$`)
)

// slack reads what holds for Slack as a whole.
func (r *reader) slack(t *Table, m mapping) {
	inner, ok := r.optionalMapping(m, faceSlack, "workspace")
	if !ok {
		return
	}

	workspace, n := r.text(inner, "workspace")
	switch {
	case inner.values["workspace"] == nil:
		r.problem(m.keys[faceSlack], "slack needs workspace, such as T0ACME001")
	case n != nil && !slackWorkspacePattern.MatchString(workspace):
		r.problem(n, "workspace %+q is not the id of a Slack workspace, such as T0ACME001", workspace)
	default:
		t.slackWorkspace = workspace
	}
}

// people reads who is who. Nobody may have two entries, and no user of a chat system may be two people.
func (r *reader) people(t *Table, m mapping) {
	n, ok := m.values["people"]
	if !ok {
		return
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		r.problem(m.keys["people"], "people must be a list of {id, login, slack}, or be left out")
		return
	}

	for _, element := range list.Values {
		p, ok := r.person(element, t.slackWorkspace)
		if !ok {
			continue
		}

		for _, other := range t.people {
			if same := p.sharedWith(other); same != "" {
				r.problem(element, "people: %s is given twice (first in line %d)", same, other.Line)
			}
		}

		t.people = append(t.people, p)
	}
}

// sharedWith returns what two people have in common and must not; empty: nothing.
func (p Person) sharedWith(other Person) string {
	switch {
	case p.ID == other.ID:
		return fmt.Sprintf("id %d", p.ID)
	case strings.EqualFold(p.Login, other.Login):
		return fmt.Sprintf("login %q", p.Login)
	}

	for _, u := range p.users {
		if slices.Contains(other.users, u) {
			return fmt.Sprintf("%s user %q", u.face, u.user)
		}
	}

	return ""
}

// person reads one element of people: {id, login}, slack, and ids of other chat systems by their face.
func (r *reader) person(n ast.Node, slackWorkspace string) (Person, bool) {
	before := len(r.problems)
	m, ok := r.mapping(n, "people", nil)
	if !ok {
		return Person{}, false
	}

	p := Person{Line: lineOf(m.first())}
	p.ID = r.personID(m)
	p.Login = r.personLogin(m)

	for _, key := range m.order {
		switch key {
		case "id", "login":
		case faceSlack:
			p.Slack = r.slackUser(m, slackWorkspace)
			p.users = append(p.users, chatUser{face: faceSlack, workspace: slackWorkspace, user: p.Slack})
		default:
			p.users = append(p.users, r.otherUser(m, key))
		}
	}

	return p, len(r.problems) == before
}

func (r *reader) personID(m mapping) int64 {
	s, n := r.text(m, "id")
	if n == nil {
		if m.values["id"] == nil {
			r.problem(m.first(), "people: an element needs id, the person's id at GitHub: "+
				"https://api.github.com/users/LOGIN shows it")
		}
		return 0
	}

	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 || !printsAsWritten(s) {
		r.problem(n, "id %q is not the id of a person at GitHub: https://api.github.com/users/LOGIN shows it", s)
	}

	return id
}

func (r *reader) personLogin(m mapping) string {
	s, n := r.text(m, "login")
	switch {
	case n == nil && m.values["login"] == nil:
		r.problem(m.first(), "people: an element needs login, the person's login at GitHub")
	case n != nil && (!loginPattern.MatchString(s) || len(s) > maxLogin):
		r.problem(n, "login %+q is not the login of a person, such as alice", s)
	}
	return s
}

func (r *reader) slackUser(m mapping, workspace string) string {
	s, n := r.text(m, faceSlack)
	switch {
	case n == nil:
	case !slackUserPattern.MatchString(s):
		r.problem(n, "slack %+q is not the id of a Slack user, such as U0ALICE01", s)
	case workspace == "":
		r.problem(n, "slack ids need their workspace: add slack: {workspace: T…} to the file")
	}
	return s
}

// otherUser reads somebody's id in a chat system other than Slack, as FACE: WORKSPACE/USER.
func (r *reader) otherUser(m mapping, face string) chatUser {
	switch {
	case face == faceHubotSlack:
		r.problem(m.keys[face], "people: write slack in place of %s: the ids are the same", face)
		return chatUser{}
	case !hubotFacePattern.MatchString(face):
		r.unknownKey(m.keys[face], "people", face, []string{"id", "login", faceSlack, "hubot-NAME"})
		return chatUser{}
	}

	s, n := r.text(m, face)
	parts := chatUserPattern.FindStringSubmatch(s)
	if n != nil && parts == nil {
		r.problem(n, "%s %+q must be WORKSPACE/USER, as Hubot sends them", face, s)
	}
	if parts == nil {
		return chatUser{}
	}

	return chatUser{face: face, workspace: parts[1], user: parts[2]}
}
