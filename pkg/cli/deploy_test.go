package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

const (
	deployRequest = "POST /api/v1/deployments"
	deployPath    = "/api/v1/deployments"
)

// made is the answer to a request for a deployment.
func made(deployment string) answer {
	return answer{status: 201, body: `{"deployment":` + deployment + `,"request":"k"}`}
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func TestDeploy(t *testing.T) {
	rejected := `{"error":{"code":"rejected","message":"bob is not allowed to deploy"},"verdict":` + rejectJSON + `}`
	waiting := deploymentJSON(42, "waiting", noWait, waits)
	follow := "`seraph watch 42` watches it, `seraph cancel 42` cancels it.\n"
	line := "deployment 42: main (11d6e37) of acme/api to production\n"
	for _, test := range []struct {
		name    string
		args    []string // behind "acme/api@main production"
		answers map[string][]answer
		code    int
		stdout  string
		stderr  string
	}{
		{
			name:    "made",
			answers: map[string][]answer{deployRequest: {made(waiting)}},
			stdout:  line,
			stderr:  follow,
		},
		{
			name: "made in an environment that is spelled almost like another one",
			answers: map[string][]answer{
				deployRequest:              {made(deploymentJSON(42, "waiting", `"production"`, `"prodution"`))},
				"GET /api/v1/environments": {{body: environmentsJSON()}},
			},
			stdout: "deployment 42: main (11d6e37) of acme/api to prodution\n",
			stderr: "Seraph knows of no earlier deployment to prodution; did you mean production?\n" + follow,
		},
		{
			name: "made in an environment to which something was deployed before",
			answers: map[string][]answer{
				deployRequest:              {made(waiting)},
				"GET /api/v1/environments": {{body: environmentsJSON()}},
			},
			stdout: line,
			stderr: follow,
		},
		{
			name: "made in a new environment with another number",
			answers: map[string][]answer{
				deployRequest: {made(deploymentJSON(42, "waiting", `"production"`, `"pr-13"`))},
				"GET /api/v1/environments": {{
					body: strings.ReplaceAll(environmentsJSON(), `"production"`, `"pr-12"`),
				}},
			},
			stdout: "deployment 42: main (11d6e37) of acme/api to pr-13\n",
			stderr: follow,
		},
		{
			name: "must wait",
			answers: map[string][]answer{deployRequest: {
				{status: 201, body: `{"deployment":` + waiting + `,"verdict":` + verdictJSON + `,"request":"k"}`},
			}},
			stdout: line + `wait: 1 approval
  checks     wait (forced)  checks_pending     build is running            who can change it: GitHub
  freeze     wait           frozen             holidays                    ` +
				`who can change it: the operator; opens at 2026-02-01T08:00:00Z
  approvals  wait           approvals_missing  1 of 1 approval is missing  who can change it: carol, acme/leads
`,
			stderr: follow,
		},
		{
			name:    "JSON",
			args:    []string{"-o", "json"},
			answers: map[string][]answer{deployRequest: {made(waiting)}},
			stdout:  `{"deployment":` + waiting + `,"request":"k"}` + "\n",
			stderr:  follow,
		},
		{
			name:    "rejected",
			answers: map[string][]answer{deployRequest: {{status: 409, body: rejected}}},
			code:    ExitRejected,
			stdout: "reject: bob is not allowed to deploy\n" +
				"  allow  reject  not_allowed  bob is not allowed to deploy  who can change it: alice, acme/sre\n",
			stderr: "bob is not allowed to deploy; nothing was made at GitHub\n",
		},
		{
			name:    "rejected, as JSON",
			args:    []string{"-o", "json"},
			answers: map[string][]answer{deployRequest: {{status: 409, body: rejected}}},
			code:    ExitRejected,
			stdout:  rejected + "\n",
			stderr:  "bob is not allowed to deploy; nothing was made at GitHub\n",
		},
		{
			name: "the ref has moved",
			answers: map[string][]answer{deployRequest: {
				{status: 409, body: errorJSON("ref_moved", "main is at abc1234 now, not at 11d6e37: look at it, and ask again")},
			}},
			code:   ExitFailed,
			stderr: "Seraph answered 409: main is at abc1234 now, not at 11d6e37: look at it, and ask again\n",
		},
		{
			name: "nobody knows yet whether GitHub made it",
			answers: map[string][]answer{
				deployRequest: {{status: 202, body: `{"request":"k/1"}`}},
				"GET /api/v1/requests/k/1": {
					{body: requestJSON("unknown", "null")},
					{status: 503, body: errorJSON("unavailable", "try again")},
					{body: requestJSON("created", waiting)},
				},
			},
			stdout: line,
			stderr: stillAsked + "\n" + follow,
		},
		{
			name: "GitHub refused",
			answers: map[string][]answer{
				deployRequest:              {{status: 202, body: `{"request":"k/1"}`}},
				"GET /api/v1/requests/k/1": {{body: requestJSON("failed", "null")}},
			},
			code:   ExitFailed,
			stderr: stillAsked + "\nthe deployment was not made: GitHub knows no such ref\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, test.answers)
			args := append([]string{"deploy", "acme/api@main", "production"}, test.args...)
			newTerminal(t, s.server.URL).expect(t, test.code, test.stdout, test.stderr, args...)
		})
	}
}

