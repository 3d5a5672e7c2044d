package circleci

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

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

// stepByV3 reads a job's failing step by API v3. errNoStep: it shows none.
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
