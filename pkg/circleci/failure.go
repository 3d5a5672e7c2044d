package circleci

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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
// failed it is the first one. What cannot be read of the step is left empty; an error says that not even
// the jobs could be read. The result has no job if none failed.
func (c *Client) FailingStep(ctx context.Context, w deployment.Workflow) (deployment.StepOutput, error) {
	jobs, err := c.jobs(ctx, w.ID)
	if err != nil {
		return deployment.StepOutput{}, err
	}

	failed, ok := firstFailed(jobs)
	if !ok {
		return deployment.StepOutput{}, nil
	}

	step, found := c.stepOf(ctx, failed)
	out := deployment.StepOutput{Workflow: w.Name, Job: failed.Name, Step: step.name}
	if found {
		out.Output = step.output
	}

	return out, nil
}

// firstFailed returns the job that failed first.
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

// stepOf reads a job's failing step by API v3, else by API v1.1; false: neither shows one.
func (c *Client) stepOf(ctx context.Context, j job) (step, bool) {
	root, ok := strings.CutSuffix(c.base, "/api/v2")
	if !ok {
		return step{}, false
	}

	if s, err := c.stepByV3(ctx, root, j); err == nil {
		return s, true
	}
	s, err := c.stepByV1(ctx, root, j)

	return s, err == nil
}

var errNoStep = errors.New("no step of the job failed")

// jobV3 is the answer of GET /api/v3/jobs/{id}, as far as it is needed.
type jobV3 struct {
	Data struct {
		Attributes struct {
			Executions []struct {
				Steps []stepV3 `json:"steps"`
			} `json:"parallel_executions"`
		} `json:"attributes"`
	} `json:"data"`
}

type stepV3 struct {
	Number   int    `json:"num"`
	Name     string `json:"name"`
	Outcome  string `json:"outcome"`
	ExitCode *int   `json:"exit_code"`
}

func (s stepV3) result() stepResult { return stepResult{status: s.Outcome, exitCode: s.ExitCode} }

func (c *Client) stepByV3(ctx context.Context, root string, j job) (step, error) {
	self := root + "/api/v3/jobs/" + url.PathEscape(j.ID)
	var shown jobV3
	if err := c.getJSON(ctx, "job v3", self, &shown); err != nil {
		return step{}, err
	}

	var results []stepResult
	var execution, number []int
	var names []string
	for i, e := range shown.Data.Attributes.Executions {
		for _, s := range e.Steps {
			results = append(results, s.result())
			execution, number, names = append(execution, i), append(number, s.Number), append(names, s.Name)
		}
	}

	i := failingStep(results)
	if i < 0 {
		return step{}, errNoStep
	}

	query := "?" + url.Values{
		"filter[execution]": {strconv.Itoa(execution[i])},
		"filter[step_num]":  {strconv.Itoa(number[i])},
	}.Encode()
	found := step{name: names[i]}
	for _, stream := range []string{"/stdout", "/stderr"} {
		text, err := c.outputByV3(ctx, self+stream+query)
		if err == nil && strings.TrimSpace(text) != "" {
			found.output = text
			break
		}
	}

	return found, nil
}

// outputByV3 reads the end of a stream of a step's output.
func (c *Client) outputByV3(ctx context.Context, address string) (string, error) {
	resp, err := c.open(ctx, "step output v3", address, http.Header{
		"Authorization": {"Bearer " + c.o.Token},
		"Accept":        {"text/plain"},
		"Range":         {fmt.Sprintf("bytes=-%d", keptOutput)},
	})
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()

	switch resp.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
		return readEnd(resp.Body), nil
	default:
		return "", &Error{Operation: "step output v3", Status: resp.StatusCode}
	}
}

// readEnd returns the last keptOutput bytes of an output, or outputTooLong for one over maxOutput. What
// was read of one that breaks off counts.
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

// jobV1 is the answer of GET /api/v1.1/project/{vcs}/{org}/{project}/{number}, as far as it is needed.
type jobV1 struct {
	Steps []struct {
		Name    string     `json:"name"`
		Actions []actionV1 `json:"actions"`
	} `json:"steps"`
}

// actionV1 is one run of a step. A step that timed out has neither failed nor an exit code.
type actionV1 struct {
	Name      string `json:"name"`
	Status    string `json:"status"`
	Failed    *bool  `json:"failed"`
	ExitCode  *int   `json:"exit_code"`
	OutputURL string `json:"output_url"`
}

func (a actionV1) result() stepResult {
	r := stepResult{status: a.Status, exitCode: a.ExitCode}
	if a.Failed != nil && *a.Failed {
		r.status = "failed"
	}
	return r
}

func (c *Client) stepByV1(ctx context.Context, root string, j job) (step, error) {
	path, ok := pathV1(j)
	if !ok {
		return step{}, errNoStep
	}

	var shown jobV1
	if err := c.getJSON(ctx, "job v1.1", root+"/api/v1.1"+path, &shown); err != nil {
		return step{}, err
	}

	var results []stepResult
	var actions []actionV1
	for _, s := range shown.Steps {
		for _, a := range s.Actions {
			a.Name = cmp.Or(s.Name, a.Name)
			results, actions = append(results, a.result()), append(actions, a)
		}
	}

	i := failingStep(results)
	if i < 0 {
		return step{}, errNoStep
	}

	found := step{name: actions[i].Name}
	if text, err := c.outputByV1(ctx, root, actions[i].OutputURL); err == nil {
		found.output = text
	}

	return found, nil
}

// pathV1 returns the path of a job in API v1.1, which spells the kinds of repositories out.
func pathV1(j job) (string, bool) {
	parts := strings.SplitN(j.ProjectSlug, "/", 3)
	if len(parts) != 3 || j.Number <= 0 {
		return "", false
	}
	switch parts[0] {
	case "gh":
		parts[0] = "github"
	case "bb":
		parts[0] = "bitbucket"
	}

	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}

	return fmt.Sprintf("/project/%s/%d", strings.Join(parts, "/"), j.Number), true
}

// outputByV1 reads a step's output from its own address, which is signed and lasts some minutes. It is on
// another host, which must not see our token.
func (c *Client) outputByV1(ctx context.Context, root, address string) (string, error) {
	at, err := url.Parse(address)
	secure := err == nil && (at.Scheme == "https" || strings.HasPrefix(root, at.Scheme+"://"))
	if !secure || at.Host == "" || at.User != nil {
		return "", errNoStep
	}

	resp, err := c.open(ctx, "step output", address, http.Header{"Accept": {"application/json"}})
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()

	if resp.StatusCode != http.StatusOK {
		return "", &Error{Operation: "step output", Status: resp.StatusCode}
	}

	body, err := io.ReadAll(io.LimitReader(resp.Body, maxOutput+1))
	if err != nil {
		return "", err
	}
	if len(body) > maxOutput {
		return outputTooLong, nil
	}

	var parts []struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &parts); err != nil {
		return "", err
	}

	var text strings.Builder
	for _, p := range parts {
		text.WriteString(p.Message)
	}

	return readEnd(strings.NewReader(text.String())), nil
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

// open begins a read of an address with nothing but the given headers.
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
