package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"golang.org/x/sync/semaphore"
)

// What one replica takes of the server: connections for rows, and one for deliveries. What comes in
// while that one commits is the next batch; a second one would halve the batches, and a batch costs
// the server more than the deliveries in it.
const (
	rowConnections    = 6
	intakeConnections = 1
)

// writeTimeout bounds one transaction.
const writeTimeout = 30 * time.Second

// postgres is a database that several replicas share. Each write of a row is a transaction of its
// own; deliveries share one. Leases are columns.
type postgres struct {
	db       *DB
	intakeDB *sql.DB       // deliveries do not wait behind the workers' writes
	intake   *writer       // stores deliveries, many in one commit
	room     chan struct{} // one place for each write that may wait
	turn     *semaphore.Weighted
}

func openPostgres(ctx context.Context, db *DB) error {
	p := &postgres{
		db:   db,
		room: make(chan struct{}, db.o.QueueLimit),
		turn: semaphore.NewWeighted(rowConnections),
	}
	db.dialect, db.leases = p, &postgresLeases{p: p}

	config, err := parsePostgresURL(db.o.URL)
	if err != nil {
		return err
	}

	db.wdb = connections(config, rowConnections, settings)
	db.rdb = db.wdb
	p.intakeDB = connections(config, intakeConnections, intakeSettings)

	if err := p.migrate(ctx); err != nil {
		return fmt.Errorf("the database %s on %s cannot be opened: %w", config.Database, config.Host, err)
	}

	skew, err := p.clockSkew(ctx)
	if err != nil {
		return fmt.Errorf("read the clock of the database: %w", err)
	}

	db.noteSkew(skew)

	p.intake = newWriter(db, p.intakeDB)
	p.intake.process = p.processIntake
	p.intake.start()
	return nil
}

// parsePostgresURL reads a URL. Its error holds no password: pgconn takes it out.
func parsePostgresURL(url string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("the URL of the database cannot be read: %w", err)
	}

	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}

	return config, nil
}

func connections(config *pgx.ConnConfig, limit int, set func(context.Context, *pgx.Conn) error) *sql.DB {
	db := stdlib.OpenDB(*config.Copy(), stdlib.OptionAfterConnect(set))
	db.SetMaxOpenConns(limit)
	db.SetMaxIdleConns(limit)
	return db
}

// settings make a connection's commits durable, and end a transaction whose process stands still in
// the middle of it: its locks would keep the other replicas waiting.
func settings(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `
		SELECT
			set_config('idle_in_transaction_session_timeout', '10s', false),
			set_config(
				'synchronous_commit',
				CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END,
				false
			)`)
	return err
}

// intakeSettings also keep acceptStatement from reading whole tables. The server keeps the plan of a
// statement that it has seen a few times. A plan that was made while the tables were small would
// read them whole, and would be used until the server looks at the tables again, while they grow.
func intakeSettings(ctx context.Context, conn *pgx.Conn) error {
	if err := settings(ctx, conn); err != nil {
		return err
	}

	_, err := conn.Exec(ctx, `SELECT set_config('enable_seqscan', 'off', false)`)
	return err
}

// migrationLock is the number of the advisory lock under which replicas take turns to migrate. It
// was chosen at random.
const migrationLock = 7305807245618

// migrationTimeout bounds a migration. Large tables take their time.
const migrationTimeout = time.Hour

// migrate brings the tables up to date, while no other replica does.
func (p *postgres) migrate(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, p.db.o.LockWait)
	defer cancel()

	conn, err := p.db.wdb.Conn(waiting)
	if err != nil {
		return err
	}

	defer func() { _ = conn.Close() }()

	_, err = conn.ExecContext(waiting, `SELECT pg_advisory_lock($1)`, migrationLock)
	if err != nil {
		return fmt.Errorf("another replica is changing its tables, or left the lock %d: %w", migrationLock, err)
	}

	migrating, stop := context.WithTimeout(ctx, migrationTimeout)
	defer stop()

	err = migrate(migrating, goose.DialectPostgres, p.db.wdb, "migrations/postgres")
	_, unlockErr := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrationLock)
	return errors.Join(err, unlockErr)
}

func (p *postgres) ping(ctx context.Context) error {
	return p.intake.write(newItem(ctx, func(t *tx) error {
		var standby bool
		err := t.row(`SELECT pg_is_in_recovery()`, nil, &standby)
		if err != nil {
			return err
		}
		if standby {
			return errors.New("the server is a standby, which cannot be written")
		}

		return nil
	}))
}

// maxRetries is how often a transaction is tried again that the server ended because of another one.
const maxRetries = 3

// write does one transaction. If the server ends it because of another one it is tried again: then
// it sees the other's rows.
func (p *postgres) write(ctx context.Context, do func(*tx) error) error {
	select {
	case p.room <- struct{}{}:
		defer func() { <-p.room }()
	default:
		return ErrFull
	}

	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()

	leave, err := p.waitForTurn(ctx)
	if err != nil {
		return err
	}

	defer leave()

	err = p.transact(ctx, do)
	for try := 0; try < maxRetries && endedByOther(err); try++ {
		err = p.transact(ctx, do)
	}

	return err
}

// receive needs no other way than write: there are several connections.
func (p *postgres) receive(ctx context.Context, do func(*tx) error) error { return p.write(ctx, do) }

// waitForTurn waits until a write may use one of the connections. While deliveries are being stored
// only two may, so that the server has time for the deliveries.
func (p *postgres) waitForTurn(ctx context.Context) (leave func(), err error) {
	share := int64(1)
	if p.intake.busy.Load() {
		share = rowConnections / 2
	}

	if err := p.turn.Acquire(ctx, share); err != nil {
		return nil, fmt.Errorf("wait for a connection to the database: %w", err)
	}

	return func() { p.turn.Release(share) }, nil
}

// endedByOther reports whether the server ended a transaction because of another one. Nothing of it
// is left.
func endedByOther(err error) bool {
	const (
		serializationFailure = "40001"
		deadlockDetected     = "40P01"
		uniqueViolation      = "23505"
	)

	var pg *pgconn.PgError
	return errors.As(err, &pg) &&
		slices.Contains([]string{serializationFailure, deadlockDetected, uniqueViolation}, pg.Code)
}

func (p *postgres) transact(ctx context.Context, do func(*tx) error) error {
	sqltx, err := p.db.wdb.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}

	defer func() { _ = sqltx.Rollback() }() // after a commit it does nothing

	t := &tx{Tx: sqltx, ctx: ctx, db: p.db, now: p.db.o.Now()}
	if err := do(t); err != nil {
		return err
	}
	if err := t.appendAudit(); err != nil {
		return err
	}
	if err := sqltx.Commit(); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}

	t.notifyAfterCommit()
	return nil
}

func (p *postgres) sql() fragments {
	return fragments{
		forUpdate:     " FOR UPDATE",
		endLease:      ", leased_until = 0",
		extendLease:   ", leased_until = $14",
		endReports:    ", report_leased_until = 0",
		freeRow:       "(leased_until <= $1 OR leased_until > $1 + 600000000)",
		freeReports:   "(report_leased_until <= $1 OR report_leased_until > $1 + 600000000)",
		leasedReports: "report_leased_until",
		idIn:          "id = ANY($1)",
	}
}

func (p *postgres) close() error {
	if p.intake != nil {
		p.intake.close()
	}
	if p.intakeDB == nil {
		return p.db.closePools()
	}

	return errors.Join(p.intakeDB.Close(), p.db.closePools())
}
