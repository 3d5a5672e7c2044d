package server

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// testRecord is a running deployment with everything that could leak: a payload and parameter
// values.
func testRecord(row, id int64) deployment.Record {
	at := time.Date(2026, 1, 31, 13, 0, 0, 0, time.FixedZone("CET", 3600))
	d := deployment.Deployment{
		Row:        row,
		State:      deployment.Running,
		AcceptedAt: at,
		StartedAt:  at.Add(1500 * time.Millisecond),
		Request: deployment.Request{
			ID:          id,
			Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
			Environment: "Production",
			Ref:         "main",
			SHA:         testSHA,
			Task:        "deploy",
			Creator:     deployment.Creator{Login: "mona"},
			Payload:     []byte(`{"secret":"hunter2"}`),
		},
		Target: deployment.Target{
			Key:        "hunter2",
			Parameters: []deployment.Parameter{{Name: "seraph_key", Value: []byte(`"hunter2"`)}},
		},
		Pipeline: &deployment.Pipeline{ID: "p-1", Number: 12, Slug: "github/acme/api", Revision: testSHA},
	}

	return deployment.Record{
		Deployment: d,
		Timeline:   []deployment.Entry{{At: at, Event: "accepted"}, {At: at, Event: "running", Detail: "by answer"}},
		Reports: []deployment.Report{
			{State: deployment.GitHubQueued, Status: deployment.ReportSuperseded},
			{
				State:       deployment.GitHubInProgress,
				Description: "CircleCI pipeline 12 is running",
				LogURL:      "https://x",
				Status:      deployment.ReportSent,
				SentAt:      at,
			},
			{State: deployment.GitHubSuccess, Status: deployment.ReportPending},
		},
	}
}

// What the API shows of testRecord(2, 42).
const (
	wantDeployment = `"id":42,"repository":"acme/api","repository_id":7,"environment":"Production","ref":"main",` +
		`"sha":"` + testSHA + `","task":"deploy","creator":"mona",` +
		`"requester":{"id":0,"login":"mona","app":"","token":""},"state":"running","reason":"","waits_for":"",` +
		`"forced":null,"pipeline":{"project":"github/acme/api","id":"p-1","number":12,` +
		`"url":"https://ci.example/p-1","revision":"` + testSHA + `"},"parameters":["seraph_key"],` +
		`"accepted_at":"2026-01-31T12:00:00Z","started_at":"2026-01-31T12:00:01.5Z","ended_at":null`
	wantHistory = `"timeline":[{"at":"2026-01-31T12:00:00Z","event":"accepted","detail":""},` +
		`{"at":"2026-01-31T12:00:00Z","event":"running","detail":"by answer"}],"reports":[` +
		`{"state":"in_progress","description":"CircleCI pipeline 12 is running","log_url":"https://x",` +
		`"sent_at":"2026-01-31T12:00:00Z"},{"state":"success","description":"","log_url":"","sent_at":null}],"failure":null`
)

