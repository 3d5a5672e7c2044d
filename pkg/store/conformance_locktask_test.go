package store

import (
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// testOlderLockTask: an older task that locks or unlocks is found by the repository's id, behind any number
// of deployments.
func testOlderLockTask(t *testing.T, b *testDB) {
	older := func(environment string, id, want int64) {
		t.Helper()
		got, err := b.OlderLockTask(t.Context(), 7, environment, id)
		if err != nil || got != want {
			t.Errorf("before %d in %s: got %d, %v, want %d", id, environment, got, err, want)
		}
	}

	b.acceptEnded(1, "production", "a", deployment.Waiting, asLockTask, func(d *deployment.Deployment) {
		d.Request.Repository.Name = "before-it-was-renamed"
	})
	for id := range int64(201) {
		b.acceptEnded(2+id, "production", "a", deployment.Waiting)
	}
	b.acceptEnded(500, "production", "a", deployment.Waiting, asLockTask)

	older("production", 500, 1)
	older("production", 1, 0)
	older("staging", 500, 0)

	first, err := b.ByKey(t.Context(), "key-1")
	if err != nil {
		t.Fatal(err)
	}

	b.mustSave(ended(first, deployment.Succeeded), deployment.Changes{})
	older("production", 500, 0)
	older("production", 501, 500)
}
