package app

import (
	"net/url"
	"slices"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// TestCheck_NamesServedWebhooks checks that an offline check names those addresses for webhooks that the service
// answers: without CircleCI's secret or Slack's token theirs answers 404.
func TestCheck_NamesServedWebhooks(t *testing.T) {
	public, err := url.Parse("https://seraph.example.com/base")
	if err != nil {
		t.Fatal(err)
	}

	const github = "webhooks go to https://seraph.example.com/base/webhooks/github (GitHub)"
	for _, c := range []struct {
		name string
		cfg  config.Config
		want string
	}{
		{name: "GitHub's alone", want: github},
		{
			name: "all",
			cfg: config.Config{
				CircleCI: config.CircleCI{WebhookSecrets: config.Secrets{"secret"}},
				Slack:    config.Slack{BotToken: "xoxb-token"},
			},
			want: github + ", https://seraph.example.com/base/webhooks/circleci (CircleCI)" +
				", https://seraph.example.com/base/webhooks/slack (Slack)",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.PublicURL, c.cfg.Routes = public, &route.Table{}
			findings, err := Check(t.Context(), &c.cfg, true)
			if err != nil {
				t.Fatal(err)
			}
			if want := (Finding{Level: Good, Text: c.want}); !slices.Contains(findings, want) {
				t.Errorf("got %v, want %v among them", findings, want)
			}
		})
	}
}
