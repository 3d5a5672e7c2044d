package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// environmentText is "repository id/key current active [waiting] queued" of an environment.
func environmentText(s deployment.EnvironmentStatus) string {
	id := func(d *deployment.Deployment) int64 {
		if d == nil {
			return 0
		}
		return d.Request.ID
	}

	return fmt.Sprintf("%d/%s %d %d %v %d",
		s.ID.RepositoryID, s.ID.Key, id(s.Current), id(s.Active), deploymentIDs(s.Waiting), s.Queued)
}

// wantEnvironments checks what is listed, and the environment after which the list goes on.
func wantEnvironments(
	t *testing.T,
	b *testDB,
	f deployment.EnvironmentFilter,
	last deployment.EnvironmentID,
	want ...string,
) {
	t.Helper()
	list, gotLast, err := b.ListEnvironments(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}

	var got []string
	for _, s := range list {
		got = append(got, environmentText(s))
	}
	if !slices.Equal(got, want) || gotLast != last {
		t.Errorf("got\n%s\nand last %v, want\n%s\nand %v",
			strings.Join(got, "\n"), gotLast, strings.Join(want, "\n"), last)
	}
}

func inRepository(id int64, name string) func(*deployment.Deployment) {
	return func(d *deployment.Deployment) {
		d.Request.Repository = deployment.Repository{ID: id, Owner: "acme", Name: name}
	}
}

func testEnvironments(t *testing.T, b *testDB) {
	all := deployment.EnvironmentFilter{Limit: 10, MaxWaiting: 2}
	wantEnvironments(t, b, all, deployment.EnvironmentID{})

	b.acceptEnded(1, "production", "a", deployment.Succeeded)
	b.acceptEnded(2, "Production", "b", deployment.Succeeded)
	b.acceptEnded(3, "production", "c", deployment.Failed)
	b.acceptEnded(4, "production", "d", deployment.Succeeded, asLockTask)
	b.acceptEnded(5, "production", "e", deployment.Waiting, asLockTask)
	b.acceptEnded(6, "production", "g", deployment.Succeeded, func(d *deployment.Deployment) { d.Target.Operation = true })
	for id := range int64(3) {
		b.acceptEnded(12-id, "production", "f", deployment.Waiting)
	}
	active := b.accept(9, "production", "p")
	active.State, active.Due = deployment.Unconfirmed, b.clock()
	b.mustSave(active, deployment.Changes{})

	b.acceptEnded(20, "staging", "a", deployment.Failed)
	b.acceptEnded(30, "staging", "a", deployment.Succeeded, inRepository(8, "web"))
	b.acceptEnded(31, "preview", "a", deployment.Waiting, inRepository(8, "web"))
	b.acceptEnded(40, "locked", "a", deployment.Waiting, inRepository(8, "web"), asLockTask)

	production := "7/production 2 9 [10 11] 3"
	preview, staging := "8/preview 0 0 [31] 1", "8/staging 30 0 [] 0"
	wantEnvironments(t, b, all, deployment.EnvironmentID{}, production, preview, staging)

	for _, c := range []struct {
		name   string
		filter deployment.EnvironmentFilter
		want   []string
	}{
		{name: "repository", filter: deployment.EnvironmentFilter{Repository: "ACME/web"}, want: []string{preview, staging}},
		{name: "environment", filter: deployment.EnvironmentFilter{Environment: "Staging"}, want: []string{staging}},
		{
			name:   "both",
			filter: deployment.EnvironmentFilter{Repository: "acme/api", Environment: "production"},
			want:   []string{production},
		},
		{name: "another repository", filter: deployment.EnvironmentFilter{Repository: "acme/none"}},
		{name: "another environment", filter: deployment.EnvironmentFilter{Environment: "none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.filter.Limit, c.filter.MaxWaiting = 10, 2
			wantEnvironments(t, b, c.filter, deployment.EnvironmentID{}, c.want...)
		})
	}

	page := all
	page.Limit = 2
	second := deployment.EnvironmentID{RepositoryID: 8, Key: "preview"}
	wantEnvironments(t, b, page, second, production, preview)
	page.After = second
	wantEnvironments(t, b, page, deployment.EnvironmentID{}, staging)
}

