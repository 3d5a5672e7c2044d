package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/audit"
	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// verified proves the audit.
func verified(t *testing.T, source audit.Source) (audit.Head, error) {
	return audit.Verify(t.Context(), source, nil)
}

// actsInTheCommit: what is refused leaves no act, and what is done leaves all of them.
func actsInTheCommit(t *testing.T, b *testDB) {
	one, two := b.accept(1, "production", "p"), b.accept(2, "staging", "q")
	beside := deployment.Changes{
		Audit: []deployment.AuditEvent{
			b.act(deployment.AuditDecided),
			{Kind: deployment.AuditForced, Actor: person(2), Environment: "a\x00\xff"},
		},
	}

	saved := b.must(triggering(one, b), beside)
	if _, err := b.save(one, beside); !errors.Is(err, deployment.ErrVersionConflict) {
		t.Fatal(err)
	}
	if err := b.SavePair(
		t.Context(),
		deployment.Update{Next: saved, Changes: beside},
		deployment.Update{Next: two, Changes: beside},
	); err != nil {
		t.Fatal(err)
	}
	if err := b.AppendAudit(t.Context(), b.act(deployment.AuditCanceled)); err != nil {
		t.Fatal(err)
	}

	records, err := b.Audit(t.Context(), 0, 100)
	if err != nil || len(records) != 7 || b.acts() != 7 {
		t.Fatalf("%d records, %v", len(records), err)
	}

	if r := records[0]; r.Kind != deployment.AuditDecided || r.Actor != person(1) || string(r.Detail) != `{"a":1}` ||
		!r.At.Equal(b.clock()) ||
		r.RepositoryID != 7 {
		t.Errorf("%+v", r)
	}

	if r := records[1]; !r.At.Equal(b.clock()) || r.Environment != "a\uFFFD\uFFFD" {
		t.Errorf("%+v", r)
	}
	if page, err := b.Audit(t.Context(), 2, 3); err != nil || len(page) != 3 || page[0].Seq != 3 {
		t.Errorf("%+v, %v", page, err)
	}
	if head, err := b.AuditHead(t.Context()); err != nil || head != records[6].Head() {
		t.Errorf("%v, %v", head, err)
	}
}

