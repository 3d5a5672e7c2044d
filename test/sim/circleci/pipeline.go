package circleci

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// pipeline is one run of a project's config.
type pipeline struct {
	id       string
	number   int64
	project  *project
	state    string
	errors   []object
	created  time.Time
	updated  time.Time
	branch   string
	tag      string
	revision string
	config   string // commit whose configuration was read; the API does not show it
	params   map[string]any
	login    string
	userID   string
	trigger  string // kind of trigger

	scenario  string
	stages    []stage
	timer     *time.Timer // of the next stage
	held      *workflow   // the workflow that is on hold
	claim     claim
	workflows []*workflow // oldest first
}

// claim is whether a pipeline may deploy.
type claim int

const (
	unclaimed claim = iota
	claiming
	claimed
	refused
)

// workflow is one workflow of a pipeline. An empty status is null in the API.
type workflow struct {
	id                     string
	name                   string
	status                 string
	tag                    string // "setup" on a setup workflow
	created                time.Time
	stopped                time.Time
	canceledBy             string
	number                 int64 // of its job
	jobID                  string
	holds                  []*holdJob
	output                 *Output // of its job's failing step; nil: the usual one
	rerunNumber, maxReruns int     // of automatic reruns
	pipeline               *pipeline
}

// holdJob is an approval job of a workflow.
type holdJob struct {
	id         string
	request    string // by which it is approved
	name       string
	approvedBy string // user id; empty: it waits
}

func (w *workflow) addHolds(names ...string) {
	for _, name := range names {
		w.holds = append(w.holds, &holdJob{id: uuid.NewString(), request: uuid.NewString(), name: name})
	}
}

// terminal lists the final statuses of a workflow.
var terminal = []string{"success", "failed", "error", "canceled", "unauthorized", "not_run"}

func (w *workflow) ended() bool { return slices.Contains(terminal, w.status) }

// newest returns the newest workflow of a name, or nil.
func (p *pipeline) newest(name string) *workflow {
	for _, w := range slices.Backward(p.workflows) {
		if w.name == name {
			return w
		}
	}
	return nil
}

// live lists the workflows that have not ended.
func (p *pipeline) live() []*workflow {
	return slices.DeleteFunc(slices.Clone(p.workflows), (*workflow).ended)
}

// addWorkflow adds a workflow to a pipeline.
func (s *Server) addWorkflow(p *pipeline, name, status string) *workflow {
	w := &workflow{
		id:       uuid.NewString(),
		name:     name,
		created:  s.now(),
		jobID:    uuid.NewString(),
		number:   p.number*100 + int64(len(p.workflows)) + 1,
		pipeline: p,
	}

	if n := len(p.workflows); n > 0 && !w.created.After(p.workflows[n-1].created) {
		w.created = p.workflows[n-1].created.Add(time.Millisecond) // times are distinct, so that the newest is known
	}

	p.workflows = append(p.workflows, w)
	s.workflows[w.id] = w
	s.setStatus(w, status)
	return w
}

// setStatus gives a workflow a status. A workflow that has ended keeps its own.
func (s *Server) setStatus(w *workflow, status string) {
	if w.ended() {
		return
	}

	w.status = status
	w.pipeline.updated = s.now()
	if status == "on_hold" && len(w.holds) == 0 {
		w.addHolds("hold")
	}
	if w.ended() {
		w.stopped = later(s.now(), w.created)
		s.sendCompleted(w)
	}

	s.changed.Broadcast()
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// setState gives a pipeline a state.
func (s *Server) setState(p *pipeline, state string) {
	p.state = state
	p.updated = s.now()
	s.changed.Broadcast()
}

// view is a pipeline as the API shows it. Parameters are not shown, as in CircleCI's own responses.
func (p *pipeline) view() object {
	out := object{
		"id":           p.id,
		"number":       p.number,
		"project_slug": p.project.slug,
		"state":        p.state,
		"errors":       p.errors,
		"created_at":   p.created,
		"updated_at":   p.updated,
		"trigger": object{
			"type":        p.trigger,
			"received_at": p.created,
			"actor": object{
				"login":      p.login,
				"avatar_url": "https://avatars.githubusercontent.com/u/6078720?v=4",
			},
		},
	}

	p.addSource(out)
	return out
}

// addSource adds where the code came from: vcs, or trigger_parameters for a project of the GitHub
// App.
func (p *pipeline) addSource(out object) {
	if !p.project.fromGitHubApp() {
		vcs := object{
			"provider_name":         "GitHub",
			"revision":              p.revision,
			"origin_repository_url": p.project.url(),
			"target_repository_url": p.project.url(),
			"commit":                object{"subject": "Make it so", "body": ""},
		}

		setRef(vcs, p.branch, p.tag)
		out["vcs"] = vcs
		return
	}

	git := object{
		"checkout_sha": p.revision,
		"checkout_url": "https://github.com/acme/" + p.project.part(2),
		"ref":          "refs/heads/" + p.branch,
	}

	if p.tag != "" {
		git["ref"] = "refs/tags/" + p.tag
	}

	setRef(git, p.branch, p.tag)
	out["trigger_parameters"] = object{
		"git":      git,
		"circleci": object{"event_time": p.created, "event_type": "api", "trigger_type": "api", "actor_id": p.userID},
	}
}

func setRef(o object, branch, tag string) {
	if tag != "" {
		o["tag"] = tag
		return
	}
	o["branch"] = branch
}

// view is a workflow as the API shows it.
func (w *workflow) view() object {
	p := w.pipeline
	out := object{
		"id":              w.id,
		"name":            w.name,
		"status":          w.status,
		"created_at":      w.created,
		"stopped_at":      nil,
		"pipeline_id":     p.id,
		"pipeline_number": p.number,
		"project_slug":    p.project.slug,
		"started_by":      p.userID,
	}

	if w.status == "" {
		out["status"] = nil
	}
	if w.ended() {
		out["stopped_at"] = w.stopped
	}

	for name, value := range map[string]string{"tag": w.tag, "canceled_by": w.canceledBy} {
		if value != "" {
			out[name] = value
		}
	}

	if w.maxReruns > 0 {
		out["auto_rerun_number"], out["max_auto_reruns"] = w.rerunNumber, w.maxReruns
	}

	return out
}
