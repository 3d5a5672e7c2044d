package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// memorySource is a source in memory.
type memorySource struct {
	records []Record
	head    Head
	grow    func(*memorySource) // called before each look at the head
}

func (s *memorySource) Audit(_ context.Context, after int64, limit int) ([]Record, error) {
	var page []Record
	for _, r := range s.records {
		if r.Seq > after && len(page) < limit {
			page = append(page, r)
		}
	}
	return page, nil
}

func (s *memorySource) AuditHead(context.Context) (Head, error) {
	if s.grow != nil {
		s.grow(s)
	}
	return s.head, nil
}

func (s *memorySource) add(acts ...deployment.AuditEvent) {
	for _, a := range acts {
		r := Seal(s.head, a)
		s.records, s.head = append(s.records, r), r.Head()
	}
}

func act(n int) deployment.AuditEvent {
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

func chain(n int) *memorySource {
	s := &memorySource{head: emptyHead()}
	for i := range n {
		s.add(act(i + 1))
	}
	return s
}

// verify is Verify's error, which must be a *Broken if it is one.
func verify(t *testing.T, s *memorySource, noted *Head) error {
	t.Helper()
	_, err := Verify(t.Context(), s, noted)
	var b *ChainError
	if err != nil && !errors.As(err, &b) {
		t.Errorf("got %v", err)
	}
	return err
}

func TestWholeChains(t *testing.T) {
	for _, n := range []int{0, 1, 2, page - 1, page, page + 1, 2*page + 3} {
		s := chain(n)
		if head, err := Verify(t.Context(), s, nil); err != nil || head != s.head {
			t.Errorf("%d records: head %v, %v", n, head, err)
		}
	}
}

// columns changes one column of a record in every way there is one.
var columns = map[string]func(*Record){
	"version":       func(r *Record) { r.Version++ },
	"seq":           func(r *Record) { r.Seq++ },
	"negative seq":  func(r *Record) { r.Seq = -r.Seq },
	"at":            func(r *Record) { r.At = r.At.Add(time.Microsecond) },
	"kind":          func(r *Record) { r.Kind = deployment.AuditUnlocked },
	"door":          func(r *Record) { r.Channel = deployment.ChannelGitHub },
	"actor_id":      func(r *Record) { r.Actor.ID++ },
	"actor_login":   func(r *Record) { r.Actor.Login += "x" },
	"actor_app":     func(r *Record) { r.Actor.App = "" },
	"actor_token":   func(r *Record) { r.Actor.Token += "x" },
	"shifted text":  func(r *Record) { r.Actor.Login, r.Actor.App = r.Actor.Login+r.Actor.App, "" },
	"repository_id": func(r *Record) { r.RepositoryID++ },
	"repository":    func(r *Record) { r.Repository = "acme/web" },
	"environment":   func(r *Record) { r.Environment = "staging" },
	"deployment":    func(r *Record) { r.Deployment = 0 },
	"detail":        func(r *Record) { r.Detail = append(slices.Clone(r.Detail), ' ') },
	"prev":          func(r *Record) { r.Prev = strings.Repeat("1", 64) },
	"hash":          func(r *Record) { r.Hash = strings.Repeat("1", 64) },
	"all, with its hash made anew": func(r *Record) {
		r.Actor.Login = "eve"
		r.Hash = r.sum()
	},
}

// Whatever is done to whichever record is found.
func TestTampering(t *testing.T) {
	const n = 7
	for i := range n {
		for name, change := range columns {
			s := chain(n)
			change(&s.records[i])
			if verify(t, s, nil) == nil {
				t.Errorf("%s of record %d was changed unseen", name, i+1)
			}
		}

		for name, do := range map[string]func(*memorySource){
			"deleted":      func(s *memorySource) { s.records = slices.Delete(s.records, i, i+1) },
			"cut off from": func(s *memorySource) { s.records = s.records[:i] },
			"doubled":      func(s *memorySource) { s.records = slices.Insert(s.records, i, s.records[i]) },
			"put in before": func(s *memorySource) {
				s.records = slices.Insert(s.records, i, Seal(Head{Seq: int64(i), Hash: s.records[i].Prev}, act(50)))
			},
			"put in at minus": func(s *memorySource) {
				s.records = slices.Insert(s.records, 0, Seal(Head{Seq: int64(-i - 1)}, act(50)))
			},
			"the head forgets": func(s *memorySource) { s.head = Head{Seq: int64(i), Hash: s.records[i].Prev} },
			"the head lies":    func(s *memorySource) { s.head.Hash = s.records[i].Prev },
			"put in after all": func(s *memorySource) { s.records = append(s.records, Seal(s.head, act(50))) },
		} {
			s := chain(n)
			do(s)
			if verify(t, s, nil) == nil {
				t.Errorf("record %d: %s, unseen", i+1, name)
			}
		}
	}
}

// The error names the first record that does not fit, and says how.
func TestBrokenNamesTheRecord(t *testing.T) {
	for word, c := range map[string]struct {
		seq int64
		do  func(*memorySource)
	}{
		"it was changed: its content": {2, func(s *memorySource) { s.records[1].Channel = "x" }},
		"the next one that is there":  {3, func(s *memorySource) { s.records = slices.Delete(s.records, 2, 3) }},
		"it stands after record 2":    {1, func(s *memorySource) { s.records = slices.Insert(s.records, 2, s.records[0]) }},
		"it does not continue": {3, func(s *memorySource) {
			s.records[2] = Seal(Head{
				Seq:  2,
				Hash: s.head.Hash,
			}, act(3))
		}},
		"and so is all after it":     {4, func(s *memorySource) { s.records = s.records[:3] }},
		"the stored head, 3, is not": {4, func(s *memorySource) { s.head.Seq = 3 }},
		"the encoding 2 is not known": {4, func(s *memorySource) {
			s.records[3].Version = 2
			s.records[3].Hash = s.records[3].sum()
			s.head = s.records[3].Head()
		}},
	} {
		s := chain(4)
		c.do(s)
		var b *ChainError
		if err := verify(t, s, nil); !errors.As(err, &b) || b.Seq != c.seq || !strings.Contains(b.Why, word) {
			t.Errorf("%s: got %v", word, err)
		}
	}
}

// Two records that changed places are found, with their numbers and without.
func TestSwapped(t *testing.T) {
	const n = 6
	for i := range n {
		for j := range i {
			s := chain(n)
			s.records[i], s.records[j] = s.records[j], s.records[i]
			plain := verify(t, s, nil)
			s.records[i].Seq, s.records[j].Seq = s.records[j].Seq, s.records[i].Seq
			if numbered := verify(t, s, nil); plain == nil || numbered == nil {
				t.Errorf("%d and %d: %v, %v", j, i, plain, numbered)
			}
		}
	}
}

// Whoever can write the head, too, can cut the tail off or make all up anew: a head that was noted
// elsewhere shows it.
func TestNotedHead(t *testing.T) {
	for i := range int64(8) {
		noted := chain(int(i)).head
		if err := verify(t, chain(7), &noted); err != nil {
			t.Errorf("a head noted at %d: %v", i, err)
		}

		cut := chain(int(i))
		late := chain(int(i) + 1).head
		if verify(t, cut, nil) != nil || verify(t, cut, &late) == nil {
			t.Errorf("cut off after %d: the noted head does not show it", i)
		}

		anew := &memorySource{head: emptyHead()}
		anew.add(act(50))
		for n := range 7 {
			anew.add(act(n))
		}

		if i > 0 && (verify(t, anew, nil) != nil || verify(t, anew, &noted) == nil) {
			t.Errorf("made up anew: the head noted at %d does not show it", i)
		}
	}

	if noted := (Head{Seq: -1}); verify(t, chain(1), &noted) == nil {
		t.Error("a head that never was is part of the chain")
	}
}

// Records that come while the chain is read are read as well, and what is cut off in the meantime
// is missed.
func TestVerifyBesideWriters(t *testing.T) {
	rounds := 0
	s := &memorySource{
		head: emptyHead(),
		grow: func(s *memorySource) {
			if rounds++; rounds < 4 {
				s.add(act(rounds), act(rounds))
			}
		},
	}

	if head, err := Verify(t.Context(), s, nil); err != nil || head.Seq != 6 {
		t.Errorf("head %v, %v", head, err)
	}

	s = chain(3)
	s.grow = func(s *memorySource) { s.head = chain(5).head }
	if verify(t, s, nil) == nil {
		t.Error("what the head promises was not missed")
	}
}

// What cannot be stored or exported as it is does not break the chain.
func TestSealCleans(t *testing.T) {
	a := act(1)
	a.Actor.Login, a.Environment, a.Detail, a.At = "a\xff\x00b", "e\x00", nil, a.At.In(time.FixedZone("x", 3600))
	s := &memorySource{head: emptyHead()}
	s.add(a)
	r := s.records[0]
	if r.Actor.Login != "a\uFFFD\uFFFDb" || r.At.Nanosecond() != 123456000 || r.At.Location() != time.UTC {
		t.Errorf("%+v", r)
	}

	text, err := encodeLine(r)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := ParseLine(text); err != nil || back.Hash != back.sum() {
		t.Errorf("%+v, %v", back, err)
	}
}

// The encoding does not change by accident: hashes that are out there must stay right.
func TestHashStays(t *testing.T) {
	if got := chain(2).head.Hash; got != "55f714df873e76d9a97ec9d844f88fcdb1e5fdafeee37e3a742dc85abfcccea1" {
		t.Errorf("the hash of the second record is %s", got)
	}
}
