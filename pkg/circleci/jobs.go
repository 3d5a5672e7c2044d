package circleci

import (
	"context"
	"net/url"
)

// Jobs returns the numbers of the jobs of a pipeline, over all its workflows (OpenAPI "listWorkflowJobs"). A job
// that has not begun has no number yet, and neither has an approval.
func (c *Client) Jobs(ctx context.Context, pipelineID string) (numbers []int64, err error) {
	type job struct {
		Number int64 `json:"job_number"`
	}

	workflows, err := c.workflows(ctx, pipelineID)
	if err != nil {
		return nil, err
	}

	for _, w := range workflows {
		path := "/workflow/" + url.PathEscape(w.ID) + "/job"
		err := readPages(ctx, c, "jobs", path, func(p page[job]) bool {
			for _, j := range p.Items {
				if j.Number > 0 {
					numbers = append(numbers, j.Number)
				}
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}

	return numbers, nil
}
