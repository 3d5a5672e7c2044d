package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// detail is what the API says of one deployment.
func (w *world) detail(d github.Deployment) string {
	w.t.Helper()
	code, body := w.get(fmt.Sprint("/api/v1/deployments/", d.ID), apiToken)
	if code != http.StatusOK {
		w.t.Fatalf("%d %s", code, body)
	}
	return body
}

// shown is a deployment as the API shows it.
type shown struct {
	ID           int64
	Repository   string
	RepositoryID int64 `json:"repository_id"`
	Environment  string
	Ref, SHA     string
	Task         string
	Creator      string
	State        string
	Pipeline     *struct {
		Project, ID, URL, Revision string
		Number                     int64
	}
	Parameters []string
	AcceptedAt string `json:"accepted_at"`
	StartedAt  string `json:"started_at"`
	EndedAt    string `json:"ended_at"`
	Timeline   []struct{ At, Event, Detail string }
	Reports    []struct {
		State, Description string
		SentAt             string `json:"sent_at"`
	}
}

// The API shows what happened, newest first, and nothing that may be secret.
func TestAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	first := w.deploy("acme/api", "staging", "success")
	w.ends(first, "success", "")
	second := w.deploy("acme/api", "production", "fail")
	w.ends(second, "failure", "")
	w.stop() // and what GitHub was told is on disk
	w.start()
	var list struct {
		Deployments []shown
		NextCursor  string `json:"next_cursor"`
	}

	_, body := w.get("/api/v1/deployments", apiToken)
	decode(t, []byte(body), &list)
	if len(list.Deployments) != 2 || list.Deployments[0].ID != second.ID || list.Deployments[1].State != "succeeded" ||
		list.NextCursor != "" {
		t.Errorf("the list is %s", body)
	}

	w.shows(first)
	for _, secretive := range []string{"success\"}", w.ci.Pipelines()[0].Parameters["seraph_key"].(string)} {
		if contains(body+w.detail(first), secretive) {
			t.Errorf("the API shows %q", secretive)
		}
	}
}

func (w *world) shows(d github.Deployment) {
	w.t.Helper()
	var got shown
	decode(w.t, []byte(w.detail(d)), &got)
	p := w.pipeline(d)
	if got.ID != d.ID || got.Repository != d.Repository || got.RepositoryID != d.RepositoryID || got.Environment != d.Environment ||
		got.Ref != d.Ref || got.SHA != d.SHA ||
		got.Task != d.Task ||
		got.Creator != d.Creator {
		w.t.Errorf("the API shows %+v of %+v", got, d)
	}

	if got.Pipeline == nil || got.Pipeline.ID != p.ID || got.Pipeline.Number != p.Number ||
		got.Pipeline.Revision != d.SHA ||
		!strings.HasSuffix(got.Pipeline.URL, fmt.Sprint("/pipelines/gh/acme/api/", p.Number)) {
		w.t.Errorf("the API shows the pipeline %+v of %+v", got.Pipeline, p)
	}

	if !slices.IsSorted([]string{got.AcceptedAt, got.StartedAt, got.EndedAt}) || !strings.HasSuffix(got.EndedAt, "Z") {
		w.t.Errorf("times %q %q %q", got.AcceptedAt, got.StartedAt, got.EndedAt)
	}

	names := slices.Sorted(slices.Values(got.Parameters))
	if !slices.Equal(names, []string{"deployment_id", "seraph_key", "sim_scenario"}) {
		w.t.Errorf("parameters %q", names)
	}

	if len(got.Timeline) < 3 || got.Timeline[0].Event == "" || len(got.Reports) != 2 ||
		got.Reports[1].State != "success" ||
		got.Reports[1].SentAt == "" {
		w.t.Errorf("timeline %+v, reports %+v", got.Timeline, got.Reports)
	}
}

// requests are what anybody may ask, with the answer's code.
var requests = map[string]struct {
	path, token string
	code        int
}{
	"alive":                {"/healthz", "", 200},
	"ready":                {"/readyz", "", 200},
	"metrics":              {"/metrics", "", 200},
	"list":                 {"/api/v1/deployments", apiToken, 200},
	"list without token":   {"/api/v1/deployments", "", 401},
	"list with bad token":  {"/api/v1/deployments", strings.Repeat("x", 40), 401},
	"list with bad filter": {"/api/v1/deployments?state=nonsense", apiToken, 400},
	"list with bad limit":  {"/api/v1/deployments?limit=0", apiToken, 400},
	"list of a state": {
		"/api/v1/deployments?state=succeeded&limit=1&repository=acme/api&environment=x",
		apiToken,
		200,
	},
	"unknown deployment": {"/api/v1/deployments/1", apiToken, 404},
	"get without token":  {"/api/v1/deployments/1", "", 401},
	"unknown path":       {"/nothing", "", 404},
	"wrong method":       {"/webhooks/github", "", 405},
}

func TestRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{}).start()
	for name, r := range requests {
		if code, body := w.get(r.path, r.token); code != r.code {
			t.Errorf("%s: %d, want %d: %s", name, code, r.code, body)
		}
	}

	if _, body := w.get("/readyz", ""); strings.TrimSpace(
		body,
	) != `{"status":"ready","checks":{"database":"ok","queue":"ok"}}` {
		t.Errorf("GET /readyz: %s", body)
	}

	if _, body := w.get("/metrics", ""); !contains(body, `seraph_build_info{commit="0123abc"`) {
		t.Errorf("GET /metrics shows no build:\n%s", body)
	}
}
