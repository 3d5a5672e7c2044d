package slackapp

import (
	"context"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/notify"
	"github.com/seraph-deploy/seraph/pkg/phrase"
	"github.com/seraph-deploy/seraph/pkg/policy"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// homeMatrix shows what runs where. Environments that only a pattern names are shown if something happened there
// lately.
func (a *Actions) homeMatrix(ctx context.Context, locks []policy.Lock, view *slack.HomeInput) error {
	filter := deployment.EnvironmentFilter{Limit: homePage, MaxWaiting: 1}
	var found []deployment.EnvironmentStatus
	for range homeMostPages {
		page, last, err := a.o.Deployments.ListEnvironments(ctx, filter)
		if err != nil {
			return err
		}
		found = append(found, page...)
		if last == (deployment.EnvironmentID{}) {
			break
		}
		filter.After = last
	}

	for _, app := range a.o.Names().Apps {
		view.Matrix = append(view.Matrix, a.homeApps(app, found, locks)...)
	}
	return nil
}

// homeApps shows an app, or each repository of one that stands for several.
func (a *Actions) homeApps(
	app grammar.App,
	found []deployment.EnvironmentStatus,
	locks []policy.Lock,
) []slack.HomeApp {
	var shown []slack.HomeApp
	add := func(label, repository, environment string) {
		i := slices.IndexFunc(shown, func(known slack.HomeApp) bool { return known.Name == label })
		if i < 0 {
			i, shown = len(shown), append(shown, slack.HomeApp{Name: label})
		}
		e := a.homeEnvironment(repository, environment, found, locks)
		shown[i].Environments = append(shown[i].Environments, e)
	}

	for _, e := range app.Environments {
		if !e.Pattern() && !app.Pattern() {
			add(app.Label(), app.Repository, e.Name)
		}
	}
	for _, s := range found {
		r := s.Newest().Request
		repository := r.Repository.FullName()
		named, ok := app.Environment(r.Environment)
		switch {
		case !ok || !app.Matches(repository) || named.Pattern() && !s.Lately(a.o.Now()):
		case app.Pattern():
			add(repository, repository, r.Environment)
		case named.Pattern():
			add(app.Label(), repository, r.Environment)
		}
	}
	return shown
}

// homeEnvironment says what runs in one environment, and what happens there.
func (a *Actions) homeEnvironment(
	repository, name string,
	found []deployment.EnvironmentStatus,
	locks []policy.Lock,
) slack.HomeEnvironment {
	e := slack.HomeEnvironment{Name: name}
	i := slices.IndexFunc(found, func(s deployment.EnvironmentStatus) bool {
		r := s.Newest().Request
		return strings.EqualFold(r.Repository.FullName(), repository) && strings.EqualFold(r.Environment, name)
	})

	if i >= 0 {
		status := found[i]
		if d := status.Current; d != nil {
			e.Runs = notify.Text{
				{Text: phrase.ShortSHA(d.Request.SHA), Code: true},
				{Text: " since "},
				{Time: d.EndedAt},
			}
		}
		switch {
		case status.Active != nil:
			e.Also = notify.Plain(phrase.Deployment(*status.Active, a.o.Now()))
		case len(status.Waiting) > 0:
			e.Also = notify.Plain(phrase.Deployment(status.Waiting[0], a.o.Now()))
		}
	}

	for _, l := range locks {
		covers := (l.Repository == "" || strings.EqualFold(l.Repository, repository)) &&
			(l.Environment == "" || strings.EqualFold(l.Environment, name))
		if covers && len(e.Also) == 0 {
			e.Also = notify.Text{{Text: "locked by "}, {Text: l.Owner.String(), Person: l.Owner.ID}}
		}
	}
	return e
}
