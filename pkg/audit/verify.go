package audit

import (
	"context"
	"fmt"
	"math"
)

// Source gives records in order.
type Source interface {
	// Audit gives at most limit records after one, oldest first.
	Audit(ctx context.Context, after int64, limit int) ([]Record, error)
	// AuditHead gives the head that is stored beside the records, in the same commit as the newest.
	AuditHead(ctx context.Context) (Head, error)
}

// ChainError says where a chain breaks.
type ChainError struct {
	Seq int64
	Why string
}

// Error names the record.
func (b *ChainError) Error() string {
	return fmt.Sprintf("the audit is broken at record %d: %s", b.Seq, b.Why)
}

func chainError(seq int64, format string, args ...any) error {
	return &ChainError{Seq: seq, Why: fmt.Sprintf(format, args...)}
}

// Verifier holds records against each other, as they come.
type verifier struct {
	head  Head
	noted *Head
}

// NewVerifier begins at the start of a chain. noted is a head that was written down earlier and
// must be met on the way; nil: none.
func newVerifier(noted *Head) *verifier { return &verifier{head: emptyHead(), noted: noted} }

// Head is the last record that fitted.
func (v *verifier) Head() Head { return v.head }

// Next takes the next record. The error is a *Broken for the first that does not fit.
func (v *verifier) Next(r Record) error {
	switch want := v.head.Seq + 1; {
	case r.Seq > want:
		return chainError(want, "it is missing; the next one that is there is %d", r.Seq)
	case r.Seq < want:
		return chainError(r.Seq, "it stands after record %d", v.head.Seq)
	case r.Version != encodingVersion:
		return chainError(r.Seq, "it was changed, or a newer Seraph wrote it: the encoding %d is not known here", r.Version)
	case r.sum() != r.Hash:
		return chainError(r.Seq, "it was changed: its content does not have its hash")
	case r.Prev != v.head.Hash:
		return chainError(r.Seq, "it does not continue record %d: one of the two was made up", v.head.Seq)
	}

	v.head = r.Head()
	return v.meet()
}

// meet compares the head with the noted one, once it is as far.
func (v *verifier) meet() error {
	if v.noted != nil && v.noted.Seq == v.head.Seq && v.noted.Hash != v.head.Hash {
		return chainError(v.head.Seq, "it is not the one whose hash was noted: the chain up to it was made up anew")
	}
	return nil
}

// End holds what came against the head that is stored beside the records.
func (v *verifier) End(stored Head) error {
	switch {
	case v.head.Seq < stored.Seq:
		return chainError(v.head.Seq+1, "it is missing, and so is all after it: the stored head is %d", stored.Seq)
	case v.head != stored:
		return chainError(
			v.head.Seq,
			"the stored head, %d, is not it: records were put in, or the head was changed",
			stored.Seq,
		)
	case v.noted != nil && (v.noted.Seq > v.head.Seq || v.noted.Seq < 0):
		return chainError(v.head.Seq+1, "it is missing, and so is all after it: the noted head is %d", v.noted.Seq)
	}

	return v.meet()
}

// Verify proves a whole chain, while others add to it, and gives its head. noted is as in
// NewVerifier.
func Verify(ctx context.Context, source Source, noted *Head) (Head, error) {
	v, stored, after := newVerifier(noted), emptyHead(), beforeAll
	for {
		last := v.head
		if err := each(ctx, source, after, v.Next); err != nil {
			return v.head, err
		}
		if stored.Seq > v.head.Seq && v.head == last {
			return v.head, v.End(stored) // there should have been more
		}

		var err error
		if stored, err = source.AuditHead(ctx); err != nil { // read after the records, it is never behind them
			return v.head, err
		}
		if stored.Seq <= v.head.Seq {
			return v.head, v.End(stored)
		}

		after = v.head.Seq
	}
}

// before is before all records, also such as were put in with numbers that no record has.
const beforeAll int64 = math.MinInt64

const page = 500

// each hands over all records after one.
func each(ctx context.Context, source Source, after int64, do func(Record) error) error {
	for {
		records, err := source.Audit(ctx, after, page)
		if err != nil || len(records) == 0 {
			return err
		}

		for _, r := range records {
			if err := do(r); err != nil {
				return err
			}

			after = r.Seq
		}
	}
}
