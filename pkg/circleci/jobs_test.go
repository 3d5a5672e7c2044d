package circleci

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The jobs of all workflows count, on all pages. One without a number has not begun.
func TestClient_Jobs(t *testing.T) {
	answers := map[string]string{
		"/workflow/w1/job":               `{"items":[{"job_number":7},{"type":"approval"}],"next_page_token":"p2"}`,
		"/workflow/w1/job?page-token=p2": `{"items":[{"job_number":9}],"next_page_token":null}`,
		"/workflow/w2/job":               `{"items":[],"next_page_token":null}`,
		"/workflow/w3/job":               `{"items":[{"job_number":12},{"job_number":null}]}`,
	}
	fails := false
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		for path, body := range answers {
			if strings.HasSuffix(r.URL.RequestURI(), path) {
				if fails {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				_, _ = io.WriteString(w, body)
				return
			}
		}
		onePipeline(w, r)
	})

	got, err := c.Jobs(t.Context(), "p1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{7, 9, 12}, got); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}

	fails = true
	if got, err := c.Jobs(t.Context(), "p1"); err == nil {
		t.Errorf("an outage: got %v, want an error", got)
	}
}
