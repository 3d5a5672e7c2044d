package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/gate"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/report"
	"github.com/seraph-deploy/seraph/pkg/store"
)

// pipelineRun is a pipeline at the simulated CircleCI.
type pipelineRun struct {
	id          string
	key         string
	environment string
	deployment  int64
	began       time.Time
	ends        time.Time
	status      string // at the end
}

// simulation is a service over a real database, with a clock that the test sets, and a simulated
// GitHub and CircleCI. What these two were asked is kept, for the checks of the test.
type simulation struct {
	*Engine
	t        *testing.T
	rng      *rand.Rand
	path     string // of the database
	db       *store.DB
	commands *command.Service
	now      time.Time
	policies map[string]policy.Policy // by environment
	calm     bool                     // nothing goes wrong, and every pipeline takes ten minutes

	pipelines []*pipelineRun
	statuses  map[int64][]deployment.Status // by deployment
	green     map[string]time.Time          // when the checks of a commit turn green
	crashes   int
	crashed   bool // the process has ended in the middle of a step: nothing it does is stored any more
}

func (w *simulation) clock() time.Time { return w.now }

// open starts the service on its database, for the first time or after a crash.
func (w *simulation) open() {
	db, err := store.Open(w.t.Context(), store.Options{URL: "sqlite:" + w.path, Log: zerolog.Nop(), Now: w.clock})
	if err != nil {
		w.t.Fatal(err)
	}

	w.db, w.crashed = db, false
	g := &gate.Gate{Policies: w, Rows: db, History: db, People: w, Commits: w, Repositories: w, Now: w.clock}
	w.Engine = New(Options{
		Rows:        crashableRows{db, w},
		DueRows:     db,
		Deployments: db,
		Pipelines:   db,
		Retention:   db,
		Database:    db,
		Starter:     w,
		Poller:      w,
		Searcher:    w,
		GitHub:      w,
		Gate:        g,
		LockTasks:   &command.LockTasks{Locks: db, Now: w.clock},
		Sender:      &report.Sender{Store: db, GitHub: w, Log: zerolog.Nop(), Now: w.clock},
		Log:         zerolog.Nop(),
		Now:         w.clock,
		Machine: deployment.Machine{
			TriggerTimeout: 15 * time.Second,
			LookupGrace:    2 * time.Minute,
			WorkflowGrace:  2 * time.Minute,
			StartTimeout:   30 * time.Minute,
			PollMin:        5 * time.Second,
			PollMax:        30 * time.Second,
			MaxAge:         time.Hour,
		},
	})

	w.commands = command.New(command.Options{
		Gate:        g,
		People:      g,
		Routes:      w,
		Engine:      w.Engine,
		Deployments: db,
		Locks:       db,
		LockReader:  db,
		Resolver:    w,
		Now:         w.clock,
	})
	w.trust.reset(w.now)
}

