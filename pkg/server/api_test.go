package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// record is a deployment with everything that could leak: a payload and parameter values.
func record(row, id int64) deployment.Record {
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
			SHA:         aSHA,
			Task:        "deploy",
			Creator:     deployment.Creator{Login: "mona"},
			Payload:     []byte(`{"secret":"hunter2"}`),
		},
		Target: deployment.Target{
			Key:        "hunter2",
			Parameters: []deployment.Parameter{{Name: "seraph_key", Value: []byte(`"hunter2"`)}},
		},
		Pipeline: &deployment.Pipeline{ID: "p-1", Number: 12, Slug: "github/acme/api", Revision: aSHA},
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

const wantDocument = `"id":42,"repository":"acme/api","repository_id":7,"environment":"Production","ref":"main","sha":"` + aSHA +
	`","task":"deploy","creator":"mona","state":"running","reason":"","waits_for":"","forced":null,"pipeline":{"project":"github/acme/api","id":"p-1","number":12,` +
	`"url":"https://ci.example/p-1","revision":"` + aSHA + `"},"parameters":["seraph_key"],"accepted_at":"2026-01-31T12:00:00Z",` +
	`"started_at":"2026-01-31T12:00:01.5Z","ended_at":null`

func TestAPIShows(t *testing.T) {
	b := newBench(t)
	bare := deployment.Record{
		Deployment: deployment.Deployment{Row: 1, State: deployment.Waiting, AcceptedAt: time.Unix(0, 0)},
	}
	bare.Deployment.Request.ID = 41
	b.world.rows = []deployment.Record{record(2, 42), bare}
	auth := []string{"Authorization", "Bearer " + readToken}

	got := b.ask(t, http.MethodGet, "/api/v1/deployments/42", nil, auth...)
	want := "{" + wantDocument + `,"timeline":[{"at":"2026-01-31T12:00:00Z","event":"accepted","detail":""},` +
		`{"at":"2026-01-31T12:00:00Z","event":"running","detail":"by answer"}],"reports":[` +
		`{"state":"in_progress","description":"CircleCI pipeline 12 is running","log_url":"https://x","sent_at":"2026-01-31T12:00:00Z"},` +
		`{"state":"success","description":"","log_url":"","sent_at":null}]}`

	if got.code != 200 || got.body != want {
		t.Errorf("got %d\n%s, want\n%s", got.code, got.body, want)
	}

	got = b.ask(t, http.MethodGet, "/api/v1/deployments", nil, auth...)
	if got.code != 200 || !strings.Contains(got.body, "{"+wantDocument+"}") || strings.Contains(got.body, "hunter2") {
		t.Errorf("got %d %s", got.code, got.body)
	}

	for path, code := range map[string]int{"/43": 404, "/0": 404, "/x": 404, "/99999999999999999999": 404, "/41": 200} {
		if got := b.ask(t, http.MethodGet, "/api/v1/deployments"+path, nil, auth...); got.code != code {
			t.Errorf("%s: got %d %s", path, got.code, got.body)
		}
	}

	b.world.broken = errBroken
	for _, path := range []string{"", "/43"} {
		if got := b.ask(t, http.MethodGet, "/api/v1/deployments"+path, nil, auth...); got.code != 503 ||
			strings.Contains(got.body, "away") {
			t.Errorf("%q without database: got %d %s", path, got.code, got.body)
		}
	}
}

func TestAPIPages(t *testing.T) {
	b := newBench(t)
	for row := int64(5); row > 0; row-- {
		b.world.rows = append(b.world.rows, record(row, 100+row))
	}

	var ids []int64
	for cursor := ""; ; {
		got := b.ask(
			t,
			http.MethodGet,
			"/api/v1/deployments?limit=2&cursor="+cursor,
			nil,
			"Authorization",
			"Bearer "+readToken,
		)

		var page struct {
			Deployments []struct{ ID int64 }
			NextCursor  string `json:"next_cursor"`
		}

		if err := json.Unmarshal([]byte(got.body), &page); err != nil || got.code != 200 {
			t.Fatalf("got %d %s, %v", got.code, got.body, err)
		}

		for _, d := range page.Deployments {
			ids = append(ids, d.ID)
		}

		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}

	if d := diff([]int64{105, 104, 103, 102, 101}, ids); d != "" {
		t.Error(d)
	}
}

func TestAPIFilters(t *testing.T) {
	b := newBench(t)
	for query, want := range map[string]struct {
		code   int
		filter deployment.Filter
	}{
		"":                             {200, deployment.Filter{Limit: 50}},
		"repository=Acme/API&limit=1":  {200, deployment.Filter{Repository: "Acme/API", Limit: 1}},
		"environment=eu%2Fprod":        {200, deployment.Filter{Environment: "eu/prod", Limit: 50}},
		"state=held&limit=200":         {200, deployment.Filter{State: deployment.Held, Limit: 200}},
		"cursor=" + encodeCursor(1234): {200, deployment.Filter{Before: 1234, Limit: 50}},
		"state=done":                   {400, deployment.Filter{}},
		"repository=api":               {400, deployment.Filter{}},
		"limit=0":                      {400, deployment.Filter{}},
		"limit=201":                    {400, deployment.Filter{}},
		"limit=x":                      {400, deployment.Filter{}},
		"cursor=1234":                  {400, deployment.Filter{}},
		"cursor=" + encodeCursor(-1):   {400, deployment.Filter{}},
		"enviroment=production":        {400, deployment.Filter{}},
		"state=held&state=failed":      {400, deployment.Filter{}},
		"state=%zz":                    {400, deployment.Filter{}},
	} {
		b.world.filter = deployment.Filter{}
		got := b.ask(t, http.MethodGet, "/api/v1/deployments?"+query, nil, "Authorization", "Bearer "+readToken)
		if got.code != want.code || b.world.filter != want.filter {
			t.Errorf("%s: got %d %s, filter %+v", query, got.code, got.body, b.world.filter)
		}
	}
}

func TestAPIAuthorization(t *testing.T) {
	b := newBench(t)
	for header, code := range map[string]int{
		"-":                           401,
		"":                            401,
		"Bearer":                      401,
		"Bearer ":                     401,
		"Bearer " + readToken[1:]:     401,
		"Bearer " + readToken + "x":   401,
		"Basic " + readToken:          401,
		readToken:                     401,
		"Bearer scopeless":            403,
		"Bearer " + readToken:         200,
		"bearer  " + readToken + "  ": 200,
	} {
		for _, path := range []string{"/api/v1/deployments", "/api/v1/nothing"} {
			got := b.ask(t, http.MethodGet, path, nil, "Authorization", header)
			want := code
			if path == "/api/v1/nothing" && code == 200 {
				want = 404
			}
			if got.code != want || (want == 401) != (got.header.Get("WWW-Authenticate") == "Bearer") {
				t.Errorf("%s with %q: got %d %v", path, header, got.code, got.header)
			}
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", "limit=2&cursor=MTIzNA", "state=held", "repository=a/b&environment=%00"} {
		f.Add(s)
	}

	f.Fuzz(func(t *testing.T, query string) {
		got, err := parseFilter(query)
		if err == nil &&
			(got.Limit < 1 || got.Limit > maxPage || got.Before < 0 || got.State != "" && !got.State.Valid()) {
			t.Errorf("%q became %+v", query, got)
		}
	})
}
