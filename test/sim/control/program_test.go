package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

func TestRun_ExitsWithoutServing(t *testing.T) {
	cases := map[string]struct {
		args []string
		code int
		says string
	}{
		"scenarios":    {args: []string{"--scenarios"}, says: "webhook-lost"},
		"help":         {args: []string{"-h"}, says: "SERAPH_SIM_CIRCLECI_TOKEN"},
		"unknown flag": {args: []string{"-x"}, code: 2, says: "not defined: -x"},
		"argument":     {args: []string{"serve"}, code: 2, says: "unexpected argument"},
		"bad address":  {args: []string{"-github", "256.0.0.1:x"}, code: 1, says: "listen for the simulated GitHub"},
		"bad project": {
			args: []string{"-app-projects", "circleci/a/b=acme/web"},
			code: 2,
			says: "is not SLUG=OWNER/NAME@DEFINITION",
		},
		"bad person":     {args: []string{"-people", "alice=x"}, code: 2, says: "is not LOGIN=ID"},
		"bad Slack user": {args: []string{"-slack-people", "alice"}, code: 2, says: "is not NAME=ID"},
	}

	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			code := Run(t.Context(), c.args, func(string) string { return "" }, &out, &out)
			if code != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("got exit code %d and %s, want %d and %q", code, out.String(), c.code, c.says)
			}
		})
	}
}

// program is a running seraph-sim on free ports.
type program struct {
	github, circleci, slack, control string
	lines                            *bufio.Scanner // what it prints after its addresses
}

// start runs the program until the test ends, and wants exit code 0 then.
func start(t *testing.T, args ...string) program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	env := map[string]string{
		"SERAPH_SIM_GITHUB":           "127.0.0.1:0",
		"SERAPH_SIM_CIRCLECI":         "127.0.0.1:0",
		"SERAPH_SIM_SLACK":            "127.0.0.1:0",
		"SERAPH_SIM_CONTROL":          "127.0.0.1:1", // the flag wins
		"SERAPH_SIM_WEBHOOK":          "http://127.0.0.1:1/",
		"SERAPH_SIM_CIRCLECI_WEBHOOK": "http://127.0.0.1:1/",
		"SERAPH_SIM_SLACK_WEBHOOK":    "http://127.0.0.1:1/",
	}

	args = append([]string{"-control", "127.0.0.1:0", "-step", "1ms"}, args...)
	go func() {
		ended <- Run(ctx, args, func(name string) string { return env[name] }, writer, io.Discard)
		writer.Close()
	}()

	p := program{lines: bufio.NewScanner(reader)}
	for _, line := range []struct {
		prefix string
		target *string
	}{
		{prefix: "GitHub    ", target: &p.github},
		{prefix: "CircleCI  ", target: &p.circleci},
		{prefix: "Slack     ", target: &p.slack},
		{prefix: "control   ", target: &p.control},
	} {
		if !p.lines.Scan() || !strings.HasPrefix(p.lines.Text(), line.prefix) {
			t.Fatalf("got %q, want the address after %q", p.lines.Text(), line.prefix)
		}

		*line.target = strings.TrimPrefix(p.lines.Text(), line.prefix)
	}

	t.Cleanup(func() {
		cancel()
		io.Copy(io.Discard, reader) // so that printing does not wait for a reader
		http.DefaultClient.CloseIdleConnections()
		if code := <-ended; code != 0 {
			t.Errorf("got exit code %d, want 0", code)
		}
	})

	return p
}

// call sends a request with both simulators' token, and wants a success.
func (p program) call(t *testing.T, method, url, body string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}

	req.Header.Set("Authorization", "Bearer simulated-github-token")
	req.Header.Set("Circle-Token", "simulated-circleci-token")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}

	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}

	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: got %d %s", method, url, resp.StatusCode, raw)
	}

	return answer
}

// waitLine reads what the program prints until a line matches.
func (p program) waitLine(t *testing.T, pattern string) {
	t.Helper()
	for p.lines.Scan() {
		if regexp.MustCompile(`^(\d\d:\d\d:\d\d )?` + pattern + `$`).MatchString(p.lines.Text()) {
			return
		}
	}
	t.Fatalf("no line matches %q", pattern)
}

