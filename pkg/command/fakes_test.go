package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

var (
	testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

	alice = deployment.Actor{ID: 1, Login: "alice"}
	bob   = deployment.Actor{ID: 2, Login: "bob"}
	ops   = deployment.Actor{Token: "ops"}
)

// fakes are everything that a Service needs.
type fakes struct {
	gate        *fakeGate
	engine      *fakeEngine
	deployments *fakeDeployments
	locks       *fakeLocks
	requests    *fakeRequests
	refs        *fakeRefs
	history     *fakeHistory
	routes      *fakeRoutes
	holds       *fakeHolds
}

// newTestService makes a Service on fakes with one waiting deployment, which has the id 5, and no
// lock.
func newTestService() (*Service, *fakes) {
	f := &fakes{
		gate:   &fakeGate{allow: policy.Verdict{Decision: policy.DecisionAllow}},
		engine: &fakeEngine{},
		deployments: &fakeDeployments{
			deployment: deployment.Deployment{
				Row:     1,
				State:   deployment.Waiting,
				Request: deployment.Request{ID: 5, Environment: "production"},
			},
		},
		locks:    &fakeLocks{},
		holds:    &fakeHolds{},
		requests: &fakeRequests{created: 5},
		refs:     &fakeRefs{branch: "main", sha: mainSHA},
		history:  &fakeHistory{payload: `{"hosts":"a","seraph":{"nonce":"old"},"seraph_force":"old"}`},
		routes:   &fakeRoutes{},
	}

	return New(Options{
		Gate:        f.gate,
		People:      f.gate,
		Routes:      f.routes,
		Engine:      f.engine,
		Holds:       f.holds,
		HoldPeople:  f.gate,
		Deployments: f.deployments,
		Locks:       f.locks,
		LockReader:  f.locks,
		Resolver:    fakeResolver{},
		Requests:    f.requests,
		Refs:        f.refs,
		History:     f.history,
		Task:        "ship",
		LockTask:    "ship:lock",
		Now:         func() time.Time { return testNow },
	}), f
}

// outcome is "done", the kind, code and message of a refusal, or "fault" and the error.
func outcome(err error) string {
	var refused *Error
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &refused):
		return fmt.Sprintf("%s %s: %s", refused.Kind, refused.Code, refused.Message)
	default:
		return "fault: " + err.Error()
	}
}

// fakeGate allows everything unless refused is set.
type fakeGate struct {
	refused  string // what Approver, Forcer and Member refuse with
	unlocker string // what Unlocker refuses with
	owner    string // what LockOwner refuses with
	unknown  bool   // GitHub did not answer: nothing is known about the person
	askErr   error
	rejects  string                // why Decide rejects
	nobody   string                // why Decide waits for an account that GitHub does not show
	allow    policy.Verdict        // what DecideAllow says
	decided  int                   // how often Decide was called
	judged   deployment.Deployment // what Decide was asked about last
	allowed  deployment.Deployment // what DecideAllow was asked about last
	member   deployment.Deployment // what Member was asked about last
}

func (g *fakeGate) Decide(_ context.Context, d deployment.Deployment) (policy.Verdict, error) {
	g.decided++
	g.judged = d
	if g.rejects != "" {
		return policy.Verdict{
			Decision: policy.DecisionReject,
			Outcomes: []policy.Outcome{{Decision: policy.DecisionReject, Message: g.rejects}},
		}, nil
	}
	if g.nobody != "" {
		return policy.Verdict{
			Decision: policy.DecisionWait,
			Outcomes: []policy.Outcome{
				{Decision: policy.DecisionWait, Code: policy.CodeInLine, Message: "another deployment"},
				{Decision: policy.DecisionWait, Code: policy.CodeUnknown, Message: g.nobody, NoAccount: true},
			},
		}, nil
	}
	return policy.Verdict{Decision: policy.DecisionWait}, nil
}

func (g *fakeGate) DecideAllow(_ context.Context, d deployment.Deployment) policy.Verdict {
	g.allowed = d
	return g.allow
}

func (g *fakeGate) Ask(context.Context, policy.Question) (policy.Verdict, error) {
	return policy.Verdict{}, g.askErr
}

