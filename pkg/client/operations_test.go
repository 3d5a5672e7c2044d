package client_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/client"
)

// calls has one call of each operation of the API, by its id in api/openapi.yaml.
var calls = map[string]func(context.Context, *client.Client) error{
	"listDeployments": func(ctx context.Context, c *client.Client) error {
		_, err := c.Deployments(ctx, client.ListQuery{
			Repository:  "acme/api",
			Environment: "production",
			State:       "waiting",
			Limit:       5,
			Cursor:      "abc",
		})
		return err
	},
	"getDeployment": func(ctx context.Context, c *client.Client) error {
		_, err := c.Deployment(ctx, 42)
		return err
	},
	"listDeliveries": func(ctx context.Context, c *client.Client) error {
		_, err := c.Deliveries(ctx, "acme/api", "production", 5)
		return err
	},
	"gate": func(ctx context.Context, c *client.Client) error {
		sha := strings.Repeat("a", 40)
		query := url.Values{"repository": {"acme/api"}, "environment": {"production"}, "sha": {sha}}
		_, err := c.Gate(ctx, query)
		return err
	},
	"explain": func(ctx context.Context, c *client.Client) error {
		_, err := c.Explain(ctx, 42)
		return err
	},
	"approve": func(ctx context.Context, c *client.Client) error {
		_, err := c.Approve(ctx, 42, api.ApproveRequest{Comment: "looks good"})
		return err
	},
	"approveHold": func(ctx context.Context, c *client.Client) error {
		_, err := c.ApproveHold(ctx, 42, api.ApproveHoldRequest{Job: "release"})
		return err
	},
	"cancel": func(ctx context.Context, c *client.Client) error {
		_, err := c.Cancel(ctx, 42, api.CancelRequest{Reason: "wrong branch"})
		return err
	},
	"force": func(ctx context.Context, c *client.Client) error {
		_, err := c.Force(ctx, 42, api.ForceRequest{Reason: "the site is down"})
		return err
	},
	"listLocks": func(ctx context.Context, c *client.Client) error {
		_, err := c.Locks(ctx)
		return err
	},
	"takeLock": func(ctx context.Context, c *client.Client) error {
		_, err := c.TakeLock(ctx, api.TakeLockRequest{
			Expiry:      api.Expiry{ExpiresIn: "2h"},
			Repository:  "acme/api",
			Environment: "production",
			Reason:      "migration",
		})
		return err
	},
	"getLock": func(ctx context.Context, c *client.Client) error {
		_, err := c.Lock(ctx, 3)
		return err
	},
	"postReleaseLock": func(ctx context.Context, c *client.Client) error {
		return c.ReleaseLock(ctx, 3, api.ReleaseLockRequest{})
	},
	"extendLock": func(ctx context.Context, c *client.Client) error {
		_, err := c.ExtendLock(ctx, 3, api.ExtendLockRequest{Never: true})
		return err
	},
	"handOverLock": func(ctx context.Context, c *client.Client) error {
		_, err := c.HandOverLock(ctx, 3, api.HandOverLockRequest{To: &api.Person{ID: 1, Login: "bob"}})
		return err
	},
	"listNotices": func(ctx context.Context, c *client.Client) error {
		_, err := c.Notices(ctx, 7)
		return err
	},
	"listEnvironments": func(ctx context.Context, c *client.Client) error {
		_, err := c.Environments(ctx, client.EnvironmentQuery{
			Repository:  "acme/api",
			Environment: "production",
			Limit:       5,
			Cursor:      "abc",
		})
		return err
	},
	"whoAmI": func(ctx context.Context, c *client.Client) error {
		_, err := c.WhoAmI(ctx)
		return err
	},
	"deploy": func(ctx context.Context, c *client.Client) error {
		_, err := c.Deploy(ctx, "key", api.DeployRequest{
			Repository:  "acme/api",
			Ref:         "main",
			Environment: "production",
			Payload:     []byte(`{"hosts":"web-1"}`),
			Reason:      "why",
		})
		return err
	},
	"rollback": func(ctx context.Context, c *client.Client) error {
		_, err := c.Rollback(ctx, "key", api.RollbackRequest{Repository: "acme/api", Environment: "production"})
		return err
	},
	"getRequest": func(ctx context.Context, c *client.Client) error {
		_, err := c.Request(ctx, "key")
		return err
	},
	"runCommand": func(ctx context.Context, c *client.Client) error {
		_, err := c.Command(ctx, api.CommandRequest{Text: "locks", Request: "1"})
		return err
	},
	"streamEvents": func(ctx context.Context, c *client.Client) error {
		query := client.EventQuery{Repository: "acme/api", Environment: "production", Deployment: 42}
		_, err := c.Events(ctx, query, "7")
		return err
	},
}

// otherWays are operations that do the same as one of calls.
var otherWays = map[string]bool{"releaseLock": true} // DELETE, whose body a proxy may drop

// TestClient_CallsEveryOperation compares what the client sends with api/openapi.yaml, and wants a call of
// each operation there.
func TestClient_CallsEveryOperation(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}

	described := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if strings.HasPrefix(path, "/api/v1/") {
				described[operation.OperationID] = true
				if calls[operation.OperationID] == nil && !otherWays[operation.OperationID] {
					t.Errorf("%s %s (%s): the client has no call of it", method, path, operation.OperationID)
				}
			}
		}
	}

	for id, call := range calls {
		t.Run(id, func(t *testing.T) {
			if !described[id] {
				t.Fatal("got no such operation in the description")
			}

			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusTeapot)
				_, _ = io.WriteString(w, checkRequest(r, router, id))
			}))
			defer s.Close()
			u, err := url.Parse(s.URL)
			if err != nil {
				t.Fatal(err)
			}

			err = call(t.Context(), client.New(client.Options{URL: u, Token: "secret"}))
			if err == nil || err.Error() != "Seraph answered 418: as described" {
				t.Errorf("got %v, want a request as described", err)
			}
		})
	}
}

// checkRequest answers what is wrong with a request.
func checkRequest(r *http.Request, router routers.Router, id string) string {
	problem := func(text string) string {
		body, _ := json.Marshal(api.ErrorResponse{Error: api.Error{Code: "c", Message: text}})
		return string(body)
	}

	r.URL.Host, r.URL.Scheme = "", ""
	route, parameters, err := router.FindRoute(r)
	if err != nil {
		return problem(err.Error())
	}
	if route.Operation.OperationID != id {
		return problem("it is " + route.Operation.OperationID)
	}

	err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request:    r,
		PathParams: parameters,
		Route:      route,
		Options:    &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	})
	if err != nil {
		return problem(err.Error())
	}

	return problem("as described")
}
