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
)

// line is a record as it is exported, in the order in which its values are hashed.
type line struct {
	Version      int64  `json:"version"`
	Seq          int64  `json:"seq"`
	At           string `json:"at"` // RFC 3339, UTC, always with six digits after the point
	Kind         string `json:"kind"`
	Channel      string `json:"door"`
	ActorID      int64  `json:"actor_id"`
	ActorLogin   string `json:"actor_login"`
	ActorApp     string `json:"actor_app"`
	ActorToken   string `json:"actor_token"`
	RepositoryID int64  `json:"repository_id"`
	Repository   string `json:"repository"`
	Environment  string `json:"environment"`
	Deployment   int64  `json:"deployment"`
	Detail       string `json:"detail"` // JSON as a text, because another JSON library must not change a byte of it
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
		Channel:      r.Channel,
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

// hashed returns the values that the hash is computed over, in order. Hashes that exist depend on
// them: a change needs a new encodingVersion.
func (l line) hashed() []string {
	return []string{
		"seraph audit",
		decimal(l.Version),
		decimal(l.Seq),
		l.At,
		l.Kind,
		l.Channel,
		decimal(l.ActorID),
		l.ActorLogin,
		l.ActorApp,
		l.ActorToken,
		decimal(l.RepositoryID),
		l.Repository,
		l.Environment,
		decimal(l.Deployment),
		l.Detail,
		l.Prev,
	}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// encodeLine returns a record as one line of JSON, without the end of the line.
func encodeLine(r Record) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r.line()); err != nil {
		return nil, fmt.Errorf("encode record %d: %w", r.Seq, err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Export writes all records as lines of JSON, oldest first. It does not verify them.
func Export(ctx context.Context, source Source, out io.Writer) error {
	w := bufio.NewWriter(out)
	err := each(ctx, source, beforeAll, func(r Record) error {
		text, err := encodeLine(r)
		if err != nil {
			return err
		}

		_, err = w.Write(append(text, '\n'))
		return err
	})

	return errors.Join(err, w.Flush())
}
