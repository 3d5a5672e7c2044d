package deployment

import (
	"cmp"
	"slices"
)

// Fold is what the workflows of a pipeline amount to together.
type Fold struct {
	Kind     FoldKind
	State    State    // with FoldEnded, and with FoldQuiet where an automatic rerun was announced
	Reason   string   // for people
	Workflow Workflow // the one that decided; zero: none did
}

// FoldKind says how far a pipeline is.
type FoldKind string

// The kinds.
const (
	FoldActive FoldKind = "active" // a workflow runs, or will by itself
	FoldHeld   FoldKind = "held"   // none runs, and one waits for an approval
	FoldQuiet  FoldKind = "quiet"  // none runs, but more may come: no workflow yet, a continuation, an automatic rerun
	FoldEnded  FoldKind = "ended"  // all have ended
)

// Workflow statuses, as CircleCI spells them (API v2 reference, states of workflows). All but on_hold
// are ends. Every status that is not listed is active.
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

// FoldPipeline says how far a pipeline is, or how it ended. Only the newest workflow of each name
// counts, setup workflows count where there are no others, and the worst end wins. The state of the
// pipeline itself never says that it succeeded or failed; "errored" says that CircleCI could not
// make workflows of its configuration.
func FoldPipeline(p Progress) Fold {
	if p.Pipeline.State == pipelineErrored {
		reason := "no error was given"
		if i := slices.IndexFunc(p.Pipeline.Errors, func(e string) bool { return Readable(e) != "" }); i >= 0 {
			reason = p.Pipeline.Errors[i]
		}

		return Fold{Kind: FoldEnded, State: Errored, Reason: "CircleCI refused the pipeline: " + reason}
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

// MayPollWorkflows says whether a poll may read the workflows alone, which costs half. The pipeline itself
// must have been read once. All that it could add later is that CircleCI refused it, which can wait
// until no workflow is busy.
func (d Deployment) MayPollWorkflows() bool {
	if d.State != Running && d.State != Held || d.Cancel != nil || !d.QuietSince.IsZero() {
		return false
	}
	return d.Pipeline != nil && d.Pipeline.Number != 0 && d.Pipeline.Revision != ""
}

// Busy says whether a workflow runs or waits for an approval.
func (p Progress) Busy() bool {
	kind := FoldPipeline(p).Kind
	return kind == FoldActive || kind == FoldHeld
}

// ActiveWorkflows returns the workflows that have not ended, those that wait for an approval included.
func ActiveWorkflows(p Progress) []Workflow {
	return slices.DeleteFunc(slices.Clone(p.Workflows), func(w Workflow) bool { return workflowEnded(w.Status) })
}

func workflowEnded(status string) bool {
	_, ended := severity[status]
	return ended
}

// newestPerName returns the newest workflow of each name, setup workflows apart. A rerun is a new
// workflow beside the old one.
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

	byName := func(a, b Workflow) int { return cmp.Compare(a.Name, b.Name) }
	slices.SortFunc(setup, byName)
	slices.SortFunc(rest, byName)
	return setup, rest
}

// newer says whether w is newer than another workflow of its name. Of two that were created at the
// same time the later automatic rerun is, and then the one that has not ended.
func newer(w, old Workflow) bool {
	if !w.CreatedAt.Equal(old.CreatedAt) {
		return w.CreatedAt.After(old.CreatedAt)
	}
	if w.AutoRerun != old.AutoRerun {
		return w.AutoRerun > old.AutoRerun
	}
	return workflowEnded(old.Status) && !workflowEnded(w.Status)
}

// severity orders the statuses that are ends; the highest is the worst.
var severity = map[string]int{
	statusNotRun:       0,
	statusSuccess:      1,
	statusCanceled:     2,
	statusUnauthorized: 3,
	statusFailed:       4,
	statusError:        4,
}

// foldWorkflows folds at least one workflow. One that is active decides; else one that is held; else
// the worst. A failed one that CircleCI will rerun by itself makes the end quiet.
func foldWorkflows(list []Workflow) Fold {
	var held, rerunAnnounced *Workflow
	worst := list[0]
	for i, w := range list {
		switch {
		case w.Status == statusOnHold:
			held = &list[i]
		case !workflowEnded(w.Status):
			return Fold{Kind: FoldActive, Workflow: w}
		case w.Status == statusFailed && w.MaxAutoRerun > w.AutoRerun:
			rerunAnnounced = &list[i]
		}

		if severity[w.Status] > severity[worst.Status] || !workflowEnded(worst.Status) {
			worst = w
		}
	}

	if held != nil {
		return Fold{Kind: FoldHeld, Workflow: *held}
	}

	end := endOfWorkflow(worst)
	if rerunAnnounced != nil {
		end.Kind = FoldQuiet
	}

	return end
}

// endOfWorkflow returns what a pipeline comes to whose worst workflow is the given one.
func endOfWorkflow(worst Workflow) Fold {
	end := func(s State, reason string) Fold {
		return Fold{Kind: FoldEnded, State: s, Reason: reason, Workflow: worst}
	}

	switch worst.Status {
	case statusFailed, statusError:
		return end(Failed, "Workflow "+worst.Name+" failed")
	case statusUnauthorized:
		return end(Errored, "CircleCI did not authorize workflow "+worst.Name+" (restricted context?)")
	case statusCanceled:
		return end(Canceled, "Canceled in CircleCI: workflow "+worst.Name)
	case statusSuccess:
		return end(Succeeded, "Deployed")
	default:
		return Fold{Kind: FoldEnded, State: Errored, Reason: "nothing ran: CircleCI ran none of the workflows"}
	}
}

// quietEnd returns what a quiet pipeline comes to when the grace is over.
func quietEnd(f Fold) Fold {
	f.Kind = FoldEnded
	if f.State == "" {
		f.State, f.Reason = Errored, "nothing ran: "+f.Reason
	}
	return f
}
