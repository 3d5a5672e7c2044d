package slackapp

import (
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
)

// limits count the requests of people that may ask GitHub, by the ids of their accounts there: a person may make as
// many as through the API. They are safe for concurrent use.
type limits struct {
	now     func() time.Time
	allowed *command.Recently[string] // keys of requests
	persons command.PersonLimits[int64]
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, allowed: command.NewRecently[string](now, askLife)}
}

// allow counts a request of somebody, and says whether it may be made. Further tries of one that was allowed are
// allowed, too: it may have been done.
func (l *limits) allow(id int64, request string) bool {
	if l.allowed.Has(request) {
		return true
	}

	now := l.now()
	if !l.persons.Of(id, now).AllowN(now, 1) {
		return false
	}
	l.allowed.First(request)
	return true
}

// refuseTooMany refuses somebody who asks for more than GitHub can be asked about.
func refuseTooMany() refusal {
	return refusal{
		code: "too_many",
		text: "That was too much at once: each of these makes Seraph ask GitHub, whose answers are limited for " +
			"everybody. Nothing was done. Try again in a minute.",
	}
}
