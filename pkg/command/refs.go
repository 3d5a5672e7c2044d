package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// settle sets what the route of an intent's task says of it, and refuses one that may not be asked for in its
// place. A person's intent that comes from no place may not be asked for where the route names places:
// otherwise whoever asks for people could leave the place out.
func (s *Service) settle(i *deployment.Intent) error {
	req := deployment.Request{Repository: i.Repository, Environment: i.Environment, Task: i.Task}
	i.Production = s.o.Routes.Production(req)

	places := s.o.Routes.AskPlaces(req)
	isToken := i.Place == "" && i.By.ID == 0
	if places == nil || isToken || slices.Contains(places, i.Place) {
		return nil
	}

	const format = "a deployment of %s to %s may not be asked for here, only in the channels of the routes file " +
		"(ask: %s)"
	return forbidden(fmt.Sprintf(format, i.Repository.FullName(), i.Environment, strings.Join(places, ", ")))
}

// allowed refuses an intent of somebody who may not deploy there, so that they neither learn which refs there
// are nor cost the calls that look for one. It returns whether they are known to be allowed to.
func (s *Service) allowed(ctx context.Context, i deployment.Intent) (bool, error) {
	req := i.Own(deployment.Request{
		Repository:   i.Repository,
		Installation: i.Installation,
		Environment:  i.Environment,
		Task:         i.Task,
	})

	verdict := s.o.Gate.DecideAllow(ctx, deployment.Deployment{Request: req})
	if verdict.Decision == policy.DecisionReject {
		return false, rejected(verdict)
	}
	return verdict.Decision == policy.DecisionAllow, nil
}

// rejected is the error of an order that the rules reject.
func rejected(verdict policy.Verdict) error {
	return &Error{
		Kind:    KindConflict,
		Code:    "rejected",
		Message: verdict.Deciding().Message,
		Verdict: &verdict,
	}
}

// pin sets the commit of an intent, so that a branch that moves from now on changes nothing. Refs that are like
// one which is not there are named only to somebody who is allowed to deploy.
func (s *Service) pin(ctx context.Context, i *deployment.Intent, o DeployOrder, allowed bool) error {
	ref, sha, err := s.o.Refs.ResolveRef(ctx, i.Source(), i.Ref)

	var unknown *deployment.NoRefError
	var hidden *deployment.RefsHiddenError
	switch {
	case errors.As(err, &unknown):
		if !allowed {
			unknown = &deployment.NoRefError{Ref: unknown.Ref}
		}
		return invalid("no_such_ref", fmt.Sprintf("%s has %s", i.Repository.FullName(), unknown.Error()))
	case errors.As(err, &hidden):
		const message = "Seraph may not read the repository's refs: give it the permission contents: read"
		return &Error{Kind: KindUnavailable, Code: "refs_hidden", Message: message}
	case err != nil:
		return unavailable("the ref could not be read at GitHub", err)
	}

	saw := strings.ToLower(strings.TrimSpace(o.SHA))
	if saw != "" && (len(saw) < shortSHA || !strings.HasPrefix(sha, saw)) {
		const format = "%s is at %.7s now, not at %.7s: look at it, and ask again"
		return conflict("ref_moved", fmt.Sprintf(format, i.Ref, sha, saw))
	}

	if ref.Kind == deployment.RefTag || ref.Kind == deployment.RefSHA { // rules tell them from branches
		i.Ref = ref.Full()
	}
	i.SHA = strings.ToLower(sha)
	return nil
}