// requestJSON is what became of a request.
func requestJSON(state, deployment string) string {
	problem := ""
	if state == "failed" {
		problem = "GitHub knows no such ref"
	}
	return `{"request":"k/1","state":"` + state + `","repository":"acme/api","environment":"production","ref":"main",` +
		`"sha":"` + testSHA + `","by":{"id":1,"login":"alice","app":"","token":""},"reason":"","problem":"` + problem +
		`","created_at":"2026-01-31T11:00:00Z","deployment":` + deployment + `}`
}

// TestDeploy_Body compares the whole request, and wants a UUID as its key.
func TestDeploy_Body(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string][]answer{deployRequest: {made(deploymentJSON(42, "waiting"))}})
	code := newTerminal(t, s.server.URL).run("deploy", "acme/api@feature/a@b", "production", "-f", "hosts=web-1,web-2",
		"-f", "note=a=b", "--reason", "why", "--force", "--sha", "11d6e37", "--task", "deploy:migrations")

	sent := s.sent(deployPath)
	if code != ExitOK || len(sent) != 1 {
		t.Fatalf("got exit code %d and requests %v, want 0 and one", code, sent)
	}

	var got any
	if err := json.Unmarshal([]byte(sent[0].body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"repository":  "acme/api",
		"ref":         "feature/a@b",
		"environment": "production",
		"task":        "deploy:migrations",
		"payload":     map[string]any{"hosts": "web-1,web-2", "note": "a=b"},
		"reason":      "why",
		"force":       true,
		"sha":         "11d6e37",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body differs:\n%s", diff)
	}
	if _, err := uuid.Parse(sent[0].header.Get("Idempotency-Key")); err != nil {
		t.Errorf("got key %q: %v", sent[0].header.Get("Idempotency-Key"), err)
	}
}

