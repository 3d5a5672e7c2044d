package server

import (
	"time"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// apiDeployment shows a deployment without its payload and parameter values, which may be secret.
func (s *Server) apiDeployment(d deployment.Deployment) api.Deployment {
	out := api.Deployment{
		ID:           d.Request.ID,
		Repository:   d.Request.Repository.FullName(),
		RepositoryID: d.Request.Repository.ID,
		Environment:  d.Request.Environment,
		Ref:          d.Request.Ref,
		SHA:          d.Request.SHA,
		Task:         d.Request.Task,
		Creator:      d.Request.Creator.Login,
		Requester:    apiActor(d.Request.Requester()),
		State:        string(d.State),
		Reason:       d.Reason,
		WaitsFor:     d.BlockedBy,
		Parameters:   make([]string, len(d.Target.Parameters)),
		AcceptedAt:   apiTime(d.AcceptedAt),
		StartedAt:    apiTime(d.StartedAt),
		EndedAt:      apiTime(d.EndedAt),
	}

	for i, p := range d.Target.Parameters {
		out.Parameters[i] = p.Name
	}

	if d.Forced && d.Force != nil {
		out.Forced = &api.Forced{By: apiActor(d.Force.By), Reason: d.Force.Reason}
	}

	if p := d.Pipeline; p != nil {
		out.Pipeline = &api.Pipeline{
			Project:  p.Slug,
			ID:       p.ID,
			Number:   p.Number,
			URL:      s.o.CircleCIURL(d),
			Revision: p.Revision,
		}
	}

	return out
}

func (s *Server) apiDeployments(list []deployment.Deployment) []api.Deployment {
	out := make([]api.Deployment, len(list))
	for i, d := range list {
		out[i] = s.apiDeployment(d)
	}
	return out
}

func (s *Server) apiDetail(rec deployment.Record) api.DeploymentDetail {
	out := api.DeploymentDetail{
		Deployment: s.apiDeployment(rec.Deployment),
		Timeline:   make([]api.TimelineEntry, len(rec.Timeline)),
		Reports:    []api.Report{},
	}

	for i, e := range rec.Timeline {
		out.Timeline[i] = api.TimelineEntry{At: apiTime(e.At), Event: e.Event, Detail: e.Detail}
	}

	for _, r := range rec.Reports {
		if r.Status == deployment.ReportSuperseded {
			continue // it is never sent
		}
		out.Reports = append(out.Reports, api.Report{
			State:       string(r.State),
			Description: r.Description,
			LogURL:      r.LogURL,
			SentAt:      apiTime(r.SentAt),
		})
	}

	if f := rec.Deployment.Failure; f != nil && rec.Deployment.State == deployment.Failed {
		out.Failure = &api.Failure{
			Workflow: f.Workflow,
			Job:      f.Job,
			Step:     f.Step,
			Lines:    append([]string{}, f.Lines...), // never null
		}
	}

	return out
}

func apiVerdict(v policy.Verdict) api.Verdict {
	out := api.Verdict{
		Decision: string(v.Decision),
		Reason:   v.Deciding().Message,
		OpensAt:  apiTime(v.Until),
		Forced:   v.Forced,
		Rules:    make([]api.Rule, len(v.Outcomes)),
	}

	for i, o := range v.Outcomes {
		out.Rules[i] = api.Rule{
			Rule:     o.Rule,
			Decision: string(o.Decision),
			Code:     string(o.Code),
			Message:  o.Message,
			Who:      o.Who,
			OpensAt:  apiTime(o.Until),
			Forced:   o.Forced,
		}
	}

	return out
}

func apiLock(l policy.Lock) api.Lock {
	return api.Lock{
		ID:          l.ID,
		Repository:  l.Repository,
		Environment: l.Environment,
		Owner:       apiActor(l.Owner),
		Reason:      l.Reason,
		TakenAt:     apiTime(l.TakenAt),
		ExpiresAt:   apiTime(l.ExpiresAt),
	}
}

func apiActor(a deployment.Actor) api.Actor {
	return api.Actor{ID: a.ID, Login: a.Login, App: a.App, Token: a.Token}
}

// apiTime is a time in UTC, or nil, which JSON shows as null, for what has not happened.
func apiTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC()
	return &utc
}
