package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// fakeCommands answers the same to everything, and remembers what was asked.
type fakeCommands struct {
	asked string
	err   error
}

var (
	rowOf   = record(2, 42).Deployment
	verdict = policy.Verdict{
		Decision: policy.DecisionWait,
		Until:    time.Unix(1_800_000_000, 0),
		Outcomes: []policy.Outcome{
			{Rule: policy.RuleAllow, Decision: policy.DecisionAllow, Code: policy.CodeOK},
			{
				Rule:     policy.RuleFreeze,
				Decision: policy.DecisionWait,
				Code:     policy.CodeFrozen,
				Message:  "the freeze to end",
				Who:      "the operator",
				Until:    time.Unix(1_800_000_000, 0),
			},
		},
	}
	oneLock = policy.Lock{
		ID:           3,
		RepositoryID: 7,
		Repository:   "acme/api",
		Environment:  "production",
		Owner:        deployment.Actor{ID: 1, Login: "alice", Token: "bot"},
		Reason:       "moving",
		TakenAt:      time.Unix(0, 0),
	}
)

// who names a caller with both names.
func who(c command.Caller) string {
	return fmt.Sprintf("%s:%d:%s:%s:%v", c.Channel, c.By.ID, c.By.Login, c.By.Token, c.Admin)
}

func (d *fakeCommands) say(format string, args ...any) error {
	d.asked = fmt.Sprintf(format, args...)
	return d.err
}

func (d *fakeCommands) Ask(_ context.Context, q policy.Question) (policy.Verdict, error) {
	return verdict, d.say("ask %+v", q)
}

func (d *fakeCommands) Explain(_ context.Context, id int64) (deployment.Deployment, policy.Verdict, error) {
	return rowOf, verdict, d.say("explain %d", id)
}

func (d *fakeCommands) Approve(
	_ context.Context,
	c command.Caller,
	id int64,
	comment string,
) (deployment.Deployment, policy.Verdict, error) {
	return rowOf, verdict, d.say("approve %s %d %s", who(c), id, comment)
}

func (d *fakeCommands) Cancel(
	_ context.Context,
	c command.Caller,
	id int64,
	reason string,
) (deployment.Deployment, error) {
	return rowOf, d.say("cancel %s %d %s", who(c), id, reason)
}

func (d *fakeCommands) Force(
	_ context.Context,
	c command.Caller,
	id int64,
	reason string,
) (deployment.Deployment, error) {
	forced := rowOf
	forced.Forced, forced.Force = true, &deployment.Force{By: c.By, Reason: reason}
	return forced, d.say("force %s %d %s", who(c), id, reason)
}

func (d *fakeCommands) TakeLock(_ context.Context, c command.Caller, r command.LockRequest) (policy.Lock, error) {
	return oneLock, d.say("lock %s %+v", who(c), r)
}

func (d *fakeCommands) ExtendLock(_ context.Context, c command.Caller, id int64, until time.Time) (policy.Lock, error) {
	return oneLock, d.say("extend %s %d %s", who(c), id, until)
}

func (d *fakeCommands) HandOverLock(
	_ context.Context,
	c command.Caller,
	id int64,
	to deployment.Actor,
) (policy.Lock, error) {
	return oneLock, d.say("hand over %s %d %v", who(c), id, to)
}

func (d *fakeCommands) ReleaseLock(_ context.Context, c command.Caller, id int64) error {
	return d.say("release %s %d", who(c), id)
}

func (d *fakeCommands) Lock(_ context.Context, id int64) (command.LockState, error) {
	return command.LockState{Lock: oneLock, Waiting: []deployment.Deployment{rowOf}}, d.say("lock %d", id)
}

func (d *fakeCommands) Locks(context.Context) ([]policy.Lock, error) {
	return []policy.Lock{oneLock}, d.say("locks")
}

