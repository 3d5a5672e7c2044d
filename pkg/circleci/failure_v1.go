package circleci

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

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

// stepByV1 reads a job's failing step by API v1.1. errNoStep: it shows none.
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
