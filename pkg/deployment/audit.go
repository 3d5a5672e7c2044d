package deployment

import "time"

// AuditKind says what an audit event records.
type AuditKind string

// The kinds.
const (
	AuditDecided   AuditKind = "decided"   // a deployment may start, or was rejected; Detail: what the rules said
	AuditRequested AuditKind = "requested" // somebody asked this service for a deployment
	AuditApproved  AuditKind = "approved"  // somebody approved a deployment
	AuditHold      AuditKind = "hold"      // somebody approved, or tried to, a job that CircleCI holds
	AuditForced    AuditKind = "forced"    // somebody asked to bypass rules
	AuditCanceled  AuditKind = "canceled"  // somebody, or a rule, asked to cancel a deployment
	AuditLocked    AuditKind = "locked"    // a lock was taken, extended or handed over
	AuditUnlocked  AuditKind = "unlocked"  // a lock was released, or taken from its owner
	AuditRefused   AuditKind = "refused"   // somebody was not allowed to do something in a chat system

	AuditLink        AuditKind = "link"         // a chat user was linked to an account at GitHub
	AuditUnlink      AuditKind = "unlink"       // such a link ended; Detail: why
	AuditLinkRefused AuditKind = "link_refused" // such a link was not made; Detail: why
)

// The channels through which people act.
const (
	ChannelGitHub = "github" // a deployment that was created at GitHub
	ChannelAPI    = "api"    // /api/v1
	ChannelSlack  = "slack"  // a message or button in Slack
	ChannelSeraph = "seraph" // nobody asked: a rule or a timer
)

// AuditEvent is one thing that the audit keeps: who asked for what through which channel, and what
// came of it. Detail is JSON and holds no secret, no payload and no parameter value.
type AuditEvent struct {
	At           time.Time
	Kind         AuditKind
	Channel      string
	Actor        Actor
	RepositoryID int64 // 0: it is about more than one repository
	Repository   string
	Environment  string
	Deployment   int64 // GitHub's id; 0: it is about no deployment
	Detail       []byte
}

// On returns the event with a time and the deployment that it is about.
func (a AuditEvent) On(d Deployment, now time.Time) AuditEvent {
	a.At = now
	a.RepositoryID = d.Request.Repository.ID
	a.Repository = d.Request.Repository.FullName()
	a.Environment = d.Request.Environment
	a.Deployment = d.Request.ID
	return a
}
