package deployment

import "time"

// HoldJob is an approval job of a workflow, as CircleCI shows it.
type HoldJob struct {
	WorkflowID string
	Workflow   string // name
	Name       string
	Request    string // id by which it is approved
	Status     string // in CircleCI's spelling; open set
}

// Waits says whether the job waits for an approval. One whose turn has not come does not.
func (j HoldJob) Waits() bool { return j.Status == statusOnHold }

// Approved says whether somebody has approved the job.
func (j HoldJob) Approved() bool { return j.Status == statusSuccess }

// HoldNames names jobs so that each name means one of them: with their workflow where the name alone does not.
func HoldNames(holds []HoldJob) []string {
	var names []string
	for i, h := range holds {
		name := h.Name
		for k, other := range holds {
			if k != i && other.Name == h.Name {
				name = h.Workflow + "/" + h.Name
			}
		}
		names = append(names, name)
	}
	return names
}

// HoldKind says how an attempt to approve a job went.
type HoldKind string

// The kinds.
const (
	HoldDone    HoldKind = "done"     // CircleCI took the approval
	HoldRefused HoldKind = "refused"  // it did not, such as for a job that no longer waits
	HoldDenied  HoldKind = "denied"   // 401, 403: our token may not approve
	HoldNotSent HoldKind = "not sent" // CircleCI did not get the request, or turned it away unread
	HoldUnknown HoldKind = "unknown"  // no usable answer: it may have taken the approval
)

// HoldOutcome is CircleCI's answer to an approval.
type HoldOutcome struct {
	Kind  HoldKind
	After time.Duration // wait at least this long before the next try; 0: CircleCI did not say
	Cause string        // for people, with CircleCI's words; never a secret
}

// HoldApproval is somebody's approval, through this service, of a job that CircleCI held. CircleCI itself
// shows this service's user as the approver.
type HoldApproval struct {
	At       time.Time `json:"at"`
	By       Actor     `json:"by"`
	Workflow string    `json:"workflow"`
	Job      string    `json:"job"`
}

// approvalSettles is how long CircleCI may still show a workflow on hold after it has taken the approval.
const approvalSettles = 10 * time.Second

// applyHoldAsked notes who is about to approve a job. It is stored before CircleCI is called, together with
// the audit, so that nobody can approve without a trace. No job is approved of a deployment that is being
// canceled.
func applyHoldAsked(t *transition, e HoldAsked) bool {
	if t.Pipeline == nil || t.Cancel != nil {
		return false
	}
	t.note("hold_asked", "%s approves job %s of workflow %s", e.By, e.Job, e.Workflow)
	return true
}

// applyHoldApproved takes that CircleCI accepted an approval, and looks soon whether the workflow goes on.
func applyHoldApproved(t *transition, e HoldApproved) bool {
	if !applyHoldApprovedAfterEnd(t, e) || t.Pipeline == nil {
		return false
	}

	t.StepDue, t.Polls = t.now, 0
	if !e.MoreWait {
		t.ApprovedAt = t.now
		t.reportRunning()
	}

	return true
}

// applyHoldApprovedAfterEnd only records an approval: the pipeline was faster than its record.
func applyHoldApprovedAfterEnd(t *transition, e HoldApproved) bool {
	t.HoldApprovals = append(t.HoldApprovals, HoldApproval{At: t.now, By: e.By, Workflow: e.Workflow, Job: e.Job})
	t.note("hold_approved", "%s approved job %s of workflow %s in CircleCI", e.By, e.Job, e.Workflow)
	return true
}

// approvalSettling says whether CircleCI has taken an approval of the pipeline's last waiting job and may
// not show its effect yet.
func (t *transition) approvalSettling() bool {
	return !t.ApprovedAt.IsZero() && t.now.Sub(t.ApprovedAt) < approvalSettles
}

// addApprover says after a description who approved the newest job in CircleCI through this service.
func (t *transition) addApprover(text string) string {
	if len(t.HoldApprovals) == 0 {
		return text
	}
	by := t.HoldApprovals[len(t.HoldApprovals)-1].By
	return text + ", approved in CircleCI by " + by.String() + " through Seraph"
}
