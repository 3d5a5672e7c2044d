package deploy

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
)

// automatePage has jobs of GitHub Actions and CircleCI.
const automatePage = "deploy/docs/automate.md"

// automateExamples returns the YAML examples of the page, which are in this order: a workflow that deploys, one that
// asks the gate, and a config of CircleCI.
func automateExamples(t *testing.T) (deploys, gate, circleci node) {
	t.Helper()
	var all []node
	for _, block := range fence.FindAllStringSubmatch(read(t, automatePage), -1) {
		all = append(all, documents(t, automatePage, block[1])[0])
	}
	if len(all) != 3 {
		t.Fatalf("got %d examples in %s, want 3", len(all), automatePage)
	}
	return all[0], all[1], all[2]
}

// TestAutomate_Workflows checks that the workflows of GitHub Actions have what GitHub wants, a time limit, no
// permission, no environment, whose deployment GitHub would create, and no expression in a script.
func TestAutomate_Workflows(t *testing.T) {
	deploys, gate, _ := automateExamples(t)
	for name, c := range map[string]struct {
		workflow node
		on       string
		job      string
	}{
		"deploy": {workflow: deploys, on: "push", job: "staging"},
		"gate":   {workflow: gate, on: "pull_request", job: "production"},
	} {
		t.Run(name, func(t *testing.T) {
			on, _ := at(t, c.workflow, "on").(node)
			if _, ok := on[c.on]; !ok {
				t.Errorf("got on: %v, want %s", on, c.on)
			}
			if permissions, ok := at(t, c.workflow, "permissions").(node); !ok || len(permissions) > 0 {
				t.Errorf("got permissions %v, want none", permissions)
			}

			job, _ := at(t, c.workflow, "jobs", c.job).(node)
			if job["runs-on"] == nil || job["timeout-minutes"] == nil || job["environment"] != nil {
				t.Errorf("got the job %v, want runs-on and timeout-minutes, and no environment", job)
			}
			for _, script := range scripts(job) {
				if strings.Contains(script, "${{") {
					t.Errorf("a script has an expression pasted into it:\n%s", script)
				}
			}
		})
	}
}

// TestAutomate_Deploys runs the scripts that ask for a deployment against a server that compares what they send with
// the description of the API.
func TestAutomate_Deploys(t *testing.T) {
	deploys, _, circleci := automateExamples(t)
	sha := strings.Repeat("a", 40)
	for _, c := range []struct {
		name   string
		script string
		env    []string
		key    string
	}{
		{
			name:   "GitHub Actions",
			script: scripts(at(t, deploys, "jobs", "staging"))[0],
			env: []string{
				"GITHUB_RUN_ID=77",
				"GITHUB_REPOSITORY=acme/api",
				"GITHUB_REF_NAME=main",
				"GITHUB_SHA=" + sha,
			},
			key: "actions-77",
		},
		{
			name:   "CircleCI",
			script: scripts(at(t, circleci, "jobs", "ask"))[0],
			env: []string{
				"CIRCLE_WORKFLOW_ID=w-7",
				"REPOSITORY=acme/api",
				"CIRCLE_BRANCH=main",
				"CIRCLE_SHA1=" + sha,
			},
			key: "circleci-w-7",
		},
	} {
		for _, answer := range []struct {
			name   string
			status int
			body   string
			want   bool // the job passes
		}{
			{name: "created", status: 201, body: `{"request":"x"}`, want: true},
			{name: "not known yet", status: 202, body: `{"request":"x"}`, want: true},
			{name: "the branch has moved", status: 409, body: `{"error":{"code":"ref_moved"}}`, want: true},
			{name: "rejected", status: 409, body: `{"error":{"code":"rejected"}}`},
			{name: "no token", status: 401, body: `{"error":{"code":"unauthorized"}}`},
		} {
			t.Run(c.name+"/"+answer.name, func(t *testing.T) {
				asked := map[string]string{}
				server := deploymentServer(t, answer.status, answer.body, asked)
				out, err := runScript(t, c.script, append(c.env, "SERAPH_API_URL="+server, "SERAPH_API_TOKEN=a-token"))
				if (err == nil) != answer.want {
					t.Errorf("got %v, want success %v:\n%s", err, answer.want, out)
				}

				want := `{"environment":"staging","ref":"main","repository":"acme/api","sha":"` + sha + `"}`
				if asked["body"] != want || asked["key"] != c.key || asked["token"] != "Bearer a-token" {
					t.Errorf("got %v, want the body %s, the key %s and the token", asked, want, c.key)
				}
			})
		}
	}
}

// deploymentServer answers every request with one status. It keeps what was asked, and fails the test if that is not
// what the API describes.
func deploymentServer(t *testing.T, status int, body string, asked map[string]string) string {
	t.Helper()
	_, router := description(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(raw)))
		r.URL.Scheme, r.URL.Host = "http", "127.0.0.1:8080"
		route, params, err := router.FindRoute(r)
		if err == nil {
			err = openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{
				Request:    r,
				Route:      route,
				PathParams: params,
				Options:    &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
			})
		}
		if err != nil {
			t.Errorf("%s %s %s: %v", r.Method, r.URL.Path, raw, err)
		}

		var fields any
		_ = json.Unmarshal(raw, &fields)
		sorted, _ := json.Marshal(fields)
		asked["body"], asked["key"], asked["token"] = string(sorted), r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// runScript runs a script as GitHub Actions and CircleCI do: bash stops at the first command that fails.
func runScript(t *testing.T, script string, env []string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	c.Dir = t.TempDir()
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir}, env...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// TestAutomate_Gate runs the script that asks the gate with a docker that prints its arguments, and checks what the
// job makes of each exit code.
func TestAutomate_Gate(t *testing.T) {
	_, gate, _ := automateExamples(t)
	script := scripts(at(t, gate, "jobs", "production"))[0]
	bin := t.TempDir()
	const docker = "#!/bin/sh\nprintf '%s\\n' \"$@\" >arguments\nexit \"$GATE\"\n"
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o755); err != nil {
		t.Fatal(err)
	}

	for code, want := range map[string]bool{"0": true, "3": true, "4": false, "1": false, "125": false} {
		t.Run("exit code "+code, func(t *testing.T) {
			env := []string{
				"PATH=" + bin + ":" + os.Getenv("PATH"),
				"GATE=" + code,
				"GITHUB_REPOSITORY=acme/api",
				"GITHUB_ACTOR=alice",
				"COMMIT=abc",
			}
			out, err := runScript(t, script, env)
			if (err == nil) != want {
				t.Errorf("got %v, want success %v:\n%s", err, want, out)
			}
		})
	}

	t.Run("arguments", func(t *testing.T) {
		env := []string{
			"PATH=" + bin + ":" + os.Getenv("PATH"),
			"GATE=0",
			"GITHUB_REPOSITORY=acme/api",
			"GITHUB_ACTOR=alice",
			"COMMIT=abc",
		}
		out, err := runScript(t, script+"\ncat arguments", env)
		if err != nil {
			t.Fatal(err, out)
		}

		words := strings.Fields(out[strings.Index(out, "run\n"):])
		want := strings.Fields("run --rm --env SERAPH_API_URL --env SERAPH_API_TOKEN registry.example.com/seraph:latest " +
			"gate --repository acme/api --environment production --sha abc --ref main --actor alice")
		if !slices.Equal(words, want) {
			t.Errorf("got docker %v, want %v", words, want)
		}
	})
}
