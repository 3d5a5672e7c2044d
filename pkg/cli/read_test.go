package cli

import (
	"strings"
	"testing"
)

// TestTables compares what each command prints for people.
func TestTables(t *testing.T) {
	waiting := deploymentJSON(42, "waiting", noWait, waits)
	failed := deploymentJSON(41, "failed", noPipeline, hasPipeline, noTimes, times, noWhy,
		`"reason":"workflow deploy failed\u001b[2J"`)
	forced := deploymentJSON(43, "canceled", noWhy, `"reason":"Canceled by bob"`, `"forced":null`,
		`"forced":{"by":{"id":1,"login":"alice","app":"","token":""},"reason":"the site is down"}`)
	list := `{"deployments":[` + forced + `,` + waiting + `,` + failed + `],"next_cursor":""}`

	for _, test := range []struct {
		name    string
		args    []string
		request string
		body    string
		status  int
		code    int
		stdout  string
		stderr  string
	}{
		{
			name:    "list",
			args:    []string{"list"},
			request: "GET /api/v1/deployments",
			body:    list,
			stdout: `ID  REPOSITORY  ENVIRONMENT  WHAT            BY     WHEN    STATE
43  acme/api    production   main (11d6e37)  alice  1h ago  canceled  Canceled by bob
42  acme/api    production   main (11d6e37)  alice  1h ago  waiting   waits for 1 approval
41  acme/api    production   main (11d6e37)  alice  1h ago  failed    workflow deploy failed` + "\ufffd" +
				`[2J, https://app.circleci.com/pipelines/gh/acme/api/12
`,
		},
		{
			name:    "list of nothing",
			args:    []string{"list"},
			request: "GET /api/v1/deployments",
			body:    `{"deployments":[],"next_cursor":""}`,
			stderr:  "no deployment yet\n",
		},
		{
			name:    "list with more",
			args:    []string{"list"},
			request: "GET /api/v1/deployments",
			body:    `{"deployments":[` + waiting + `],"next_cursor":"abc"}`,
			stdout: `ID  REPOSITORY  ENVIRONMENT  WHAT            BY     WHEN    STATE
42  acme/api    production   main (11d6e37)  alice  1h ago  waiting  waits for 1 approval
`,
			stderr: "there are more: --limit, or --cursor abc\n",
		},
		{
			name:    "list what is ignored",
			args:    []string{"list", "--ignored"},
			request: "GET /api/v1/deliveries",
			body: `{"deliveries":[{"delivery":"guid-1","deployment":41,"repository":"acme/web","repository_id":8,` +
				`"environment":"preview","reason":"no route matches","received_at":"2026-01-29T11:00:00Z"}]}`,
			stdout: `ID  REPOSITORY  ENVIRONMENT  WHEN    WHY
41  acme/web    preview      2d ago  no route matches
`,
		},
		{
			name:    "nothing is ignored",
			args:    []string{"list", "--ignored"},
			request: "GET /api/v1/deliveries",
			body:    `{"deliveries":[]}`,
			stderr:  "nothing was ignored in the last 7 days\n",
		},
		{
			name:    "status",
			args:    []string{"status"},
			request: "GET /api/v1/environments",
			body:    environmentsJSON(),
			stdout: `REPOSITORY  ENVIRONMENT  DEPLOYED        BY     WHEN     NOW                              WAITING  LOCKED BY
acme/api    production   main (11d6e37)  alice  56m ago  running release/2 (11d6e37) #41  12       bob: database migration
acme/web    staging      nothing known
`,
		},
		{
			name:    "show",
			args:    []string{"show", "#41"},
			request: "GET /api/v1/deployments/41",
			body:    strings.Replace(detailJSON(failed), `"failure":null`, failureJSON, 1),
			stdout: `deployment:   41
state:        failed
why:          workflow deploy failed` + "\ufffd" + `[2J
repository:   acme/api
environment:  production
what:         main (11d6e37)
commit:       11d6e37a9f1a4be7d5b2b1f6c1f0ad6f3b0e9c11
task:         deploy
by:           alice
pipeline:     https://app.circleci.com/pipelines/gh/acme/api/12
parameters:   seraph_key
accepted:     2026-01-31T11:00:00Z
started:      2026-01-31T11:00:05Z
ended:        2026-01-31T11:03:05Z

timeline:
  2026-01-31T11:00:00Z  accepted  webhook 1
  2026-01-31T11:00:05Z  note      two
                                  lines

failed in:
  workflow deploy, job test, step make test
  | --- FAIL: TestX
  | exit 1

reports to GitHub:
  2026-01-31T11:00:02Z  queued       Waiting for 1 approval
  not sent yet          in_progress  CircleCI pipeline 12    https://x
`,
		},
		{
			name:    "explain of a deployment that CircleCI holds",
			args:    []string{"why", "42"},
			request: "GET /api/v1/deployments/42/explain",
			body: `{"deployment":` + deploymentJSON(42, "held") +
				`,"verdict":{"decision":"allow","reason":"","opens_at":null,"forced":false,"rules":[]}}`,
			stdout: "deployment 42: main (11d6e37) of acme/api to production is held\nallow\n",
			stderr: "CircleCI holds a job: `seraph approve-hold 42` approves it, or somebody in CircleCI.\n",
		},
		{
			name:    "explain",
			args:    []string{"why", "42"},
			request: "GET /api/v1/deployments/42/explain",
			body:    `{"deployment":` + waiting + `,"verdict":` + verdictJSON + `}`,
			stdout: `deployment 42: main (11d6e37) of acme/api to production is waiting (waits for 1 approval)
wait: 1 approval
  allow      allow          ok                 alice is allowed to deploy
  checks     wait (forced)  checks_pending     build is running            who can change it: GitHub
  freeze     wait           frozen             holidays                    ` +
				`who can change it: the operator; opens at 2026-02-01T08:00:00Z
  approvals  wait           approvals_missing  1 of 1 approval is missing  who can change it: carol, acme/leads
`,
		},
		{
			name:    "locks",
			args:    []string{"locks"},
			request: "GET /api/v1/locks",
			body:    `{"locks":[` + lockJSON + `]}`,
			stdout: `ID  LOCKED                  OWNER  SINCE   UNTIL                 REASON
3   production of acme/api  bob    2h ago  2026-01-31T14:00:00Z  database migration
`,
		},
		{
			name:    "no locks",
			args:    []string{"locks"},
			request: "GET /api/v1/locks",
			body:    `{"locks":[]}`,
			stderr:  "nothing is locked\n",
		},
		{
			name:    "gate",
			args:    []string{"gate", "--repository", "acme/api", "--environment", "production", "--sha", testSHA},
			request: "GET /api/v1/gate",
			body:    rejectJSON,
			code:    ExitRejected,
			stdout: "reject: bob is not allowed to deploy\n" +
				"  allow  reject  not_allowed  bob is not allowed to deploy  who can change it: alice, acme/sre\n",
		},
		{
			name:    "approve",
			args:    []string{"approve", "42", "looks", "good"},
			request: "POST /api/v1/deployments/42/approve",
			body:    `{"deployment":` + waiting + `,"verdict":` + verdictJSON + `}`,
			stdout: `approved: deployment 42 of acme/api, main (11d6e37) to production
wait: 1 approval
  checks     wait (forced)  checks_pending     build is running            who can change it: GitHub
  freeze     wait           frozen             holidays                    ` +
				`who can change it: the operator; opens at 2026-02-01T08:00:00Z
  approvals  wait           approvals_missing  1 of 1 approval is missing  who can change it: carol, acme/leads
`,
		},
		{
			name:    "approve the last one",
			args:    []string{"approve", "42"},
			request: "POST /api/v1/deployments/42/approve",
			body: `{"deployment":` + waiting + `,"verdict":{"decision":"allow","reason":"","opens_at":null,"forced":false,` +
				`"rules":[]}}`,
			stdout: "approved: deployment 42 of acme/api, main (11d6e37) to production\n",
			stderr: "nothing else stops it; `seraph watch 42` watches it.\n",
		},
		{
			name:    "approve a hold",
			args:    []string{"approve-hold", "42", "release"},
			request: "POST /api/v1/deployments/42/approve-hold",
			body:    deploymentJSON(42, "running"),
			stdout:  "approved in CircleCI: deployment 42 of acme/api, main (11d6e37) to production, is running\n",
		},
		{
			name:    "cancel",
			args:    []string{"cancel", "42", "--reason", "wrong branch"},
			request: "POST /api/v1/deployments/42/cancel",
			body:    deploymentJSON(42, "running"),
			status:  202,
			stdout:  "canceling: deployment 42 of acme/api, main (11d6e37) to production, is running\n",
			stderr:  "`seraph watch 42` shows when it has ended.\n",
		},
		{
			name:    "cancel what waits",
			args:    []string{"cancel", "43"},
			request: "POST /api/v1/deployments/43/cancel",
			body:    forced,
			status:  202,
			stdout:  "deployment 43 of acme/api, main (11d6e37) to production, was canceled by bob\n",
		},
		{
			name:    "force",
			args:    []string{"force", "42", "--reason", "the site is down"},
			request: "POST /api/v1/deployments/42/force",
			body:    waiting,
			status:  202,
			stdout:  "forced: deployment 42 of acme/api, main (11d6e37) to production, is waiting, waits for 1 approval\n",
			stderr:  "the rules are asked again now; `seraph watch 42` watches it.\n",
		},
		{
			name:    "lock",
			args:    []string{"lock", "acme/api", "production", "--for", "4h", "--reason", "database migration"},
			request: "POST /api/v1/locks",
			body:    lockJSON,
			status:  201,
			stdout:  "locked: production of acme/api, until 2026-01-31T14:00:00Z (database migration)\n",
		},
		{
			name:    "whoami",
			args:    []string{"whoami", "-o", "json"},
			request: "GET /api/v1/whoami",
			body:    `{"token":"me","scope":"deploy"}`,
			stdout:  `{"token":"me","scope":"deploy"}` + "\n",
		},
		{
			name:    "health",
			args:    []string{"health"},
			request: "GET /readyz",
			body:    `{"status":"ready","checks":{"database":"ok"}}`,
			stdout:  `{"status":"ready","checks":{"database":"ok"}}` + "\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, map[string][]answer{test.request: {{status: test.status, body: test.body}}})
			newTerminal(t, s.server.URL).expect(t, test.code, test.stdout, test.stderr, test.args...)
		})
	}
}