// filled has some records in the audit.
func (b *testDB) filled(n int) {
	b.t.Helper()
	for range n {
		if err := b.AppendAudit(b.t.Context(), b.act(deployment.AuditDecided)); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *testDB) postgres() bool { return strings.HasPrefix(b.o.URL, "postgres") }

func appendOnly(t *testing.T, b *testDB) {
	b.filled(3)
	statements := []string{
		`UPDATE audit SET detail = '' WHERE seq = 2`,
		`DELETE FROM audit WHERE seq = 3`,
		`DELETE FROM audit`,
		`UPDATE audit SET seq = 9 WHERE seq = 3`,
	}

	if b.postgres() {
		statements = append(statements, `TRUNCATE audit`)
	} else {
		statements = append(statements, `INSERT OR REPLACE INTO audit SELECT seq, version, at, 'x', door, actor_id, actor_login, actor_app, actor_token,
			repository_id, repository, environment, deployment, detail, prev, hash FROM audit WHERE seq = 2`)
	}

	for _, statement := range statements {
		if _, err := b.wdb.Exec(statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}

	if b.acts() != 3 {
		t.Error("something was changed all the same")
	}
}

// unguarded drops the triggers, as somebody with the database's password can.
func (b *testDB) unguarded() {
	b.t.Helper()
	statements := []string{
		`DROP TRIGGER audit_no_update`,
		`DROP TRIGGER audit_no_delete`,
		`DROP TRIGGER audit_no_replace`,
	}

	if b.postgres() {
		statements = []string{`DROP TRIGGER audit_append_only ON audit`}
	}

	for _, s := range statements {
		b.sql(s)
	}
}

func (b *testDB) sql(statement string, args ...any) {
	b.t.Helper()
	if _, err := b.wdb.Exec(statement, args...); err != nil {
		b.t.Fatal(statement, err)
	}
}

func tamperingFound(t *testing.T, b *testDB) {
	b.filled(4)
	b.unguarded()
	broken := func(what string) {
		t.Helper()
		var found *audit.ChainError
		if _, err := verified(t, b.DB); !errors.As(err, &found) {
			t.Errorf("%s: %v", what, err)
		}
	}

	for column := range strings.SplitSeq(strings.Join(strings.Fields(auditColumns), ""), ",") {
		for seq := int64(1); seq <= 4; seq++ {
			var was any
			if err := b.rdb.QueryRow(`SELECT `+column+` FROM audit WHERE seq = $1`, seq).Scan(&was); err != nil {
				t.Fatal(err)
			}

			to, where := any("x"), seq
			if n, ok := was.(int64); ok {
				to = n + 100
			}
			if column == "seq" {
				where = seq + 100
			}

			b.sql(`UPDATE audit SET `+column+` = $1 WHERE seq = $2`, to, seq)
			broken(fmt.Sprintf("%s of record %d", column, seq))
			b.sql(`UPDATE audit SET `+column+` = $1 WHERE seq = $2`, was, where)
		}
	}

	if b.acts() != 4 {
		t.Fatal("the test did not put everything back")
	}

	b.sql(`UPDATE audit_head SET seq = 3`)
	broken("the head set back")
	b.sql(`UPDATE audit_head SET seq = 4`)
	b.sql(`DELETE FROM audit WHERE seq = 4`)
	broken("the tail cut off")
	b.sql(`DELETE FROM audit WHERE seq = 2`)
	broken("a record deleted")
	b.sql(`DELETE FROM audit_head`)
	if err := b.AppendAudit(t.Context(), b.act(deployment.AuditDecided)); err == nil ||
		!strings.Contains(err.Error(), "audit head is missing") {
		t.Errorf("without a head: %v", err)
	}
}

func manyWriteTheAudit(t *testing.T, b *testDB) { writeAudit(t, b) }

// writeAudit has many hands write acts at once, alone and beside deployments, and proves the chain
// meanwhile and afterwards.
func writeAudit(t *testing.T, handles ...*testDB) {
	const hands, each = 6, 8
	errs := race(hands+1, func(hand int) error {
		b := handles[hand%len(handles)]
		for i := range each {
			if hand == hands {
				if _, err := verified(t, b.DB); err != nil {
					return err
				}

				continue
			}

			d := b.accept(int64(100*hand+i+1), fmt.Sprint(hand), fmt.Sprint(hand))
			d = b.must(triggering(d, b), deployment.Changes{
				Audit: []deployment.AuditEvent{b.act(deployment.AuditDecided)},
			})
			b.must(ended(d, deployment.Succeeded), deployment.Changes{})
			if err := b.AppendAudit(t.Context(), b.act(deployment.AuditCanceled)); err != nil {
				return err
			}
		}

		return nil
	})

	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}

	for _, b := range handles {
		if n := b.acts(); n != 2*hands*each {
			t.Errorf("%d acts", n)
		}
	}
}

func auditRead(t *testing.T, b *testDB) {
	b.filled(3)
	b.readAudit(3)
	b.filled(1)
	b.readAudit(4)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b.readAudit(4)
}

// readAudit opens the audit beside the service, proves and exports it.
func (b *testDB) readAudit(want int64) {
	b.t.Helper()
	r, err := OpenAudit(b.t.Context(), b.o.URL)
	if err != nil {
		b.t.Fatal(err)
	}

	head, err := verified(b.t, r)
	if err != nil || head.Seq != want {
		b.t.Errorf("head %v, %v", head, err)
	}

	var out bytes.Buffer
	if err := audit.Export(b.t.Context(), r, &out); err != nil ||
		int64(bytes.Count(out.Bytes(), []byte("\n"))) != want {
		b.t.Errorf("exported %s, %v", out.Bytes(), err)
	}

	var last struct {
		Seq  int64  `json:"seq"`
		Hash string `json:"hash"`
	}
	for line := range bytes.Lines(out.Bytes()) {
		if err := json.Unmarshal(line, &last); err != nil {
			b.t.Errorf("exported %s: %v", line, err)
		}
	}
	if got := (audit.Head{Seq: last.Seq, Hash: last.Hash}); got != head {
		b.t.Errorf("got %v as the last line of the export, want %v", got, head)
	}

	if !b.postgres() {
		if _, err := r.db.Exec(`UPDATE audit_head SET seq = 99`); err == nil {
			b.t.Error("the reader can write")
		}
	}

	if err := r.Close(); err != nil {
		b.t.Error(err)
	}
}
