package slackapp

import (
	"encoding/json"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// secrets are the parts of a request that give rights at Slack. They are stored beside the rest, and erased with it.
type secrets struct {
	TriggerID   string `json:"trigger_id,omitempty"`
	ResponseURL string `json:"response_url,omitempty"`
}

// encodeDelivery writes a request as it is stored.
func encodeDelivery(in slack.Incoming) (deployment.ChatDelivery, error) {
	d := deployment.ChatDelivery{Face: face, Kind: string(in.Kind), ReceivedAt: in.ReceivedAt}

	var err error
	d.Data, err = json.Marshal(in)
	if err != nil {
		return d, fmt.Errorf("encode request of Slack: %w", err)
	}

	d.Secrets, err = json.Marshal(secrets{in.TriggerID.Reveal(), in.ResponseURL.Reveal()})
	return d, err
}

// decodeDelivery reads what encodeDelivery wrote.
func decodeDelivery(d deployment.ChatDelivery) (slack.Incoming, error) {
	var in slack.Incoming
	if err := json.Unmarshal(d.Data, &in); err != nil {
		return in, fmt.Errorf("decode request of Slack: %w", err)
	}

	var s secrets
	if err := json.Unmarshal(d.Secrets, &s); err != nil {
		return in, fmt.Errorf("decode secrets of a request of Slack: %w", err)
	}

	in.TriggerID, in.ResponseURL = slack.Secret(s.TriggerID), slack.Secret(s.ResponseURL)
	return in, nil
}
