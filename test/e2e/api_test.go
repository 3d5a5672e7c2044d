package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// apiDetail returns the API's answer about one deployment.
func (h *harness) apiDetail(d github.Deployment) string {
	h.t.Helper()
	code, body := h.get(fmt.Sprint("/api/v1/deployments/", d.ID), apiToken)
	if code != http.StatusOK {
		h.t.Fatalf("GET deployment %d: got %d %s, want 200", d.ID, code, body)
	}
	return body
}

// apiDeployment is a deployment as the API shows it.
type apiDeployment struct {
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

// TestAPI_ShowsDeployments checks that the API shows what happened, newest first, and no value that may
// be secret.
func TestAPI_ShowsDeployments(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	first := h.deploy("acme/api", "staging", "success")
	h.expectEnd(first, "success", "")
	second := h.deploy("acme/api", "production", "fail")
	h.expectEnd(second, "failure", "")
	h.stop() // now the database has the written statuses
	h.start()

	var list struct {
		Deployments []apiDeployment
		NextCursor  string `json:"next_cursor"`
	}
	_, body := h.get("/api/v1/deployments", apiToken)
	decode(t, []byte(body), &list)
	if len(list.Deployments) != 2 || list.Deployments[0].ID != second.ID ||
		list.Deployments[1].State != "succeeded" || list.NextCursor != "" {
		t.Errorf("list: got %s, want the second and the first deployment, succeeded, and no next page", body)
	}

	h.expectShown(first)
	for _, secretive := range []string{"success\"}", h.ci.Pipelines()[0].Parameters["seraph_key"].(string)} {
		if contains(body+h.apiDetail(first), secretive) {
			t.Errorf("the API shows %q", secretive)
		}
	}
}

// expectShown compares what the API shows of a deployment with what GitHub and CircleCI know.
func (h *harness) expectShown(d github.Deployment) {
	h.t.Helper()
	var got apiDeployment
	decode(h.t, []byte(h.apiDetail(d)), &got)
	p := h.waitPipeline(d)

	if got.ID != d.ID || got.Repository != d.Repository || got.RepositoryID != d.RepositoryID ||
		got.Environment != d.Environment || got.Ref != d.Ref || got.SHA != d.SHA ||
		got.Task != d.Task || got.Creator != d.Creator {
		h.t.Errorf("deployment: got %+v, want %+v", got, d)
	}

	page := fmt.Sprint("/pipelines/gh/acme/api/", p.Number)
	if got.Pipeline == nil || got.Pipeline.ID != p.ID || got.Pipeline.Number != p.Number ||
		got.Pipeline.Revision != d.SHA || !strings.HasSuffix(got.Pipeline.URL, page) {
		h.t.Errorf("pipeline: got %+v, want %+v", got.Pipeline, p)
	}

	if !slices.IsSorted([]string{got.AcceptedAt, got.StartedAt, got.EndedAt}) || !strings.HasSuffix(got.EndedAt, "Z") {
		h.t.Errorf("times: got %q %q %q, want them sorted and in UTC", got.AcceptedAt, got.StartedAt, got.EndedAt)
	}

	names, want := slices.Sorted(slices.Values(got.Parameters)), []string{"deployment_id", "seraph_key", "sim_scenario"}
	if !slices.Equal(names, want) {
		h.t.Errorf("parameters: got %q, want %q", names, want)
	}

	if len(got.Timeline) < 3 || got.Timeline[0].Event == "" {
		h.t.Errorf("timeline: got %+v, want at least 3 events", got.Timeline)
	}
	reports := got.Reports
	if len(reports) > 0 && reports[0].State == "queued" {
		reports = reports[1:] // it had to wait, on a busy machine
	}
	if len(reports) != 2 || reports[1].State != "success" || reports[1].SentAt == "" {
		h.t.Errorf("reports: got %+v, want 2, the second one a success that was sent", reports)
	}
}

// requests are GET requests with the status of the answer.
var requests = map[string]struct {
	path, token string
	code        int
}{
	"alive":                {path: "/healthz", code: 200},
	"ready":                {path: "/readyz", code: 200},
	"metrics":              {path: "/metrics", code: 200},
	"list":                 {path: "/api/v1/deployments", token: apiToken, code: 200},
	"list without token":   {path: "/api/v1/deployments", code: 401},
	"list with bad token":  {path: "/api/v1/deployments", token: strings.Repeat("x", 40), code: 401},
	"list with bad filter": {path: "/api/v1/deployments?state=nonsense", token: apiToken, code: 400},
	"list with bad limit":  {path: "/api/v1/deployments?limit=0", token: apiToken, code: 400},
	"list of a state": {
		path:  "/api/v1/deployments?state=succeeded&limit=1&repository=acme/api&environment=x",
		token: apiToken,
		code:  200,
	},
	"unknown deployment": {path: "/api/v1/deployments/1", token: apiToken, code: 404},
	"get without token":  {path: "/api/v1/deployments/1", code: 401},
	"unknown path":       {path: "/nothing", code: 404},
	"wrong method":       {path: "/webhooks/github", code: 405},
}

func TestAPI_StatusCodes(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{}).start()
	for name, r := range requests {
		t.Run(name, func(t *testing.T) {
			if code, body := h.withT(t).get(r.path, r.token); code != r.code {
				t.Errorf("got %d, want %d: %s", code, r.code, body)
			}
		})
	}

	const ready = `{"status":"ready","checks":{"database":"ok","queue":"ok"}}`
	if _, body := h.get("/readyz", ""); strings.TrimSpace(body) != ready {
		t.Errorf("GET /readyz: got %s, want %s", body, ready)
	}
	if _, body := h.get("/metrics", ""); !contains(body, `seraph_build_info{commit="0123abc"`) {
		t.Errorf("GET /metrics: got no seraph_build_info:\n%s", body)
	}
}
