package route

import (
	"slices"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Person is somebody whom the routes file names: who they are at GitHub, and in chat systems.
type Person struct {
	ID    int64  // at GitHub
	Login string // at GitHub; for readers, never compared
	Slack string // their id in the Slack workspace of the file; empty: none is given
	Line  int    // in the routes file

	users []chatUser
}

// chatUser is somebody by the id that a chat system gives them.
type chatUser struct{ face, workspace, user string }

// faceSlack is Slack itself. People of its workspace have the same ids for a Hubot there.
const (
	faceSlack      = "slack"
	faceHubotSlack = "hubot-slack"
)

// SlackWorkspace returns the id of the Slack workspace that the routes file names; empty: it names none.
func (t *Table) SlackWorkspace() string { return t.slackWorkspace }

// People returns everybody whom the routes file names under people.
func (t *Table) People() []Person { return slices.Clone(t.people) }

// KnowsChat says whether anybody of a workspace of a chat system is known.
func (t *Table) KnowsChat(face, workspace string) bool {
	if face == faceHubotSlack {
		face = faceSlack
	}

	return slices.ContainsFunc(t.people, func(p Person) bool {
		return slices.ContainsFunc(p.users, func(u chatUser) bool { return u.face == face && u.workspace == workspace })
	})
}

// Person returns who a user of a chat system is at GitHub; false: the routes file does not say. The
// faces slack and hubot-slack have the same users.
func (t *Table) Person(face, workspace, user string) (deployment.Actor, bool) {
	if face == faceHubotSlack {
		face = faceSlack
	}

	asked := chatUser{face: face, workspace: workspace, user: user}
	for _, p := range t.people {
		if slices.Contains(p.users, asked) {
			return deployment.Actor{ID: p.ID, Login: p.Login}, true
		}
	}

	return deployment.Actor{}, false
}

// ChatUser returns the id that somebody at GitHub has in a workspace of a chat system; false: the routes file does
// not say.
func (t *Table) ChatUser(face, workspace string, githubID int64) (user string, ok bool) {
	if face == faceHubotSlack {
		face = faceSlack
	}

	for _, p := range t.people {
		for _, u := range p.users {
			if p.ID == githubID && u.face == face && u.workspace == workspace {
				return u.user, true
			}
		}
	}
	return "", false
}
