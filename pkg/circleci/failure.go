package circleci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// API v2 shows no output of steps. FailingStep reads it through API v3, which CircleCI's own command line
// uses, or else through API v1.1, which CircleCI's page "Analyze pipelines during an incident" describes.
// A CircleCI that has neither shows the job alone.

// Bounds of what is read of a step's output, in bytes.
const (
	maxOutput  = 4 << 20  // of a longer one the end is not known
	keptOutput = 64 << 10 // of its end
)

// outputTooLong is shown in place of the end of an output of which not everything was read.
const outputTooLong = "(the output is longer than 4 MiB: see the job in CircleCI)"

// failedStatuses are the statuses of jobs that failed (API v2, "Job status"), the worst first.
var failedStatuses = [][]string{
	{"failed", "timedout", "infrastructure_fail"},
	{"canceled", "terminated-unknown"},
}

// FailingStep returns the step at which a workflow failed, with the end of its output. Of several jobs that
// failed it is the one that stopped first. What cannot be read of the step is left empty. The error says that
// the jobs could not be read. The result has no job if none failed.
func (c *Client) FailingStep(ctx context.Context, w deployment.Workflow) (deployment.StepOutput, error) {
	jobs, err := c.jobs(ctx, w.ID)
	if err != nil {
		return deployment.StepOutput{}, err
	}

	failed, ok := firstFailed(jobs)
	if !ok {
		return deployment.StepOutput{}, nil
	}

	step := c.stepOf(ctx, failed)
	return deployment.StepOutput{Workflow: w.Name, Job: failed.Name, Step: step.name, Output: step.output}, nil
}

// firstFailed returns, of the jobs with the worst status, the one that stopped first; false: none failed.
func firstFailed(jobs []job) (job, bool) {
	for _, statuses := range failedStatuses {
		failed := slices.DeleteFunc(slices.Clone(jobs), func(j job) bool {
			return j.Type == typeApproval || !slices.Contains(statuses, j.Status)
		})
		if len(failed) > 0 {
			return slices.MinFunc(failed, func(a, b job) int { return a.StoppedAt.Compare(b.StoppedAt) }), true
		}
	}

	return job{}, false
}

// step is a step that failed.
type step struct {
	name   string
	output string
}

// stepOf reads a job's failing step by API v3, else by API v1.1. The zero step: neither shows one.
func (c *Client) stepOf(ctx context.Context, j job) step {
	root, ok := strings.CutSuffix(c.base, "/api/v2")
	if !ok {
		return step{}
	}

	if s, err := c.stepByV3(ctx, root, j); err == nil {
		return s
	}
	s, err := c.stepByV1(ctx, root, j)
	if err != nil {
		return step{}
	}

	return s
}

// errNoStep says that a version of the API does not show the failing step.
var errNoStep = errors.New("no failing step shown")

// readEnd returns the last keptOutput bytes of an output, or outputTooLong for one over maxOutput. Where the
// connection breaks off, it returns the end of what was read.
func readEnd(r io.Reader) string {
	limited := &io.LimitedReader{R: r, N: maxOutput + 1}
	var kept []byte
	part := make([]byte, 32<<10)
	for {
		n, err := limited.Read(part)
		kept = append(kept, part[:n]...)
		if len(kept) > 2*keptOutput {
			kept = append(kept[:0], kept[len(kept)-keptOutput:]...)
		}
		if err != nil {
			break
		}
	}

	if limited.N <= 0 {
		return outputTooLong
	}

	return string(kept[max(0, len(kept)-keptOutput):])
}

// stepResult is how a step ended.
type stepResult struct {
	status   string // empty: not known, or it has not run
	exitCode *int
}

// failingStep returns the index of the step at which a job failed: the first that failed, else the first
// with an exit code, else the first that timed out, else the last one that ran. -1: there is none.
func failingStep(steps []stepResult) int {
	for _, failed := range []func(stepResult) bool{
		func(s stepResult) bool { return s.status == "failed" },
		func(s stepResult) bool { return s.exitCode != nil && *s.exitCode != 0 },
		func(s stepResult) bool { return s.status == "timedout" || s.status == "infrastructure_fail" },
	} {
		if i := slices.IndexFunc(steps, failed); i >= 0 {
			return i
		}
	}

	for i, s := range slices.Backward(steps) {
		if s.status != "" && s.status != "not_run" && s.status != "queued" {
			return i
		}
	}

	return -1
}

// getJSON reads a document of another version of the API into out.
func (c *Client) getJSON(ctx context.Context, operation, address string, out any) error {
	resp, err := c.open(ctx, operation, address, http.Header{
		"Authorization": {"Bearer " + c.o.Token},
		"Circle-Token":  {c.o.Token}, // the header that the reference of API v1.1 names
		"Accept":        {"application/json"},
	})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()

	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return &Error{Operation: operation, Status: resp.StatusCode, Err: err}
	}
	if resp.StatusCode != http.StatusOK {
		return c.answerError(operation, response{status: resp.StatusCode, header: resp.Header, body: body})
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(out); err != nil {
		return unusable(operation, err)
	}

	return nil
}

// open begins a read of an address with the given headers and User-Agent, and no others. The caller closes the
// body.
func (c *Client) open(ctx context.Context, operation, address string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(outbound.WithOperation(ctx, operation), http.MethodGet, address, nil)
	if err != nil {
		return nil, stripURL(err)
	}

	req.Header = header
	req.Header.Set("User-Agent", c.o.UserAgent)
	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return nil, stripURL(err)
	}

	return resp, nil
}
