package intent

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// shower shows one deployment.
type shower struct {
	shown deployment.Request
	err   error
}

func (s shower) Deployment(_ context.Context, of deployment.Request) (deployment.Request, error) {
	if of.ID != s.shown.ID || of.Repository.Name != "api" {
		return deployment.Request{}, errors.New("asked about another deployment")
	}
	return s.shown, s.err
}

func TestHistory_Payload(t *testing.T) {
	f := newFixture(t)
	f.ask()
	f.step()
	success := deployment.Success{DeploymentID: 41, Delivery: f.rows()[0].Delivery}
	shown := deployment.Request{ID: 41, Payload: json.RawMessage(`{"from":"GitHub"}`)}
	source := deployment.Source{Repository: deployment.Repository{ID: 9, Owner: "acme", Name: "api"}}

	for _, test := range []struct {
		name    string
		success deployment.Success
		err     error
		want    string // empty: an error
	}{
		{name: "stored", success: success, want: string(mustPayload(t, f))},
		{name: "body gone", success: deployment.Success{DeploymentID: 41, Delivery: "gone"}, want: string(shown.Payload)},
		{name: "body gone, GitHub away", success: deployment.Success{DeploymentID: 41}, err: errors.New("503")},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := History{SuccessStore: f.db, GitHub: shower{shown: shown, err: test.err}}
			got, err := h.Payload(t.Context(), source, test.success)
			if (err != nil) != (test.want == "") || err == nil && string(got) != test.want {
				t.Errorf("got %s, %v, want %q", got, err, test.want)
			}
		})
	}
}

// mustPayload is the payload that was sent to GitHub.
func mustPayload(t *testing.T, f *fixture) json.RawMessage {
	t.Helper()
	n, err := f.intent().NewDeployment()
	if err != nil {
		t.Fatal(err)
	}
	return n.Payload
}