// crash ends the service and starts it again.
func (w *simulation) crash() {
	w.crashes++
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// crashableRows stores nothing after the process has crashed. The error is one after which the engine gives up soon and
// asks CircleCI for nothing, which it could not do either.
type crashableRows struct {
	*store.DB
	w *simulation
}

func (r crashableRows) Save(
	ctx context.Context,
	next deployment.Deployment,
	ch deployment.Changes,
	o deployment.SaveOptions,
) (deployment.Deployment, error) {
	if r.w.crashed {
		return next, deployment.ErrVersionConflict
	}
	return r.DB.Save(ctx, next, ch, o)
}

// workOff does everything that is due now.
func (w *simulation) workOff() {
	tasks, err := w.db.Overdue(w.t.Context(), 1000)
	if err != nil {
		w.t.Fatal(err)
	}

	for _, task := range tasks {
		w.work(w.t.Context(), task)
		if w.crashed {
			w.crash()
			return
		}
	}
}

// Policy implements gate.Policies.
func (w *simulation) Policy(req deployment.Request) (policy.Policy, bool) {
	p, ok := w.policies[req.Environment]
	return p, ok
}

// Admit, AskPlaces and Production implement command.Routes. The simulation orders no deployments.
func (w *simulation) Admit(deployment.Request, string) deployment.Admission {
	return deployment.Admission{Ignored: "not simulated"}
}

// AskPlaces is described at Admit.
func (w *simulation) AskPlaces(deployment.Request) []string { return nil }

// Production is described at Admit.
func (w *simulation) Production(deployment.Request) bool { return false }

// UnlockPolicies implements gate.Policies.
func (w *simulation) UnlockPolicies(req deployment.Request) ([]policy.Policy, bool) {
	p, ok := w.policies[req.Environment]
	return []policy.Policy{p}, ok
}

// deploy accepts a deployment. One in ten has a reason to force it.
func (w *simulation) deploy(id int64, environment string, creator deployment.Creator) {
	sha := shaOf(id)
	target := deployment.Target{
		Project:     "gh/acme/api-" + environment,
		Ref:         deployment.ParseRef("main"),
		Key:         keyOf(id),
		CarriesKey:  true,
		Timeout:     3 * time.Hour,
		HoldTimeout: time.Hour,
		HasRules:    true,
	}

	if w.rng.IntN(10) == 0 {
		target.ForceReason = "outage"
	}

	d, _ := w.Machine.New(deployment.Request{
		ID:          id,
		Repository:  simRepository,
		Environment: environment,
		Ref:         "main",
		SHA:         sha,
		CreatedAt:   w.now,
		Creator:     creator,
	}, deployment.Admission{Target: target}, w.now)

	w.green[sha] = w.now.Add(time.Duration(w.rng.IntN(1200)) * time.Second)
	_, err := w.db.Accept(w.t.Context(), deployment.Delivery{
		GUID:         keyOf(id),
		RepositoryID: simRepository.ID,
		DeploymentID: id,
		ReceivedAt:   w.now,
	}, d)
	if err != nil {
		w.t.Fatal(err)
	}
}

// shaOf is the commit of a deployment. Each has a commit of its own.
func shaOf(id int64) string { return fmt.Sprintf("%040x", id) }

var simRepository = deployment.Repository{ID: 7, Owner: "acme", Name: "api"}

// get returns a deployment as it is now.
func (w *simulation) get(id int64) deployment.Deployment {
	records, err := w.db.Get(w.t.Context(), id)
	if err != nil || len(records) != 1 {
		w.t.Fatalf("deployment %d: got %d rows, %v, want one", id, len(records), err)
	}
	return records[0].Deployment
}

// Project implements Starter. Each environment has a project of its own.
func (w *simulation) Project(_ context.Context, slug string) (deployment.Project, deployment.Event) {
	return deployment.Project{ID: "uuid of " + slug, Slug: slug}, nil
}

// Trigger implements Starter. Of 100 requests 5 are not sent, the answer to 4 is lost, and the process
// crashes at 2.
func (w *simulation) Trigger(_ context.Context, t deployment.Target, _ deployment.Ref, _ time.Time) deployment.Event {
	chance := w.rng.IntN(100)
	if w.calm {
		chance = 100
	}
	if chance < 5 {
		return deployment.TriggerNotSent{Cause: "dial"}
	}

	p := w.startPipeline(t)
	w.checkStart(p)
	w.pipelines = append(w.pipelines, p)

	if chance < 9 {
		return deployment.TriggerUnknown{Cause: "reset"}
	}
	w.crashed = chance < 11
	return deployment.Triggered{Pipeline: p.facts()}
}

// startPipeline creates a pipeline that takes some minutes. One in three fails.
func (w *simulation) startPipeline(t deployment.Target) *pipelineRun {
	duration := time.Duration(20+w.rng.IntN(400)) * time.Second
	status := []string{"success", "success", "failed"}[w.rng.IntN(3)]
	if w.calm {
		duration, status = 10*time.Minute, "success"
	}

	p := &pipelineRun{
		id:          fmt.Sprint("p", len(w.pipelines)+1),
		key:         t.Key,
		environment: strings.TrimPrefix(t.Project, "gh/acme/api-"),
		began:       w.now,
		ends:        w.now.Add(duration),
		status:      status,
	}
	if _, err := fmt.Sscanf(t.Key, "key-%d", &p.deployment); err != nil {
		w.t.Error(err)
	}

	return p
}

func (p *pipelineRun) facts() deployment.PipelineFacts {
	return deployment.PipelineFacts{
		ID:          p.id,
		Number:      1,
		State:       "created",
		CreatedAt:   p.began,
		TriggerType: "api",
		Revision:    shaOf(p.deployment),
	}
}

func (w *simulation) pipeline(id string) *pipelineRun {
	i := slices.IndexFunc(w.pipelines, func(p *pipelineRun) bool { return p.id == id })
	if i < 0 {
		return nil
	}
	return w.pipelines[i]
}

// Poll implements Poller.
func (w *simulation) Poll(_ context.Context, id string) (deployment.Progress, *deployment.PollFailed) {
	p := w.pipeline(id)
	status := "running"
	if !w.now.Before(p.ends) {
		status = p.status
	}

	return deployment.Progress{
		Pipeline:  p.facts(),
		Workflows: []deployment.Workflow{{ID: "w-" + id, Name: "deploy", Status: status, CreatedAt: p.began}},
	}, nil
}

// PollWorkflows implements Poller.
func (w *simulation) PollWorkflows(ctx context.Context, id string) (deployment.Progress, *deployment.PollFailed) {
	progress, failed := w.Poll(ctx, id)
	progress.Pipeline = deployment.PipelineFacts{ID: id}
	return progress, failed
}

// CancelWorkflow implements Poller. The workflow ends some seconds later.
func (w *simulation) CancelWorkflow(_ context.Context, id string) error {
	p := w.pipeline(strings.TrimPrefix(id, "w-"))
	if ends := w.now.Add(12 * time.Second); ends.Before(p.ends) {
		p.ends, p.status = ends, "canceled"
	}
	return nil
}

// List implements Searcher.
func (w *simulation) List(_ context.Context, slug string, _ time.Time, _ string) (deployment.Listing, error) {
	l := deployment.Listing{MineComplete: true, ProjectComplete: true}
	for _, p := range w.pipelines {
		if slug == "gh/acme/api-"+p.environment {
			l.Project = append(l.Project, p.facts())
		}
	}
	return l, nil
}

// Evidence implements Searcher.
func (w *simulation) Evidence(_ context.Context, id, key string, _ []string) (deployment.KeyEvidence, error) {
	if w.pipeline(id).key == key {
		return deployment.KeyFound, nil
	}
	return deployment.KeyOther, nil
}

// WriteStatus implements report.GitHub.
func (w *simulation) WriteStatus(
	_ context.Context,
	to deployment.Request,
	r deployment.Report,
) deployment.WriteOutcome {
	id := to.ID*1000 + int64(len(w.statuses[to.ID])+1)
	w.statuses[to.ID] = append(w.statuses[to.ID], deployment.Status{
		ID:          id,
		State:       r.State,
		Description: r.Description,
		LogURL:      r.LogURL,
	})
	return deployment.WriteOutcome{Kind: deployment.WriteDone, StatusID: id}
}

// Statuses implements GitHub.
func (w *simulation) Statuses(_ context.Context, of deployment.Request) ([]deployment.Status, error) {
	return w.statuses[of.ID], nil
}

// Deployment implements GitHub: every event was true.
func (w *simulation) Deployment(_ context.Context, of deployment.Request) (deployment.Request, error) {
	return of, nil
}

// Heads implements GitHub: the branch is always at the deployment's commit.
func (w *simulation) Heads(
	_ context.Context,
	of deployment.Request,
	_ deployment.Ref,
	_ bool,
) (deployment.Heads, error) {
	return deployment.Heads{Branch: of.SHA}, nil
}

// Person implements gate.People. One in twenty questions fails. It is called from several goroutines
// at once, so that it may not use the simulation's sequence of random numbers.
func (w *simulation) Person(_ context.Context, id int64, _ deployment.Repository, _ int64) (string, error) {
	at := rand.New(rand.NewPCG(uint64(w.now.UnixNano()), uint64(id)))
	if at.IntN(20) == 0 && !w.calm {
		return "", errors.New("503")
	}
	return fmt.Sprint("user", id), nil
}

// TeamMember implements gate.People. The first five are leads.
func (w *simulation) TeamMember(_ context.Context, _, _, login string, _ deployment.Repository, _ int64) (bool, error) {
	return login <= "user5", nil
}

// TeamID implements gate.People.
func (w *simulation) TeamID(context.Context, string, string, deployment.Repository, int64) (int64, error) {
	return 1, nil
}

// Checks implements gate.Commits.
func (w *simulation) Checks(
	_ context.Context,
	_ deployment.Repository,
	_ int64,
	q policy.CheckQuery,
) ([]policy.Check, error) {
	state := policy.CheckPending
	if !w.now.Before(w.green[q.SHA]) {
		state = policy.CheckGreen
	}
	return []policy.Check{{Name: "build", Status: true, State: state}}, nil
}

// ResolveRepository implements gate.Repositories and command.Resolver.
func (w *simulation) ResolveRepository(context.Context, string, string) (deployment.Source, error) {
	return deployment.Source{Repository: simRepository}, nil
}

// Permission implements gate.People.
func (w *simulation) Permission(
	context.Context,
	deployment.Repository,
	int64,
	int64,
	string,
) (policy.Permission, error) {
	return policy.PermissionWrite, nil
}

// PersonByLogin implements gate.People.
func (w *simulation) PersonByLogin(context.Context, string, deployment.Repository, int64) (deployment.Actor, error) {
	return deployment.Actor{}, errors.New("not asked in this test")
}

// RequiredChecks implements gate.Commits.
func (w *simulation) RequiredChecks(
	context.Context,
	deployment.Repository,
	int64,
	string,
) ([]policy.CheckName, error) {
	return []policy.CheckName{{Name: "build"}}, nil
}

// Compare implements gate.Commits.
func (w *simulation) Compare(context.Context, deployment.Repository, int64, string, string) (policy.Comparison, error) {
	return policy.ComparisonAhead, nil
}

func (w *simulation) CommitExists(context.Context, deployment.Repository, int64, string) error {
	return nil
}
