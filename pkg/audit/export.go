package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// line is a record as it is exported, in the order in which its values are hashed.
type line struct {
	Version      int64  `json:"version"`
	Seq          int64  `json:"seq"`
	At           string `json:"at"` // RFC 3339, UTC, always six digits after the point
	Kind         string `json:"kind"`
	Door         string `json:"door"`
	ActorID      int64  `json:"actor_id"`
	ActorLogin   string `json:"actor_login"`
	ActorApp     string `json:"actor_app"`
	ActorToken   string `json:"actor_token"`
	RepositoryID int64  `json:"repository_id"`
	Repository   string `json:"repository"`
	Environment  string `json:"environment"`
	Deployment   int64  `json:"deployment"`
	Detail       string `json:"detail"` // JSON as text: another's JSON library must not change a byte of it
	Prev         string `json:"prev"`
	Hash         string `json:"hash"`
}

const timeLayout = "2006-01-02T15:04:05.000000Z07:00"

func (r Record) line() line {
	return line{
		Version:      r.Version,
		Seq:          r.Seq,
		At:           r.At.UTC().Format(timeLayout),
		Kind:         string(r.Kind),
		Door:         r.Channel,
		ActorID:      r.Actor.ID,
		ActorLogin:   r.Actor.Login,
		ActorApp:     r.Actor.App,
		ActorToken:   r.Actor.Token,
		RepositoryID: r.RepositoryID,
		Repository:   r.Repository,
		Environment:  r.Environment,
		Deployment:   r.Deployment,
		Detail:       string(r.Detail),
		Prev:         r.Prev,
		Hash:         r.Hash,
	}
}

// values are what is hashed.
func (l line) values() []string {
	return []string{
		"seraph audit", number(l.Version), number(l.Seq), l.At, l.Kind, l.Door, number(l.ActorID), l.ActorLogin, l.ActorApp, l.ActorToken,
		number(l.RepositoryID), l.Repository, l.Environment, number(l.Deployment), l.Detail, l.Prev,
	}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// Line is a record as one line of JSON, without the line's end.
func encodeLine(r Record) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(r.line())
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// ParseLine reads a line that Line wrote. It does not say whether the hash is right.
func ParseLine(text []byte) (Record, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var l line
	if err := dec.Decode(&l); err != nil {
		return Record{}, fmt.Errorf("not a line of an audit: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Record{}, errors.New("not a line of an audit: something follows the record")
	}

	when, err := time.Parse(timeLayout, l.At)
	if err != nil {
		return Record{}, fmt.Errorf("not a line of an audit: %w", err)
	}

	when = when.UTC()
	if when.Format(timeLayout) != l.At {
		return Record{}, fmt.Errorf("not a line of an audit: the time %q is not written as an audit writes it", l.At)
	}

	return l.record(when), nil
}

func (l line) record(when time.Time) Record {
	return Record{
		Version: l.Version,
		Seq:     l.Seq,
		Prev:    l.Prev,
		Hash:    l.Hash,
		AuditEvent: deployment.AuditEvent{
			At:           when,
			Kind:         deployment.AuditKind(l.Kind),
			Channel:      l.Door,
			Actor:        deployment.Actor{ID: l.ActorID, Login: l.ActorLogin, App: l.ActorApp, Token: l.ActorToken},
			RepositoryID: l.RepositoryID,
			Repository:   l.Repository,
			Environment:  l.Environment,
			Deployment:   l.Deployment,
			Detail:       []byte(l.Detail),
		},
	}
}

// Export writes all records as JSON lines, oldest first.
func Export(ctx context.Context, source Source, out io.Writer) error {
	w := bufio.NewWriter(out)
	err := each(ctx, source, beforeAll, func(r Record) error {
		text, err := encodeLine(r)
		if err == nil {
			_, err = w.Write(append(text, '\n'))
		}

		return err
	})

	return errors.Join(err, w.Flush())
}
