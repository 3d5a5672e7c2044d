package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/client"
)

// serve starts a service that gives one answer, and returns a client for it and the last request.
func serve(t *testing.T, status int, body string) (*client.Client, *http.Request) {
	t.Helper()
	last := &http.Request{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*last = *r
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)

	u, err := url.Parse(s.URL + "/seraph/")
	if err != nil {
		t.Fatal(err)
	}
	return client.New(client.Options{URL: u, Token: "secret"}), last
}

func TestGate_ReadsVerdict(t *testing.T) {
	c, request := serve(t, 200, `{"decision":"wait","reason":"the freeze to end","opens_at":"2026-01-31T12:00:00Z",
		"forced":false,"rules":[{"rule":"freeze","decision":"wait","code":"frozen","message":"the freeze to end",
		"who":"the operator","opens_at":null,"forced":false}],"new_field":1}`)

	got, err := c.Gate(t.Context(), url.Values{"repository": {"acme/api"}, "sha": {"abc"}})
	if err != nil {
		t.Fatal(err)
	}

	opens := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	want := client.Verdict{
		Decision: "wait",
		Reason:   "the freeze to end",
		OpensAt:  &opens,
		Rules: []api.Rule{{
			Rule:     "freeze",
			Decision: "wait",
			Code:     "frozen",
			Message:  "the freeze to end",
			Who:      "the operator",
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdict differs:\n%s", diff)
	}

	if got, want := request.URL.String(), "/seraph/api/v1/gate?repository=acme%2Fapi&sha=abc"; got != want {
		t.Errorf("got URL %s, want %s", got, want)
	}
	if got, want := request.Header.Get("Authorization"), "Bearer secret"; got != want {
		t.Errorf("got Authorization %q, want %q", got, want)
	}
}

func TestGate_ErrorResponses(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   client.Error
	}{
		{
			name:   "of the service",
			status: 404,
			body:   `{"error":{"code":"not_found","message":"there is no repository acme/x"}}`,
			want:   client.Error{Status: 404, Code: "not_found", Message: "there is no repository acme/x"},
		},
		{
			name:   "page of a proxy",
			status: 502,
			body:   `<html>bad gateway</html>`,
			want:   client.Error{Status: 502, Message: "Bad Gateway"},
		},
		{
			name:   "no body",
			status: 503,
			want:   client.Error{Status: 503, Message: "Service Unavailable"},
		},
		{
			name:   "redirect is not followed",
			status: 302,
			want:   client.Error{Status: 302, Message: "Found"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := serve(t, test.status, test.body)
			_, err := c.Gate(t.Context(), nil)
			var got *client.Error
			if !errors.As(err, &got) || *got != test.want {
				t.Errorf("got %v, want %v", err, &test.want)
			}
		})
	}
}

func TestGate_NotASeraph(t *testing.T) {
	for _, test := range []struct {
		name string
		body string
		want string
	}{
		{name: "other JSON", body: `{"status":"ok"}`, want: "has no decision: check that SERAPH_API_URL"},
		{name: "no JSON", body: `hello`, want: "decode response"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := serve(t, 200, test.body)
			_, err := c.Gate(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}
