package audit

import (
	"context"
	"fmt"
	"math"
)

// Source gives the records of a chain.
type Source interface {
	// Audit returns at most limit records with a number above after, in the order of their numbers.
	Audit(ctx context.Context, after int64, limit int) ([]Record, error)
	// AuditHead returns the head that is stored beside the records. Each record is committed together
	// with the head that names it.
	AuditHead(ctx context.Context) (Head, error)
}

// ChainError says where a chain is broken, and how.
type ChainError struct {
	Seq int64
	Why string
}

// Error names the record and says what is wrong with it.
func (e *ChainError) Error() string {
	return fmt.Sprintf("verify audit: record %d %s", e.Seq, e.Why)
}

func chainError(seq int64, format string, args ...any) error {
	return &ChainError{Seq: seq, Why: fmt.Sprintf(format, args...)}
}

// Verify proves that a chain is whole, and returns its head. Records may be added meanwhile. noted
// is a head that was kept in another place, and must be part of the chain; nil: none was. The error
// is a *ChainError for the first record that does not fit.
//
// It reads to the end of the records and then the stored head, until both agree. Since records and
// head are committed together, a head that was read after the records is never behind them.
func Verify(ctx context.Context, source Source, noted *Head) (Head, error) {
	v := &verifier{head: emptyHead(), noted: noted}
	stored := emptyHead()
	after := beforeAll
	for {
		before := v.head
		if err := each(ctx, source, after, v.add); err != nil {
			return v.head, err
		}
		if stored.Seq > v.head.Seq && v.head == before {
			return v.head, v.finish(stored) // the head names records that are not there
		}

		var err error
		if stored, err = source.AuditHead(ctx); err != nil {
			return v.head, err
		}
		if stored.Seq <= v.head.Seq {
			return v.head, v.finish(stored)
		}

		after = v.head.Seq
	}
}

// verifier checks records one after the other.
type verifier struct {
	head  Head  // of the records so far
	noted *Head // must be met on the way; nil: none
}

// add checks the next record against the one before it.
func (v *verifier) add(r Record) error {
	switch want := v.head.Seq + 1; {
	case r.Seq > want:
		return chainError(want, "is missing: the next one is %d", r.Seq)
	case r.Seq < want:
		return chainError(r.Seq, "is out of order: it follows record %d", v.head.Seq)
	case r.Version != encodingVersion:
		return chainError(r.Seq, "was changed, or written by a newer Seraph: encoding %d is not known", r.Version)
	case r.computeHash() != r.Hash:
		return chainError(r.Seq, "was changed: its content does not have its hash")
	case r.Prev != v.head.Hash:
		return chainError(r.Seq, "does not continue record %d: one of the two is forged", v.head.Seq)
	}

	v.head = r.Head()
	return v.compareNoted()
}

// finish checks the records against the head that is stored beside them.
func (v *verifier) finish(stored Head) error {
	switch {
	case v.head.Seq < stored.Seq:
		return chainError(v.head.Seq+1, "is missing with all after it: the stored head is record %d", stored.Seq)
	case v.head != stored:
		return chainError(
			v.head.Seq,
			"is not the stored head, which is record %d: records were added, or the head was changed",
			stored.Seq,
		)
	case v.noted != nil && (v.noted.Seq > v.head.Seq || v.noted.Seq < 0):
		return chainError(v.head.Seq+1, "is missing with all after it: the noted head is record %d", v.noted.Seq)
	}

	return v.compareNoted()
}

// compareNoted compares the head with the noted one when the chain has got there.
func (v *verifier) compareNoted() error {
	if v.noted != nil && v.noted.Seq == v.head.Seq && v.noted.Hash != v.head.Hash {
		return chainError(v.head.Seq, "does not have the noted hash: the chain up to it was rewritten")
	}
	return nil
}

// beforeAll is below the number of every record, including forged ones with a negative number.
const beforeAll int64 = math.MinInt64

// pageSize is how many records are read at a time.
const pageSize = 500

// each calls do for all records with a number above after.
func each(ctx context.Context, source Source, after int64, do func(Record) error) error {
	for {
		records, err := source.Audit(ctx, after, pageSize)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			return nil
		}

		for _, r := range records {
			if err := do(r); err != nil {
				return err
			}

			after = r.Seq
		}
	}
}