// TestDeploy_LostAnswers wants the same key in every request, and no request that would be made for nothing.
func TestDeploy_LostAnswers(t *testing.T) {
	done := made(deploymentJSON(42, "waiting"))
	for _, test := range []struct {
		name     string
		answers  []answer
		args     []string
		code     int
		requests int
		stderr   string
	}{
		{name: "connection lost", answers: []answer{{then: hangUp}, done}, requests: 2, stderr: "asking again"},
		{name: "page of a proxy", answers: []answer{{status: 502, body: "<html>"}, done}, requests: 2},
		{
			name:     "service is starting",
			answers:  []answer{{status: 503, body: errorJSON("unavailable", "try again")}, done},
			requests: 2,
			args:     []string{"--key", "job-7"},
		},
		{
			name:     "never an answer",
			answers:  []answer{{then: hangUp}},
			args:     []string{"--key", "job-7"},
			requests: askLimit,
			code:     ExitFailed,
			stderr: "it is not known whether GitHub has made the deployment: " +
				"run the same command with --key job-7 to learn it; nothing is made twice\n",
		},
		{
			name:     "refused for good",
			answers:  []answer{{status: 503, body: errorJSON("refs_hidden", "give it contents: read")}},
			requests: 1,
			code:     ExitFailed,
			stderr:   "give it contents: read",
		},
		{
			name:     "no permission",
			answers:  []answer{{status: 403, body: errorJSON("forbidden", "the token's scope is too small")}},
			requests: 1,
			code:     ExitFailed,
			stderr:   "`seraph whoami` says what your token may do",
		},
		{
			name:     "fault of the service",
			answers:  []answer{{status: 500, body: errorJSON("internal", "internal error, see the log")}},
			requests: 1,
			code:     ExitFailed,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, map[string][]answer{deployRequest: test.answers})
			term := newTerminal(t, s.server.URL)
			code := term.run(append([]string{"deploy", "acme/api@main", "production"}, test.args...)...)

			sent := s.sent(deployPath)
			if code != test.code || len(sent) != test.requests || !strings.Contains(term.stderr.String(), test.stderr) {
				t.Fatalf("got exit code %d, %d requests and %q, want %d, %d and %q",
					code, len(sent), &term.stderr, test.code, test.requests, test.stderr)
			}

			key := sent[0].header.Get("Idempotency-Key")
			for _, r := range sent {
				if r.header.Get("Idempotency-Key") != key || r.body != sent[0].body {
					t.Errorf("got key %q and body %s, want those of the first request", r.header.Get("Idempotency-Key"), r.body)
				}
			}
			if len(test.args) > 0 && key != "job-7" || key == "" {
				t.Errorf("got key %q, want that of --key or a random one", key)
			}
		})
	}
}

// TestDeploy_Interrupted wants that a person who gives up learns how to find out what became of the request.
func TestDeploy_Interrupted(t *testing.T) {
	t.Parallel()
	signals := make(chan os.Signal, 1)
	s := startService(t, map[string][]answer{deployRequest: {{then: func(_ http.ResponseWriter, r *http.Request) {
		signals <- syscall.SIGINT
		<-r.Context().Done() // the client leaves
	}}}})
	term := newTerminal(t, s.server.URL)
	term.options.Interrupt = signals
	term.expect(t, ExitFailed, "", "interrupted\nit is not known whether GitHub has made the deployment: "+
		"run the same command with --key job-7 to learn it; nothing is made twice\n",
		"deploy", "acme/api@main", "production", "--key", "job-7")
}

// TestDeploy_WatchThroughProxyPage wants that a page of a proxy does not end the watch of a deployment for which the
// service has just answered.
func TestDeploy_WatchThroughProxyPage(t *testing.T) {
	t.Parallel()
	page := answer{then: func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>the service is being updated</html>")
	}}
	s := startService(t, map[string][]answer{
		deployRequest: {made(deploymentJSON(42, "waiting"))},
		showRequest:   append([]answer{page}, states("running", "succeeded")...),
		eventsRequest: {{then: func(w http.ResponseWriter, _ *http.Request) { stream(w, 1) }}}, // again and again
	})
	term := newTerminal(t, s.server.URL)
	code := term.run("deploy", "acme/api@main", "production", "--watch")
	if code != ExitOK || !strings.Contains(term.stderr.String(), "trying again, the deployment goes on meanwhile") {
		t.Errorf("got exit code %d and %q, want %d after another try", code, &term.stderr, ExitOK)
	}
}

