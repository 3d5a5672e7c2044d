package server

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// described is the API's description, valid and ready to look requests up in.
func described(tb testing.TB) (*openapi3.T, routers.Router) {
	tb.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../../api/openapi.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		tb.Fatal(err)
	}

	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		tb.Fatal(err)
	}

	return doc, router
}

func TestDescriptionEqualsRoutes(t *testing.T) {
	doc, _ := described(t)
	var want []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			want = append(want, method+" "+path)
		}
	}

	got := newBench(t).server.Routes()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf(
			"served and described differ\nserved:    %s\ndescribed: %s",
			strings.Join(got, ", "),
			strings.Join(want, ", "),
		)
	}
}

func TestDescriptionKnowsEveryState(t *testing.T) {
	doc, _ := described(t)
	var want []any
	for _, s := range deployment.States() {
		want = append(want, string(s))
	}
	if got := doc.Components.Schemas["State"].Value.Enum; !slices.Equal(got, want) {
		t.Errorf("described states %v, want %v", got, want)
	}
}

// described holds every answer of a handler against the description: tests that ask through it
// check it on the way.
type checked struct {
	tb     testing.TB
	next   http.Handler
	router routers.Router
}

func (c checked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	c.next.ServeHTTP(rec, r)
	if route, params, err := c.router.FindRoute(r); err == nil {
		c.check(rec, &openapi3filter.RequestValidationInput{Request: r, Route: route, PathParams: params})
	}

	for name, values := range rec.Header() {
		w.Header()[name] = values
	}

	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

func (c checked) check(rec *httptest.ResponseRecorder, request *openapi3filter.RequestValidationInput) {
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request,
		Status:                 rec.Code,
		Header:                 rec.Header(),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	}

	input.SetBodyBytes(bytes.Clone(rec.Body.Bytes()))
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		c.tb.Errorf("%s %s answered what is not described: %v", request.Request.Method, request.Request.URL.Path, err)
	}
}

// TestDescriptionBites answers what is not described, and expects to hear of it.
func TestDescriptionBites(t *testing.T) {
	_, router := described(t)
	silent := &testing.B{}
	c := checked{
		tb:     silent,
		router: router,
		next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"status":"fine"}`))
		}),
	}

	c.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if !silent.Failed() {
		t.Error("an answer that is not described passed")
	}
}
