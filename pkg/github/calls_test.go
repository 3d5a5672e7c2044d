package github

import (
	"reflect"
	"testing"

	gh "github.com/google/go-github/v60/github"
)

// TestClient_LeadsToNoGitHubClient keeps all of GitHub's API out of the binary; see calls.
func TestClient_LeadsToNoGitHubClient(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var visit func(of reflect.Type, path string)
	visit = func(of reflect.Type, path string) {
		if seen[of] {
			return
		}
		seen[of] = true

		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
			visit(of.Elem(), path)
		case reflect.Map:
			visit(of.Key(), path)
			visit(of.Elem(), path)
		case reflect.Struct:
			for field := range of.Fields() {
				visit(field.Type, path+"."+field.Name)
			}
		case reflect.Func:
			for in := range of.Ins() {
				visit(in, path)
			}
			for out := range of.Outs() {
				visit(out, path)
			}
		}

		if of == reflect.TypeFor[gh.Client]() {
			t.Errorf("%s leads to a go-github client", path)
		}
	}

	visit(reflect.TypeFor[Client](), "Client")
	if !seen[reflect.TypeFor[gh.DeploymentStatusRequest]()] {
		t.Error("the calls were not visited")
	}
}
