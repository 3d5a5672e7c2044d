// Package policy decides who may deploy what, when and in which order.
//
// The package is pure: Policy.Evaluate takes a request, the facts about it and the time, and returns
// a verdict. It reads neither GitHub nor the database. A fact that is not known never leads to
// "allow". The service calls the same function to decide about a deployment and to explain the
// decision.
package policy

import (
	"time"
)

// Policy holds the rules of one route. Whatever it says, the deployments of one environment run one
// after another, and locks are respected.
type Policy struct {
	// WrongRoute says that a deployment avoids the rules of another route, and is rejected. It is not
	// configured, but found for a single deployment. Empty: its route is the right one.
	WrongRoute string `json:"wrong_route,omitempty"`

	// Allow names who may deploy. nil: everybody whom GitHub lets create a deployment, also where they ask
	// this service for one.
	Allow *Subjects `json:"allow,omitempty"`

	// Refs holds globs of the refs that may be deployed. Empty: any ref.
	Refs []string `json:"refs,omitempty"`

	// RequireAhead asks that the commit contains the commit that is deployed now.
	RequireAhead bool `json:"require_ahead,omitempty"`

	Checks *Checks `json:"checks,omitempty"`

	// After names environments in which the same commit must have succeeded before. An environment
	// that is itself in the list needs only those that stand before it.
	After []string `json:"after,omitempty"`

	Concurrency Concurrency `json:"concurrency,omitempty"`

	// Freezes holds the route's own freezes, followed by those that apply to all routes.
	Freezes []Freeze `json:"freeze,omitempty"`

	Approvals *Approvals `json:"approvals,omitempty"`

	// SharedAccounts names accounts that several people use, by login or id:N. Nobody may approve
	// through one, a lock of one holds its own deployments too, and what one asks for needs the
	// approvals of two, because one of them may have asked. They are the same for all routes.
	SharedAccounts []string `json:"shared_accounts,omitempty"`

	// SharedIDs holds the ids of the accounts that SharedAccounts names by login, as far as they were looked up.
	// They are not configured, and no part of the digest.
	SharedIDs []int64 `json:"-"`

	// Force names who may override checks, freezes, require_ahead, after and locks. nil: nobody.
	Force *Subjects `json:"force,omitempty"`

	// HoldApprovers names who may approve, through Seraph, the jobs that CircleCI holds. nil: nobody.
	HoldApprovers *Subjects `json:"hold_approvers,omitempty"`

	// RollbackAllow names who may roll back. nil: those whom Allow names.
	RollbackAllow *Subjects `json:"rollback_allow,omitempty"`

	// Locked says what somebody else's lock does to a deployment. Empty: it waits.
	Locked Mode `json:"locked,omitempty"`

	// MaxWait is how long a deployment may wait for its rules, counted from when it was accepted.
	// Zero: DefaultMaxWait.
	MaxWait time.Duration `json:"max_wait,omitempty"`
}

// DefaultMaxWait is how long a deployment may wait for its rules where the route does not say.
const DefaultMaxWait = 7 * 24 * time.Hour

// Mode says whether a rule that is not met now makes a deployment wait or rejects it.
type Mode string

// The modes.
const (
	ModeWait   Mode = "wait"
	ModeReject Mode = "reject"
)

// Subjects is a set of people and apps. With no list at all it holds every person who has
// Permission. With lists it holds the people who are in one of them and have Permission as well. An
// app is included only if Apps names it, and needs no Permission.
type Subjects struct {
	Users      []string   `json:"users,omitempty"` // logins, or id:N
	Teams      []string   `json:"teams,omitempty"` // org/team
	Apps       []string   `json:"apps,omitempty"`  // slugs; a trailing [bot] is ignored
	Permission Permission `json:"permission,omitempty"`
}

// Permission is what somebody may do in a repository at GitHub.
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

// Checks says which commit statuses and check runs must be green.
type Checks struct {
	Set    CheckSet    `json:"which"`
	Names  []CheckName `json:"names,omitempty"`  // exact names, for ChecksListed
	Ignore []string    `json:"ignore,omitempty"` // globs of names that do not count, unless Names lists them

	// Wait is how long checks are waited for, counted from when the deployment was accepted.
	// Zero: DefaultChecksWait.
	Wait time.Duration `json:"wait,omitempty"`
}

// DefaultChecksWait is how long checks are waited for where the route does not say.
const DefaultChecksWait = time.Hour

// CheckSet says which checks count.
type CheckSet string

// The sets of checks.
const (
	ChecksAll      CheckSet = "all"      // every check that the commit has, and it must have one
	ChecksRequired CheckSet = "required" // the checks that the default branch and the ref's branch require
	ChecksListed   CheckSet = "listed"   // the checks in Checks.Names
)

// Concurrency says what happens to a deployment whose environment has other open deployments that
// come first.
type Concurrency string

// The choices. Empty means ConcurrencyQueue.
const (
	ConcurrencyQueue   Concurrency = "queue"   // it waits; the oldest goes first
	ConcurrencyReplace Concurrency = "replace" // the newest waiting one supersedes the other waiting ones
	ConcurrencyCancel  Concurrency = "cancel"  // as replace, and the running one is canceled, too
	ConcurrencyReject  Concurrency = "reject"  // it is rejected
)

// Freeze is a period in which no deployment starts. It recurs (Cron and Duration) or happens once
// (From and To).
type Freeze struct {
	// Cron has five fields and says when the freeze begins, in Zone.
	Cron string `json:"cron,omitempty"`

	// Duration is measured in local time. A freeze from 22:00 for 8h ends at 06:00, even if the
	// clocks change in between.
	Duration time.Duration `json:"duration,omitempty"`

	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`

	Zone    string `json:"zone,omitempty"` // IANA name; empty: UTC
	Message string `json:"message,omitempty"`
	Mode    Mode   `json:"mode,omitempty"` // empty: it waits
}

// Approvals says how many people must approve a deployment, and who they may be. The requester's own
// approval never counts, and everybody must still be among these people when the deployment starts.
type Approvals struct {
	Count  int      `json:"count"`            // at least 1
	Users  []string `json:"users,omitempty"`  // logins, or id:N
	Teams  []string `json:"teams,omitempty"`  // org/team
	Tokens []string `json:"tokens,omitempty"` // names of API tokens, each of which counts as one person

	// Expires is how long an approval counts. Zero: DefaultApprovalLifetime.
	Expires time.Duration `json:"expires,omitempty"`
}

// DefaultApprovalLifetime is how long an approval counts where the route does not say.
const DefaultApprovalLifetime = 24 * time.Hour
