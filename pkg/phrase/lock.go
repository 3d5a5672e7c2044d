package phrase

import (
	"fmt"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Locks lists locks, one a line.
func Locks(list []policy.Lock, now time.Time) string {
	if len(list) == 0 {
		return "Nothing is locked."
	}

	lines := make([]string, len(list))
	for i, l := range list {
		lines[i] = fmt.Sprintf("%s is locked by %s", Scope(l), Sentence(owner(l, now)))
	}
	return strings.Join(lines, "\n")
}

// Locked says that a lock was taken, and how it ends. unlock is the line that releases it.
func (p Prefix) Locked(l policy.Lock, unlock string, now time.Time) string {
	until := "until it is released"
	if !l.ExpiresAt.IsZero() {
		until = "for " + Duration(l.ExpiresAt.Sub(now))
	}
	return fmt.Sprintf("%s is locked by %s %s: %s Deployments of others wait meanwhile, and %s releases it.",
		Scope(l), l.Owner, until, Sentence(l.Reason), p.command(unlock))
}

// Unlocked says that a lock was released.
func Unlocked(l policy.Lock, waiting int) string {
	text := Scope(l) + " is no longer locked."
	if waiting > 0 {
		text += " " + count(waiting, "deployment that waited goes on.", "deployments that waited go on.")
	}
	return text
}

// NotLocked says that there is no lock to release.
func (p Prefix) NotLocked(app, environment string) string {
	return app + " in " + environment + " is not locked. " + p.command("locks") + " lists all locks."
}

// LockedWider says that only a wider lock covers an environment, which is not released with it.
func LockedWider(app, environment string, l policy.Lock, now time.Time) string {
	const format = "That was not done: %s in %s has no lock of its own. A wider one covers it: %s is locked by %s"
	return fmt.Sprintf(format, app, environment, Scope(l), Sentence(owner(l, now)))
}

// Scope says what a lock covers.
func Scope(l policy.Lock) string {
	switch {
	case l.Repository == "" && l.Environment == "":
		return "everything"
	case l.Repository == "":
		return l.Environment + " of every repository"
	case l.Environment == "":
		return "every environment of " + l.Repository
	default:
		return l.Repository + " in " + l.Environment
	}
}

// owner says who has a lock, since when, for how long and why.
func owner(l policy.Lock, now time.Time) string {
	text := fmt.Sprintf("%s (taken %s", l.Owner, Ago(l.TakenAt, now))
	if !l.ExpiresAt.IsZero() {
		text += ", ends in " + Duration(l.ExpiresAt.Sub(now))
	}
	text += ")"
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	return text
}