func TestRun_PrintsEvents(t *testing.T) {
	p := start(t)
	p.waitLine(t, `To deploy: curl http://127\.0\.0\.1:\d+/deploy -d .*`)

	made := p.call(t, "POST", p.control+"/deploy", `{"repository":"acme/api","environment":"staging"}`)
	p.waitLine(
		t,
		fmt.Sprintf(
			`GitHub    deployment %.0f created: acme/api to staging, main at [0-9a-f]{7}, by octocat`,
			made["id"],
		),
	)

	p.waitLine(t, `GitHub    webhook deployment \(delivery \d+\) sent, not answered: failed to connect to host`)

	statuses := fmt.Sprintf("%s/repos/acme/api/deployments/%.0f/statuses", p.github, made["id"])
	p.call(t, "POST", statuses, `{"state":"queued","description":"Waiting for staging"}`)
	p.waitLine(t, fmt.Sprintf(`GitHub    deployment %.0f status written: queued "Waiting for staging"`, made["id"]))

	p.call(t, "POST", p.circleci+"/project/gh/acme/api/pipeline", `{"branch":"main"}`)
	p.waitLine(t, `CircleCI  pipeline 1 of gh/acme/api triggered: branch main at [0-9a-f]{7}`)
	p.waitLine(t, `CircleCI  pipeline 1 of gh/acme/api, workflow deploy \([0-9a-f]{8}\) ended: success`)
}

// TestRun_CircleCIFollowsGitHub pushes and creates a branch and a tag at GitHub, and checks that CircleCI
// builds them.
func TestRun_CircleCIFollowsGitHub(t *testing.T) {
	p := start(t)
	const (
		oauth = "gh/acme/api"
		app   = "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat"
	)

	first := github.Commit("acme/api", "main")
	pushed := p.call(t, "POST", p.control+"/facts", `{"repository":"acme/api","push":true}`)["sha"].(string)
	branch := p.call(t, "POST", p.control+"/facts", `{"repository":"acme/api","ref":"release/1",
		"branches":{"release/1":""},"tags":{"v1":"release/1","v0":"`+first+`"}}`)["sha"].(string)
	web := p.call(t, "POST", p.control+"/facts", `{"repository":"acme/web","push":true}`)["sha"].(string)
	if pushed == first {
		t.Errorf("got head %s after the push, want a new commit", pushed)
	}

	tests := []struct {
		name string
		url  string
		body string
		want string
	}{
		{name: "pushed", url: oauth + "/pipeline", body: `{"branch":"main"}`, want: pushed},
		{name: "new branch", url: oauth + "/pipeline", body: `{"branch":"release/1"}`, want: branch},
		{name: "new tag", url: oauth + "/pipeline", body: `{"tag":"v1"}`, want: branch},
		{name: "tag of an old commit", url: oauth + "/pipeline", body: `{"tag":"v0"}`, want: first},
		{
			name: "project of the GitHub App",
			url:  app + "/pipeline/run",
			body: `{"definition_id":"3f0c9f6e-2b1a-4f6d-9c57-0d1e2f3a4b5c","checkout":{"branch":"main"}}`,
			want: web,
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p.call(t, "POST", p.circleci+"/project/"+test.url, test.body)
			p.waitLine(t, `CircleCI  pipeline \d+ of .* triggered: (branch|tag) .* at `+test.want[:7])
		})
	}

	t.Run("unknown branch", func(t *testing.T) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", p.circleci+"/project/gh/acme/api/pipeline",
			strings.NewReader(`{"branch":"nowhere"}`))
		if err != nil {
			t.Fatal(err)
		}

		req.Header.Set("Circle-Token", "simulated-circleci-token")
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}

		defer resp.Body.Close()
		if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 400 ||
			!strings.Contains(string(body), "Branch not found") {
			t.Errorf("got %d %s, want 400 Branch not found", resp.StatusCode, body)
		}
	})
}