func (g *fakeGate) Approver(
	_ context.Context,
	_ deployment.Deployment,
	by deployment.Actor,
) (policy.Approval, policy.Refusal) {
	return policy.Approval{By: by}, g.refusal(g.refused)
}

func (g *fakeGate) Forcer(context.Context, deployment.Deployment, deployment.Actor) policy.Refusal {
	return g.refusal(g.refused)
}

func (g *fakeGate) Member(_ context.Context, d deployment.Deployment, _ deployment.Actor) policy.Refusal {
	g.member = d
	return g.refusal(g.refused)
}

func (g *fakeGate) HoldApprover(context.Context, deployment.Deployment, deployment.Actor) policy.Refusal {
	return g.refusal(g.refused)
}

func (g *fakeGate) Unlocker(context.Context, deployment.Deployment, deployment.Actor) policy.Refusal {
	return g.refusal(g.unlocker)
}

func (g *fakeGate) LockOwner(_ context.Context, d deployment.Deployment, _ deployment.Actor) policy.Refusal {
	g.member = d
	return g.refusal(g.owner)
}

func (g *fakeGate) refusal(reason string) policy.Refusal {
	return policy.Refusal{Reason: reason, Unknown: g.unknown}
}

// fakeRoutes have a route to every environment but "prodution", and none for the owner "secret".
type fakeRoutes struct {
	moving  bool     // they build the ref that is asked for
	noSHA   bool     // no parameter has the commit
	strict  bool     // the pipeline must be at the commit
	problem string   // of every request
	places  []string // in which may be asked
	blue    []string // in which may be asked for the task ship:blue; nil: places
}

func (r *fakeRoutes) Admit(req deployment.Request, key string) deployment.Admission {
	target := deployment.Target{
		Ref:        deployment.Ref{Kind: deployment.RefBranch, Name: "main"},
		FixedRef:   !r.moving,
		Key:        key,
		Parameters: []deployment.Parameter{{Name: "sha", Value: []byte(`"` + req.SHA + `"`)}},
	}
	if r.noSHA {
		target.Parameters = nil
	}
	if r.strict {
		target.Revision = deployment.RevisionStrict
	}

	return deployment.Admission{Problem: r.problem, Target: target}
}

func (r *fakeRoutes) AskPlaces(req deployment.Request) []string {
	if req.Task == "ship:blue" && r.blue != nil {
		return r.blue
	}
	return r.places
}

func (r *fakeRoutes) Production(req deployment.Request) bool { return req.Environment == "production" }

func (r *fakeRoutes) Policy(req deployment.Request) (policy.Policy, bool) {
	return policy.Policy{}, req.Environment != "prodution" && req.Repository.Owner != "secret"
}

// fakeEngine keeps what it is asked for.
type fakeEngine struct {
	canceled *deployment.CancelRequested
	forced   *deployment.Force
	holds    []deployment.Event
	events   []deployment.AuditEvent
	err      error
}

func (e *fakeEngine) Cancel(
	_ context.Context,
	row int64,
	request deployment.CancelRequested,
	event deployment.AuditEvent,
) (deployment.Deployment, error) {
	e.canceled, e.events = &request, append(e.events, event)
	return deployment.Deployment{Row: row, State: deployment.Canceled}, e.err
}

func (e *fakeEngine) Hold(
	_ context.Context,
	row int64,
	hold deployment.Event,
	event *deployment.AuditEvent,
) (deployment.Deployment, error) {
	if e.err != nil {
		return deployment.Deployment{Row: row, State: deployment.Canceled}, e.err
	}
	if event != nil {
		e.events = append(e.events, *event)
	}

	e.holds = append(e.holds, hold)
	return deployment.Deployment{Row: row, State: deployment.Held, Pipeline: &deployment.Pipeline{ID: "p1"}}, nil
}

func (e *fakeEngine) Force(
	_ context.Context,
	row int64,
	force deployment.Force,
	event deployment.AuditEvent,
) (deployment.Deployment, error) {
	e.forced, e.events = &force, append(e.events, event)
	return deployment.Deployment{Row: row, State: deployment.Waiting}, e.err
}

