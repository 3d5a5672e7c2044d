package store

import (
	"slices"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// testStartedPipelines checks that the pipelines of a commit are found in all environments, and no
// others.
func testStartedPipelines(t *testing.T, b *testDB) {
	b.acceptEnded(1, "production", "a", deployment.Succeeded)
	b.acceptEnded(2, "staging", "a", deployment.Succeeded)
	b.acceptEnded(3, "production", "b", deployment.Succeeded)
	b.acceptEnded(4, "staging", "a", deployment.Failed) // before it had a pipeline
	b.acceptEnded(5, "staging", "a", deployment.Waiting)

	tests := []struct {
		name       string
		repository int64
		sha        string
		want       []string
	}{
		{name: "two environments", repository: 7, sha: "a", want: []string{"pipeline-1", "pipeline-2"}},
		{name: "one environment", repository: 7, sha: "b", want: []string{"pipeline-3"}},
		{name: "another commit", repository: 7, sha: "c"},
		{name: "another repository", repository: 8, sha: "a"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, err := b.StartedPipelines(t.Context(), tt.repository, tt.sha)
			var got []string
			for _, p := range found {
				got = append(got, p.ID)
			}

			slices.Sort(got)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}
