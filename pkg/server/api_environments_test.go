package server

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

func TestListEnvironments_Filter(t *testing.T) {
	all := deployment.EnvironmentFilter{Limit: 200, MaxWaiting: 10, Locked: true}
	after := func(f deployment.EnvironmentFilter, id int64, key string) deployment.EnvironmentFilter {
		f.After = deployment.EnvironmentID{RepositoryID: id, Key: key}
		return f
	}

	for _, test := range []struct {
		name  string
		query string
		err   error
		code  int
		want  deployment.EnvironmentFilter
	}{
		{name: "all", code: 200, want: all},
		{
			name:  "of an environment",
			query: "?repository=acme/api&environment=production&limit=1",
			code:  200,
			want: deployment.EnvironmentFilter{
				Repository:  "acme/api",
				Environment: "production",
				Limit:       1,
				MaxWaiting:  10,
				Locked:      true,
			},
		},
		{name: "next page", query: "?cursor=NyBwcmUgdmlldw", code: 200, want: after(all, 7, "pre view")},
		{name: "repository without owner", query: "?repository=api", code: 400},
		{name: "limit too high", query: "?limit=201", code: 400},
		{name: "misspelt", query: "?enviroment=production", code: 400},
		{name: "NUL", query: "?environment=%00", code: 400},
		{name: "cursor of another list", query: "?cursor=MTI", code: 400},
		{name: "cursor with a NUL", query: "?cursor=NyAA", code: 400},
		{name: "cursor that is none", query: "?cursor=!", code: 400},
		{name: "database away", err: errDatabase, code: 503, want: all},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestServer(t)
			s.reader.err = test.err
			got := s.api(t, readToken, http.MethodGet, "/environments"+test.query, "")
			if got.code != test.code {
				t.Errorf("got %d %s, want %d", got.code, got.body, test.code)
			}
			if s.reader.environments != test.want {
				t.Errorf("got filter %+v, want %+v", s.reader.environments, test.want)
			}
		})
	}
}

func TestListEnvironments_Page(t *testing.T) {
	current, active, waiting := testRecord(1, 40).Deployment, testRecord(2, 41).Deployment, testRecord(3, 42).Deployment
	waiting.Request.Environment = "PRODUCTION"

	s := newTestServer(t)
	s.reader.last = deployment.EnvironmentID{RepositoryID: 8, Key: "staging"}
	s.reader.statuses = []deployment.EnvironmentStatus{
		{
			ID:      deployment.EnvironmentID{RepositoryID: 7, Key: "production"},
			Current: &current,
			Active:  &active,
			Waiting: []deployment.Deployment{waiting},
			Queued:  12,
		},
		{ID: s.reader.last, Active: &active},
	}

	got := s.api(t, readToken, http.MethodGet, "/environments", "")
	var page api.EnvironmentList
	if err := json.Unmarshal([]byte(got.body), &page); err != nil || len(page.Environments) != 2 {
		t.Fatalf("got %d %s, want two environments", got.code, got.body)
	}
	if page.NextCursor != encodeEnvironment(s.reader.last) {
		t.Errorf("got cursor %q, want one after %v", page.NextCursor, s.reader.last)
	}

	first, second := page.Environments[0], page.Environments[1]
	if first.Environment != "PRODUCTION" || first.Repository != "acme/api" || first.RepositoryID != 7 {
		t.Errorf("got %s of %s, want PRODUCTION of acme/api, as its newest deployment is named",
			first.Environment, first.Repository)
	}
	if first.Current.ID != 40 || first.Active.ID != 41 || first.Waiting[0].ID != 42 || first.WaitingCount != 12 {
		t.Errorf("got %s, want 40 as current, 41 as active and 42 as the first of 12 that wait", got.body)
	}
	if first.Lock == nil || first.Lock.ID != testLock.ID {
		t.Errorf("got lock %v, want %d", first.Lock, testLock.ID)
	}
	if second.Current != nil || second.Lock != nil || second.Waiting == nil || len(second.Waiting) != 0 {
		t.Errorf("got %s, want nothing current, waiting or locked in the second environment", got.body)
	}
}