// fakeDeployments has one deployment, and keeps its approvals.
type fakeDeployments struct {
	deployment deployment.Deployment
	others     []deployment.Record // of other repositories, with the same id
	decision   *policy.Verdict     // what was recorded; nil: nothing
	approvals  []policy.Approval
	events     []deployment.AuditEvent
}

func (f *fakeDeployments) Get(_ context.Context, id int64) ([]deployment.Record, error) {
	if id != f.deployment.Request.ID {
		return nil, deployment.ErrNotFound
	}
	return append([]deployment.Record{{Deployment: f.deployment}}, f.others...), nil
}

func (f *fakeDeployments) Decision(context.Context, deployment.Deployment) (policy.Verdict, bool, error) {
	if f.decision == nil {
		return policy.Verdict{}, false, nil
	}
	return *f.decision, true, nil
}

func (f *fakeDeployments) Approve(
	_ context.Context,
	_ int64,
	a policy.Approval,
	event deployment.AuditEvent,
) error {
	f.approvals, f.events = append(f.approvals, a), append(f.events, event)
	return nil
}

// fakeResolver knows every repository but acme/gone, and is not answered about acme/away.
type fakeResolver struct{}

func (fakeResolver) ResolveRepository(_ context.Context, owner, name string) (deployment.Source, error) {
	switch name {
	case "gone":
		return deployment.Source{}, policy.ErrMissing
	case "away":
		return deployment.Source{}, errors.New("503")
	default:
		return deployment.Source{Repository: deployment.Repository{ID: 9, Owner: owner, Name: name}}, nil
	}
}

// fakeLocks has at most one lock.
type fakeLocks struct {
	lock          *policy.Lock
	releasedFirst bool // somebody else releases the lock just before ReleaseLock
	events        []deployment.AuditEvent
	notices       []string
}

func (f *fakeLocks) TakeLock(
	_ context.Context,
	l policy.Lock,
	_ string,
	event deployment.AuditEvent,
) (policy.Lock, error) {
	if f.lock != nil && !f.lock.Owner.Same(l.Owner) {
		return l, &policy.LockedError{Lock: *f.lock}
	}
	l.ID = 7
	f.lock, f.events = &l, append(f.events, event)
	return l, nil
}

func (f *fakeLocks) StealLock(
	_ context.Context,
	_ int64,
	l policy.Lock,
	event deployment.AuditEvent,
	notice string,
) (policy.Lock, error) {
	l.ID = 8
	f.lock, f.events, f.notices = &l, append(f.events, event), append(f.notices, notice)
	return l, nil
}

func (f *fakeLocks) ExtendLock(
	_ context.Context,
	_ int64,
	until time.Time,
	event deployment.AuditEvent,
) (policy.Lock, error) {
	f.lock.ExpiresAt, f.events = until, append(f.events, event)
	return *f.lock, nil
}

func (f *fakeLocks) HandOverLock(
	_ context.Context,
	_ int64,
	to deployment.Actor,
	event deployment.AuditEvent,
) (policy.Lock, error) {
	f.lock.Owner, f.events = to, append(f.events, event)
	return *f.lock, nil
}

func (f *fakeLocks) ReleaseLock(_ context.Context, _ int64, event deployment.AuditEvent, notice string) error {
	f.lock = nil
	if f.releasedFirst {
		return deployment.ErrNotFound
	}
	f.events = append(f.events, event)
	if notice != "" {
		f.notices = append(f.notices, notice)
	}
	return nil
}

func (f *fakeLocks) OpenLock(context.Context, int64, string) (policy.Lock, bool, error) {
	if f.lock == nil {
		return policy.Lock{}, false, nil
	}
	return *f.lock, true, nil
}

func (f *fakeLocks) Lock(ctx context.Context, _ int64) (policy.Lock, bool, error) {
	return f.OpenLock(ctx, 0, "")
}

func (f *fakeLocks) Locks(context.Context) ([]policy.Lock, error) {
	if f.lock == nil {
		return nil, nil
	}
	return []policy.Lock{*f.lock}, nil
}

