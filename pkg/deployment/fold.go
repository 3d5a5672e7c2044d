package deployment

import (
	"sort"
	"time"
)

// Fold is what all workflows of a pipeline say together.
type Fold struct {
	Kind     FoldKind
	State    State    // when Kind is FoldEnded
	Reason   string   // for people
	Workflow Workflow // the one that decided, if one did
}

// FoldKind says how far a pipeline is.
type FoldKind string

// The kinds. FoldQuiet: nothing runs, but more may come (an empty list, a setup workflow without
// continuation, an announced rerun).
const (
	FoldActive FoldKind = "active"
	FoldHeld   FoldKind = "held"
	FoldQuiet  FoldKind = "quiet"
	FoldEnded  FoldKind = "ended"
)

// Workflow statuses that end, as CircleCI spells them (API v2 reference, "workflows" states).
// Whatever else it may say is active.
const (
	statusSuccess      = "success"
	statusFailed       = "failed"
	statusError        = "error"
	statusCanceled     = "canceled"
	statusUnauthorized = "unauthorized"
	statusNotRun       = "not_run"
	statusOnHold       = "on_hold"
)

const pipelineErrored = "errored"

// FoldPipeline reads a pipeline: newest workflow per name, setup workflows aside, the worst wins. A
// pipeline's own state never says pass or fail; only "errored" is final.
func FoldPipeline(p Progress) Fold {
	if p.Pipeline.State == pipelineErrored {
		return Fold{
			Kind:   FoldEnded,
			State:  Errored,
			Reason: "CircleCI refused the pipeline: " + firstOf(p.Pipeline.Errors, "no error was given"),
		}
	}

	setup, rest := newestPerName(p.Workflows)
	if len(rest) > 0 {
		return foldWorkflows(rest)
	}
	if len(setup) == 0 {
		return Fold{Kind: FoldQuiet, Reason: "CircleCI ran no workflow"}
	}

	f := foldWorkflows(setup)
	if f.Kind == FoldEnded && (f.State == Succeeded || f.Workflow.ID == "") {
		return Fold{Kind: FoldQuiet, Reason: "the setup workflow was not continued"}
	}

	return f
}

// MayGlance says whether a look may begin with the workflows alone. The pipeline itself was seen
// once; all that it could add is that CircleCI refused it, which can wait until none of them is
// busy.
func (d Deployment) MayGlance() bool {
	follows := d.State == Running || d.State == Held
	return follows && d.Cancel == nil && d.QuietSince.IsZero() && d.Pipeline != nil && d.Pipeline.Number != 0 &&
		d.Pipeline.Revision != ""
}

// Busy says whether a workflow runs or waits for an approval.
func (p Progress) Busy() bool {
	kind := FoldPipeline(p).Kind
	return kind == FoldActive || kind == FoldHeld
}

// Active lists the workflows that have not ended, an approval that waits among them.
func Active(p Progress) []Workflow {
	var active []Workflow
	for _, w := range p.Workflows {
		if !workflowEnded(w.Status) {
			active = append(active, w)
		}
	}
	return active
}

func workflowEnded(status string) bool {
	switch status {
	case statusSuccess, statusFailed, statusError, statusCanceled, statusUnauthorized, statusNotRun:
		return true
	default:
		return false
	}
}

// newestPerName keeps the newest workflow of each name, because a rerun is a new workflow beside
// the old one.
func newestPerName(all []Workflow) (setup, rest []Workflow) {
	type key struct {
		name  string
		setup bool
	}

	newest := map[key]Workflow{}
	for _, w := range all {
		k := key{w.Name, w.Setup}
		if old, ok := newest[k]; !ok || newer(w, old) {
			newest[k] = w
		}
	}

	for k, w := range newest {
		if k.setup {
			setup = append(setup, w)
		} else {
			rest = append(rest, w)
		}
	}

	for _, list := range [][]Workflow{setup, rest} {
		sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	}

	return setup, rest
}

func newer(w, old Workflow) bool {
	if w.CreatedAt.Equal(old.CreatedAt) {
		return w.AutoRerun > old.AutoRerun ||
			w.AutoRerun == old.AutoRerun && workflowEnded(old.Status) && !workflowEnded(w.Status)
	}
	return w.CreatedAt.After(old.CreatedAt)
}

// severity orders the statuses that end, the worst last.
var severity = map[string]int{
	statusNotRun:       0,
	statusSuccess:      1,
	statusCanceled:     2,
	statusUnauthorized: 3,
	statusFailed:       4,
	statusError:        4,
}

func foldWorkflows(list []Workflow) Fold {
	var held, announced *Workflow
	worst := list[0]
	for i, w := range list {
		switch {
		case w.Status == statusOnHold:
			held = &list[i]
		case !workflowEnded(w.Status):
			return Fold{Kind: FoldActive, Workflow: w}
		case w.Status == statusFailed && w.MaxAutoRerun > w.AutoRerun:
			announced = &list[i]
		}

		if severity[w.Status] > severity[worst.Status] || !workflowEnded(worst.Status) {
			worst = w
		}
	}

	if held != nil {
		return Fold{Kind: FoldHeld, Workflow: *held}
	}

	end := endOf(worst)
	if announced != nil {
		end.Kind = FoldQuiet
	}

	return end
}

func endOf(worst Workflow) Fold {
	f := Fold{Kind: FoldEnded, Workflow: worst}
	switch worst.Status {
	case statusFailed, statusError:
		f.State, f.Reason = Failed, "Workflow "+worst.Name+" failed"
	case statusUnauthorized:
		f.State, f.Reason = Errored, "CircleCI did not authorize workflow "+worst.Name+" (restricted context?)"
	case statusCanceled:
		f.State, f.Reason = Canceled, "Canceled in CircleCI: workflow "+worst.Name
	case statusSuccess:
		f.State, f.Reason = Succeeded, "Deployed"
	default:
		f = Fold{Kind: FoldEnded, State: Errored, Reason: "nothing ran: CircleCI ran none of the workflows"}
	}

	return f
}

// quietEnd is what a quiet pipeline comes to when the grace is over.
func quietEnd(f Fold) Fold {
	f.Kind = FoldEnded
	if f.State == "" {
		f.State, f.Reason = Errored, "nothing ran: "+f.Reason
	}
	return f
}

func firstOf(list []string, otherwise string) string {
	if len(list) == 0 {
		return otherwise
	}
	return list[0]
}

// LookSince is how far back a look-up reads CircleCI's lists, in CircleCI's time, whose offset from
// ours is given.
func (d Deployment) LookSince(offset time.Duration) time.Time {
	if len(d.Attempts) == 0 {
		return d.AcceptedAt.Add(offset - WindowLead)
	}
	return d.Attempts[0].Intent.Add(offset - WindowLead)
}
