package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// parseLine reads a line as encodeLine writes it, and nothing else. It does not verify the hash.
func parseLine(text []byte) (Record, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var l line
	if err := dec.Decode(&l); err != nil {
		return Record{}, fmt.Errorf("decode line: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Record{}, errors.New("decode line: something follows the record")
	}

	at, err := time.Parse(timeLayout, l.At)
	if err != nil {
		return Record{}, fmt.Errorf("decode time: %w", err)
	}

	at = at.UTC()
	if at.Format(timeLayout) != l.At {
		return Record{}, fmt.Errorf("decode time: %q is not written as an export writes it", l.At)
	}

	event := deployment.AuditEvent{
		At:           at,
		Kind:         deployment.AuditKind(l.Kind),
		Channel:      l.Channel,
		Actor:        deployment.Actor{ID: l.ActorID, Login: l.ActorLogin, App: l.ActorApp, Token: l.ActorToken},
		RepositoryID: l.RepositoryID,
		Repository:   l.Repository,
		Environment:  l.Environment,
		Deployment:   l.Deployment,
		Detail:       []byte(l.Detail),
	}
	return Record{Version: l.Version, Seq: l.Seq, AuditEvent: event, Prev: l.Prev, Hash: l.Hash}, nil
}

// A third party can compute the hashes from the export with nothing but the package's comment.
func TestExport_IsEnoughToVerify(t *testing.T) {
	s := newChain(3)
	s.add(deployment.AuditEvent{At: time.Unix(0, 0), Environment: "<ü\u2028>", Detail: []byte(`{"a":"é\n"}`)})
	var out bytes.Buffer
	if err := Export(t.Context(), s, &out); err != nil {
		t.Fatal(err)
	}

	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 4 {
		t.Fatalf("got %d lines, want 4: %s", len(lines), lines)
	}

	const names = "version seq at kind door actor_id actor_login actor_app actor_token " +
		"repository_id repository environment deployment detail prev"
	prev := strings.Repeat("0", 64)
	for i, text := range lines {
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		values := map[string]any{}
		if err := dec.Decode(&values); err != nil {
			t.Fatal(err)
		}

		var hashed strings.Builder
		hashed.WriteString("12:seraph audit,")
		for name := range strings.FieldsSeq(names) {
			v := fmt.Sprint(values[name])
			hashed.WriteString(fmt.Sprintf("%d:%s,", len(v), v))
		}

		hash := fmt.Sprintf("%x", sha256.Sum256([]byte(hashed.String())))
		if values["hash"] != hash || s.records[i].Hash != hash {
			t.Errorf("line %d: got hash %s, and %s in the chain, want %s", i+1, values["hash"], s.records[i].Hash, hash)
		}
		if values["prev"] != prev {
			t.Errorf("line %d: got prev %s, want %s", i+1, values["prev"], prev)
		}

		prev = hash
	}
}

// Times have six digits, the detail is a text, and characters are not escaped for HTML.
func TestExport_Format(t *testing.T) {
	s := newChain(1)
	s.add(deployment.AuditEvent{At: time.Unix(0, 0), Environment: "<ü\u2028>"})
	var out bytes.Buffer
	if err := Export(t.Context(), s, &out); err != nil {
		t.Fatal(err)
	}

	for _, want := range []string{
		`"at":"2026-11-22T12:00:01.123456Z"`,
		`"detail":"{\"n\":1}"`,
		`"at":"1970-01-01T00:00:00.000000Z"`,
		`"environment":"<ü`,
	} {
		t.Run(want, func(t *testing.T) {
			if got := out.String(); !strings.Contains(got, want) {
				t.Errorf("got %s, want it to contain %s", got, want)
			}
		})
	}
}

func TestParseLine_Refuses(t *testing.T) {
	text, err := encodeLine(newChain(1).records[0])
	if err != nil {
		t.Fatal(err)
	}

	good := string(text)
	for name, bad := range map[string]string{
		"nothing":                "",
		"something after it":     good + "{}",
		"another field":          strings.Replace(good, "{", `{"x":1,`, 1),
		"time in a zone":         strings.Replace(good, "123456Z", "123456+01:00", 1),
		"time with seven digits": strings.Replace(good, "123456Z", "1234567Z", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parseLine([]byte(bad)); err == nil {
				t.Errorf("got %+v, want an error", got)
			}
		})
	}
}

// What is read from a line gives the same line back, however it was written.
func FuzzEncodeLine(f *testing.F) {
	for _, r := range newChain(2).records {
		text, err := encodeLine(r)
		if err != nil {
			f.Fatal(err)
		}

		f.Add(text)
	}

	f.Add([]byte(`{"version":1,"seq":1,"at":"0000-01-01T00:00:00.000000Z","kind":"\ud800"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		want, err := parseLine(text)
		if err != nil {
			return
		}

		line, err := encodeLine(want)
		if err != nil {
			t.Fatal(err)
		}

		got, err := parseLine(line)
		if err != nil {
			t.Fatalf("parse %s, which %s gave: %v", line, text, err)
		}
		if got.computeHash() != want.computeHash() || got.line() != want.line() {
			t.Errorf("got %+v from %s, want %+v", got, line, want)
		}
	})
}
