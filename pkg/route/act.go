package route

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// act is what a reserved task does; empty: it is none.
func (t *Table) act(task string) string {
	switch {
	case strings.EqualFold(task, t.LockTask()):
		return deployment.TaskLock
	case strings.EqualFold(task, t.prefix+":unlock"):
		return deployment.TaskUnlock
	default:
		return ""
	}
}

// LockTask is the task that locks, for those who ask in another way and are judged alike.
func (t *Table) LockTask() string { return t.prefix + ":lock" }

// findAct gives the first route of the place that lets the request count, whatever its tasks: who
// may deploy there by one task locks it for all. One whose tasks earlier routes take is never
// deployed by, and lets nobody lock either.
func (t *Table) findAct(req deployment.Request) (Route, bool) {
	who := madeBy(req)
	var taken []glob
	for _, r := range t.routes {
		if !r.place(req) {
			continue
		}
		if r.counts(req, t.own, who) && !covers(taken, r.tasks) {
			return r, true
		}

		taken = append(taken, r.tasks...)
	}

	return Route{}, false
}

// admitAct admits a request that locks or unlocks. Nothing is rendered.
func (t *Table) admitAct(req deployment.Request, key, act string) deployment.Admission {
	r, ok := t.findAct(req)
	if !ok {
		return deployment.Admission{
			Ignored: "no route matches this repository and environment, and lets whoever made it count",
		}
	}

	a := deployment.Admission{Target: deployment.Target{Key: key, LockTask: act, Ruled: r.ruled}}
	if act != deployment.TaskLock {
		return a
	}
	if req.PayloadTooLarge || len(req.Payload) > deployment.MaxPayload {
		a.Problem = "the payload is larger than 1 MiB"
		return a
	}

	payload, _ := readPayload(req.Payload)
	a.Target.LockFor, a.Problem = lockFor(payload)
	return a
}

// lockFor reads {"lock": {"expires": "2h"}}.
func lockFor(payload object) (time.Duration, string) {
	const problem = `lock.expires must be a positive duration, such as "2h"`
	switch lock := payload["lock"].(type) {
	case nil:
		return 0, ""
	case object:
		if lock["expires"] == nil {
			return 0, ""
		}

		text, _ := lock["expires"].(string)
		d, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || d <= 0 {
			return 0, problem
		}

		return d, ""
	default:
		return 0, problem
	}
}

// maxReason bounds a reason, in code points.
const maxReason = 200

// forceKey is where a payload says that rules are to be passed.
const forceKey = "seraph_force"

// forceReason reads the payload's seraph_force: why rules are to be passed. No reason, no force.
func forceReason(payload object) (reason, problem string) {
	v, given := payload[forceKey]
	if !given || v == nil {
		return "", ""
	}

	text, _ := v.(string)
	reason = strings.TrimSpace(text)
	switch {
	case !strings.ContainsFunc(reason, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }):
		return "", "seraph_force needs a reason: a text"
	case utf8.RuneCountInString(reason) > maxReason:
		return "", "seraph_force needs a reason: a text of at most 200 characters"
	}

	return reason, ""
}
