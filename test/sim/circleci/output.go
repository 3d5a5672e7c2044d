package circleci

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Output is the failing step of a job. The zero value is a step that printed nothing.
type Output struct {
	Step     string
	Text     string
	Stderr   bool // Text is on the standard error
	TimedOut bool // it has neither an exit code nor "failed"
}

// usualOutput is that of a job of which no test has said more.
var usualOutput = Output{
	Step: "Deploy",
	Text: "connecting\r\nuploading 1%\ruploading 100%\r\n\x1b[31;1mError:\x1b[0m no space left on device\r\n",
}

// SetOutput says what the failing step of a workflow's job is, and what it printed.
func (s *Server) SetOutput(workflowID string, o Output) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.workflows[workflowID]
	if w == nil {
		return fmt.Errorf("no workflow %q", workflowID)
	}

	w.output = &o
	return nil
}

// failingStep is the output of the step at which a workflow's job has failed.
func (w *workflow) failingStep() Output {
	if w.output != nil {
		return *w.output
	}
	return usualOutput
}

func (w *workflow) jobFailed() bool { return w.status == "failed" || w.status == "failing" }

// byJob finds the workflow whose build job has an id.
func (s *Server) byJob(id string) *workflow {
	for _, w := range s.workflows {
		if w.jobID == id {
			return w
		}
	}
	return nil
}

// failingNumber is the number of the failing step in API v3; the steps before it succeed.
const failingNumber = 102

// getJobV3 shows a job as CircleCI's own command line reads it.
func (s *Server) getJobV3(c *call) *response {
	w := s.byJob(c.param("job"))
	if w == nil || s.options.NoV3 {
		return errorResponse(http.StatusNotFound, "Not found")
	}

	step := func(name string, number int, outcome string, exitCode any) object {
		view := object{"name": name, "type": "test", "num": number, "phase": "ended", "outcome": outcome}
		if exitCode != nil {
			view["exit_code"] = exitCode
		}
		return view
	}
	steps := []object{step("Spin up environment", 0, "succeeded", nil), step("Checkout code", 101, "succeeded", 0)}

	switch o := w.failingStep(); {
	case !w.jobFailed():
		steps = append(steps, step(o.Step, failingNumber, "succeeded", 0))
	case o.TimedOut:
		steps = append(steps, step(o.Step, failingNumber, "timedout", nil))
	default:
		steps = append(steps, step(o.Step, failingNumber, "failed", 1), step("Notify", 103, "not_run", nil))
	}

	return ok(object{"data": object{
		"id":         w.jobID,
		"attributes": object{"name": w.name, "phase": "ended", "parallel_executions": []object{{"steps": steps}}},
		"references": object{"workflow": object{"id": w.id}},
	}})
}

// getOutputV3 shows the output of a step, or its end where a Range asks for that.
func (s *Server) getOutputV3(c *call) *response {
	w := s.byJob(c.param("job"))
	stream, number := c.param("stream"), c.r.URL.Query().Get("filter[step_num]")
	if w == nil || s.options.NoV3 || stream != "stdout" && stream != "stderr" {
		return errorResponse(http.StatusNotFound, "Not found")
	}
	if number != strconv.Itoa(failingNumber) || c.r.URL.Query().Get("filter[execution]") != "0" {
		return &response{status: http.StatusOK, body: ""}
	}

	o, text := w.failingStep(), ""
	if o.Stderr == (stream == "stderr") {
		text = o.Text
	}

	from, ranged := strings.CutPrefix(c.r.Header.Get("Range"), "bytes=-")
	if n, err := strconv.Atoi(from); ranged && err == nil && n < len(text) {
		header := map[string]string{"Content-Range": fmt.Sprintf("bytes %d-%d/%d", len(text)-n, len(text)-1, len(text))}
		return &response{status: http.StatusPartialContent, body: text[len(text)-n:], header: header}
	}

	return &response{status: http.StatusOK, body: text}
}

// getJobV1 shows a job as API v1.1 does, with the address of each step's output.
func (s *Server) getJobV1(c *call) *response {
	number, _ := strconv.ParseInt(c.param("number"), 10, 64)
	vcs := strings.NewReplacer("github", "gh", "bitbucket", "bb").Replace(c.param("vcs"))
	slug := strings.Join([]string{vcs, c.param("org"), c.param("repo")}, "/")

	for _, w := range s.workflows {
		if w.number != number || w.pipeline.project.slug != slug {
			continue
		}

		o := w.failingStep()
		action := object{
			"name":       o.Step,
			"index":      0,
			"step":       failingNumber,
			"status":     "failed",
			"failed":     true,
			"exit_code":  1,
			"has_output": o.Text != "",
		}
		if o.Text != "" {
			action["output_url"] = s.base + outputPath + "/" + w.jobID + "?signature=valid"
		}
		if o.TimedOut {
			action["status"], action["failed"], action["exit_code"] = "timedout", nil, nil
		}
		if !w.jobFailed() {
			action["status"], action["failed"], action["exit_code"] = "success", false, 0
		}

		checkout := object{"name": "Checkout code", "status": "success", "failed": nil, "exit_code": 0, "has_output": false}
		return ok(object{
			"build_num": w.number,
			"steps": []object{
				{"name": "Checkout code", "actions": []object{checkout}},
				{"name": o.Step, "actions": []object{action}},
			},
		})
	}

	return errorResponse(http.StatusNotFound, "Build not found")
}

// getOutput shows a step's output at its own address, on another host than the API. Whoever sends the
// token there gives it away.
func (s *Server) getOutput(c *call) *response {
	if c.r.Header.Get("Circle-Token") != "" || c.r.Header.Get("Authorization") != "" {
		s.reportViolation(c, "the token is sent to the host of outputs")
	}

	w := s.byJob(c.param("job"))
	if w == nil || c.r.URL.Query().Get("signature") != "valid" {
		return errorResponse(http.StatusForbidden, "AccessDenied")
	}

	return ok([]object{{"message": w.failingStep().Text, "type": "out", "time": s.now(), "truncated": false}})
}
