package deployment

import (
	"cmp"
	"time"
)

// Actor is who does something: a person by GitHub's id, an app by its slug, or an API token by its
// name. A face that verifies people itself sends its token's name beside the person's.
type Actor struct {
	ID    int64  `json:"id,omitempty"`    // GitHub's id of the person or bot; 0: none is known
	Login string `json:"login,omitempty"` // what the id went by then; shown, and never what is compared
	App   string `json:"app,omitempty"`   // slug of the GitHub App through which it was done, or of the bot
	Token string `json:"token,omitempty"` // name of the API token that was used
}

// String names the actor for people.
func (a Actor) String() string {
	switch {
	case a.Login != "":
		return a.Login
	case a.App != "":
		return a.App
	case a.Token != "":
		return "token " + a.Token
	default:
		return cmp.Or(a.Login, "nobody known")
	}
}

// Same says whether two actors are one: the same id, or where neither has one, the same app or else
// token.
func (a Actor) Same(b Actor) bool {
	if a.ID != 0 || b.ID != 0 {
		return a.ID == b.ID
	}
	if a.App != "" || b.App != "" {
		return a.App == b.App
	}
	return a.Token != "" && a.Token == b.Token
}

// Force is somebody's will to pass checks, freeze, order and locks, with the reason.
type Force struct {
	By     Actor  `json:"by"`
	Reason string `json:"reason"`
}

// AuditKind says what the audit holds.
type AuditKind string

// The kinds.
const (
	AuditDecided  AuditKind = "decided"  // a deployment may start, or was rejected: all that the rules said
	AuditApproved AuditKind = "approved" // somebody approved a deployment
	AuditForced   AuditKind = "forced"   // somebody had rules passed
	AuditCanceled AuditKind = "canceled" // somebody asked for a cancel
	AuditLocked   AuditKind = "locked"   // a lock was taken, extended or handed over
	AuditUnlocked AuditKind = "unlocked" // a lock was released, or stolen from its owner
)

// The doors through which people ask.
const (
	ChannelGitHub = "github" // a deployment made at GitHub
	ChannelAPI    = "api"    // /api/v1
	ChannelSeraph = "seraph" // nobody asked: a rule or a clock
)

// AuditEvent is one thing that the audit keeps: who asked for what through which door, and what
// came of it. Detail is JSON and holds no secret, no payload and no parameter value.
type AuditEvent struct {
	At           time.Time
	Kind         AuditKind
	Channel      string
	Actor        Actor
	RepositoryID int64 // 0 where it is about more than one
	Repository   string
	Environment  string
	Deployment   int64 // GitHub's id; 0 where it is about none
	Detail       []byte
}

// On is the act, at a time, on a deployment.
func (a AuditEvent) On(d Deployment, now time.Time) AuditEvent {
	r := d.Request
	a.At, a.RepositoryID, a.Repository, a.Environment, a.Deployment = now, r.Repository.ID, r.Repository.FullName(), r.Environment, r.ID
	return a
}
