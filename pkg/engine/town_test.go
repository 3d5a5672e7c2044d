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

// pipelineRun is a pipeline of the town's CircleCI.
type pipelineRun struct {
	id, key, environment string
	deployment           int64
	began, ends          time.Time
	status               string // at the end
}

// simulation is a whole service, real but for its vendors, whose clock the test turns. Its vendors
// are data: what they were asked is the evidence.
type simulation struct {
	*Engine
	t         *testing.T
	rng       *rand.Rand
	path      string
	db        *store.DB
	desk      *command.Service
	now       time.Time
	policies  map[string]policy.Policy // by environment
	pipelines []*pipelineRun
	statuses  map[int64][]deployment.Status
	green     map[string]time.Time // when the checks of a commit turn green
	crashes   int
	lucky     bool // nothing goes wrong, and a pipeline takes ten minutes
	dead      bool // the process has ended in the middle of something: nothing it does is written
}

func (w *simulation) clock() time.Time { return w.now }

// open starts the service on its database, the first time or after a crash.
func (w *simulation) open() {
	db, err := store.Open(w.t.Context(), store.Options{URL: "sqlite:" + w.path, Log: zerolog.Nop(), Now: w.clock})
	if err != nil {
		w.t.Fatal(err)
	}

	w.db, w.dead = db, false
	g := &gate.Gate{Policies: w, GitHub: w, Rows: db, History: db, Now: w.clock}
	w.Engine = New(Options{
		Rows:        crashableStore{db, w},
		DueRows:     db,
		Deployments: db,
		Pipelines:   db,
		Retention:   db,
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

	w.desk = command.New(command.Options{
		Gate:        g,
		Engine:      w.Engine,
		Deployments: db,
		Locks:       db,
		LockReader:  db,
		Resolver:    w,
		Now:         w.clock,
	})
	w.startedAt = w.now
}

// crash ends the service and starts it anew.
func (w *simulation) crash() {
	w.crashes++
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// crashableStore is a database that a dead process can no longer reach.
type crashableStore struct {
	*store.DB
	w *simulation
}

func (m crashableStore) Save(
	ctx context.Context,
	next deployment.Deployment,
	ch deployment.Changes,
	keep bool,
) (deployment.Deployment, error) {
	if m.w.dead {
		return next, deployment.ErrNotFound
	}
	return m.DB.Save(ctx, next, ch, keep)
}

// step does all that is due now.
func (w *simulation) step() {
	alarms, err := w.db.Overdue(w.t.Context(), 1000)
	if err != nil {
		w.t.Fatal(err)
	}

	for _, a := range alarms {
		w.work(w.t.Context(), a)
		if w.dead {
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

// deploy takes a deployment in.
func (w *simulation) deploy(id int64, environment string, who deployment.Creator) {
	key := fmt.Sprint("key-", id)
	sha := fmt.Sprintf("%040x", id)
	target := deployment.Target{
		Project:     "gh/acme/api-" + environment,
		Ref:         deployment.ParseRef("main"),
		Key:         key,
		CarriesKey:  true,
		Timeout:     3 * time.Hour,
		HoldTimeout: time.Hour,
		Ruled:       true,
	}

	if w.rng.IntN(10) == 0 {
		target.ForceReason = "it burns"
	}

	d, _ := w.Machine.New(deployment.Request{
		ID:          id,
		Repository:  simRepository,
		Environment: environment,
		Ref:         "main",
		SHA:         sha,
		CreatedAt:   w.now,
		Creator:     who,
	}, deployment.Admission{Target: target}, w.now)

	w.green[sha] = w.now.Add(time.Duration(w.rng.IntN(1200)) * time.Second)
	if _, err := w.db.Accept(w.t.Context(), deployment.Delivery{
		GUID:         key,
		RepositoryID: 7,
		DeploymentID: id,
		ReceivedAt:   w.now,
	}, d); err != nil {
		w.t.Fatal(err)
	}
}

var simRepository = deployment.Repository{ID: 7, Owner: "acme", Name: "api"}

// row is a deployment as it is now.
func (w *simulation) row(id int64) deployment.Deployment {
	records, err := w.db.Get(w.t.Context(), id)
	if err != nil || len(records) != 1 {
		w.t.Fatalf("deployment %d: %d rows, %v", id, len(records), err)
	}
	return records[0].Deployment
}

// Project implements CircleCI: each environment has a project of its own.
func (w *simulation) Project(_ context.Context, slug string) (deployment.Project, deployment.Event) {
	return deployment.Project{ID: "uuid of " + slug, Slug: slug}, nil
}

// Trigger implements CircleCI. Now and then the answer is lost, nothing is sent, or the process
// dies at it.
func (w *simulation) Trigger(_ context.Context, t deployment.Target, _ deployment.Ref, _ time.Time) deployment.Event {
	luck := w.rng.IntN(100)
	if w.lucky {
		luck = 100
	}
	if luck < 5 {
		return deployment.TriggerNotSent{Cause: "dial"}
	}

	p := &pipelineRun{
		id:          fmt.Sprint("p", len(w.pipelines)+1),
		key:         t.Key,
		environment: strings.TrimPrefix(t.Project, "gh/acme/api-"),
		began:       w.now,
	}

	p.ends, p.status = w.now.Add(
		time.Duration(20+w.rng.IntN(400))*time.Second,
	), []string{"success", "success", "failed"}[w.rng.IntN(3)]
	if w.lucky {
		p.ends, p.status = w.now.Add(10*time.Minute), "success"
	}
	if _, err := fmt.Sscanf(t.Key, "key-%d", &p.deployment); err != nil {
		w.t.Error(err)
	}

	w.mayGo(p)
	w.pipelines = append(w.pipelines, p)
	switch {
	case luck < 9:
		return deployment.TriggerUnknown{Cause: "reset"}
	case luck < 11:
		w.dead = true
	}

	return deployment.Triggered{Pipeline: p.facts()}
}

func (p *pipelineRun) facts() deployment.PipelineFacts {
	return deployment.PipelineFacts{
		ID:          p.id,
		Number:      1,
		State:       "created",
		CreatedAt:   p.began,
		TriggerType: "api",
		Revision:    fmt.Sprintf("%040x", p.deployment),
	}
}

func (w *simulation) pipeline(id string) *pipelineRun {
	i := slices.IndexFunc(w.pipelines, func(p *pipelineRun) bool { return p.id == id })
	if i < 0 {
		return nil
	}
	return w.pipelines[i]
}

// Poll implements CircleCI.
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

// PollWorkflows implements CircleCI.
func (w *simulation) PollWorkflows(ctx context.Context, id string) (deployment.Progress, *deployment.PollFailed) {
	progress, unseen := w.Poll(ctx, id)
	progress.Pipeline = deployment.PipelineFacts{ID: id}
	return progress, unseen
}

// CancelWorkflow implements CircleCI: it takes some time.
func (w *simulation) CancelWorkflow(_ context.Context, id string) error {
	p := w.pipeline(strings.TrimPrefix(id, "w-"))
	if ends := w.now.Add(12 * time.Second); ends.Before(p.ends) {
		p.ends, p.status = ends, "canceled"
	}
	return nil
}

// List implements CircleCI.
func (w *simulation) List(_ context.Context, slug string, _ time.Time, _ string) (deployment.Listing, error) {
	l := deployment.Listing{MineComplete: true, ProjectComplete: true}
	for _, p := range w.pipelines {
		if slug == "gh/acme/api-"+p.environment {
			l.Project = append(l.Project, p.facts())
		}
	}
	return l, nil
}

// Evidence implements CircleCI.
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
	id := int64(len(w.statuses[to.ID]) + 1)
	w.statuses[to.ID] = append(w.statuses[to.ID], deployment.Status{
		ID:          to.ID*1000 + id,
		State:       r.State,
		Description: r.Description,
		LogURL:      r.LogURL,
	})
	return deployment.WriteOutcome{Kind: deployment.WriteDone, StatusID: to.ID*1000 + id}
}

// Statuses implements GitHub.
func (w *simulation) Statuses(_ context.Context, of deployment.Request) ([]deployment.Status, error) {
	return w.statuses[of.ID], nil
}

// Person implements gate.GitHub: everybody is called after their number.
func (w *simulation) Person(_ context.Context, id int64, _ deployment.Repository, _ int64) (string, error) {
	if w.rng.IntN(20) == 0 && !w.lucky {
		return "", errors.New("503")
	}
	return fmt.Sprint("user", id), nil
}

// TeamMember implements gate.GitHub: the first five are leads.
func (w *simulation) TeamMember(_ context.Context, _, _, login string, _ deployment.Repository, _ int64) (bool, error) {
	return login <= "user5", nil
}

// Checks implements gate.GitHub.
func (w *simulation) Checks(
	_ context.Context,
	_ deployment.Repository,
	_ int64,
	q policy.CheckQuery,
) ([]policy.Check, error) {
	state := policy.Pending
	if !w.now.Before(w.green[q.SHA]) {
		state = policy.Green
	}
	return []policy.Check{{Name: "build", Status: true, State: state}}, nil
}

// ResolveRepository implements gate.GitHub and command.Resolver.
func (w *simulation) ResolveRepository(context.Context, string, string) (deployment.Source, error) {
	return deployment.Source{Repository: simRepository}, nil
}

// Permission implements gate.GitHub.
func (w *simulation) Permission(
	context.Context,
	deployment.Repository,
	int64,
	int64,
	string,
) (policy.Permission, error) {
	return policy.PermissionWrite, nil
}

// PersonByLogin implements gate.GitHub.
func (w *simulation) PersonByLogin(context.Context, string, deployment.Repository, int64) (deployment.Actor, error) {
	return deployment.Actor{}, errors.New("nobody asks this here")
}

// RequiredChecks implements gate.GitHub.
func (w *simulation) RequiredChecks(
	context.Context,
	deployment.Repository,
	int64,
	string,
) ([]policy.CheckName, error) {
	return []policy.CheckName{{Name: "build"}}, nil
}

// Compare implements gate.GitHub.
func (w *simulation) Compare(context.Context, deployment.Repository, int64, string, string) (policy.Comparison, error) {
	return policy.Ahead, nil
}
