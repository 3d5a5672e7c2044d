package server

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/seraph-deploy/seraph/pkg/api"
)

// Each body that a command reads has the fields that api/openapi.yaml describes, and no others.
func TestOpenAPI_DescribesEveryRequest(t *testing.T) {
	doc, _ := openAPI(t)
	described := map[string]bool{}
	for _, test := range []struct {
		operation string
		request   any
	}{
		{operation: "deploy", request: api.DeployRequest{}},
		{operation: "runCommand", request: api.CommandRequest{}},
		{operation: "rollback", request: api.RollbackRequest{}},
		{operation: "approve", request: api.ApproveRequest{}},
		{operation: "approveHold", request: api.ApproveHoldRequest{}},
		{operation: "cancel", request: api.CancelRequest{}},
		{operation: "force", request: api.ForceRequest{}},
		{operation: "takeLock", request: api.TakeLockRequest{}},
		{operation: "extendLock", request: api.ExtendLockRequest{}},
		{operation: "handOverLock", request: api.HandOverLockRequest{}},
		{operation: "releaseLock", request: api.ReleaseLockRequest{}},
		{operation: "postReleaseLock", request: api.ReleaseLockRequest{}},
	} {
		described[test.operation] = true
		t.Run(test.operation, func(t *testing.T) {
			schema := requestSchema(t, doc, test.operation)
			want := map[string]string{}
			for name, property := range schema.Properties {
				want[name] = property.Value.Type.Slice()[0]
			}
			if d := diff(want, jsonFields(reflect.TypeOf(test.request))); d != "" {
				t.Errorf("described (-) and read (+) fields differ:\n%s", d)
			}
			if allowed := schema.AdditionalProperties.Has; allowed == nil || *allowed {
				t.Error("the description allows additional properties, which are refused")
			}
		})
	}

	eachAPIOperation(doc, func(_, _ string, op *openapi3.Operation) {
		if op.RequestBody != nil && !described[op.OperationID] {
			t.Errorf("the body of %s is not compared", op.OperationID)
		}
	})
}

// The x-scope of each operation is the least scope that its handler takes.
func TestOpenAPI_DescribesEveryScope(t *testing.T) {
	doc, _ := openAPI(t)
	s := newTestServer(t)
	eachAPIOperation(doc, func(method, path string, op *openapi3.Operation) {
		t.Run(op.OperationID, func(t *testing.T) {
			path := strings.NewReplacer("/api/v1", "", "{id}", "42", "{key}", "key-1").Replace(path)
			reader := s.api(t, readToken, method, path, "{}").code
			deployer := s.api(t, deployToken, method, path, "{}").code

			got := "read"
			if reader == http.StatusForbidden && deployer != http.StatusForbidden {
				got = "deploy"
			}
			if want := op.Extensions["x-scope"]; got != want {
				t.Errorf("got scope %s, want %v", got, want)
			}
		})
	})
}

// eachAPIOperation calls do for each operation below /api/v1.
func eachAPIOperation(doc *openapi3.T, do func(method, path string, op *openapi3.Operation)) {
	paths := doc.Paths.Map()
	var names []string
	for path := range paths {
		if strings.HasPrefix(path, "/api/v1/") {
			names = append(names, path)
		}
	}

	slices.Sort(names)
	for _, path := range names {
		for method, op := range paths[path].Operations() {
			do(method, path, op)
		}
	}
}

func requestSchema(t *testing.T, doc *openapi3.T, operation string) (schema *openapi3.Schema) {
	t.Helper()
	eachAPIOperation(doc, func(_, _ string, op *openapi3.Operation) {
		if op.OperationID == operation {
			schema = op.RequestBody.Value.Content.Get("application/json").Schema.Value
		}
	})
	if schema == nil {
		t.Fatalf("no operation %s is described", operation)
	}
	return schema
}

// jsonFields are the JSON types of a struct's fields by their names, also of embedded structs.
func jsonFields(t reflect.Type) map[string]string {
	fields := map[string]string{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" {
			continue
		}

		switch {
		case f.Type.Kind() == reflect.Bool:
			fields[name] = "boolean"
		case f.Type.Kind() == reflect.Int64:
			fields[name] = "integer"
		case f.Type.Kind() == reflect.Pointer, f.Type == reflect.TypeFor[json.RawMessage]():
			fields[name] = "object"
		default: // text, and a time, which JSON has as text
			fields[name] = "string"
		}
	}
	return fields
}

// Every operation of the API is refused without a token and with one of too small a scope, and answers 404 where the API is
// off.
func TestOpenAPI_DescribesEveryRefusal(t *testing.T) {
	doc, _ := openAPI(t)
	eachAPIOperation(doc, func(method, path string, op *openapi3.Operation) {
		for _, status := range []string{"401", "403", "404"} {
			if op.Responses.Value(status) == nil {
				t.Errorf("%s %s: the description has no answer %s", method, path, status)
			}
		}
	})
}
