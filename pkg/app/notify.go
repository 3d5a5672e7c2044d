package app

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/circleci"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/gate"
	"github.com/seraph-deploy/seraph/pkg/github"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/route"
	"github.com/seraph-deploy/seraph/pkg/slack"
	"github.com/seraph-deploy/seraph/pkg/store"
)

// faceSlack names Slack in routes, messages and metrics.
const faceSlack = "slack"

// newNotifier makes the worker that sends messages about deployments through a chat system.
func (a *App) newNotifier(c *clients, rules *gate.Gate, name string, face notify.Face) *notify.Worker {
	w := notify.New(notify.Options{
		Name:   name,
		Face:   face,
		Feed:   a.db,
		Store:  a.db,
		Lists:  a.db,
		Leases: a.db,
		Source: a.newCardSource(c, rules),
		Shared: a.db.SharesDatabase(),
		Limits: notify.Limits{EditsPerMinute: a.cfg.Slack.EditsPerMinute},
		Log:    a.log,
		Now:    now,
	})
	a.metrics.CollectMessages(name, a.db.MessageStats, func() bool { return w.Paused() != "" })
	return w
}

func (a *App) newCardSource(c *clients, rules *gate.Gate) *cardSource {
	web := ""
	if u := a.cfg.GitHub.WebURL; u != nil {
		web = strings.TrimRight(u.String(), "/")
	}
	return &cardSource{
		db:       a.db,
		rules:    rules,
		routes:   a.routes,
		github:   c.github,
		circleci: c.circleci,
		task:     a.cfg.Routes.DefaultTask(),
		links: notify.Links{
			GitHub:   web,
			CircleCI: strings.TrimRight(a.cfg.CircleCI.AppURL.String(), "/"),
		},
	}
}

// renderOptions say what messages in Slack may link to, and whom they may name.
func (a *App) renderOptions() slack.RenderOptions {
	hosts := []string{a.cfg.CircleCI.AppURL.Host}
	for _, u := range []*url.URL{a.cfg.GitHub.WebURL, a.cfg.PublicURL} {
		if u != nil {
			hosts = append(hosts, u.Host)
		}
	}

	return slack.RenderOptions{
		Hosts: hosts,
		Mention: func(id int64) string {
			user, _ := a.links.ChatUser(faceSlack, a.slackWorkspace(), id)
			return user
		},
	}
}

// slackWorkspace is the workspace whose users are mentioned; empty: it is not known yet.
func (a *App) slackWorkspace() string {
	if a.inbox == nil {
		return a.routes.SlackWorkspace()
	}
	return a.inbox.bot.workspace()
}

// cardSource gathers what messages about deployments show. It implements notify.Source.
type cardSource struct {
	db       *store.DB
	rules    *gate.Gate
	routes   *route.Live
	github   *github.Client
	circleci *circleci.Client
	links    notify.Links
	task     string // the usual one
}

// Load reads a deployment.
func (s *cardSource) Load(ctx context.Context, row int64) (deployment.Deployment, error) {
	return s.db.Load(ctx, row)
}

// Channels returns which channels the route tells of a deployment.
func (s *cardSource) Channels(d deployment.Deployment) []deployment.Notify {
	r, ok := s.routes.Settings(d.Request)
	if !ok {
		return nil
	}

	var all []deployment.Notify
	for _, n := range r.Notify {
		all = append(all, deployment.Notify{
			Face:      n.Face,
			Channel:   n.Channel,
			Posts:     n.As == "post",
			Lists:     n.Lists,
			States:    notify.States(n.States),
			Broadcast: notify.States(n.Broadcast),
			Mention:   n.MentionApprovals,
		})
	}
	return all
}

// Outline is what the settings say of a deployment.
func (s *cardSource) Outline(d deployment.Deployment) notify.Facts {
	return notify.Facts{Deployment: d, Links: s.links, Route: s.settings(d)}
}

// Facts gathers what a card shows. What CircleCI does not answer is left out.
func (s *cardSource) Facts(ctx context.Context, d deployment.Deployment) (notify.Facts, error) {
	f := s.Outline(d)
	if err := s.successes(ctx, &f); err != nil {
		return f, err
	}
	var err error
	if f.Approvals, err = s.db.Approvals(ctx, d.Row); err != nil {
		return f, err
	}

	switch {
	case d.State == deployment.Waiting:
		return f, s.waiting(ctx, &f)
	case d.State == deployment.Held && d.Pipeline != nil:
		s.held(ctx, &f)
		return f, nil
	case !d.State.Open() && d.State != deployment.Succeeded:
		v, decided, err := s.db.Decision(ctx, d)
		if err != nil {
			return f, err
		}
		if decided && d.State == deployment.Rejected {
			f.Verdict = &v
		}
		return f, nil
	default:
		return f, nil
	}
}