// The name of an environment is the one that GitHub used last.
func testEnvironmentsNewest(t *testing.T, b *testDB) {
	b.acceptEnded(1, "PRODUCTION", "a", deployment.Succeeded)
	b.acceptEnded(2, "Production", "a", deployment.Waiting)
	list, _, err := b.ListEnvironments(t.Context(), deployment.EnvironmentFilter{Limit: 1, MaxWaiting: 1})
	if err != nil || len(list) != 1 || list[0].Newest().Request.Environment != "Production" {
		t.Errorf("got %v, %v, want one environment named Production", list, err)
	}
}

// A page of environments whose deployments were all pruned does not hide the pages after it.
func testEnvironmentsPruned(t *testing.T, b *testDB) {
	b.acceptEnded(1, "a", "a", deployment.Succeeded)
	b.acceptEnded(2, "b", "a", deployment.Waiting)
	b.mustExec(`INSERT INTO deployed (repository_id, environment_key, deployment_id, sha) VALUES (1, 'gone', 99, 'x')`)

	page := deployment.EnvironmentFilter{Limit: 1, MaxWaiting: 1}
	last := deployment.EnvironmentID{RepositoryID: 1, Key: "gone"}
	wantEnvironments(t, b, page, last)
	page.After = last
	wantEnvironments(t, b, page, deployment.EnvironmentID{RepositoryID: 7, Key: "a"}, "7/a 1 0 [] 0")
}

// A long queue is counted, and not read.
func testEnvironmentsLongQueue(t *testing.T, b *testDB) {
	for id := range int64(300) {
		b.accept(id+1, "production", "")
	}

	began := time.Now()
	wantEnvironments(t, b, deployment.EnvironmentFilter{Limit: 1, MaxWaiting: 2}, deployment.EnvironmentID{},
		"7/production 0 0 [1 2] 300")
	t.Logf("took %s", time.Since(began))
}

// Environments that only a lock names are listed on demand, each once, among the others and with the same filters.
func testEnvironmentsLocked(t *testing.T, b *testDB) {
	web := func(l policy.Lock) policy.Lock {
		l.RepositoryID, l.Repository = 8, "acme/web"
		return l
	}
	b.acceptEnded(1, "production", "a", deployment.Succeeded)
	b.mustTakeLock(b.newLock("Production", 1))
	b.mustTakeLock(b.newLock("Canary", 1))
	b.mustTakeLock(web(b.newLock("staging", 1)))
	b.mustTakeLock(policy.Lock{Environment: "everywhere", Owner: person(1), TakenAt: b.clock()})
	b.mustTakeLock(b.newLock("", 1)) // all environments of the repository
	b.mustReleaseLock(b.mustTakeLock(b.newLock("released", 1)).ID)
	expired := b.newLock("expired", 1)
	expired.ExpiresAt = b.clock()
	b.mustTakeLock(expired)

	all := deployment.EnvironmentFilter{Limit: 10, MaxWaiting: 2}
	production, canary, staging := "7/production 1 0 [] 0", "7/canary 0 0 [] 0", "8/staging 0 0 [] 0"
	wantEnvironments(t, b, all, deployment.EnvironmentID{}, production)

	all.Locked = true
	wantEnvironments(t, b, all, deployment.EnvironmentID{}, canary, production, staging)

	for _, c := range []struct {
		name                    string
		repository, environment string
		want                    []string
	}{
		{name: "repository", repository: "acme/API", want: []string{canary, production}},
		{name: "repository without a deployment", repository: "ACME/web", want: []string{staging}},
		{name: "environment", environment: "CANARY", want: []string{canary}},
		{name: "another repository", repository: "acme/none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := all
			f.Repository, f.Environment = c.repository, c.environment
			wantEnvironments(t, b, f, deployment.EnvironmentID{}, c.want...)
		})
	}

	page := all
	page.Limit = 1
	first := deployment.EnvironmentID{RepositoryID: 7, Key: "canary"}
	wantEnvironments(t, b, page, first, canary)
	page.After, page.Limit = first, 10
	wantEnvironments(t, b, page, deployment.EnvironmentID{}, production, staging)
}
