package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"golang.org/x/sync/semaphore"

	"github.com/seraph-deploy/seraph/pkg/deployment"
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

// postgres is a database that several replicas share. Each write is a transaction of its own;
// leases are columns.
type postgres struct {
	db       *DB
	intakeDB *sql.DB       // deliveries do not stand behind the workers
	intake   *writer       // stores deliveries, many in one commit
	room     chan struct{} // one place for each write that may wait
	turn     *semaphore.Weighted
}

func openPostgres(ctx context.Context, db *DB) error {
	p := &postgres{db: db, room: make(chan struct{}, db.o.QueueLimit), turn: semaphore.NewWeighted(rowConnections)}
	db.dialect, db.leases = p, postgresLeases{p}
	config, err := pgx.ParseConfig(db.o.URL)
	if err != nil {
		return fmt.Errorf("the database's URL cannot be read: %w", err) // pgconn takes the password out
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}

	db.wdb = connections(config, rowConnections, settings)
	db.rdb = db.wdb
	p.intakeDB = connections(config, intakeConnections, intakeSettings)
	if err := p.migrate(ctx); err != nil {
		return fmt.Errorf("the database %s on %s cannot be opened: %w", config.Database, config.Host, err)
	}

	p.intake = newWriter(db, p.intakeDB)
	p.intake.split, p.intake.commit = splitBatch, p.commitIntake
	p.intake.start()
	return nil
}

func connections(config *pgx.ConnConfig, most int, set func(context.Context, *pgx.Conn) error) *sql.DB {
	db := stdlib.OpenDB(*config.Copy(), stdlib.OptionAfterConnect(set))
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db
}

// settings make a connection's commits durable, and end a transaction whose process was stopped in
// the middle: its locks would keep the other replicas waiting.
func settings(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('idle_in_transaction_session_timeout', '10s', false),
		set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)`)
	return err
}

// intakeSettings make the server keep its plan for acceptStatement: it would make one for each batch,
// which takes longer than what is planned. Since the plan is kept while the tables grow, it must not
// be the one for small tables, which is to read them whole.
func intakeSettings(ctx context.Context, conn *pgx.Conn) error {
	if err := settings(ctx, conn); err != nil {
		return err
	}

	_, err := conn.Exec(ctx, `
		SELECT
			set_config('plan_cache_mode', 'force_generic_plan', false),
			set_config('enable_seqscan', 'off', false)`)
	return err
}

// migrationLock is the number under which replicas take turns. It means nothing.
const migrationLock = 7305807245618

// migrationTime is how long a migration may take: large tables take their time.
const migrationTime = time.Hour

// migrate waits its turn, then brings the tables up to date.
func (p *postgres) migrate(ctx context.Context) error {
	waits, cancel := context.WithTimeout(ctx, p.db.o.LockWait)
	defer cancel()
	conn, err := p.db.wdb.Conn(waits)
	if err != nil {
		return err
	}

	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(waits, `SELECT pg_advisory_lock($1)`, migrationLock); err != nil {
		return fmt.Errorf("another replica is changing its tables, or left the lock %d: %w", migrationLock, err)
	}

	works, stop := context.WithTimeout(ctx, migrationTime)
	defer stop()
	err = migrate(works, goose.DialectPostgres, p.db.wdb, "migrations/postgres")
	_, unlock := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrationLock)

	return errors.Join(err, unlock)
}

func (p *postgres) ping(ctx context.Context) error {
	return p.intake.write(newItem(ctx, func(t *tx) error {
		var standby bool
		if err := t.row(`SELECT pg_is_in_recovery()`, nil, &standby); err != nil {
			return err
		}
		if standby {
			return errors.New("the server is a standby, which cannot be written")
		}

		return nil
	}))
}

// write does one transaction. One that the server gave up for another's sake is tried again: then
// the other's rows can be seen.
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
	for try := 0; try < 3 && gaveWay(err); try++ {
		err = p.transact(ctx, do)
	}

	return err
}

// waitForTurn waits for a write's turn.
func (p *postgres) waitForTurn(ctx context.Context) (leave func(), err error) {
	if err := p.turn.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("the database did not take a write in time: %w", err)
	}

	return func() { p.turn.Release(1) }, nil
}

// gaveWay says whether a transaction was ended by the server because of another one: nothing of it
// is left.
func gaveWay(err error) bool {
	var pg *pgconn.PgError
	// serialization, deadlock, unique
	return errors.As(err, &pg) && slices.Contains([]string{"40001", "40P01", "23505"}, pg.Code)
}

func (p *postgres) transact(ctx context.Context, do func(*tx) error) error {
	sqltx, err := p.db.wdb.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("the database did not take a write: %w", err)
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
		return fmt.Errorf("the database did not take a write: %w", err)
	}

	t.notifyAfterCommit()
	return nil
}

// lockEnvironments takes one lock for each environment and project, in the same order everywhere,
// so that what several rows decide together (whose slot it is, who comes next) is decided by one
// replica at a time. The locks end with the transaction. Two names that fall on one number only
// wait for each other.
func (p *postgres) lockEnvironments(t *tx, rows []deployment.Deployment) error {
	var environments, projects []int64
	for _, d := range rows {
		environments = append(environments, number("environment", d.Request.Repository.ID, d.Request.EnvironmentKey()))
		if d.Project.ID != "" {
			projects = append(projects, number("project", 0, d.Project.ID))
		}
	}

	for _, list := range [][]int64{environments, projects} {
		slices.SortFunc(list, cmp.Compare[int64])
		for _, n := range slices.Compact(list) {
			if _, err := t.exec(`SELECT pg_advisory_xact_lock($1)`, n); err != nil {
				return err
			}
		}
	}

	if slices.ContainsFunc(rows, func(d deployment.Deployment) bool { return d.State == deployment.Triggering }) {
		_, err := t.exec(`SELECT pg_advisory_xact_lock_shared($1)`, number("locks", 0, ""))
		return err
	}

	return nil
}

// lockLocks waits for the starts that are under way: they have looked at the locks. Starts share
// the lock that it takes, and take it before they touch a row, so that whoever has it may touch
// rows.
func (p *postgres) lockLocks(t *tx) error {
	_, err := t.exec(`SELECT pg_advisory_xact_lock($1)`, number("locks", 0, ""))
	return err
}

func number(kind string, id int64, name string) int64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s\x00%d\x00%s", kind, id, name) // a hash takes everything
	return int64(h.Sum64())
}

func (p *postgres) sql() fragments {
	return fragments{
		forUpdate:     " FOR UPDATE",
		endLease:      ", leased_until = 0",
		endReports:    ", report_leased_until = 0",
		freeRow:       "leased_until <= $1",
		freeReports:   "report_leased_until <= $1",
		leasedReports: "report_leased_until",
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
