package app

import (
	"context"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// checkConfigRef warns about a route whose configuration comes from the ref that the requester chooses,
// although the pipeline checks the commit out itself or may run on another one.
func (c *checker) checkConfigRef(r route.Route) {
	const (
		ownConfig = "%s: its parameters use {{ .SHA }}, but its configuration is read from the requester's own ref, " +
			"and says what the pipeline does with the commit: set circleci.branch or circleci.config_ref"
		noted = "%s: it has rules and revision: note, but its configuration is read from the requester's own ref, " +
			"which may move right after the rules were asked: " +
			"set circleci.branch, circleci.config_ref or revision: strict"
	)

	switch {
	case r.FixedConfig:
	case r.CarriesSHA:
		c.found(Warning, ownConfig, r.Name())
	case r.HasRules() && r.Revision == deployment.RevisionNote:
		c.found(Warning, noted, r.Name())
	}
}

// checkRefs checks that refs can be read where a route's deployments would wait for that.
func (c *checker) checkRefs(ctx context.Context, r route.Route, owner, name string) {
	needed := r.HasRules() && (r.Revision == deployment.RevisionStrict || !r.FixedConfig)
	if !needed {
		return
	}

	err := c.clients.github.CheckRefs(ctx, owner, name)
	if err != nil && !c.late(ctx, r.Name()+": refs of "+owner+"/"+name) {
		const format = "%s: it has rules, and its deployments would wait: refs of %s/%s: %v"
		c.found(Wrong, format, r.Name(), owner, name, err)
	}
}