// TestListEnvironments_OnlyLocked lists an environment in which nothing was deployed, as its lock names it, and none
// whose lock has ended meanwhile.
func TestListEnvironments_OnlyLocked(t *testing.T) {
	s := newTestServer(t)
	s.reader.statuses = []deployment.EnvironmentStatus{
		{ID: deployment.EnvironmentID{RepositoryID: 7, Key: "gone"}},
		{ID: deployment.EnvironmentID{RepositoryID: 7, Key: "production"}},
	}

	got := s.api(t, readToken, http.MethodGet, "/environments", "")

	var page api.EnvironmentList
	if err := json.Unmarshal([]byte(got.body), &page); err != nil || len(page.Environments) != 1 {
		t.Fatalf("got %d %s, want one environment", got.code, got.body)
	}
	e := page.Environments[0]
	if e.Repository != testLock.Repository || e.Environment != testLock.Environment || e.RepositoryID != 7 {
		t.Errorf("got %s of %s, want it as the lock names it", e.Environment, e.Repository)
	}
	if e.Lock == nil || e.Lock.ID != testLock.ID || e.Current != nil || e.Active != nil || e.WaitingCount != 0 {
		t.Errorf("got %s, want nothing but the lock", got.body)
	}
}

func TestOldestLock(t *testing.T) {
	lock := func(id, repositoryID int64, environment string, taken int64) policy.Lock {
		return policy.Lock{ID: id, RepositoryID: repositoryID, Environment: environment, TakenAt: time.Unix(taken, 0)}
	}

	for _, test := range []struct {
		name  string
		locks []policy.Lock
		want  int64 // 0: none
	}{
		{name: "none"},
		{name: "the environment itself", locks: []policy.Lock{lock(1, 7, "Production", 5)}, want: 1},
		{name: "every environment of the repository", locks: []policy.Lock{lock(1, 7, "", 5)}, want: 1},
		{name: "the environment in every repository", locks: []policy.Lock{lock(1, 0, "PRODUCTION", 5)}, want: 1},
		{name: "everything", locks: []policy.Lock{lock(1, 0, "", 5)}, want: 1},
		{name: "another repository", locks: []policy.Lock{lock(1, 8, "production", 5)}},
		{name: "another environment", locks: []policy.Lock{lock(1, 7, "staging", 5)}},
		{
			name:  "several",
			locks: []policy.Lock{lock(1, 7, "production", 5), lock(2, 0, "", 3), lock(3, 7, "", 4), lock(4, 8, "", 1)},
			want:  2,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got int64
			if l := oldestLock(test.locks, deployment.EnvironmentID{RepositoryID: 7, Key: "production"}); l != nil {
				got = l.ID
			}
			if got != test.want {
				t.Errorf("got lock %d, want %d", got, test.want)
			}
		})
	}
}

func FuzzDecodeEnvironment(f *testing.F) {
	for _, cursor := range []string{"", "NyBwcmUgdmlldw", "MTI", "NyAA", "!"} {
		f.Add(cursor)
	}

	f.Fuzz(func(t *testing.T, cursor string) {
		id, err := decodeEnvironment(cursor)
		if err != nil {
			return
		}

		again, err := decodeEnvironment(encodeEnvironment(id))
		if err != nil || again != id {
			t.Errorf("got %v, %v, want %v again", again, err, id)
		}
	})
}

func TestWhoAmI(t *testing.T) {
	for token, want := range map[string]string{
		readToken:   `{"token":"reader","scope":"read"}`,
		deployToken: `{"token":"deployer","scope":"deploy"}`,
		behalfToken: `{"token":"behalfer","scope":"behalf"}`,
		adminToken:  `{"token":"adminer","scope":"admin"}`,
	} {
		t.Run(want, func(t *testing.T) {
			got := newTestServer(t).api(t, token, http.MethodGet, "/whoami", "")
			if got.code != http.StatusOK || got.body != want {
				t.Errorf("got %d %s, want 200 %s", got.code, got.body, want)
			}
		})
	}

	t.Run("with a query", func(t *testing.T) {
		got := newTestServer(t).api(t, readToken, http.MethodGet, "/whoami?for=alice", "")
		if got.code != http.StatusBadRequest {
			t.Errorf("got %d %s, want 400", got.code, got.body)
		}
	})
}
