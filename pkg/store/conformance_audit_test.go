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

func (b *testDB) newEvent(kind deployment.AuditKind) deployment.AuditEvent {
	return deployment.AuditEvent{
		At:           b.clock(),
		Kind:         kind,
		Channel:      deployment.ChannelAPI,
		Actor:        person(1),
		RepositoryID: 7,
		Repository:   "Acme/api",
		Environment:  "production",
		Detail:       []byte(`{"a":1}`),
	}
}

// mustAppend adds events to the audit.
func (b *testDB) mustAppend(n int) {
	b.t.Helper()
	for range n {
		if err := b.AppendAudit(b.t.Context(), b.newEvent(deployment.AuditDecided)); err != nil {
			b.t.Fatal(err)
		}
	}
}

// auditCount verifies the audit and gives how many records it has.
func (b *testDB) auditCount() int64 {
	b.t.Helper()
	head, err := audit.Verify(b.t.Context(), b.DB, nil)
	if err != nil {
		b.t.Fatal(err)
	}

	return head.Seq
}

// testAuditInCommit: a write that is refused leaves no event, and one that is done leaves all of its
// events.
func testAuditInCommit(t *testing.T, b *testDB) {
	one, two := b.accept(1, "production", "p"), b.accept(2, "staging", "q")
	changes := deployment.Changes{
		Audit: []deployment.AuditEvent{
			b.newEvent(deployment.AuditDecided),
			{Kind: deployment.AuditForced, Actor: person(2), Environment: "a\x00\xff"},
		},
	}

	saved := b.mustSave(triggering(one, b), changes)
	_, err := b.save(one, changes)
	if !errors.Is(err, deployment.ErrVersionConflict) {
		t.Fatalf("got %v, want %v", err, deployment.ErrVersionConflict)
	}

	err = b.SavePair(t.Context(),
		deployment.Update{Next: saved, Changes: changes},
		deployment.Update{Next: two, Changes: changes},
	)
	if err != nil {
		t.Fatal(err)
	}

	if err := b.AppendAudit(t.Context(), b.newEvent(deployment.AuditCanceled)); err != nil {
		t.Fatal(err)
	}
	if got := b.auditCount(); got != 7 {
		t.Errorf("verified: got %d records, want 7", got)
	}

	records, err := b.Audit(t.Context(), 0, 100)
	if err != nil || len(records) != 7 {
		t.Fatalf("read: got %d records, %v, want 7", len(records), err)
	}

	want := b.newEvent(deployment.AuditDecided)
	got := records[0]
	if got.Kind != want.Kind || got.Actor != want.Actor || string(got.Detail) != string(want.Detail) ||
		!got.At.Equal(want.At) || got.RepositoryID != want.RepositoryID {
		t.Errorf("first record: got %+v, want %+v", got, want)
	}
	if got := records[1]; !got.At.Equal(b.clock()) || got.Environment != "a\uFFFD\uFFFD" {
		t.Errorf("second record: got %+v, want the time of the commit, and text", got)
	}

	page, err := b.Audit(t.Context(), 2, 3)
	if err != nil || len(page) != 3 || page[0].Seq != 3 {
		t.Errorf("a page: got %+v, %v, want records 3 to 5", page, err)
	}

	head, err := b.AuditHead(t.Context())
	if err != nil || head != records[6].Head() {
		t.Errorf("head: got %v, %v, want %v", head, err, records[6].Head())
	}
}

func testAuditAppendOnly(t *testing.T, b *testDB) {
	b.mustAppend(3)
	statements := []string{
		`UPDATE audit SET detail = '' WHERE seq = 2`,
		`DELETE FROM audit WHERE seq = 3`,
		`DELETE FROM audit`,
		`UPDATE audit SET seq = 9 WHERE seq = 3`,
	}
	if b.isPostgres() {
		statements = append(statements, `TRUNCATE audit`)
	} else {
		columns := strings.Replace(auditColumns, "kind", "'x'", 1)
		statements = append(statements, `INSERT OR REPLACE INTO audit SELECT `+columns+` FROM audit WHERE seq = 2`)
	}

	for _, statement := range statements {
		t.Run(statement, func(t *testing.T) {
			_, err := b.wdb.Exec(statement)
			if err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("got %v, want that the audit is append-only", err)
			}
		})
	}

	if got := b.auditCount(); got != 3 {
		t.Errorf("got %d records, want 3", got)
	}
}

// dropAuditTriggers is what somebody with the database's password can do.
func (b *testDB) dropAuditTriggers() {
	b.t.Helper()
	if b.isPostgres() {
		b.mustExec(`DROP TRIGGER audit_append_only ON audit`)
		return
	}

	b.mustExec(`DROP TRIGGER audit_no_update`)
	b.mustExec(`DROP TRIGGER audit_no_delete`)
	b.mustExec(`DROP TRIGGER audit_no_replace`)
}

