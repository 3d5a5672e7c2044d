// Package shapes checks requests to GitHub, and the answers of the simulated GitHub, against
// GitHub's own OpenAPI description (npm package @octokit/openapi) and its official webhook samples
// (@octokit/webhooks-examples).
//
// Both are downloaded once with `npm pack` into SERAPH_TEST_NPM or the user's cache directory.
// Where that is impossible, tests that need them are skipped with a message; with CI=true they
// fail.
package shapes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// descriptionFile is the cached file of the reduced description. Raise the last number when paths
// or subset change.
const descriptionFile = "octokit-openapi-23.0.2-cut-11.json"

const samplesFile = "octokit-webhooks-examples-7.6.1.json"

// description is GitHub's OpenAPI description, reduced and indexed.
type description struct {
	doc    *openapi3.T
	router routers.Router
}

// load reads the description once per test process.
var load = sync.OnceValues(func() (*description, error) {
	raw, err := cached(descriptionFile, func(dir string) ([]byte, error) {
		whole, err := openapi.fetch(dir)
		if err != nil {
			return nil, err
		}

		return subset(whole)
	})

	if err != nil {
		return nil, err
	}

	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, fmt.Errorf("read GitHub's OpenAPI description: %w", err)
	}

	doc.Servers = openapi3.Servers{{URL: "/"}, {URL: "/api/v3"}}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("route GitHub's OpenAPI description: %w", err)
	}

	return &description{doc: doc, router: router}, nil
})

// Need skips the test when GitHub's description is not available; with CI=true it fails the test.
func Need(t testing.TB) {
	t.Helper()
	_, err := load()
	requireOrSkip(t, err)
}

// requireOrSkip skips the test on an error, and fails it with CI=true.
func requireOrSkip(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("shapes: %v", err)
	default:
		t.Skipf("shapes: skipped: %v; install npm or set SERAPH_TEST_NPM", err)
	}
}

// Webhook checks the payload of a deployment or deployment_status event against GitHub's schema and
// returns what is wrong.
func Webhook(event string, payload []byte) error {
	d, err := load()
	if err != nil {
		return err
	}

	schema := d.doc.Components.Schemas[webhookSchemas[event]]
	if schema == nil {
		return fmt.Errorf("no schema for event %q", event)
	}

	var body any
	if err := json.Unmarshal(payload, &body); err != nil {
		return err
	}

	return schema.Value.VisitJSON(body, openapi3.MultiErrors(), openapi3.SetSchemaErrorMessageCustomizer(reason))
}

// Examples returns GitHub's official sample payloads by event: deployment, deployment_status, ping,
// status, check_run and workflow_job. It skips or fails the test as Need does.
func Examples(t testing.TB) map[string][]json.RawMessage {
	t.Helper()
	raw, err := cached(samplesFile, samples.fetch)
	requireOrSkip(t, err)
	var events []struct {
		Name     string            `json:"name"`
		Examples []json.RawMessage `json:"examples"`
	}

	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&events); err != nil {
		t.Fatalf("shapes: read the samples: %v", err)
	}

	byEvent := map[string][]json.RawMessage{}
	for _, e := range events {
		if strings.Contains(" deployment deployment_status ping status check_run workflow_job ", " "+e.Name+" ") {
			byEvent[e.Name] = e.Examples
		}
	}

	return byEvent
}
