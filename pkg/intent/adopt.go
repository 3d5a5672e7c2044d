package intent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
	"github.com/seraph-deploy/seraph/pkg/webhook"
)

// foundDeployment is a deployment as GitHub shows it, and the body of the webhook that GitHub would send.
type foundDeployment struct {
	request deployment.Request
	body    []byte
}

// lookUp searches GitHub's list for the deployment of an intent whose call had no usable answer.
func (w *Worker) lookUp(ctx context.Context, i deployment.Intent) error {
	asked := w.Now()
	found, err := w.find(ctx, i)
	if err != nil {
		cause, _ := deployment.PublicCause("GitHub", err)
		w.log(i, zerolog.InfoLevel).Err(err).Msg("deployment not looked up")

		return w.save(ctx, i, func(i deployment.Intent, now time.Time) deployment.Intent {
			return w.Machine.LookupFailed(i, cause, 0, now)
		})
	}
	if len(found) > 0 {
		return w.adoptFound(ctx, i, found)
	}

	return w.save(ctx, i, func(i deployment.Intent, _ time.Time) deployment.Intent {
		return w.Machine.Absent(i, asked) // the list is as of the moment before the question
	})
}

// find lists the deployments at GitHub that an intent asked for, the oldest first. There is more than one
// where a call that counted as without effect took effect late.
func (w *Worker) find(ctx context.Context, i deployment.Intent) ([]foundDeployment, error) {
	items, err := w.GitHub.FindDeployments(ctx, i.Source(), i.SHA, i.Environment)
	if err != nil {
		return nil, err
	}

	var found []foundDeployment
	for _, item := range slices.Backward(items) {
		s, err := parseFound(i, item)
		if err != nil {
			w.log(i, zerolog.WarnLevel).Err(err).Msg("listed deployment skipped")
			continue
		}
		if deployment.PayloadNonce(s.request.Payload) == i.Nonce && i.Matches(s.request) {
			found = append(found, s)
		}
	}

	return found, nil
}

// adoptFound accepts the deployments that a look-up found: the first one as the intent's, and the others to
// be rejected.
func (w *Worker) adoptFound(ctx context.Context, i deployment.Intent, found []foundDeployment) error {
	for _, s := range found {
		if done, err := w.accept(ctx, i, s); done || err != nil {
			return err
		}
	}

	return w.finish(ctx, i, found[0].request.ID)
}

// adoptAnswer accepts the deployment of GitHub's 201.
func (w *Worker) adoptAnswer(ctx context.Context, i deployment.Intent, body json.RawMessage) error {
	s, err := parseFound(i, body)
	if err != nil {
		return err
	}

	if !i.Maker.Made(s.request) { // our own account has got another name
		i.Maker = deployment.Maker{AppID: s.request.App.ID, ID: s.request.Creator.ID, Login: s.request.Creator.Login}
		i, err = w.Store.SaveRequest(ctx, i, deployment.SaveOptions{KeepLease: true})
		if err != nil {
			return err
		}
	}
	if !i.Matches(s.request) {
		return fmt.Errorf("deployment %d is another one than was asked for", s.request.ID)
	}

	if done, err := w.accept(ctx, i, s); done || err != nil {
		return err
	}

	return w.finish(ctx, i, s.request.ID)
}

// accept hands a deployment to the intake, as its webhook would: whichever comes second is a duplicate. Where no
// route matches the deployment any more, it fails the intent and returns done.
func (w *Worker) accept(ctx context.Context, i deployment.Intent, s foundDeployment) (done bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()

	result, err := w.Intake.Accept(ctx, intake.Delivery{Delivery: deployment.Delivery{
		GUID:         fmt.Sprintf("request:%s:%d", i.Nonce, s.request.ID),
		Event:        "deployment",
		Source:       deployment.SourceRequest,
		RepositoryID: s.request.Repository.ID,
		DeploymentID: s.request.ID,
		ReceivedAt:   w.Now(),
		Body:         s.body,
	}}, s.request)
	if err != nil || result.Outcome != intake.Ignored {
		return false, err
	}

	return true, w.save(ctx, i, func(i deployment.Intent, now time.Time) deployment.Intent {
		return w.Machine.Fail(i, fmt.Sprintf("GitHub has created #%d, but %s", s.request.ID, result.Reason), now)
	})
}

// finish ends the step with an intent whose deployment was accepted.
func (w *Worker) finish(ctx context.Context, i deployment.Intent, id int64) error {
	now, err := w.Store.Request(context.WithoutCancel(ctx), i.Row)
	if err != nil {
		return err
	}
	if !now.State.Open() {
		w.log(now, zerolog.InfoLevel).Int64("deployment", now.DeploymentID).Msg("deployment created")
		return w.Store.UnleaseRequest(ctx, i.Row)
	}

	// It had come in before as somebody else's, because the account had another name then.
	return w.save(ctx, now, func(i deployment.Intent, at time.Time) deployment.Intent {
		return w.Machine.Fail(i, fmt.Sprintf("deployment #%d was created, but GitHub names another creator", id), at)
	})
}

// parseFound reads a deployment object as the event that GitHub makes of it.
func parseFound(i deployment.Intent, object json.RawMessage) (foundDeployment, error) {
	type repository struct {
		ID       int64  `json:"id"`
		FullName string `json:"full_name"`
	}
	type installation struct {
		ID int64 `json:"id"`
	}
	event := struct {
		Action       string          `json:"action"`
		Deployment   json.RawMessage `json:"deployment"`
		Repository   repository      `json:"repository"`
		Installation *installation   `json:"installation,omitempty"`
	}{
		Action:     "created",
		Deployment: object,
		Repository: repository{ID: i.Repository.ID, FullName: i.Repository.FullName()},
	}
	if i.Installation != 0 {
		event.Installation = &installation{ID: i.Installation}
	}

	body, err := json.Marshal(event)
	if err != nil {
		return foundDeployment{}, errors.New("GitHub's deployment is no JSON")
	}

	request, _, err := webhook.ParseDeployment(body)
	request.ReadAtGitHub = true
	return foundDeployment{request: request, body: body}, err
}
