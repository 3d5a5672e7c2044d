package circleci

import (
	"context"
	"net/http"
	"net/url"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// typeApproval is the type of a job that waits for an approval (API v2, "Get a workflow's jobs").
const typeApproval = "approval"

// HoldJobs lists the approval jobs of a pipeline's workflows that have not ended (API v2, "Get a pipeline's
// workflows" and "Get a workflow's jobs"). A workflow can run and hold at the same time.
func (c *Client) HoldJobs(ctx context.Context, pipelineID string) ([]deployment.HoldJob, error) {
	workflows, err := c.workflows(ctx, pipelineID)
	if err != nil {
		return nil, err
	}

	var holds []deployment.HoldJob
	for _, w := range deployment.ActiveWorkflows(deployment.Progress{Workflows: workflows}) {
		jobs, err := c.jobs(ctx, w.ID)
		if err != nil {
			return nil, err
		}

		for _, j := range jobs {
			if j.Type != typeApproval {
				continue
			}

			request := j.ApprovalRequest
			if request == "" {
				request = j.ID
			}

			holds = append(holds, deployment.HoldJob{
				WorkflowID: w.ID,
				Workflow:   deployment.Readable(w.Name),
				Name:       deployment.Readable(j.Name),
				Request:    request,
				Status:     j.Status,
			})
		}
	}

	return holds, nil
}

// ApproveHold approves a job that waits (API v2, "Approve a job"). It sends one request. CircleCI shows the
// token's user as the approver, and judges restricted contexts of the jobs after it by that user.
func (c *Client) ApproveHold(ctx context.Context, j deployment.HoldJob) deployment.HoldOutcome {
	path := workflowPath(j.WorkflowID) + "/approve/" + url.PathEscape(j.Request)
	r, err := c.send(ctx, "approve", http.MethodPost, path, nil, nil)
	switch {
	case outbound.NotSent(err):
		return deployment.HoldOutcome{Kind: deployment.HoldNotSent, Cause: "CircleCI could not be reached"}
	case err != nil:
		return deployment.HoldOutcome{Kind: deployment.HoldUnknown, Cause: "CircleCI did not answer"}
	}

	// CircleCI answers 202. Another 2xx may be the page of a proxy in between.
	_, own := message(r.body)
	if r.status == http.StatusAccepted || own && r.status/100 == 2 {
		return deployment.HoldOutcome{Kind: deployment.HoldDone}
	}

	return holdOutcome(c.answerError("approve", r))
}

// holdOutcome says what an answer means that does not confirm the approval. A 4xx without CircleCI's own
// message may be a proxy's.
func holdOutcome(e *Error) deployment.HoldOutcome {
	o := deployment.HoldOutcome{Kind: deployment.HoldUnknown, After: e.RetryAfter, Cause: e.Error()}
	switch {
	case e.Status == http.StatusTooManyRequests:
		o.Kind = deployment.HoldNotSent
	case e.Message == "":
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		o.Kind = deployment.HoldDenied
	case e.Status/100 == 4:
		o.Kind = deployment.HoldRefused
	}

	return o
}
