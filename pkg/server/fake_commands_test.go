package server

import (
	"context"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// What fakeCommands answers.
var (
	testDeployment = testRecord(2, 42).Deployment
	testVerdict    = policy.Verdict{
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
	testLock = policy.Lock{
		ID:           3,
		RepositoryID: 7,
		Repository:   "acme/api",
		Environment:  "production",
		Owner:        deployment.Actor{ID: 1, Login: "alice", Token: "bot"},
		Reason:       "moving",
		TakenAt:      time.Unix(0, 0),
	}
	testNotice = policy.Notice{
		ID:   1,
		At:   time.Unix(0, 0),
		To:   testLock.Owner,
		Text: "bob took your lock",
		Lock: 3,
	}
)

// fakeCommands gives the same answer to every call, and keeps the last call as text.
type fakeCommands struct {
	called     string
	err        error
	refused    error // of what a line asks for
	unanswered bool  // GitHub has not answered what was ordered
}

func (f *fakeCommands) call(format string, args ...any) error {
	f.called = fmt.Sprintf(format, args...)
	return f.err
}

// callerText is channel, id, login, token and admin of a caller.
func callerText(c command.Caller) string {
	return fmt.Sprintf("%s:%d:%s:%s:%v", c.Channel, c.By.ID, c.By.Login, c.By.Token, c.Admin)
}

func (f *fakeCommands) Ask(_ context.Context, q policy.Question) (policy.Verdict, error) {
	return testVerdict, f.call("ask %+v", q)
}

func (f *fakeCommands) Explain(_ context.Context, id int64) (deployment.Deployment, policy.Verdict, error) {
	return testDeployment, testVerdict, f.call("explain %d", id)
}

func (f *fakeCommands) Approve(
	_ context.Context,
	c command.Caller,
	id int64,
	comment string,
) (deployment.Deployment, policy.Verdict, error) {
	return testDeployment, testVerdict, f.call("approve %s %d %s", callerText(c), id, comment)
}

func (f *fakeCommands) ApproveHold(
	_ context.Context,
	c command.Caller,
	id int64,
	job string,
) (deployment.Deployment, error) {
	return testDeployment, f.call("approve hold %s %d %s", callerText(c), id, job)
}

func (f *fakeCommands) Cancel(
	_ context.Context,
	c command.Caller,
	id int64,
	reason string,
) (deployment.Deployment, error) {
	return testDeployment, f.call("cancel %s %d %s", callerText(c), id, reason)
}

func (f *fakeCommands) Force(
	_ context.Context,
	c command.Caller,
	id int64,
	reason string,
) (deployment.Deployment, error) {
	forced := testDeployment
	forced.Forced, forced.Force = true, &deployment.Force{By: c.By, Reason: reason}
	return forced, f.call("force %s %d %s", callerText(c), id, reason)
}

// testIntent is a request whose deployment GitHub has created.
var testIntent = deployment.Intent{
	Key:         "key-1",
	By:          deployment.Actor{ID: 1, Login: "alice", Token: "bot"},
	Repository:  deployment.Repository{ID: 7, Owner: "acme", Name: "api"},
	Environment: "production",
	State:       deployment.IntentCreated,
	CreatedAt:   time.Unix(0, 0),
}

func (f *fakeCommands) Deploy(
	_ context.Context,
	c command.Caller,
	o command.DeployOrder,
) (command.Ordered, error) {
	return f.ordered(), f.call("deploy %s %+v", callerText(c), o)
}

func (f *fakeCommands) Rollback(
	_ context.Context,
	c command.Caller,
	o command.RollbackOrder,
) (command.Ordered, error) {
	return f.ordered(), f.call("rollback %s %+v", callerText(c), o)
}

func (f *fakeCommands) Request(_ context.Context, c command.Caller, key string) (command.Ordered, error) {
	return f.ordered(), f.call("request %s %s", callerText(c), key)
}

// ordered is an order with its deployment, unless the test says that GitHub has not answered yet.
func (f *fakeCommands) ordered() command.Ordered {
	o := command.Ordered{Intent: testIntent, Verdict: &testVerdict}
	if f.unanswered {
		o.Intent.State = deployment.IntentUnknown
		return o
	}

	o.Deployment = &testDeployment
	return o
}

func (f *fakeCommands) TakeLock(_ context.Context, c command.Caller, r command.LockRequest) (policy.Lock, error) {
	return testLock, f.call("lock %s %+v", callerText(c), r)
}

func (f *fakeCommands) ExtendLock(
	_ context.Context,
	c command.Caller,
	id int64,
	until time.Time,
) (policy.Lock, error) {
	return testLock, f.call("extend %s %d %s", callerText(c), id, until)
}

func (f *fakeCommands) HandOverLock(
	_ context.Context,
	c command.Caller,
	id int64,
	to deployment.Actor,
) (policy.Lock, error) {
	return testLock, f.call("hand over %s %d %v", callerText(c), id, to)
}

func (f *fakeCommands) ReleaseLock(_ context.Context, c command.Caller, id int64) error {
	return f.call("release %s %d", callerText(c), id)
}

func (f *fakeCommands) Lock(_ context.Context, id int64) (command.LockState, error) {
	state := command.LockState{Lock: testLock, Waiting: []deployment.Deployment{testDeployment}}
	return state, f.call("lock %d", id)
}

func (f *fakeCommands) Locks(context.Context) ([]policy.Lock, error) {
	return []policy.Lock{testLock}, f.call("locks")
}

func (f *fakeCommands) Notices(_ context.Context, after int64, limit int) ([]policy.Notice, error) {
	return []policy.Notice{testNotice}, f.call("notices %d %d", after, limit)
}
