package circleci

import (
	"context"
	"net/url"
	"time"
)

// job is a job of a workflow as the API shows it (OpenAPI "Job"). Approval jobs have no number.
type job struct {
	ID              string    `json:"id"`
	Name            string    `json:"name"`
	Type            string    `json:"type"`
	Status          string    `json:"status"`
	ApprovalRequest string    `json:"approval_request_id"`
	Number          int64     `json:"job_number"`
	StoppedAt       time.Time `json:"stopped_at"` // zero: it has not
	ProjectSlug     string    `json:"project_slug"`
}

func workflowPath(id string) string { return "/workflow/" + url.PathEscape(id) }

func (c *Client) jobs(ctx context.Context, workflowID string) (list []job, err error) {
	err = readPages(ctx, c, "jobs", workflowPath(workflowID)+"/job", func(p page[job]) bool {
		list = append(list, p.Items...)
		return true
	})
	return list, err
}

// Jobs returns the numbers of the jobs of a pipeline, over all its workflows (OpenAPI "listWorkflowJobs"). A job
// that has not begun has no number yet, and neither has an approval.
func (c *Client) Jobs(ctx context.Context, pipelineID string) (numbers []int64, err error) {
	workflows, err := c.workflows(ctx, pipelineID)
	if err != nil {
		return nil, err
	}

	for _, w := range workflows {
		jobs, err := c.jobs(ctx, w.ID)
		if err != nil {
			return nil, err
		}

		for _, j := range jobs {
			if j.Number > 0 {
				numbers = append(numbers, j.Number)
			}
		}
	}

	return numbers, nil
}
