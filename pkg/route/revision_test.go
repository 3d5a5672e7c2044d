package route

import (
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// auto lets a pipeline run on another commit only where it gets the commit, and the requester cannot
// change what it does with it.
func TestAdmit_RevisionAuto(t *testing.T) {
	const withSHA = `, parameters: {sha: "{{ .SHA }}"}`

	for _, c := range []struct {
		name  string
		route string
		want  deployment.Revision
	}{
		{name: "no parameter", route: "", want: deployment.RevisionStrict},
		{name: "requester's ref", route: withSHA, want: deployment.RevisionStrict},
		{name: "fixed branch", route: ", circleci: {branch: main}" + withSHA, want: deployment.RevisionNote},
		{name: "fixed branch, no parameter", route: ", circleci: {branch: main}", want: deployment.RevisionStrict},
		{
			name:  "ref from the payload",
			route: `, circleci: {ref: "{{ .Payload.branch }}"}` + withSHA,
			want:  deployment.RevisionStrict,
		},
		{
			name:  "fixed configuration",
			route: ", circleci: {project: circleci/o/p, definition: d, config_ref: main}" + withSHA,
			want:  deployment.RevisionNote,
		},
		{
			name:  "fixed ref, configuration of the requester",
			route: `, circleci: {project: circleci/o/p, definition: d, ref: main, config_ref: "{{ .Ref }}"}` + withSHA,
			want:  deployment.RevisionStrict,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := admit(t, "routes: [{repository: acme/api"+c.route+"}]", ofRef("main")).Target.Revision
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// What CircleCI cannot build ends at once, with words.
func TestAdmit_RefsThatCannotBeBuilt(t *testing.T) {
	for _, c := range []struct {
		name string
		ref  string
		want string
	}{
		{
			name: "short commit",
			ref:  sha[:8],
			want: "the ref is a commit, which CircleCI cannot build: set circleci.ref on the route",
		},
		{
			name: "notes",
			ref:  "refs/notes/commits",
			want: "CircleCI builds branches and tags, and the ref is neither: set circleci.ref on the route",
		},
		{name: "pull request", ref: "refs/pull/1/merge", want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := admit(t, "routes: [{repository: acme/api}]", ofRef(c.ref)).Problem; got != c.want {
				t.Errorf("got problem %q, want %q", got, c.want)
			}
		})
	}
}
