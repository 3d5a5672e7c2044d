package route

import (
	"sync/atomic"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Live is a Table that can be replaced while it is used. Each of its methods answers from the table that
// is in use when it is called. Create it with NewLive; it is safe for concurrent use.
type Live struct {
	own   *OwnApp
	table atomic.Pointer[Table]
}

// NewLive returns a Live that uses a table, for a service that has an App of its own; nil: it has none.
func NewLive(t *Table, own *OwnApp) *Live {
	l := &Live{own: own}
	l.Replace(t)
	return l
}

// Replace makes a table the one in use, all of it at once.
func (l *Live) Replace(t *Table) { l.table.Store(t.WithOwnApp(l.own)) }

// Table returns the table in use. Whoever needs several answers that belong together asks it.
func (l *Live) Table() *Table { return l.table.Load() }

// Admit is Table.Admit.
func (l *Live) Admit(req deployment.Request, key string) deployment.Admission {
	return l.Table().Admit(req, key)
}

// Policy is Table.Policy.
func (l *Live) Policy(req deployment.Request) (policy.Policy, bool) { return l.Table().Policy(req) }

// UnlockPolicies is Table.UnlockPolicies.
func (l *Live) UnlockPolicies(req deployment.Request) ([]policy.Policy, bool) {
	return l.Table().UnlockPolicies(req)
}

// Apps is Table.Apps.
func (l *Live) Apps() []App { return l.Table().Apps() }

// Person is Table.Person.
func (l *Live) Person(face, workspace, user string) (deployment.Actor, bool) {
	return l.Table().Person(face, workspace, user)
}

// ChatUser is Table.ChatUser.
func (l *Live) ChatUser(face, workspace string, githubID int64) (user string, ok bool) {
	return l.Table().ChatUser(face, workspace, githubID)
}

// SlackWorkspace is Table.SlackWorkspace.
func (l *Live) SlackWorkspace() string { return l.Table().SlackWorkspace() }

// Production is Table.Production.
func (l *Live) Production(req deployment.Request) bool { return l.Table().Production(req) }

// AskPlaces is Table.AskPlaces.
func (l *Live) AskPlaces(req deployment.Request) []string { return l.Table().AskPlaces(req) }

// Settings is Table.Settings.
func (l *Live) Settings(req deployment.Request) (Route, bool) { return l.Table().Settings(req) }

// RollbackKeep is Table.RollbackKeep.
func (l *Live) RollbackKeep(req deployment.Request) int { return l.Table().RollbackKeep(req) }

// Repositories is Table.Repositories.
func (l *Live) Repositories() []deployment.Repository { return l.Table().Repositories() }
