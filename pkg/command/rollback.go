package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// History knows what has been deployed.
type History interface {
	// Successes lists the commits that have succeeded in an environment, each by the newest deployment of each
	// task. The newest deployment comes first.
	Successes(ctx context.Context, repositoryID int64, environmentKey string) ([]deployment.Success, error)
	// Payload reads the payload of a success. policy.ErrMissing: GitHub does not have it any more.
	Payload(ctx context.Context, in deployment.Source, s deployment.Success) (json.RawMessage, error)
}

// RollbackOrder is what somebody asks for: to deploy again what ran in an environment before.
type RollbackOrder struct {
	Repository  string // owner/name
	Environment string
	To          string // GitHub's id of a deployment, or a commit; empty: the success before the current one
	Reason      string // required with Force
	Force       bool   // bypass the rules that can be
	Current     int64  // the deployment that the person saw there; 0: they do not say
	Failed      int64  // a deployment that failed after it, and from which Rollback goes back; 0: none
	Origin
}

// Rollback has the success before the current one deployed again, as a new deployment of its commit with its
// task and payload. The parameters are rendered anew. The rules about what is new hold for a success that was
// rolled back from, or was forced. From a deployment that failed it goes back to what ran before that, which is the
// newest success. It supersedes everything older that waits there, as soon as the rules let it
// go on.
func (s *Service) Rollback(ctx context.Context, c Caller, o RollbackOrder) (Ordered, error) {
	i, err := s.newRollback(c, o)
	if err != nil {
		return Ordered{}, err
	}
	if again, repeated, err := s.repeated(ctx, i); repeated || err != nil {
		return again, err
	}

	if err := s.locate(ctx, &i); err != nil {
		return Ordered{}, err
	}
	if err := s.goBack(ctx, &i, o); err != nil {
		return Ordered{}, err
	}

	return s.order(ctx, c, i)
}

// newRollback checks what can be checked without asking anybody.
func (s *Service) newRollback(c Caller, o RollbackOrder) (deployment.Intent, error) {
	i, err := s.startIntent(c, DeployOrder{
		Repository:  o.Repository,
		Environment: o.Environment,
		Reason:      o.Reason,
		Force:       o.Force,
		Origin:      o.Origin,
	})
	if err != nil {
		return i, err
	}

	i.Cause = deployment.CauseRollback
	i.Wish = wish("rollback", o.Repository, i.Environment, o.To, i.Reason, i.Force, o.Current, o.Failed)
	return i, s.complete(c, &i)
}

// goBack makes an intent one for an earlier success.
func (s *Service) goBack(ctx context.Context, i *deployment.Intent, o RollbackOrder) error {
	successes, err := s.o.History.Successes(ctx, i.Repository.ID, strings.ToLower(i.Environment))
	if err != nil {
		return err
	}

	where := i.Environment + " of " + i.Repository.FullName()
	if len(successes) > 0 && o.Current != 0 && successes[0].DeploymentID != o.Current {
		return conflict("moved", fmt.Sprintf("%s runs in %s now: look at it, and ask again", successes[0], where))
	}

	target, problem := deployment.RollbackFrom(successes, o.Failed, strings.TrimSpace(o.To), s.o.Task)
	if problem != "" {
		return conflict("no_target", where+": "+problem)
	}

	payload, err := s.o.History.Payload(ctx, i.Source(), target)
	if err != nil {
		return unavailable("the payload of "+target.String()+" could not be read", err)
	}
	own, _, ok := deployment.OwnPayload(payload)
	if !ok {
		const format = "the payload of %s is no JSON object, so that it cannot be deployed again by Seraph"
		return invalid("cannot_roll_back", fmt.Sprintf(format, target))
	}

	i.Ref, i.SHA, i.Task, i.Payload, i.BackTo = target.Ref, target.SHA, target.Task, own, target.DeploymentID
	i.Unproven = !target.IsProven()
	if err := s.settle(i); err != nil { // the task may have another route than the usual one
		return err
	}
	return s.checkRollback(*i)
}

// checkRollback refuses a rollback whose pipeline would not build the earlier commit: CircleCI builds
// branches and tags, and those have moved on.
func (s *Service) checkRollback(i deployment.Intent) error {
	d, err := s.preview(i)
	if err != nil {
		return err
	}

	target := d.Target
	carriesSHA := slices.ContainsFunc(target.Parameters, func(p deployment.Parameter) bool {
		return bytes.Contains(bytes.ToLower(p.Value), []byte(i.SHA))
	})
	moves := target.MustBeAtSHA(target.HasRules) || target.ConfigMustBeAtSHA(target.HasRules)
	if target.FixedRef && carriesSHA && !moves {
		return nil
	}

	const format = "the route for %s and %s builds the ref that is asked for, which is not at %.7s any more: " +
		"a rollback needs a fixed branch (circleci.branch) and a parameter with {{ .SHA }}"
	return invalid("cannot_roll_back", fmt.Sprintf(format, i.Repository.FullName(), i.Environment, i.SHA))
}
