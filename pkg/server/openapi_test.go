package server

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// openAPI loads and validates api/openapi.yaml.
func openAPI(tb testing.TB) (*openapi3.T, routers.Router) {
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

func TestOpenAPI_DescribesEveryRoute(t *testing.T) {
	doc, _ := openAPI(t)
	var described []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}

	served := newTestServer(t).server.Routes()
	slices.Sort(served)
	slices.Sort(described)
	if d := diff(described, served); d != "" {
		t.Errorf("described (-) and served (+) routes differ:\n%s", d)
	}
}

func TestOpenAPI_DescribesEveryState(t *testing.T) {
	doc, _ := openAPI(t)
	var want []any
	for _, s := range deployment.States() {
		want = append(want, string(s))
	}
	if got := doc.Components.Schemas["State"].Value.Enum; !slices.Equal(got, want) {
		t.Errorf("got states %v, want %v", got, want)
	}
}

// checkedHandler compares every answer of a handler with api/openapi.yaml, so that tests which send
// requests through it check the description on the way.
type checkedHandler struct {
	tb     testing.TB
	next   http.Handler
	router routers.Router
}

func init() { openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.FileBodyDecoder) }

func (h checkedHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	h.next.ServeHTTP(rec, r)
	if route, params, err := h.router.FindRoute(r); err == nil {
		h.check(rec, &openapi3filter.RequestValidationInput{Request: r, Route: route, PathParams: params})
	}

	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

func (h checkedHandler) check(rec *httptest.ResponseRecorder, request *openapi3filter.RequestValidationInput) {
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request,
		Status:                 rec.Code,
		Header:                 rec.Header(),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	}
	input.SetBodyBytes(bytes.Clone(rec.Body.Bytes()))

	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		r := request.Request
		h.tb.Errorf("%s %s: the answer differs from api/openapi.yaml: %v", r.Method, r.URL.Path, err)
	}
}

// checkedHandler must find an answer that is not described, or the other tests check nothing.
func TestCheckedHandler_FindsDifferences(t *testing.T) {
	_, router := openAPI(t)
	silent := &testing.B{}
	h := checkedHandler{
		tb:     silent,
		router: router,
		next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"status":"fine"}`))
		}),
	}

	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if !silent.Failed() {
		t.Error("an answer that is not described passed")
	}
}
