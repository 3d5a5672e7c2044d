package chat

import (
	"context"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// Limits of what status shows.
const (
	maxEnvironments = 30  // lines of an answer
	pageSize        = 200 // environments that are read at a time
)

// status shows the environments of one app or of all, in the order of the routes. Environments that only
// a pattern names are shown if something happened there lately.
func (s *Service) status(ctx context.Context, p phrase.Prefix, cmd grammar.Command) (command.Answer, error) {
	found, err := s.environments(ctx, cmd)
	if err != nil {
		return command.Answer{}, err
	}
	locks, err := s.o.Locks.Locks(ctx)
	if err != nil {
		return command.Answer{}, err
	}

	names := s.o.Routes.Names()
	apps := names.Apps
	if cmd.App != "" {
		app, _ := names.App(cmd.App)
		app.Name = cmd.App
		apps = []grammar.App{app}
	}

	var lines []phrase.Environment
	for _, app := range apps {
		lines = append(lines, appStatus(app, cmd.Environment, found, locks, s.o.Now())...)
	}
	return command.Answer{Text: p.Status(lines, maxEnvironments, s.o.Now())}, nil
}

// environments reads what runs where.
func (s *Service) environments(ctx context.Context, cmd grammar.Command) ([]deployment.EnvironmentStatus, error) {
	filter := deployment.EnvironmentFilter{
		Repository:  cmd.Repository,
		Environment: cmd.Environment,
		Limit:       pageSize,
		MaxWaiting:  1,
	}

	var all []deployment.EnvironmentStatus
	for {
		page, last, err := s.o.Reader.ListEnvironments(ctx, filter)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if last == (deployment.EnvironmentID{}) {
			return all, nil
		}
		filter.After = last
	}
}

// appStatus lists the environments of an app: those that routes name, and those of a pattern where something happened
// lately or that are locked, even without a known deployment. environment is the only one that is wanted; empty: all
// are.
func appStatus(
	app grammar.App,
	environment string,
	found []deployment.EnvironmentStatus,
	locks []policy.Lock,
	now time.Time,
) []phrase.Environment {
	var lines []phrase.Environment
	add := func(name, repository string, status *deployment.EnvironmentStatus) {
		line := phrase.Environment{App: app.Label(), Name: name, Status: status}
		if app.Pattern() {
			line.App = repository
		}

		for i, l := range locks {
			if covers(l, repository, name) {
				line.Lock = &locks[i]
				break
			}
		}
		lines = append(lines, line)
	}

	for _, e := range app.Environments {
		wanted := environment == "" || strings.EqualFold(e.Name, environment)
		if wanted && !e.Pattern() && !app.Pattern() {
			add(e.Name, app.Repository, statusOf(found, app.Repository, e.Name))
		}
	}
	for i, status := range found {
		request := status.Newest().Request
		named, ok := app.Environment(request.Environment)
		wanted := strings.EqualFold(request.Environment, environment) ||
			environment == "" && (!named.Pattern() || status.Lately(now))
		if ok && wanted && (named.Pattern() || app.Pattern()) && app.Matches(request.Repository.FullName()) {
			add(request.Environment, request.Repository.FullName(), &found[i])
		}
	}
	for _, l := range locks {
		named, ok := app.Environment(l.Environment)
		wanted := environment == "" || strings.EqualFold(l.Environment, environment)
		if ok && wanted && (named.Pattern() || app.Pattern()) && app.Matches(l.Repository) &&
			statusOf(found, l.Repository, l.Environment) == nil {
			add(l.Environment, l.Repository, nil)
		}
	}
	return lines
}

// statusOf finds the status of an environment; nil: nothing was deployed there.
func statusOf(found []deployment.EnvironmentStatus, repository, environment string) *deployment.EnvironmentStatus {
	for i, status := range found {
		request := status.Newest().Request
		if strings.EqualFold(request.Repository.FullName(), repository) &&
			strings.EqualFold(request.Environment, environment) {
			return &found[i]
		}
	}
	return nil
}
