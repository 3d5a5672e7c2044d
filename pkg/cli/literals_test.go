package cli

import (
	"fmt"
	"strings"
)

const testSHA = "11d6e37a9f1a4be7d5b2b1f6c1f0ad6f3b0e9c11"

// deploymentJSON is a deployment as the API shows it. replace changes its text, in pairs.
func deploymentJSON(id int64, state string, replace ...string) string {
	text := fmt.Sprintf(`{"id":%d,"repository":"acme/api","repository_id":7,"environment":"production","ref":"main",`+
		`"sha":%q,"task":"deploy","creator":"seraph[bot]",`+
		`"requester":{"id":1,"login":"alice","app":"","token":""},`+
		`"state":%q,"reason":"","waits_for":"","forced":null,"pipeline":null,`+
		`"parameters":["seraph_key"],"accepted_at":"2026-01-31T11:00:00Z","started_at":null,"ended_at":null}`,
		id, testSHA, state)
	return strings.NewReplacer(replace...).Replace(text)
}

// Parts of a deployment, for deploymentJSON.
const (
	noPipeline  = `"pipeline":null`
	hasPipeline = `"pipeline":{"project":"gh/acme/api","id":"p-1","number":12,` +
		`"url":"https://app.circleci.com/pipelines/gh/acme/api/12","revision":"` + testSHA + `"}`
	noWait  = `"waits_for":""`
	waits   = `"waits_for":"1 approval"`
	noTimes = `"started_at":null,"ended_at":null`
	times   = `"started_at":"2026-01-31T11:00:05Z","ended_at":"2026-01-31T11:03:05Z"`
	noWhy   = `"reason":""`
)

// failureJSON is the step of a deployment that failed.
const failureJSON = `"failure":{"workflow":"deploy","job":"test","step":"make test",` +
	`"lines":["--- FAIL: TestX","exit 1"]}`

// detailJSON is a deployment with its history, and without a failing step.
func detailJSON(deployment string) string {
	return strings.TrimSuffix(deployment, "}") + `,"timeline":[` +
		`{"at":"2026-01-31T11:00:00Z","event":"accepted","detail":"webhook 1"},` +
		`{"at":"2026-01-31T11:00:05Z","event":"note","detail":"two\nlines"}],"reports":[` +
		`{"state":"queued","description":"Waiting for 1 approval","log_url":"","sent_at":"2026-01-31T11:00:02Z"},` +
		`{"state":"in_progress","description":"CircleCI pipeline 12","log_url":"https://x","sent_at":null}],"failure":null}`
}

// verdictJSON waits for an approval.
const verdictJSON = `{"decision":"wait","reason":"1 approval","opens_at":null,"forced":false,"rules":[` +
	`{"rule":"allow","decision":"allow","code":"ok","message":"alice is allowed to deploy","who":"the operator",` +
	`"opens_at":null,"forced":false},` +
	`{"rule":"checks","decision":"wait","code":"checks_pending","message":"build is running","who":"GitHub",` +
	`"opens_at":null,"forced":true},` +
	`{"rule":"freeze","decision":"wait","code":"frozen","message":"holidays","who":"the operator",` +
	`"opens_at":"2026-02-01T08:00:00Z","forced":false},` +
	`{"rule":"approvals","decision":"wait","code":"approvals_missing","message":"1 of 1 approval is missing",` +
	`"who":"carol, acme/leads","opens_at":null,"forced":false}]}`

// rejectJSON rejects.
const rejectJSON = `{"decision":"reject","reason":"bob is not allowed to deploy","opens_at":null,"forced":false,` +
	`"rules":[{"rule":"allow","decision":"reject","code":"not_allowed","message":"bob is not allowed to deploy",` +
	`"who":"alice, acme/sre","opens_at":null,"forced":false}]}`

const lockJSON = `{"id":3,"repository":"acme/api","environment":"production",` +
	`"owner":{"id":583231,"login":"bob","app":"","token":""},"reason":"database migration",` +
	`"taken_at":"2026-01-31T10:00:00Z","expires_at":"2026-01-31T14:00:00Z"}`

func errorJSON(code, message string) string {
	return fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, code, message)
}

func environmentsJSON() string {
	current := deploymentJSON(40, "succeeded", noTimes, times)
	active := deploymentJSON(41, "running", noPipeline, hasPipeline, `"ref":"main"`, `"ref":"release/2"`)
	waiting := deploymentJSON(42, "waiting", noWait, waits)
	return `{"environments":[{"repository":"acme/api","repository_id":7,"environment":"production","current":` + current +
		`,"active":` + active + `,"waiting":[` + waiting + `],"waiting_count":12,"lock":` + lockJSON + `},` +
		`{"repository":"acme/web","repository_id":8,"environment":"staging","current":null,"active":null,"waiting":[],` +
		`"waiting_count":0,"lock":null}],"next_cursor":""}`
}