// testAuditShowsChanges changes each column of each record in turn, and then whole records.
func testAuditShowsChanges(t *testing.T, b *testDB) {
	b.mustAppend(4)
	b.dropAuditTriggers()

	wantBroken := func(t *testing.T) {
		t.Helper()
		var broken *audit.ChainError
		_, err := audit.Verify(t.Context(), b.DB, nil)
		if !errors.As(err, &broken) {
			t.Errorf("got %v, want a broken chain", err)
		}
	}

	columns := strings.SplitSeq(strings.Join(strings.Fields(auditColumns), ""), ",")
	for column := range columns {
		for seq := int64(1); seq <= 4; seq++ {
			t.Run(fmt.Sprintf("%s of record %d", column, seq), func(t *testing.T) {
				var was any
				err := b.rdb.QueryRow(`SELECT `+column+` FROM audit WHERE seq = $1`, seq).Scan(&was)
				if err != nil {
					t.Fatal(err)
				}

				to, where := any("x"), seq
				if n, ok := was.(int64); ok {
					to = n + 100
				}
				if column == "seq" {
					where = seq + 100
				}

				b.mustExec(`UPDATE audit SET `+column+` = $1 WHERE seq = $2`, to, seq)
				wantBroken(t)
				b.mustExec(`UPDATE audit SET `+column+` = $1 WHERE seq = $2`, was, where)
			})
		}
	}

	if got := b.auditCount(); got != 4 {
		t.Fatalf("after all was put back: got %d records, want 4", got)
	}

	t.Run("head set back", func(t *testing.T) {
		b.mustExec(`UPDATE audit_head SET seq = 3`)
		wantBroken(t)
		b.mustExec(`UPDATE audit_head SET seq = 4`)
	})

	t.Run("last record deleted", func(t *testing.T) {
		b.mustExec(`DELETE FROM audit WHERE seq = 4`)
		wantBroken(t)
	})

	t.Run("another record deleted", func(t *testing.T) {
		b.mustExec(`DELETE FROM audit WHERE seq = 2`)
		wantBroken(t)
	})

	t.Run("head deleted", func(t *testing.T) {
		b.mustExec(`DELETE FROM audit_head`)
		err := b.AppendAudit(t.Context(), b.newEvent(deployment.AuditDecided))
		if err == nil || !strings.Contains(err.Error(), "audit head is missing") {
			t.Errorf("got %v, want that the head is missing", err)
		}
	})
}

func testAuditConcurrently(t *testing.T, b *testDB) { testAuditWriters(t, b) }

// testAuditWriters has several writers add events, alone and beside deployments, and verifies the
// chain meanwhile and afterwards.
func testAuditWriters(t *testing.T, replicas ...*testDB) {
	const writers, each = 6, 8
	errs := concurrently(writers+1, func(i int) error {
		b := replicas[i%len(replicas)]
		for n := range each {
			if i == writers {
				if _, err := audit.Verify(t.Context(), b.DB, nil); err != nil {
					return err
				}

				continue
			}

			d := b.accept(int64(100*i+n+1), fmt.Sprint(i), fmt.Sprint(i))
			d = b.mustSave(triggering(d, b), deployment.Changes{
				Audit: []deployment.AuditEvent{b.newEvent(deployment.AuditDecided)},
			})
			b.mustSave(ended(d, deployment.Succeeded), deployment.Changes{})
			if err := b.AppendAudit(t.Context(), b.newEvent(deployment.AuditCanceled)); err != nil {
				return err
			}
		}

		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}

	for _, b := range replicas {
		if got, want := b.auditCount(), int64(2*writers*each); got != want {
			t.Errorf("got %d records, want %d", got, want)
		}
	}
}

// testAuditReader reads the audit while the service has the database open, and after it was closed.
func testAuditReader(t *testing.T, b *testDB) {
	b.mustAppend(3)
	b.wantReadable(3)
	b.mustAppend(1)
	b.wantReadable(4)

	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b.wantReadable(4)
}

// wantReadable opens the audit as another process does, verifies and exports it.
func (b *testDB) wantReadable(want int64) {
	b.t.Helper()
	r, err := OpenAudit(b.t.Context(), b.o.URL)
	if err != nil {
		b.t.Fatal(err)
	}

	defer func() {
		if err := r.Close(); err != nil {
			b.t.Error(err)
		}
	}()

	head, err := audit.Verify(b.t.Context(), r, nil)
	if err != nil || head.Seq != want {
		b.t.Errorf("verified: got %d records, %v, want %d", head.Seq, err, want)
	}

	var out bytes.Buffer
	if err := audit.Export(b.t.Context(), r, &out); err != nil {
		b.t.Error(err)
	}
	if got := int64(bytes.Count(out.Bytes(), []byte("\n"))); got != want {
		b.t.Errorf("exported: got %d lines, want %d", got, want)
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

	if b.isPostgres() {
		return // there the user's rights decide
	}
	if _, err := r.db.Exec(`UPDATE audit_head SET seq = 99`); err == nil {
		b.t.Error("a write by the reader: got no error")
	}
}
