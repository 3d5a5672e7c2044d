package gate

import (
	"context"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// DecideAllow evaluates only whether the requester of a deployment may deploy there, whatever is deployed. It
// needs no commit, and reads no database. What it allows must still be evaluated in full.
func (g *Gate) DecideAllow(ctx context.Context, d deployment.Deployment) policy.Verdict {
	p, ok := g.policyOf(d)
	if !ok {
		return routeGone()
	}

	allow := policy.Policy{WrongRoute: p.WrongRoute, Allow: p.Allow, RollbackAllow: p.RollbackAllow}
	return g.evaluatePeople(ctx, d, request(d), allow)
}