func TestDeploy_NobodyListens(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	s.server.Close()
	term := newTerminal(t, s.server.URL)
	code := term.run("deploy", "acme/api@main", "production")
	if got := term.stderr.String(); code != ExitFailed || strings.Contains(got, "asking again") ||
		!strings.Contains(got, "is from context test; set SERAPH_API_URL") {
		t.Errorf("got exit code %d and %q, want 1 and at once where the address is from", code, got)
	}
}

func TestDeploy_Usage(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{name: "no environment", args: []string{"deploy", "acme/api@main"}, want: "needs OWNER/NAME@REF and ENVIRONMENT"},
		{name: "no ref", args: []string{"deploy", "acme/api", "staging"}, want: "acme/api@BRANCH, @TAG or @COMMIT"},
		{name: "no owner", args: []string{"deploy", "api@main", "staging"}, want: "write the repository as OWNER/NAME"},
		{
			name: "force without a reason",
			args: []string{"deploy", "acme/api@main", "staging", "--force"},
			want: "--force needs --reason",
		},
		{
			name: "field without a value",
			args: []string{"deploy", "acme/api@main", "staging", "-f", "hosts"},
			want: `--field must be KEY=VALUE, not "hosts"`,
		},
		{
			name: "field twice",
			args: []string{"deploy", "acme/api@main", "staging", "-f", "a=1", "-f", "a=2"},
			want: "--field a is given twice",
		},
		{name: "argument too many", args: []string{"deploy", "a/b@c", "d", "e"}, want: `unexpected argument "e"`},
		{
			name: "rollback by force without a reason",
			args: []string{"rollback", "acme/api", "production", "--force"},
			want: "--force needs --reason",
		},
		{name: "rollback without environment", args: []string{"rollback", "acme/api"}, want: "needs OWNER/NAME and ENV"},
		{name: "no id", args: []string{"watch", "abc"}, want: `"abc" is no id of a deployment`},
		{name: "lock without a reason", args: []string{"lock", "acme/api", "production"}, want: "lock needs --reason"},
		{name: "bad output", args: []string{"list", "-o", "xml"}, want: "--output must be table or json"},
		{name: "ignored in a state", args: []string{"list", "--ignored", "--state", "held"}, want: "goes with neither"},
		{name: "no person", args: []string{"approve", "42", "--as", "alice"}, want: "write LOGIN:ID, such as alice:583231"},
		{
			name: "mistyped state",
			args: []string{"list", "--state", "wating"},
			want: `no state is called "wating"; did you mean waiting?`,
		},
		{
			name: "unknown state",
			args: []string{"list", "--state", "done"},
			want: `no state is called "done"; it knows`,
		},
		{name: "bad limit", args: []string{"list", "--limit", "0"}, want: "--limit must be a number from 1 to 200"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, nil)
			term := newTerminal(t, s.server.URL)
			code := term.run(test.args...)
			if code != ExitUsage || !strings.Contains(term.stderr.String(), test.want) || len(s.sent("")) > 0 {
				t.Errorf("got exit code %d, %q and requests %v, want 2, %q and none",
					code, &term.stderr, s.sent(""), test.want)
			}
		})
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string][]answer{"POST /api/v1/rollbacks": {made(deploymentJSON(42, "running"))}})
	term := newTerminal(t, s.server.URL)
	term.expect(t, ExitOK, "deployment 42: main (11d6e37) of acme/api to production\n",
		"`seraph watch 42` watches it, `seraph cancel 42` cancels it.\n",
		"rollback", "acme/api", "production", "--to", "40", "--reason", "errors", "--force")

	sent := s.sent("/api/v1/rollbacks")
	want := `{"repository":"acme/api","environment":"production","to":"40","reason":"errors","force":true}`
	if len(sent) != 1 || sent[0].body != want || sent[0].header.Get("Idempotency-Key") == "" {
		t.Errorf("got %v, want one request with a key and %s", sent, want)
	}
}
