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
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// What one replica takes of the server: connections for rows, for what waits at the door, and for the queue.
const (
	rowConnections   = 12
	doorConnections  = 2
	queueConnections = 2
)

// writeTimeout bounds one transaction.
const writeTimeout = 30 * time.Second

// postgres is a database that several replicas share. Each write is a transaction of its own; leases are columns.
type postgres struct {
	db   *DB
	door *sql.DB       // deliveries do not stand behind the workers
	in   *writer       // takes them in, many in one commit
	pool *pgxpool.Pool // the queue's
	room chan struct{} // one place for each write that may wait
}

func openPostgres(ctx context.Context, db *DB) error {
	p := &postgres{db: db, room: make(chan struct{}, db.o.QueueLimit)}
	db.dialect = p
	config, err := pgxpool.ParseConfig(db.o.URL)
	if err != nil {
		return fmt.Errorf("the database's URL cannot be read: %w", err) // pgconn takes the password out
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	db.wdb, p.door = connections(config.ConnConfig, rowConnections), connections(config.ConnConfig, doorConnections)
	db.rdb = db.wdb
	config.MaxConns, config.AfterConnect = queueConnections, settings
	if p.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	if err := p.migrate(ctx); err != nil {
		return fmt.Errorf("the database %s on %s cannot be opened: %w", config.ConnConfig.Database, config.ConnConfig.Host, err)
	}
	client, err := river.NewClient(riverpgxv5.New(p.pool), queueConfig(db))
	db.alarms = &queue[pgx.Tx]{client: client}
	p.in = newWriter(db, p.door, doorConnections, func(ctx context.Context, _ *sql.Tx, list []alarm) error {
		p.ringLater(ctx, list)
		return nil
	})
	return err
}

func connections(config *pgx.ConnConfig, most int) *sql.DB {
	db := stdlib.OpenDB(*config.Copy(), stdlib.OptionAfterConnect(settings))
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db
}

// settings make a connection's commits durable, and end a transaction whose process was stopped in the middle: its locks would keep the other
// replicas waiting.
func settings(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('idle_in_transaction_session_timeout', '10s', false),
		set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)`)
	return err
}

// migrationLock is the number under which replicas take turns. It means nothing.
const migrationLock = 7305807245618

// migrate waits its turn, then brings the tables up to date.
func (p *postgres) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.db.o.LockWait)
	defer cancel()
	conn, err := p.db.wdb.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, migrationLock); err != nil {
		return fmt.Errorf("another replica is changing its tables, or left the lock %d: %w", migrationLock, err)
	}
	err = migratePostgres(ctx, p.db.wdb, p.pool)
	_, unlock := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrationLock)
	return errors.Join(err, unlock)
}

// accept lets deliveries share a transaction: no rule that spans rows is asked.
func (p *postgres) accept(ctx context.Context, do func(*tx) error) error { return p.in.write(ctx, do) }

// write does one transaction. One that the server gave up for another's sake is tried again: then the other's rows can be seen.
func (p *postgres) write(ctx context.Context, do func(*tx) error) error {
	select {
	case p.room <- struct{}{}:
		defer func() { <-p.room }()
	default:
		return ErrFull
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := p.transact(ctx, do)
	for try := 0; try < 3 && gaveWay(err); try++ {
		err = p.transact(ctx, do)
	}
	return err
}

// gaveWay says whether a transaction was ended by the server because of another one: nothing of it is left.
func gaveWay(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.Contains([]string{"40001", "40P01", "23505"}, pg.Code) // serialization, deadlock, unique
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
	if err := t.seal(); err != nil {
		return err
	}
	if err := sqltx.Commit(); err != nil {
		return fmt.Errorf("the database did not take a write: %w", err)
	}
	t.tellAll()
	p.ringLater(ctx, t.alarms)
	return nil
}

// ringLater sets the alarms after the commit: the rows say the same, and are read every few seconds.
func (p *postgres) ringLater(ctx context.Context, list []alarm) {
	q, ok := p.db.alarms.(*queue[pgx.Tx])
	if !ok || len(list) == 0 {
		return
	}
	if _, err := q.client.InsertManyFast(ctx, insertParams(list)); err != nil {
		p.db.o.Log.Warn().Err(err).Msg("an alarm could not be set; its row will be found when it is overdue")
	}
}

// alone takes one lock for each environment and project, in the same order everywhere, so that what several rows decide together (whose slot it
// is, who comes next) is decided by one replica at a time. The locks end with the transaction. Two names that fall on one number only wait for
// each other.
func (p *postgres) alone(t *tx, rows []deployment.Deployment) error {
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

// aloneWithLocks waits for the starts that are under way: they have looked at the locks. Starts share the lock that it takes, and take it before they
// touch a row, so that whoever has it may touch rows.
func (p *postgres) aloneWithLocks(t *tx) error {
	_, err := t.exec(`SELECT pg_advisory_xact_lock($1)`, number("locks", 0, ""))
	return err
}

func number(kind string, id int64, name string) int64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s\x00%d\x00%s", kind, id, name) // a hash takes everything
	return int64(h.Sum64())
}

func (p *postgres) lease(ctx context.Context, a deployment.Alarm, now time.Time) (bool, error) {
	column := leaseColumn(a)
	return changedOne(p.db.wdb.ExecContext(ctx, `UPDATE deployments SET `+column+` = $2 WHERE row_id = $1 AND `+dueColumn(a)+` <= $3 AND `+column+` <= $3`,
		a.Row, micros(now.Add(leaseFor)), micros(now)))
}

func leaseColumn(a deployment.Alarm) string {
	if a.Kind == deployment.AlarmReport {
		return "report_leased_until"
	}
	return "leased_until"
}

func (p *postgres) unlease(ctx context.Context, a deployment.Alarm) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	_, err := p.db.wdb.ExecContext(ctx, `UPDATE deployments SET `+leaseColumn(a)+` = 0 WHERE row_id = $1`, a.Row)
	return err
}

func (p *postgres) released(deployment.Alarm) {} // in the commit

func (p *postgres) holds(_ deployment.Alarm, until time.Time, leased int64) bool {
	return micros(until) == leased
}

func (p *postgres) leased(deployment.Alarm, time.Time) bool { return false }

func (p *postgres) sql() words {
	return words{
		forUpdate: " FOR UPDATE", endLease: ", leased_until = 0", endReports: ", report_leased_until = 0",
		freeRow: "leased_until <= $1", freeReports: "report_leased_until <= $1", leasedReports: "report_leased_until",
	}
}

func (p *postgres) close() error {
	if p.in != nil {
		p.in.close()
	}
	if p.pool != nil {
		p.pool.Close()
	}
	if p.door == nil {
		return p.db.closePools()
	}
	return errors.Join(p.door.Close(), p.db.closePools())
}
