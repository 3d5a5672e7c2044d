package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// arrival is a delivery that leads to a deployment, on its way in.
type arrival struct {
	del    deployment.Delivery
	d      deployment.Deployment
	data   []byte // d as it is stored
	notes  []deployment.Entry
	packed []byte // the body as it is stored; nil: it is not packed yet
	known  bool   // the delivery, or the deployment by its ids, had been accepted before
	aside  bool   // it is in the inbox
}

// enter takes deliveries in: into the inbox when they come in a crowd, or when others are in there,
// who were before them. To put a delivery aside costs a third of what its deployment costs: the
// senders have their answers first, and the deployments are made after them.
func (db *DB) enter(t *tx, batch []*item) error {
	list := arrivals(batch)
	if len(list) == 0 {
		return nil
	}

	if !db.porter.crowd.is() {
		waits, err := scanWaits(query{t, firstInside, nil})
		if err != nil || !waits {
			return err
		}
	}

	return t.putAside(list)
}

// arrivals are those of a batch whose senders still wait.
func arrivals(batch []*item) []*arrival {
	var list []*arrival
	for _, it := range batch {
		if it.arrives() {
			it.arrival.aside, it.arrival.known = false, false // an attempt before this one may have failed
			list = append(list, it.arrival)
		}
	}
	return list
}

// arrives says whether an item takes in what its sender still waits for.
func (it *item) arrives() bool { return it.arrival != nil && it.ctx.Err() == nil }

// came counts what a batch takes in.
func came(batch []*item) (n int) {
	for _, it := range batch {
		if it.arrives() {
			n++
		}
	}
	return n
}

// enter makes a deployment of an arrival, unless it was put aside.
func (t *tx) enter(a *arrival) (err error) {
	if a.aside {
		return nil
	}
	a.known, err = t.accept(a)
	return err
}

const firstInside = `SELECT id FROM inbox WHERE damaged = 0 ORDER BY id LIMIT 1`