func (d *fakeCommands) Notices(_ context.Context, after int64, limit int) ([]policy.Notice, error) {
	return []policy.Notice{{
		ID:   1,
		At:   time.Unix(0, 0),
		To:   oneLock.Owner,
		Text: "bob took your lock",
		Lock: 3,
	}}, d.say("notices %d %d", after, limit)
}

// TestDesk asks for everything in every way; the answers are held against the description on the
// way.
func TestDesk(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	b := newBench(t, func(o *Options) { o.Now = func() time.Time { return now } })
	const alice = `"actor":{"id":1,"login":"alice"}`
	question := "/gate?repository=acme/api&environment=production&sha=" + strings.ToUpper(aSHA)
	for name, c := range map[string]struct {
		token, method, path, body string
		code                      int
		asked                     string // empty: the desk is not asked
	}{
		"gate":                       {readToken, "GET", question + "&actor=alice&ref=main", "", 200, "ask {Repository:acme/api Environment:production Ref:main SHA:" + aSHA + " Actor:alice Task:}"},
		"gate without sha":           {readToken, "GET", "/gate?repository=acme/api&environment=production", "", 400, ""},
		"gate for a short sha":       {readToken, "GET", "/gate?repository=acme/api&environment=production&sha=0123456", "", 400, ""},
		"gate, misspelt":             {readToken, "GET", question + "&enviroment=x", "", 400, ""},
		"gate, twice":                {readToken, "GET", question + "&sha=" + aSHA, "", 400, ""},
		"explain":                    {readToken, "GET", "/deployments/42/explain", "", 200, "explain 42"},
		"approve as the token":       {deployToken, "POST", "/deployments/42/approve", `{"comment":"fine"}`, 200, "approve api:0::deployer:false 42 fine"},
		"approve without a body":     {deployToken, "POST", "/deployments/42/approve", "", 200, "approve api:0::deployer:false 42 "},
		"approve for a person":       {behalfToken, "POST", "/deployments/42/approve", "{" + alice + "}", 200, "approve api:1:alice:behalfer:false 42 "},
		"approve may not pretend":    {deployToken, "POST", "/deployments/42/approve", "{" + alice + "}", 403, ""},
		"admin may not pretend":      {adminToken, "POST", "/deployments/42/approve", "{" + alice + "}", 403, ""},
		"a face is nobody itself":    {behalfToken, "POST", "/deployments/42/approve", "{}", 400, ""},
		"a person needs an id":       {behalfToken, "POST", "/deployments/42/approve", `{"actor":{"login":"alice"}}`, 400, ""},
		"readers do not approve":     {readToken, "POST", "/deployments/42/approve", "{}", 403, ""},
		"cancel":                     {deployToken, "POST", "/deployments/42/cancel", `{"reason":"wrong"}`, 202, "cancel api:0::deployer:false 42 wrong"},
		"force":                      {adminToken, "POST", "/deployments/42/force", `{"reason":"fire"}`, 202, "force api:0::adminer:true 42 fire"},
		"unknown field":              {adminToken, "POST", "/deployments/42/force", `{"reson":"fire"}`, 400, ""},
		"two documents":              {adminToken, "POST", "/deployments/42/force", `{"reason":"fire"}{}`, 400, ""},
		"wrong type":                 {adminToken, "POST", "/deployments/42/force", `{"reason":1}`, 400, ""},
		"null":                       {adminToken, "POST", "/deployments/42/force", `null`, 202, "force api:0::adminer:true 42 "},
		"a list":                     {adminToken, "POST", "/deployments/42/force", `[]`, 400, ""},
		"too large":                  {adminToken, "POST", "/deployments/42/force", `{"reason":"` + strings.Repeat("x", maxCommandBody) + `"}`, 400, ""},
		"lock for a while":           {deployToken, "POST", "/locks", `{"repository":"acme/api","environment":"production","reason":"moving","expires_in":"2h"}`, 201, "lock api:0::deployer:false {Repository:acme/api Environment:production Reason:moving Until:2026-11-25 14:00:00 +0000 UTC Steal:false}"},
		"lock until":                 {behalfToken, "POST", "/locks", "{" + alice + `,"environment":"production","reason":"moving","expires_at":"2026-11-26T01:00:00+01:00","steal":true}`, 201, "lock api:1:alice:behalfer:false {Repository: Environment:production Reason:moving Until:2026-11-26 00:00:00 +0000 UTC Steal:true}"},
		"lock both ways":             {deployToken, "POST", "/locks", `{"environment":"p","reason":"m","expires_in":"2h","expires_at":"2026-11-26T01:00:00Z"}`, 400, ""},
		"lock for less than no time": {deployToken, "POST", "/locks", `{"environment":"p","reason":"m","expires_in":"-2h"}`, 400, ""},
		"lock what is no repository": {deployToken, "POST", "/locks", `{"repository":"api","environment":"p","reason":"m"}`, 400, ""},
		"list locks":                 {readToken, "GET", "/locks", "", 200, "locks"},
		"one lock":                   {readToken, "GET", "/locks/3", "", 200, "lock 3"},
		"extend":                     {deployToken, "POST", "/locks/3/extend", `{"expires_in":"1h"}`, 200, "extend api:0::deployer:false 3 2026-11-25 13:00:00 +0000 UTC"},
		"hand over":                  {deployToken, "POST", "/locks/3/hand-over", `{"to":{"id":2,"login":"bob"}}`, 200, "hand over api:0::deployer:false 3 bob"},
		"hand over to nobody":        {deployToken, "POST", "/locks/3/hand-over", `{}`, 400, ""},
		"release":                    {deployToken, "DELETE", "/locks/3", "", 204, "release api:0::deployer:false 3"},
		"no such lock":               {deployToken, "DELETE", "/locks/x", "", 204, "release api:0::deployer:false 0"},
		"notices":                    {readToken, "GET", "/notices?after=7", "", 200, "notices 7 200"},
		"notices after nothing":      {readToken, "GET", "/notices?after=x", "", 400, ""},
	} {
		b.desk.asked = ""
		got := b.ask(t, c.method, "/api/v1"+c.path, strings.NewReader(c.body), "Authorization", "Bearer "+c.token)
		if got.code != c.code || b.desk.asked != c.asked {
			t.Errorf("%s: got %d %s, the desk heard %q", name, got.code, got.body, b.desk.asked)
		}
	}
}

