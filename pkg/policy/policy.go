// Package policy decides who may deploy what, when and in which order. It is pure: a request, facts
// and the time go in, a verdict comes out. A fact that is not known never means allow. The same
// call decides and explains.
package policy

import (
	"time"
)

// Policy is the rules of one route. The zero Policy has none but the queue.
type Policy struct {
	// who may deploy; nil: whoever GitHub lets create a deployment
	Allow        *Subjects `json:"allow,omitempty"`
	Refs         []string  `json:"refs,omitempty"`          // globs of refs that may go there; none: any
	RequireAhead bool      `json:"require_ahead,omitempty"` // the commit must contain what is deployed now
	Checks       *Checks   `json:"checks,omitempty"`
	// environments in which the same commit must have succeeded first; one of them needs those
	// before it
	After       []string    `json:"after,omitempty"`
	Concurrency Concurrency `json:"concurrency,omitempty"`
	Freezes     []Freeze    `json:"freeze,omitempty"` // the route's own, then those for all routes
	Approvals   *Approvals  `json:"approvals,omitempty"`
	Force       *Subjects   `json:"force,omitempty"`  // who may pass checks, freeze, order and locks; nil: nobody
	Locked      Mode        `json:"locked,omitempty"` // what a lock of somebody else does; empty: Wait
	// how long rules are waited for, from acceptance on; 0: DefaultMaxWait
	MaxWait time.Duration `json:"max_wait,omitempty"`
}

// DefaultMaxWait is how long rules are waited for where a route does not say.
const DefaultMaxWait = 7 * 24 * time.Hour

// Mode says what a rule that does not hold now does.
type Mode string

// The modes.
const (
	WaitMode   Mode = "wait"
	RejectMode Mode = "reject"
)

// Subjects are people and apps. Without any list everybody with Permission is one; with lists a
// person must be in one of them and have Permission, too. An app must be named in Apps, and needs
// no Permission.
type Subjects struct {
	Users      []string   `json:"users,omitempty"` // logins, or id:N
	Teams      []string   `json:"teams,omitempty"` // org/team
	Apps       []string   `json:"apps,omitempty"`  // slugs; a bot's login without [bot] counts as its slug
	Permission Permission `json:"permission,omitempty"`
}

// Permission is what somebody may do in a repository.
type Permission string

// The permissions, the least first.
const (
	PermissionNone     Permission = "none"
	PermissionRead     Permission = "read"
	PermissionTriage   Permission = "triage"
	PermissionWrite    Permission = "write"
	PermissionMaintain Permission = "maintain"
	PermissionAdmin    Permission = "admin"
)

// Checks are the commit statuses and check runs that must be green.
type Checks struct {
	Set    CheckSet `json:"which"`
	Names  []string `json:"names,omitempty"`  // with WhichListed: exact names
	Ignore []string `json:"ignore,omitempty"` // globs of names that do not count
	// how long they are waited for, from acceptance on; 0: DefaultChecksWait
	Wait time.Duration `json:"wait,omitempty"`
}

// DefaultChecksWait is how long checks are waited for where a route does not say.
const DefaultChecksWait = time.Hour

// CheckSet says which checks count.
type CheckSet string

// The choices. WhichAll: every one that is there, and at least one. WhichRequired: those that the
// branch's protection requires.
const (
	ChecksAll      CheckSet = "all"
	ChecksRequired CheckSet = "required"
	ChecksListed   CheckSet = "listed"
)

// Concurrency says what a deployment does that finds others of its environment before it.
type Concurrency string

// The choices; empty is Queue.
const (
	ConcurrencyQueue   Concurrency = "queue"   // first come, first served
	ConcurrencyReplace Concurrency = "replace" // a newer waiting one supersedes older waiting ones
	ConcurrencyCancel  Concurrency = "cancel"  // and cancels the running pipeline, and waits for CircleCI's word
	ConcurrencyReject  Concurrency = "reject"  // it is turned away
)

// Freeze is a time in which nothing starts: recurring by Cron and Duration, or once From and To.
type Freeze struct {
	Cron string `json:"cron,omitempty"` // five fields: when it begins, in Zone
	// by the clock on the wall: over a change of clocks it ends at the hour that it says
	Duration time.Duration `json:"duration,omitempty"`
	From     time.Time     `json:"from,omitzero"`
	To       time.Time     `json:"to,omitzero"`
	Zone     string        `json:"zone,omitempty"` // IANA name; empty: UTC
	Message  string        `json:"message,omitempty"`
	Mode     Mode          `json:"mode,omitempty"` // empty: Wait
}

// Approvals are the people who must agree beside the requester.
type Approvals struct {
	Count   int           `json:"count"`             // at least 1
	Users   []string      `json:"users,omitempty"`   // logins, or id:N
	Teams   []string      `json:"teams,omitempty"`   // org/team
	Tokens  []string      `json:"tokens,omitempty"`  // names of API tokens that count as a person of their own
	Expires time.Duration `json:"expires,omitempty"` // how long one counts; 0: DefaultApprovalLife
}

// DefaultApprovalLife is how long an approval counts where a route does not say.
const DefaultApprovalLife = 24 * time.Hour