// TestJSON wants the API's document, as one line.
func TestJSON(t *testing.T) {
	list := `{"deployments":[` + deploymentJSON(42, "waiting") + `],"next_cursor":"abc"}`
	for _, test := range []struct {
		name    string
		args    []string
		request string
		body    string
	}{
		{name: "list", args: []string{"list", "acme/api"}, request: "GET /api/v1/deployments", body: list},
		{
			name:    "show",
			args:    []string{"show", "42"},
			request: "GET /api/v1/deployments/42",
			body:    detailJSON(deploymentJSON(42, "waiting")),
		},
		{name: "status", args: []string{"status"}, request: "GET /api/v1/environments", body: environmentsJSON()},
		{name: "locks", args: []string{"locks"}, request: "GET /api/v1/locks", body: `{"locks":[` + lockJSON + `]}`},
		{
			name:    "explain",
			args:    []string{"explain", "42"},
			request: "GET /api/v1/deployments/42/explain",
			body:    `{"deployment":` + deploymentJSON(42, "waiting") + `,"verdict":` + verdictJSON + `}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, map[string][]answer{test.request: {{body: test.body}}})
			args := append(test.args, "--output", "json")
			newTerminal(t, s.server.URL).expect(t, ExitOK, test.body+"\n", "", args...)
		})
	}
}

// TestStatus_ReadsAllPages wants the environments of every page.
func TestStatus_ReadsAllPages(t *testing.T) {
	t.Parallel()
	page := environmentsJSON()
	s := startService(t, map[string][]answer{"GET /api/v1/environments": {
		{body: strings.Replace(page, `"next_cursor":""`, `"next_cursor":"abc"`, 1)},
		{body: page},
	}})
	term := newTerminal(t, s.server.URL)
	code := term.run("status")
	if got := strings.Count(term.stdout.String(), "\nacme/web"); code != ExitOK || got != 2 {
		t.Errorf("got exit code %d and %d times acme/web, want 0 and 2", code, got)
	}
	if sent := s.sent("/api/v1/environments"); len(sent) != 2 || sent[1].url != "/api/v1/environments?cursor=abc" {
		t.Errorf("got requests %v, want the second page too", sent)
	}
}

// TestStatus_OtherLocks wants status to name the locks of environments that it does not list.
func TestStatus_OtherLocks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		environments string
		args         []string
		want         string
	}{
		{
			name:         "nothing was deployed there",
			environments: `{"environments":[],"next_cursor":""}`,
			want:         "no environment yet\nlocked, too: production of acme/api by bob (`seraph locks` says why)\n",
		},
		{name: "it is shown", environments: environmentsJSON()},
		{
			name:         "another environment is asked for",
			environments: `{"environments":[],"next_cursor":""}`,
			args:         []string{"acme/api", "staging"},
			want:         "no environment matches\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startService(t, map[string][]answer{
				"GET /api/v1/environments": {{body: test.environments}},
				"GET /api/v1/deployments":  {{body: `{"deployments":[],"next_cursor":""}`}},
				"GET /api/v1/locks":        {{body: `{"locks":[` + lockJSON + `]}`}},
			})
			term := newTerminal(t, s.server.URL)
			code := term.run(append([]string{"status"}, test.args...)...)
			if got := term.stderr.String(); code != ExitOK || got != test.want {
				t.Errorf("got exit code %d and %q, want 0 and %q", code, got, test.want)
			}
		})
	}
}

// TestRequests compares what commands send.
func TestRequests(t *testing.T) {
	page := answer{body: `{"deployments":[` + deploymentJSON(42, "waiting") + `],"next_cursor":""}`}
	locks := answer{body: `{"locks":[` + lockJSON + `]}`}
	taken := answer{status: 201, body: lockJSON}
	for _, test := range []struct {
		name    string
		args    []string
		answers map[string][]answer
		path    string
		want    string
	}{
		{
			name:    "list filters",
			args:    []string{"list", "acme/api", "production", "--state", "waiting", "--limit", "5", "--cursor", "abc"},
			answers: map[string][]answer{"GET /api/v1/deployments": {page}},
			path:    "/api/v1/deployments",
			want:    "/api/v1/deployments?cursor=abc&environment=production&limit=5&repository=acme%2Fapi&state=waiting ",
		},
		{
			name:    "approve comment",
			args:    []string{"approve", "#42", "looks", "good"},
			answers: map[string][]answer{},
			path:    "/api/v1/deployments/42/approve",
			want:    `/api/v1/deployments/42/approve {"comment":"looks good"}`,
		},
		{
			name:    "approve hold",
			args:    []string{"approve-hold", "42", "release"},
			answers: map[string][]answer{},
			path:    "/api/v1/deployments/42/approve-hold",
			want:    `/api/v1/deployments/42/approve-hold {"job":"release"}`,
		},
		{
			name:    "lock",
			args:    []string{"lock", "acme/api", "production", "--for", "90m", "--reason", "r", "--steal"},
			answers: map[string][]answer{"POST /api/v1/locks": {taken}},
			path:    "/api/v1/locks",
			want: `/api/v1/locks {"expires_in":"1h30m0s","repository":"acme/api","environment":"production",` +
				`"reason":"r","steal":true}`,
		},
		{
			name:    "for a person",
			args:    []string{"approve-hold", "42", "--as", "carol:583231"},
			answers: map[string][]answer{},
			path:    "/api/v1/deployments/42/approve-hold",
			want:    `/api/v1/deployments/42/approve-hold {"actor":{"id":583231,"login":"carol"}}`,
		},
		{
			name:    "lock every repository",
			args:    []string{"lock", "--every-repository", "production", "--reason", "r"},
			answers: map[string][]answer{"POST /api/v1/locks": {taken}},
			path:    "/api/v1/locks",
			want:    `/api/v1/locks {"environment":"production","reason":"r"}`,
		},
		{
			name:    "lock everything",
			args:    []string{"lock", "--everything", "--reason", "r"},
			answers: map[string][]answer{"POST /api/v1/locks": {taken}},
			path:    "/api/v1/locks",
			want:    `/api/v1/locks {"reason":"r"}`,
		},
		{
			name:    "unlock finds the lock",
			args:    []string{"unlock", "ACME/api", "Production"},
			answers: map[string][]answer{"GET /api/v1/locks": {locks}, "POST /api/v1/locks/3/release": {{status: 204}}},
			path:    "/api/v1/locks/3/release",
			want:    `/api/v1/locks/3/release {}`,
		},
		{
			name:    "gate",
			args:    []string{"gate", "--repository", "a/b", "--environment", "c", "--sha", testSHA, "--actor", "bob"},
			answers: map[string][]answer{"GET /api/v1/gate": {{body: rejectJSON}}},
			path:    "/api/v1/gate",
			want:    "/api/v1/gate?actor=bob&environment=c&repository=a%2Fb&sha=" + testSHA + " ",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, test.answers)
			newTerminal(t, s.server.URL).run(test.args...)

			sent := s.sent(test.path)
			if len(sent) != 1 {
				t.Fatalf("got requests %v to %s, want one", s.sent(""), test.path)
			}
			if got := sent[0].url + " " + sent[0].body; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got := sent[0].header; got.Get("Authorization") != "Bearer "+testToken || got.Get("User-Agent") != "seraph/test" {
				t.Errorf("got headers %v, want the token and the program's name", got)
			}
		})
	}
}

// TestRequests_ForAPerson wants every command that changes something to name the person of --as.
func TestRequests_ForAPerson(t *testing.T) {
	for _, line := range []string{
		"deploy acme/api@main production",
		"rollback acme/api production",
		"approve 42",
		"approve-hold 42",
		"cancel 42",
		"force 42 --reason r",
		"lock acme/api production --reason r",
		"unlock acme/api production",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			s := startService(t, map[string][]answer{"GET /api/v1/locks": {{body: `{"locks":[` + lockJSON + `]}`}}})
			newTerminal(t, s.server.URL).run(append(strings.Fields(line), "--as", "carol:583231")...)
			named := 0
			for _, r := range s.sent("") {
				if r.method == "POST" && strings.Contains(r.body, `"actor":{"id":583231,"login":"carol"}`) {
					named++
				}
			}
			if named != 1 {
				t.Errorf("got requests %v, want one that names carol", s.sent(""))
			}
		})
	}
}