func TestGetDeployment(t *testing.T) {
	s := newTestServer(t)
	waiting := deployment.Record{
		Deployment: deployment.Deployment{
			Row:        1,
			State:      deployment.Waiting,
			AcceptedAt: time.Unix(0, 0),
			Request:    deployment.Request{ID: 41},
		},
	}
	failure := &deployment.Failure{Workflow: "deploy", Job: "ship", Step: "Push", Lines: []string{"denied"}}
	failed, noLines, rerun := testRecord(3, 51), testRecord(4, 52), testRecord(5, 53)
	failed.Deployment.State, failed.Deployment.Failure = deployment.Failed, failure
	noLines.Deployment.State, noLines.Deployment.Failure = deployment.Failed, &deployment.Failure{Job: "ship"}
	rerun.Deployment.State, rerun.Deployment.Failure = deployment.Succeeded, failure
	s.reader.records = []deployment.Record{testRecord(2, 42), waiting, failed, noLines, rerun}

	for _, test := range []struct {
		name string
		path string
		code int
		want string
	}{
		{
			name: "with everything",
			path: "/deployments/42",
			code: 200,
			want: "{" + wantDeployment + "," + wantHistory + "}",
		},
		{name: "without a pipeline", path: "/deployments/41", code: 200, want: `"pipeline":null`},
		{
			name: "with its failing step",
			path: "/deployments/51",
			code: 200,
			want: `"failure":{"workflow":"deploy","job":"ship","step":"Push","lines":["denied"]}`,
		},
		{
			name: "with a failing job alone",
			path: "/deployments/52",
			code: 200,
			want: `"failure":{"workflow":"","job":"ship","step":"","lines":[]}`,
		},
		{name: "succeeded by a rerun", path: "/deployments/53", code: 200, want: `"failure":null`},
		{name: "unknown", path: "/deployments/43", code: 404, want: `"not_found"`},
		{name: "zero", path: "/deployments/0", code: 404, want: `"not_found"`},
		{name: "not a number", path: "/deployments/x", code: 404, want: `"not_found"`},
		{name: "number too large", path: "/deployments/99999999999999999999", code: 404, want: `"not_found"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.api(t, readToken, http.MethodGet, test.path, "")
			if got.code != test.code || !strings.Contains(got.body, test.want) {
				t.Errorf("got %d\n%s, want %d\n%s", got.code, got.body, test.code, test.want)
			}
		})
	}
}

func TestListDeployments_HoldsNoSecret(t *testing.T) {
	s := newTestServer(t)
	s.reader.records = []deployment.Record{testRecord(2, 42)}

	got := s.api(t, readToken, http.MethodGet, "/deployments", "")
	if got.code != 200 || !strings.Contains(got.body, "{"+wantDeployment+"}") {
		t.Errorf("got %d %s, want 200 with %s", got.code, got.body, wantDeployment)
	}
	if strings.Contains(got.body, "hunter2") {
		t.Errorf("the answer shows a secret: %s", got.body)
	}
}

func TestDeploymentReads_DatabaseAway(t *testing.T) {
	s := newTestServer(t)
	s.reader.err = errDatabase
	for _, path := range []string{"/deployments", "/deployments/43"} {
		t.Run(path, func(t *testing.T) {
			got := s.api(t, readToken, http.MethodGet, path, "")
			if got.code != 503 || strings.Contains(got.body, "away") {
				t.Errorf("got %d %s, want 503 without the cause", got.code, got.body)
			}
		})
	}
}

func TestListDeployments_Pages(t *testing.T) {
	for _, test := range []struct {
		name  string
		rows  int64
		pages int
	}{
		{name: "none", rows: 0, pages: 1},
		{name: "last page is not full", rows: 5, pages: 3},
		{name: "last page is full", rows: 4, pages: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestServer(t)
			var want []int64
			for row := test.rows; row > 0; row-- {
				s.reader.records = append(s.reader.records, testRecord(row, 100+row))
				want = append(want, 100+row)
			}

			got, pages := readPages(t, s)
			if d := diff(want, got); d != "" {
				t.Errorf("deployments differ:\n%s", d)
			}
			if pages != test.pages {
				t.Errorf("got %d pages, want %d", pages, test.pages)
			}
		})
	}
}

// readPages reads all pages of two deployments each, and returns the ids.
func readPages(t *testing.T, s *testServer) (ids []int64, pages int) {
	t.Helper()
	for cursor := ""; ; {
		query := url.Values{"limit": {"2"}, "cursor": {cursor}}
		got := s.api(t, readToken, http.MethodGet, "/deployments?"+query.Encode(), "")
		var page api.DeploymentList
		if err := json.Unmarshal([]byte(got.body), &page); err != nil || got.code != 200 {
			t.Fatalf("got %d %s, %v", got.code, got.body, err)
		}

		pages++
		for _, d := range page.Deployments {
			ids = append(ids, d.ID)
		}
		if cursor = page.NextCursor; cursor == "" {
			return ids, pages
		}
	}
}

func TestListDeployments_Filters(t *testing.T) {
	s := newTestServer(t)
	for _, test := range []struct {
		query string
		code  int
		want  deployment.Filter // asks for one more than is shown, to know whether there is another page
	}{
		{query: "", code: 200, want: deployment.Filter{Limit: 51}},
		{
			query: "repository=Acme/API&limit=1",
			code:  200,
			want:  deployment.Filter{Repository: "Acme/API", Limit: 2},
		},
		{query: "environment=eu%2Fprod", code: 200, want: deployment.Filter{Environment: "eu/prod", Limit: 51}},
		{query: "state=held&limit=200", code: 200, want: deployment.Filter{State: deployment.Held, Limit: 201}},
		{query: "cursor=" + encodeCursor(1234), code: 200, want: deployment.Filter{Before: 1234, Limit: 51}},
		{query: "state=done", code: 400},
		{query: "repository=api", code: 400},
		{query: "limit=0", code: 400},
		{query: "limit=201", code: 400},
		{query: "limit=x", code: 400},
		{query: "cursor=1234", code: 400},
		{query: "cursor=" + encodeCursor(-1), code: 400},
		{query: "enviroment=production", code: 400},
		{query: "state=held&state=failed", code: 400},
		{query: "state=%zz", code: 400},
		{query: "environment=a%00b", code: 400},
		{query: "repository=acme/a%00b", code: 400},
		{query: "environment=%ff", code: 400},
	} {
		t.Run(test.query, func(t *testing.T) {
			s.reader.filter = deployment.Filter{}
			got := s.api(t, readToken, http.MethodGet, "/deployments?"+test.query, "")
			if got.code != test.code {
				t.Errorf("got %d %s, want %d", got.code, got.body, test.code)
			}
			if s.reader.filter != test.want {
				t.Errorf("got filter %+v, want %+v", s.reader.filter, test.want)
			}
		})
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{"", "limit=2&cursor=MTIzNA", "state=held", "repository=a/b&environment=%00"} {
		f.Add(s)
	}

	f.Fuzz(func(t *testing.T, query string) {
		got, err := parseFilter(query)
		if err != nil {
			return
		}
		if got.Limit < 1 || got.Limit > maxPage || got.Before < 0 || got.State != "" && !got.State.Valid() {
			t.Errorf("%q became %+v", query, got)
		}
	})
}
