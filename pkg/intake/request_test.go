package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/intake"
)

// A deployment that our own account created for somebody is not run as the account's own when the request is
// not in the database, as after a restore, or does not fit.
func TestAccept_UnknownRequest(t *testing.T) {
	const nonce = "0a0b0c0d0e0f0a0b0c0d0e0f0a0b0c0d"
	ours := deployment.Creator{ID: 40, Login: "seraph-bot", Type: "User"}
	away := errors.New("503")

	for _, test := range []struct {
		name    string
		creator deployment.Creator
		payload string
		known   bool // the request is stored
		down    error
		want    string // the deployment's problem
		err     error
	}{
		{name: "created by us", creator: ours, payload: nonce, want: "ask again"},
		{
			name:    "created by us under a new login",
			creator: deployment.Creator{ID: 40, Login: "renamed", Type: "User"},
			payload: nonce,
			want:    "ask again",
		},
		{name: "the request is for another commit", creator: ours, payload: nonce, known: true, want: "ask again"},
		{name: "copied by somebody", creator: deployment.Creator{ID: 8, Login: "mallory", Type: "User"}, payload: nonce},
		{name: "created by hand with our account", creator: ours},
		{name: "it is not known who we are", creator: ours, payload: nonce, down: away, err: away},
	} {
		t.Run(test.name, func(t *testing.T) {
			in, db := newIntake(t, &testRoutes{environment: "production"})
			in.Maker = func(context.Context) (deployment.Maker, error) {
				return deployment.Maker{ID: ours.ID, Login: ours.Login}, test.down
			}
			req := request(5, "production")
			req.Creator = test.creator
			if test.payload != "" {
				req.Payload = json.RawMessage(`{"seraph":{"nonce":"` + test.payload + `"}}`)
			}
			if test.known {
				_, _, err := db.AddRequest(t.Context(), deployment.Intent{
					Asker:       "api:chat",
					Key:         "1",
					Nonce:       nonce,
					Repository:  req.Repository,
					Environment: req.Environment,
					SHA:         strings.Repeat("ab", 20),
					Task:        req.Task,
					Maker:       deployment.Maker{ID: ours.ID, Login: ours.Login},
					State:       deployment.IntentUnknown,
				})
				if err != nil {
					t.Fatal(err)
				}
			}

			_, err := in.Accept(t.Context(), intake.Delivery{Delivery: delivery("guid", req)}, req)
			if !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}

			records, err := db.Get(t.Context(), req.ID)
			if test.err != nil {
				if err == nil && len(records) > 0 {
					t.Errorf("got the deployment stored, want it to come again")
				}
				return
			}
			if err != nil || len(records) != 1 {
				t.Fatalf("got %d deployments (%v), want 1", len(records), err)
			}

			problem := records[0].Deployment.Problem
			if (problem != "") != (test.want != "") || !strings.Contains(problem, test.want) {
				t.Errorf("got problem %q, want %q in it", problem, test.want)
			}
		})
	}
}
