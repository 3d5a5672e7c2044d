package control

import (
	"github.com/go-chi/chi/v5"

	"github.com/seraph-deploy/seraph/test/sim/slack/site"
)

// sitePath is where the page of Slack is.
const sitePath = "/chat"

// siteScenarios are what the page offers for the next pipeline of CircleCI.
var siteScenarios = []site.Scenario{
	{Name: "success", About: "succeeds"},
	{Name: "hold-forever", About: "is held until somebody approves"},
	{Name: "approve-then-fail", About: "is held, then fails"},
	{Name: "fail", About: "fails"},
	{Name: "slow-success", About: "succeeds slowly"},
}

// siteProject plays what the page chooses.
const siteProject = "gh/acme/api"

// siteRoutes serves the page of Slack.
func (c *Control) siteRoutes(mux chi.Router) {
	site.New(site.Options{
		Slack:     c.slack,
		Path:      sitePath,
		Scenarios: siteScenarios,
		Expect:    func(scenario string) error { return c.circleci.Expect(siteProject, scenario) },
	}).Routes(mux)
}
