package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// verify returns Verify's error, which must be a *ChainError if it is one.
func verify(t *testing.T, s *memorySource, noted *Head) error {
	t.Helper()
	_, err := Verify(t.Context(), s, noted)
	var chain *ChainError
	if err != nil && !errors.As(err, &chain) {
		t.Errorf("got %v, want a ChainError", err)
	}
	return err
}

func TestVerify_WholeChain(t *testing.T) {
	for _, n := range []int{0, 1, 2, pageSize - 1, pageSize, pageSize + 1, 2*pageSize + 3} {
		t.Run(fmt.Sprintf("%d records", n), func(t *testing.T) {
			s := newChain(n)
			head, err := Verify(t.Context(), s, nil)
			if err != nil {
				t.Fatal(err)
			}
			if head != s.head {
				t.Errorf("got head %v, want %v", head, s.head)
			}
		})
	}
}

// Every change of every column of every record is found.
func TestVerify_ChangedColumn(t *testing.T) {
	const n = 7
	for name, change := range map[string]func(*Record){
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
		"actor_login with a new hash": func(r *Record) {
			r.Actor.Login = "eve"
			r.Hash = r.computeHash()
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range n {
				s := newChain(n)
				change(&s.records[i])
				if verify(t, s, nil) == nil {
					t.Errorf("got no error for a change of record %d", i+1)
				}
			}
		})
	}
}

// Every record that is removed, added or moved is found, at every place, and so is a changed head.
func TestVerify_ChangedChain(t *testing.T) {
	const n = 7
	for name, change := range map[string]func(s *memorySource, i int){
		"removed":                   func(s *memorySource, i int) { s.records = slices.Delete(s.records, i, i+1) },
		"removed with all after it": func(s *memorySource, i int) { s.records = s.records[:i] },
		"doubled": func(s *memorySource, i int) {
			s.records = slices.Insert(s.records, i, s.records[i])
		},
		"another one before it": func(s *memorySource, i int) {
			forged := NewRecord(Head{Seq: int64(i), Hash: s.records[i].Prev}, event(50))
			s.records = slices.Insert(s.records, i, forged)
		},
		"another one with a negative number": func(s *memorySource, i int) {
			s.records = slices.Insert(s.records, 0, NewRecord(Head{Seq: int64(-i - 1)}, event(50)))
		},
		"another one after all": func(s *memorySource, _ int) {
			s.records = append(s.records, NewRecord(s.head, event(50)))
		},
		"head set back to it": func(s *memorySource, i int) { s.head = Head{Seq: int64(i), Hash: s.records[i].Prev} },
		"head with its hash":  func(s *memorySource, i int) { s.head.Hash = s.records[i].Prev },
	} {
		t.Run(name, func(t *testing.T) {
			for i := range n {
				s := newChain(n)
				change(s, i)
				if verify(t, s, nil) == nil {
					t.Errorf("got no error at record %d", i+1)
				}
			}
		})
	}
}

// Two records that changed places are found, whether or not they keep their numbers.
func TestVerify_SwappedRecords(t *testing.T) {
	const n = 6
	for i := range n {
		for j := range i {
			t.Run(fmt.Sprintf("%d and %d", j+1, i+1), func(t *testing.T) {
				s := newChain(n)
				s.records[i], s.records[j] = s.records[j], s.records[i]
				if verify(t, s, nil) == nil {
					t.Error("got no error when they keep their numbers")
				}

				s.records[i].Seq, s.records[j].Seq = s.records[j].Seq, s.records[i].Seq
				if verify(t, s, nil) == nil {
					t.Error("got no error when they change their numbers")
				}
			})
		}
	}
}

// The error names the first record that does not fit, and says how.
func TestVerify_NamesTheRecord(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*memorySource)
		want   string
	}{
		"changed": {
			change: func(s *memorySource) { s.records[1].Channel = "x" },
			want:   "verify audit: record 2 was changed: its content does not have its hash",
		},
		"removed": {
			change: func(s *memorySource) { s.records = slices.Delete(s.records, 2, 3) },
			want:   "verify audit: record 3 is missing: the next one is 4",
		},
		"moved": {
			change: func(s *memorySource) { s.records = slices.Insert(s.records, 2, s.records[0]) },
			want:   "verify audit: record 1 is out of order: it follows record 2",
		},
		"forged": {
			change: func(s *memorySource) { s.records[2] = NewRecord(Head{Seq: 2, Hash: s.head.Hash}, event(3)) },
			want:   "verify audit: record 3 does not continue record 2: one of the two is forged",
		},
		"tail removed": {
			change: func(s *memorySource) { s.records = s.records[:3] },
			want:   "verify audit: record 4 is missing with all after it: the stored head is record 4",
		},
		"head set back": {
			change: func(s *memorySource) { s.head.Seq = 3 },
			want: "verify audit: record 4 is not the stored head, which is record 3: " +
				"records were added, or the head was changed",
		},
		"unknown encoding": {
			change: func(s *memorySource) {
				s.records[3].Version = 2
				s.records[3].Hash = s.records[3].computeHash()
				s.head = s.records[3].Head()
			},
			want: "verify audit: record 4 was changed, or written by a newer Seraph: encoding 2 is not known",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newChain(4)
			tt.change(s)
			if err := verify(t, s, nil); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// Who can write the stored head as well can cut the tail off, or write the whole chain anew. A head
// that was kept in another place shows it.
func TestVerify_NotedHead(t *testing.T) {
	for i := range 8 {
		noted := newChain(i).head

		t.Run(fmt.Sprintf("noted at %d, whole", i), func(t *testing.T) {
			if err := verify(t, newChain(7), &noted); err != nil {
				t.Error(err)
			}
		})

		t.Run(fmt.Sprintf("noted at %d, cut off before it", i+1), func(t *testing.T) {
			cut := newChain(i)
			later := newChain(i + 1).head
			if err := verify(t, cut, nil); err != nil {
				t.Errorf("without the noted head: got %v", err)
			}
			if verify(t, cut, &later) == nil {
				t.Error("got no error with the noted head")
			}
		})

		if i == 0 {
			continue // the head of an empty chain is part of every chain
		}

		t.Run(fmt.Sprintf("noted at %d, rewritten", i), func(t *testing.T) {
			rewritten := &memorySource{head: emptyHead()}
			rewritten.add(event(50))
			for n := range 7 {
				rewritten.add(event(n))
			}

			if err := verify(t, rewritten, nil); err != nil {
				t.Errorf("without the noted head: got %v", err)
			}
			if verify(t, rewritten, &noted) == nil {
				t.Error("got no error with the noted head")
			}
		})
	}

	t.Run("negative number", func(t *testing.T) {
		if verify(t, newChain(1), &Head{Seq: -1}) == nil {
			t.Error("got no error for a head that no chain has")
		}
	})
}

// Records that are added while the chain is read are read as well. Records that the head names and
// that do not come are missed.
func TestVerify_BesideWriters(t *testing.T) {
	t.Run("records are added", func(t *testing.T) {
		rounds := 0
		s := newChain(0)
		s.grow = func(s *memorySource) {
			if rounds++; rounds < 4 {
				s.add(event(rounds), event(rounds))
			}
		}

		head, err := Verify(t.Context(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		if head.Seq != 6 {
			t.Errorf("got head %d, want 6", head.Seq)
		}
	})

	t.Run("only the head moves", func(t *testing.T) {
		s := newChain(3)
		s.grow = func(s *memorySource) { s.head = newChain(5).head }
		if verify(t, s, nil) == nil {
			t.Error("got no error")
		}
	})
}