func (f *fakeLocks) WaitingFor(context.Context, policy.Lock) ([]deployment.Deployment, error) {
	return []deployment.Deployment{{Row: 1}}, nil
}

func (f *fakeLocks) Notices(context.Context, int64, int) ([]policy.Notice, error) { return nil, nil }

const mainSHA = "abababababababababababababababababababab"

// fakeRequests keeps intents and has the engine end them at once: as created with a deployment, or failed.
type fakeRequests struct {
	intents []deployment.Intent
	events  []deployment.AuditEvent
	created int64  // the deployment; 0: they stay open
	problem string // why they fail
	full    bool   // the person has too many open
}

func (f *fakeRequests) AddRequest(
	ctx context.Context,
	i deployment.Intent,
	events ...deployment.AuditEvent,
) (stored deployment.Intent, added bool, err error) {
	if before, err := f.RequestByKey(ctx, i.Asker, i.Key); err == nil {
		return before, false, nil
	}

	if f.full {
		return deployment.Intent{}, false, deployment.ErrTooManyOpen
	}

	i.Row = int64(len(f.intents) + 1)
	f.intents, f.events = append(f.intents, i), append(f.events, events...)
	return i, true, nil
}

func (f *fakeRequests) Request(_ context.Context, row int64) (deployment.Intent, error) {
	i := &f.intents[row-1]
	switch {
	case f.problem != "":
		i.State, i.Problem = deployment.IntentFailed, f.problem
	case f.created != 0:
		i.State, i.DeploymentID = deployment.IntentCreated, f.created
	}
	return *i, nil
}

func (f *fakeRequests) RequestByKey(ctx context.Context, asker, key string) (deployment.Intent, error) {
	for _, i := range f.intents {
		if i.Asker == asker && i.Key == key {
			return f.Request(ctx, i.Row)
		}
	}
	return deployment.Intent{}, deployment.ErrNotFound
}

func (f *fakeRequests) RequestByNonce(ctx context.Context, nonce string) (deployment.Intent, error) {
	for _, i := range f.intents {
		if i.Nonce == nonce {
			return f.Request(ctx, i.Row)
		}
	}
	return deployment.Intent{}, deployment.ErrNotFound
}

// fakeRefs has one branch.
type fakeRefs struct {
	asked  int // how often ResolveRef was called
	branch string
	sha    string
	err    error
}

func (f *fakeRefs) Maker(context.Context) (deployment.Maker, error) {
	return deployment.Maker{AppID: 3, Login: "seraph[bot]"}, f.err
}

func (f *fakeRefs) ResolveRef(
	_ context.Context,
	_ deployment.Source,
	name string,
) (ref deployment.Ref, sha string, err error) {
	f.asked++
	ref = deployment.ParseRef(name)
	switch {
	case f.err != nil:
		return ref, "", f.err
	case ref.Name == f.branch:
		return deployment.Ref{Kind: deployment.RefBranch, Name: f.branch}, f.sha, nil
	case ref.Kind == deployment.RefTag:
		return ref, f.sha, nil
	default:
		return ref, "", &deployment.NoRefError{Ref: name, Near: []string{f.branch}}
	}
}

// fakeHolds is CircleCI with the jobs of one pipeline.
type fakeHolds struct {
	jobs     []deployment.HoldJob
	outcome  deployment.HoldOutcome
	effect   bool // the approval has its effect whatever the outcome is
	err      error
	approved []string
}

func (f *fakeHolds) HoldJobs(_ context.Context, pipelineID string) ([]deployment.HoldJob, error) {
	if pipelineID != "p1" {
		return nil, errors.New("no pipeline " + pipelineID)
	}
	return slices.Clone(f.jobs), f.err
}

func (f *fakeHolds) ApproveHold(_ context.Context, j deployment.HoldJob) deployment.HoldOutcome {
	f.approved = append(f.approved, j.Workflow+"/"+j.Name)
	if f.effect || f.outcome.Kind == deployment.HoldDone {
		f.jobs[slices.Index(f.jobs, j)].Status = "success"
	}
	return f.outcome
}
