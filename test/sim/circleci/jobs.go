package circleci

// jobStatus maps a workflow's status to the status of its job, where the two differ.
var jobStatus = map[string]string{
	"":        "not_running",
	"on_hold": "blocked",
	"failing": "failed",
	"error":   "failed",
}

// jobs lists a workflow's jobs: a build job, after an approval job when the workflow has one.
func (w *workflow) jobs() []object {
	status, known := jobStatus[w.status]
	if !known {
		status = w.status
	}

	if w.jobFailed() && w.failingStep().TimedOut {
		status = "timedout"
	}

	build := object{
		"id":           w.jobID,
		"name":         w.name,
		"type":         "build",
		"status":       status,
		"dependencies": []string{},
		"project_slug": w.pipeline.project.slug,
		"job_number":   w.number,
		"started_at":   w.created,
		"stopped_at":   nil,
	}

	if w.ended() {
		build["stopped_at"] = w.stopped
	}
	if len(w.holds) == 0 {
		return []object{build}
	}

	var all []object
	needs := []string{}
	for _, h := range w.holds {
		all = append(all, w.holdView(h))
		needs = append(needs, h.id)
	}

	build["dependencies"] = needs
	if w.status == "on_hold" {
		build["started_at"] = nil
		delete(build, "job_number")
	}

	return append(all, build)
}

// holdView is an approval job as the API shows it. It has no number.
func (w *workflow) holdView(h *holdJob) object {
	view := object{
		"id":                  h.id,
		"name":                h.name,
		"type":                "approval",
		"status":              "on_hold",
		"dependencies":        []string{},
		"project_slug":        w.pipeline.project.slug,
		"started_at":          w.created,
		"stopped_at":          nil,
		"approval_request_id": h.request,
	}

	if h.approvedBy != "" {
		view["status"], view["approved_by"] = "success", h.approvedBy
	} else if w.ended() {
		view["status"] = w.status
	}

	return view
}
