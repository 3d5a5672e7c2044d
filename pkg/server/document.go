package server

import (
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// document is one deployment as the API shows it. Payloads and parameter values may hold secrets
// and are never part of it.
type document struct {
	ID           int64     `json:"id"`
	Repository   string    `json:"repository"`
	RepositoryID int64     `json:"repository_id"`
	Environment  string    `json:"environment"`
	Ref          string    `json:"ref"`
	SHA          string    `json:"sha"`
	Task         string    `json:"task"`
	Creator      string    `json:"creator"`
	State        string    `json:"state"`
	Reason       string    `json:"reason"`
	WaitsFor     string    `json:"waits_for"`
	Forced       *force    `json:"forced"`
	Pipeline     *pipeline `json:"pipeline"`
	Parameters   []string  `json:"parameters"`
	AcceptedAt   *utc      `json:"accepted_at"`
	StartedAt    *utc      `json:"started_at"`
	EndedAt      *utc      `json:"ended_at"`
}

// force says who had rules passed, and why.
type force struct {
	By     actorDocument `json:"by"`
	Reason string        `json:"reason"`
}

type pipeline struct {
	Project  string `json:"project"`
	ID       string `json:"id"`
	Number   int64  `json:"number"`
	URL      string `json:"url"`
	Revision string `json:"revision"`
}

type listDocument struct {
	Deployments []document `json:"deployments"`
	NextCursor  string     `json:"next_cursor"`
}

type detailDocument struct {
	document
	Timeline []entryDocument  `json:"timeline"`
	Reports  []reportDocument `json:"reports"`
}

type entryDocument struct {
	At     *utc   `json:"at"`
	Event  string `json:"event"`
	Detail string `json:"detail"`
}

type reportDocument struct {
	State       string `json:"state"`
	Description string `json:"description"`
	LogURL      string `json:"log_url"`
	SentAt      *utc   `json:"sent_at"`
}

// utc is a time as the API writes it: RFC 3339 in UTC.
type utc time.Time

// MarshalText writes what JSON shows.
func (t utc) MarshalText() ([]byte, error) { return time.Time(t).UTC().MarshalText() }

// at is nil, which JSON shows as null, for what has not happened.
func at(t time.Time) *utc {
	if t.IsZero() {
		return nil
	}
	u := utc(t)
	return &u
}

func (s *Server) document(d deployment.Deployment) document {
	doc := document{
		ID:           d.Request.ID,
		Repository:   d.Request.Repository.FullName(),
		RepositoryID: d.Request.Repository.ID,
		Environment:  d.Request.Environment,
		Ref:          d.Request.Ref,
		SHA:          d.Request.SHA,
		Task:         d.Request.Task,
		Creator:      d.Request.Creator.Login,
		State:        string(d.State),
		Reason:       d.Reason,
		WaitsFor:     d.Blocked,
		Parameters:   []string{},
		AcceptedAt:   at(d.AcceptedAt),
		StartedAt:    at(d.StartedAt),
		EndedAt:      at(d.EndedAt),
	}

	for _, p := range d.Target.Parameters {
		doc.Parameters = append(doc.Parameters, p.Name)
	}

	if d.Forced && d.Force != nil {
		doc.Forced = &force{actorOf(d.Force.By), d.Force.Reason}
	}

	if p := d.Pipeline; p != nil {
		doc.Pipeline = &pipeline{
			Project:  p.Slug,
			ID:       p.ID,
			Number:   p.Number,
			URL:      s.o.CircleCIURL(d),
			Revision: p.Revision,
		}
	}

	return doc
}

func (s *Server) detail(rec deployment.Record) detailDocument {
	doc := detailDocument{
		document: s.document(rec.Deployment),
		Timeline: []entryDocument{},
		Reports:  []reportDocument{},
	}

	for _, e := range rec.Timeline {
		doc.Timeline = append(doc.Timeline, entryDocument{At: at(e.At), Event: e.Event, Detail: e.Detail})
	}

	for _, r := range rec.Reports {
		if r.Status != deployment.ReportSuperseded { // never sent, and never will be
			doc.Reports = append(doc.Reports, reportDocument{string(r.State), r.Description, r.LogURL, at(r.SentAt)})
		}
	}

	return doc
}