// settings is what the route of a deployment says about its card.
func (s *cardSource) settings(d deployment.Deployment) notify.Route {
	r, ok := s.routes.Settings(d.Request)
	if !ok {
		return notify.Route{Production: s.routes.Production(d.Request)}
	}

	set := notify.Route{
		App:        r.App,
		Production: s.routes.Production(d.Request),
		Logs:       r.Logs,
		MaxWait:    r.Policy.MaxWait,
		Ask:        r.Ask,
	}
	if set.MaxWait == 0 {
		set.MaxWait = policy.DefaultMaxWait
	}
	if r.Policy.HoldApprovers != nil {
		set.HoldApprovers = r.Policy.HoldApprovers.String()
	}
	return set
}

// successes finds out what runs in the environment of a deployment, what ran there before it, and what a rollback
// deploys.
func (s *cardSource) successes(ctx context.Context, f *notify.Facts) error {
	d := f.Deployment
	all, err := s.db.Successes(ctx, d.Request.Repository.ID, d.Request.EnvironmentKey())
	if err != nil {
		return err
	}
	setSuccesses(f, all, s.task)
	return nil
}

// setSuccesses takes the successes of the environment, the newest first. What a rollback goes back to is found as
// command.Service finds it: not what was rolled back from.
func setSuccesses(f *notify.Facts, all []deployment.Success, usualTask string) {
	if len(all) == 0 {
		return
	}

	d := f.Deployment
	f.Current = &all[0]
	failed := int64(0)
	if d.State == deployment.Failed {
		failed = d.Request.ID
	}
	if back, problem := deployment.RollbackFrom(all, failed, "", usualTask); problem == "" {
		f.Back = &back
	}
	for _, success := range all {
		if success.DeploymentID < d.Request.ID {
			f.Before = &success
			return
		}
	}
}

// held gathers which jobs CircleCI holds. If it does not answer, that is not known, which is not the same as none.
func (s *cardSource) held(ctx context.Context, f *notify.Facts) {
	holds, err := s.circleci.HoldJobs(ctx, f.Deployment.Pipeline.ID)
	if err != nil {
		f.HeldUnknown = true
		return
	}
	f.Held = deployment.HoldNames(slices.DeleteFunc(holds, func(h deployment.HoldJob) bool { return !h.Waits() }))
}

// waiting gathers why a deployment waits.
func (s *cardSource) waiting(ctx context.Context, f *notify.Facts) error {
	d := f.Deployment
	verdict, err := s.rules.Decide(ctx, d)
	if err != nil {
		return fmt.Errorf("evaluate rules: %w", err)
	}
	f.Verdict = &verdict

	queue, err := s.db.Queue(ctx, d)
	if err != nil {
		return err
	}
	f.Queue = &queue

	if !slices.ContainsFunc(verdict.Outcomes, isLocked) {
		return nil
	}
	locks, err := s.db.LocksOn(ctx, d.Request.Repository.ID, d.Request.EnvironmentKey())
	if err != nil {
		return err
	}
	f.Lock = foreignLock(locks, d.Request.Requester())
	return nil
}

func isLocked(o policy.Outcome) bool {
	return o.Code == policy.CodeLocked && o.Decision == policy.DecisionWait
}

// foreignLock is the oldest lock of somebody else, or else the oldest one.
func foreignLock(locks []policy.Lock, requester deployment.Actor) *policy.Lock {
	var oldest *policy.Lock
	for _, l := range locks {
		better := oldest == nil || l.TakenAt.Before(oldest.TakenAt)
		if oldest != nil && oldest.Owner.Same(requester) != l.Owner.Same(requester) {
			better = oldest.Owner.Same(requester)
		}
		if better {
			oldest = &l
		}
	}
	return oldest
}

// Compare counts the commits between what ran before a deployment and its own.
func (s *cardSource) Compare(
	ctx context.Context,
	d deployment.Deployment,
	before deployment.Success,
) (notify.Ahead, error) {
	r := d.Request
	ahead, behind, err := s.github.CountCommits(ctx, r.Repository, r.Installation, before.SHA, r.SHA)
	return notify.Ahead{Ahead: ahead, Behind: behind}, err
}
