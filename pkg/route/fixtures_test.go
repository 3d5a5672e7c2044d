package route

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// TestMain fixes the seed of the property tests, so that a run can be repeated. Another one is set
// with -rapid.seed; 0 stands for a random one, which rapid prints if a test fails.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.seed", "1"); err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}

const exampleTable = `
routes:
  - repository: acme/api
    environment: production
    task: deploy
    apps: [my-hubot]
    circleci:
      project: circleci/ORG/PROJ
      definition: 3f0c9f6e-0000
      ref: "{{ .Ref }}"
      config_ref: main
      revision: auto
    parameters:
      seraph_key: "{{ .Key }}"
      deploy_sha: "{{ .SHA }}"
      deployment_id: {value: "{{ .ID }}", type: integer}
      hosts: {value: "{{ .Payload.hosts }}", match: "[a-z0-9,-]*"}
      verbose: true
      count: 7
    timeout: 30m
    hold_timeout: 2h
    environment_url: "https://{{ .Environment }}.example.com/{{ .Payload.path }}"
  - repository: acme/*
`

const ruledTable = `
freeze:
  - {from: 2026-12-24T12:00:00Z, to: "2027-01-02 08:00", zone: Europe/Berlin, message: holidays, mode: reject}
routes:
  - repository: acme/api
    environment: production
    allow: {users: [alice, "id:5"], teams: [acme/sre], apps: [my-hubot], permission: write}
    refs: [main, release/*, refs/tags/v*]
    require_ahead: true
    checks:
      require:
        - build
        - {name: "ci/circleci: test", app: "CircleCI[bot]"}
        - name: lint
          app: id:15368
      ignore: [codecov/*]
      wait: 30m
    after: [staging, canary]
    concurrency: replace
    freeze:
      - {cron: "0 18 * * FRI", duration: 62h, zone: Europe/Berlin, message: weekend}
    approvals: {count: 2, users: [bob], teams: [acme/sre], tokens: [ops], expires: 2h}
    force: {teams: [acme/sre], permission: admin}
    locked: reject
    max_wait: 48h
  - repository: acme/api
    environment: staging
    checks: required
  - repository: acme/web
    checks: [build]
    apps: [my-hubot]
  - repository: acme/web
    checks: all
    task: "*"
`

var holidays = policy.Freeze{
	From:    time.Date(2026, 12, 24, 12, 0, 0, 0, time.UTC),
	To:      time.Date(2027, 1, 2, 7, 0, 0, 0, time.UTC),
	Zone:    "Europe/Berlin",
	Message: "holidays",
	Mode:    policy.ModeReject,
}

var sha = strings.Repeat("a1b2c3d4e5", 4)

// requestChange changes a request.
type requestChange func(*deployment.Request)

// newRequest is a request by which alice deploys main of acme/api to production.
func newRequest(changes ...requestChange) deployment.Request {
	r := deployment.Request{
		ID:          9007199254740993,
		Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
		Environment: "production",
		Ref:         "main",
		SHA:         sha,
		Task:        "deploy",
		Payload: json.RawMessage(
			`{"hosts":"web-1,web-2","path":"a/b","n":12345678901234567890,"deep":{"a":[1,{"b":null}]}}`,
		),
		Creator: deployment.Creator{Login: "alice", Type: "User"},
	}

	for _, change := range changes {
		change(&r)
	}

	return r
}

func ofRepository(name string) requestChange {
	return func(r *deployment.Request) { r.Repository.Name = name }
}

func toEnvironment(name string) requestChange {
	return func(r *deployment.Request) { r.Environment = name }
}

func ofRef(ref string) requestChange { return func(r *deployment.Request) { r.Ref = ref } }

func withTask(task string) requestChange { return func(r *deployment.Request) { r.Task = task } }

func withPayload(payload string) requestChange {
	return func(r *deployment.Request) { r.Payload = json.RawMessage(payload) }
}

func withoutPayload(r *deployment.Request) { r.Payload, r.PayloadTooLarge = nil, true }

func byBot(login string) requestChange {
	return func(r *deployment.Request) {
		r.Creator = deployment.Creator{ID: 8, Login: login, Type: "Bot"}
	}
}

func byApp(id int64, slug string) requestChange {
	return func(r *deployment.Request) { r.App = deployment.App{ID: id, Slug: slug} }
}

func parseTable(t *testing.T, text string) *Table {
	t.Helper()
	table, err := Parse([]byte(text), "routes.yaml", Options{})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// admit admits a request by the routes in a text.
func admit(t *testing.T, text string, changes ...requestChange) deployment.Admission {
	t.Helper()
	return parseTable(t, text).Admit(newRequest(changes...), "k")
}

// oneParameterTable is a table of one route whose only parameter, p, is given in one line.
func oneParameterTable(line string) string {
	return "routes:\n- repository: acme/api\n  circleci: {branch: main}\n  parameters:\n    p: " + line + "\n"
}
