package audit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// memorySource keeps a chain in memory.
type memorySource struct {
	records []Record
	head    Head
	grow    func(*memorySource) // called before each read of the head; may be nil
}

func (s *memorySource) Audit(_ context.Context, after int64, limit int) ([]Record, error) {
	var records []Record
	for _, r := range s.records {
		if r.Seq > after && len(records) < limit {
			records = append(records, r)
		}
	}
	return records, nil
}

func (s *memorySource) AuditHead(context.Context) (Head, error) {
	if s.grow != nil {
		s.grow(s)
	}
	return s.head, nil
}

func (s *memorySource) add(events ...deployment.AuditEvent) {
	for _, e := range events {
		r := NewRecord(s.head, e)
		s.records, s.head = append(s.records, r), r.Head()
	}
}

// event returns the nth event of a chain.
func event(n int) deployment.AuditEvent {
	return deployment.AuditEvent{
		At:           time.Date(2026, 11, 22, 12, 0, n, 123456789, time.UTC),
		Kind:         deployment.AuditLocked,
		Channel:      deployment.ChannelAPI,
		Actor:        deployment.Actor{ID: int64(n), Login: "ada", App: "app", Token: "token"},
		RepositoryID: 7,
		Repository:   "acme/api",
		Environment:  "production",
		Deployment:   int64(100 + n),
		Detail:       fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

// newChain returns a chain of n records.
func newChain(n int) *memorySource {
	s := &memorySource{head: emptyHead()}
	for i := range n {
		s.add(event(i + 1))
	}
	return s
}

// What the databases or the export could not give back unchanged is replaced before it is hashed.
func TestSeal_ReplacesWhatCannotBeStored(t *testing.T) {
	e := event(1)
	e.At = e.At.In(time.FixedZone("x", 3600))
	e.Actor.Login = "a\xff\x00b"
	e.Environment = "e\x00"
	e.Detail = nil

	r := NewRecord(emptyHead(), e)
	if want := "a\uFFFD\uFFFDb"; r.Actor.Login != want {
		t.Errorf("got login %q, want %q", r.Actor.Login, want)
	}
	if want := "e\uFFFD"; r.Environment != want {
		t.Errorf("got environment %q, want %q", r.Environment, want)
	}
	if want := time.Date(2026, 11, 22, 12, 0, 1, 123456000, time.UTC); r.At != want {
		t.Errorf("got time %v, want %v", r.At, want)
	}

	text, err := encodeLine(r)
	if err != nil {
		t.Fatal(err)
	}

	back, err := parseLine(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := back.computeHash(); got != r.Hash {
		t.Errorf("got hash %s of the exported line, want %s", got, r.Hash)
	}
}

// Hashes that exist must stay right, so the encoding must not change.
func TestSeal_HashStays(t *testing.T) {
	const want = "55f714df873e76d9a97ec9d844f88fcdb1e5fdafeee37e3a742dc85abfcccea1"
	if got := newChain(2).head.Hash; got != want {
		t.Errorf("got hash %s of the second record, want %s", got, want)
	}
}

// Whatever people write, the chain holds, and its export gives it back.
func FuzzSeal(f *testing.F) {
	f.Add("ada", "production", []byte(`{}`), int64(0))
	f.Add("\xff", "\x00", []byte("\x00\xc0"), int64(-1))
	f.Fuzz(func(t *testing.T, login, environment string, detail []byte, us int64) {
		us %= 60_000_000_000_000_000 // within the years that RFC 3339 has
		s := newChain(1)
		s.add(deployment.AuditEvent{
			At:          time.UnixMicro(us),
			Actor:       deployment.Actor{Login: login},
			Environment: environment,
			Detail:      detail,
		})

		want := s.records[1]
		text, err := encodeLine(want)
		if err != nil {
			t.Fatal(err)
		}

		got, err := parseLine(text)
		if err != nil {
			t.Fatalf("parse %s: %v", text, err)
		}
		if got.computeHash() != got.Hash || got.line() != want.line() {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if _, err := Verify(t.Context(), s, nil); err != nil {
			t.Error(err)
		}
	})
}
