package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/github"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// answers gives one answer after another.
type answers []error

func (a *answers) Identity(context.Context) (github.Identity, error) {
	err := (*a)[0]
	*a = (*a)[1:]
	return github.Identity{AppSlug: "our-seraph"}, err
}

// Some events name the bot of an App, and not the App.
func TestOwnApp_AcceptedByItsBot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, err := route.Parse([]byte("routes: [{repository: acme/api}]"), "routes.yaml", route.Options{})
		if err != nil {
			t.Fatal(err)
		}

		own := &ownApp{
			app:    route.OwnApp{ID: 99},
			github: &answers{errors.New("503"), nil},
			log:    zerolog.Nop(),
		}
		table = table.WithOwnApp(&own.app)
		req := deployment.Request{
			Repository:  deployment.Repository{Owner: "acme", Name: "api"},
			Environment: "production",
			Ref:         "main",
			Task:        "deploy",
			Creator:     deployment.Creator{ID: 8, Login: "our-seraph[bot]", Type: "Bot"},
		}
		if got := table.Admit(req, "k").Ignored; got == "" {
			t.Error("got accepted before the slug is known, want ignored")
		}

		own.learnSlug(t.Context())
		if got := table.Admit(req, "k").Ignored; got != "" {
			t.Errorf("got ignored: %q, want accepted", got)
		}
	})
}
