package route

import (
	"slices"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// DefaultTask returns the task of a deployment that was asked for without one.
func (t *Table) DefaultTask() string { return t.taskPrefix }

// LockTask returns the task that locks an environment. Whoever locks by the API is judged as if they
// had made a deployment with this task.
func (t *Table) LockTask() string { return t.taskPrefix + ":lock" }

// reservedTask returns what a task does that is reserved for locks: deployment.TaskLock or
// deployment.TaskUnlock. It is empty for any other task.
func (t *Table) reservedTask(task string) string {
	switch {
	case strings.EqualFold(task, t.LockTask()):
		return deployment.TaskLock
	case strings.EqualFold(task, t.taskPrefix+":unlock"):
		return deployment.TaskUnlock
	default:
		return ""
	}
}

// findLockRoute returns the first route by which the creator of a request could deploy to its
// environment with some task. Whoever may deploy there by one task may lock the environment for all
// tasks.
func (t *Table) findLockRoute(req deployment.Request) (Route, bool) {
	apps := automationNames(req)
	routes := t.lockRoutes(req)
	i := slices.IndexFunc(routes, func(r Route) bool { return r.acceptsCreator(req, t.own, apps) })
	if i < 0 {
		return Route{}, false
	}
	return routes[i], true
}

// UnlockPolicies returns the rules of all routes to a request's environment. false: one of them does
// not accept deployments of its creator. To release somebody else's lock opens the environment to
// every task, so that every route must allow it.
func (t *Table) UnlockPolicies(req deployment.Request) (all []policy.Policy, accepted bool) {
	apps := automationNames(req)
	for _, r := range t.lockRoutes(req) {
		if !r.acceptsCreator(req, t.own, apps) {
			return nil, false
		}
		all = append(all, r.Policy)
	}
	return all, true
}

// lockRoutes returns the routes to a request's environment, whatever the task. A route whose tasks are
// all matched by earlier routes does not count, because nothing is ever deployed by it.
func (t *Table) lockRoutes(req deployment.Request) []Route {
	var routes []Route
	var earlierTasks []glob
	for _, r := range t.routes {
		if !r.matchesEnvironment(req) {
			continue
		}
		if !coverAll(earlierTasks, r.tasks) {
			routes = append(routes, r)
		}

		earlierTasks = append(earlierTasks, r.tasks...)
	}
	return routes
}

// admitLockTask admits a request that locks or unlocks. No template is rendered for it.
func (t *Table) admitLockTask(req deployment.Request, key, task string) deployment.Admission {
	r, ok := t.findLockRoute(req)
	if !ok {
		return deployment.Admission{
			Ignored: "no route for this repository and environment accepts deployments of its creator",
		}
	}

	a := deployment.Admission{Target: deployment.Target{Key: key, LockTask: task, HasRules: r.hasRules}}
	if task != deployment.TaskLock {
		return a
	}

	if payloadTooLarge(req) {
		a.Problem = "the payload is larger than 1 MiB"
		return a
	}

	payload, _ := readPayload(req.Payload)
	a.Target.LockFor, a.Problem = lockDuration(payload)
	return a
}

// lockDuration reads how long a lock lasts, as in {"lock": {"expires": "2h"}}. Zero: until it is
// released.
func lockDuration(payload jsonObject) (d time.Duration, problem string) {
	const notPositive = `lock.expires must be a positive duration, such as "2h"`

	if payload["lock"] == nil {
		return 0, ""
	}
	lock, ok := payload["lock"].(jsonObject)
	if !ok {
		return 0, notPositive
	}
	if lock["expires"] == nil {
		return 0, ""
	}

	text, _ := lock["expires"].(string)
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil || d <= 0 {
		return 0, notPositive
	}

	return d, ""
}
