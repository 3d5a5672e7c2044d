package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/api"
)

func TestRun_RoutesSchema(t *testing.T) {
	clearEnvironment(t)
	if code, stdout, stderr := call(t, "routes", "schema"); code != 0 || stdout != api.RoutesSchema || stderr != "" {
		t.Errorf("got exit code %d, %q and %q, want the schema", code, stdout, stderr)
	}
}

// TestRun_CheckRoutes checks a routes file without any secret.
func TestRun_CheckRoutes(t *testing.T) {
	const route = "routes:\n- repository: acme/api\n  circleci: {branch: main}\n  parameters: {seraph_key: '{{ .Key }}'}\n"
	checkRoutes := []string{"check", "--offline", "--routes", "routes.yaml"}

	for _, c := range []struct {
		name       string
		text       string // empty: there is no file
		variables  map[string]string
		args       []string
		wantCode   int
		wantStdout string
		wantStderr string // begins it
	}{
		{name: "good", text: route, args: checkRoutes, wantStdout: "ok: the routes file is valid: 1 route\n"},
		{
			name:       "with other variables, which are wrong",
			text:       route,
			variables:  map[string]string{"SERAPH_POLL_MIN": "never", "SERAPH_ROUTES": "x"},
			args:       checkRoutes,
			wantStdout: "ok: the routes file is valid: 1 route\n",
		},
		{
			name: "warnings",
			text: "routes:\n- repository: acme/api\n",
			args: checkRoutes,
			wantStdout: "ok: the routes file is valid: 1 route\nwarning: line 2 (acme/api to *): no parameter carries " +
				"{{ .Key }}: after a lost answer the pipeline cannot be identified, and the deployment ends errored\n",
		},
		{
			name: "rollback of the requester's ref",
			text: strings.Replace(route, "circleci: {branch: main}", "rollback: {keep: 5}", 1),
			args: checkRoutes,
			wantStdout: "ok: the routes file is valid: 1 route\nwarning: line 2 (acme/api to *): it has rollback, but builds " +
				"the requester's own ref, so that a rollback is refused: set circleci.branch, and send {{ .SHA }}\n",
		},
		{
			name:       "problems",
			text:       "routes:\n- repository: '*/api'\n  enviroment: x\n",
			args:       checkRoutes,
			wantCode:   2,
			wantStderr: "routes.yaml:2: repository \"*/api\": the owner must be written out",
		},
		{
			name:       "task prefix",
			text:       route + "  task: ship:lock\n",
			variables:  map[string]string{"SERAPH_TASK_PREFIX": "ship"},
			args:       checkRoutes,
			wantCode:   2,
			wantStderr: `routes.yaml:5: task "ship:lock" is reserved for locks`,
		},
		{name: "no file", args: checkRoutes, wantCode: 2, wantStderr: "routes.yaml: read the file: open routes.yaml: "},
		{
			name:       "without offline",
			text:       route,
			args:       []string{"check", "--routes", "routes.yaml"},
			wantCode:   2,
			wantStderr: "seraph: --routes needs --offline",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			clearEnvironment(t)
			t.Chdir(t.TempDir())
			for name, value := range c.variables {
				t.Setenv(name, value)
			}
			if c.text != "" {
				if err := os.WriteFile(filepath.Join(".", "routes.yaml"), []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}

			code, stdout, stderr := call(t, c.args...)
			if code != c.wantCode || stdout != c.wantStdout || !strings.HasPrefix(stderr, c.wantStderr) {
				t.Errorf("got exit code %d, %q and %q, want %d, %q and %q",
					code, stdout, stderr, c.wantCode, c.wantStdout, c.wantStderr)
			}
		})
	}
}