func scanWaits(s scanner) (bool, error) {
	var id int64
	err := s.Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// notKnown is the condition on which a delivery goes into the inbox, by its columns. In these words
// PostgreSQL looks each one up, where it would join whole tables for NOT EXISTS.
const notKnown = `(SELECT 1 FROM deliveries WHERE guid = %[1]s AND ignored = '') IS NULL
	AND (SELECT 1 FROM deployments WHERE repository_id = %[2]s AND deployment_id = %[3]s) IS NULL
	AND (SELECT 1 FROM pruned WHERE repository_id = %[2]s AND deployment_id = %[3]s) IS NULL`

// putAside puts arrivals into the inbox, and notes which of them were known already: these are
// sorted out when they are brought in.
func (t *tx) putAside(list []*arrival) error {
	err := inParcels(list, func(sealed []byte, held []*arrival) error { return t.db.dialect.putAside(t, held, sealed) })
	if err != nil {
		return err
	}

	for _, a := range list {
		a.aside = true
	}

	t.aside = true
	return nil
}

// bringBatch is how many deliveries of small parcels become deployments in one commit: few, so that
// what comes in meanwhile waits for moments only.
const bringBatch = 32

// bringIn makes deployments of the n deliveries of the first parcels in the inbox. more says that
// there are other parcels; they may be in another replica's hands.
func (db *DB) bringIn(ctx context.Context) (n int, more bool, err error) {
	type load struct {
		n    int
		more bool
	}

	brought, err := writeFor(ctx, db, func(t *tx) (l load, err error) {
		alone, err := db.dialect.aloneInside(t)
		for l.more = true; alone && err == nil && l.more && l.n < bringBatch; {
			var in int
			if in, err = t.bringIn(); err == nil {
				l.n += in
				l.more, err = scanWaits(query{t, firstInside, nil})
			}
		}

		return l, err
	})

	return brought.n, brought.more, err
}

// bringIn makes deployments of the first parcel.
func (t *tx) bringIn() (n int, err error) {
	id, sealed, err := scanParcel(query{t, firstParcel, nil})
	if err != nil || id == 0 {
		return 0, err
	}

	list, err := unseal(sealed)
	if err != nil {
		return 0, t.setAside(id, err)
	}

	for _, a := range list {
		if _, err := t.accept(a); err != nil {
			return 0, err
		}
	}

	_, err = t.exec(`DELETE FROM inbox WHERE id = $1`, id)
	return len(list), err
}

const firstParcel = `SELECT id, parcel FROM inbox WHERE damaged = 0 ORDER BY id LIMIT 1`

// scanParcel reads a parcel; id 0: there is none.
func scanParcel(s scanner) (id int64, sealed []byte, err error) {
	err = s.Scan(&id, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}
	return id, sealed, err
}

// setAside keeps a parcel that cannot be read from keeping the others.
func (t *tx) setAside(id int64, cause error) error {
	t.db.o.Log.Error().
		Err(cause).
		Int64("parcel", id).
		Msg("a parcel of the inbox is damaged and set aside; its deployments will be looked for at GitHub")
	_, err := t.exec(`UPDATE inbox SET damaged = 1 WHERE id = $1`, id)
	return err
}

// bringOneByOne makes what deployments can be made of the first parcel, and sets aside those that
// the database refuses for what they hold: none shall keep those after it for ever. Any other error
// says nothing of them, and leaves the parcel as it is.
func (db *DB) bringOneByOne(ctx context.Context) error {
	id, sealed, err := scanParcel(db.get(ctx, firstParcel))
	if err != nil || id == 0 {
		return err
	}

	list, err := unseal(sealed)
	if err != nil {
		return db.write(ctx, func(t *tx) error { return t.setAside(id, err) })
	}

	var refused []*arrival
	for _, a := range list {
		err := db.write(ctx, func(t *tx) error { _, err := t.accept(a); return err })
		switch {
		case err == nil:
		case !db.dialect.refuses(err):
			return err
		default:
			db.o.Log.Error().
				Err(err).
				Str("delivery", a.del.GUID).
				Int64("deployment", a.d.Request.ID).
				Str("repository", a.d.Request.Repository.FullName()).
				Str("environment", a.d.Request.Environment).
				Msg("no deployment can be made of a delivery; it is set aside, and will be looked for at GitHub")

			refused = append(refused, a)
		}
	}

	return db.write(ctx, func(t *tx) error { return t.replace(id, refused) })
}

// replace leaves of a parcel only what was refused, set aside. Another replica may have been
// faster.
func (t *tx) replace(id int64, refused []*arrival) error {
	there, err := changedOne(t.exec(`DELETE FROM inbox WHERE id = $1`, id))
	if err != nil || !there {
		return err
	}
	return inParcels(refused, func(sealed []byte, held []*arrival) error {
		_, err := t.exec(`INSERT INTO inbox (parcel, holds, damaged) VALUES ($1, $2, 1)`, sealed, len(held))
		return err
	})
}

// forgetKeys forgets what was in the inbox, once it is empty: by then it can be known by its
// deployment, or its parcel was damaged, and recovery, which asks GitHub, may take it in. It is for
// a while after: whoever looked for the deployment in the moment before that was made must find the
// key.
func (db *DB) forgetKeys(ctx context.Context) error {
	var some int
	err := db.get(ctx, `SELECT count(*) FROM (SELECT 1 FROM inbox_keys LIMIT 1) AS one`).Scan(&some)
	if err != nil || some == 0 {
		return err
	}

	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM inbox_keys WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE damaged = 0)`)
		return err
	})
}

// settle waits until what was accepted before is a deployment, so that whoever was told of it finds
// it. It gives up when ctx ends, or after 2 s: then the newest may be missing.
func (db *DB) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for more := db.waitsInside(ctx); more && ctx.Err() == nil; {
		var err error
		if _, more, err = db.bringIn(ctx); err != nil {
			return
		}
		if more {
			nap(ctx, time.Millisecond) // it may be in another replica's hands
		}
	}
}

func (db *DB) waitsInside(ctx context.Context) bool {
	waits, err := scanWaits(db.get(ctx, firstInside))
	return err == nil && waits
}

func nap(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
