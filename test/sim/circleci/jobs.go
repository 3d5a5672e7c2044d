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
	if w.approvalID == "" {
		return []object{build}
	}

	hold := object{
		"id":                  w.approvalID,
		"name":                "hold",
		"type":                "approval",
		"status":              "on_hold",
		"dependencies":        []string{},
		"project_slug":        w.pipeline.project.slug,
		"started_at":          w.created,
		"stopped_at":          nil,
		"approval_request_id": w.approvalID,
	}

	if w.approvedBy != "" {
		hold["status"], hold["approved_by"] = "success", w.approvedBy
	} else if w.ended() {
		hold["status"] = w.status
	}

	build["dependencies"] = []string{w.approvalID}
	if w.status == "on_hold" {
		build["started_at"] = nil
		delete(build, "job_number")
	}

	return []object{hold, build}
}