// What the desk refuses keeps its code and words; our own failures are not told.
func TestDeskRefuses(t *testing.T) {
	b := newBench(t)
	for kind, code := range map[command.Kind]int{
		command.KindInvalid: 422, command.KindForbidden: 403, command.KindNotFound: 404, command.KindConflict: 409, "": 503,
	} {
		b.desk.err = &command.Error{Kind: kind, Code: "because", Message: "just so"}
		want := `{"error":{"code":"because","message":"just so"}}`
		if kind == "" {
			b.desk.err, want = errors.New(
				"the database's password is hunter2",
			), `{"error":{"code":"unavailable","message":"it could not be done now, ask again"}}`
		}

		got := b.ask(t, http.MethodPost, "/api/v1/deployments/42/cancel", nil, "Authorization", "Bearer "+deployToken)
		if got.code != code || got.body != want {
			t.Errorf("%s: got %d %s", kind, got.code, got.body)
		}
	}
}

func FuzzAsk(f *testing.F) {
	for _, s := range []string{"", "{}", `{"actor":{"id":1,"login":"a"},"reason":"x","expires_in":"1h"}`, `{"to":null,"steal":true}`} {
		f.Add(s)
	}

	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.NewRequest(http.MethodPost, "/", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}

		a, err := readCommand(nil, r)
		var p *apiError
		if err != nil && (!errors.As(err, &p) || p.status != http.StatusBadRequest) {
			t.Errorf("%q: %v", text, err)
		}
		if until, err := a.until(time.Unix(0, 0)); err == nil && a.ExpiresIn != "" && !until.After(time.Unix(0, 0)) {
			t.Errorf("%q ends at %s", text, until)
		}
	})
}
