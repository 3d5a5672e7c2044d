package store

import (
	"context"
	"slices"
	"strings"
	"time"
)

// acceptStatement stores a whole batch of deliveries, their deployments and the first entries of
// the timelines. It gives the rows of the deployments that are new by their keys, and the GUIDs of
// the deliveries that were stored for a deployment. It is one statement because to the server, and
// on the way to it, statements cost more than rows. It is a transaction by itself: when its rows
// have been read it is committed.
//
// A deployment that had been accepted with another delivery is found by "known", and its delivery
// is stored as a duplicate. One that is being pruned has its row or its place in pruned, as this
// statement sees them at one moment. The subqueries that look it up are in the SELECT list, where PostgreSQL
// evaluates them row by row with an index; it would join whole tables for NOT EXISTS. Another
// replica may be accepting the same deployment at this moment, which "known" does not see: then the
// delivery's GUID is given, and no row.
const acceptStatement = `
	WITH incoming AS MATERIALIZED (
		SELECT
			i.*,
			(SELECT 1 FROM deployments d WHERE d.repository_id = i.repository_id AND d.deployment_id = i.deployment_id) IS NOT NULL OR
			(SELECT 1 FROM pruned p WHERE p.repository_id = i.repository_id AND p.deployment_id = i.deployment_id) IS NOT NULL AS known
		FROM unnest(
			$1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bytea[],
			$9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::text[], $16::text[], $17::bigint[]
		) WITH ORDINALITY AS i (
			guid, event, source, repository_id, deployment_id, received_at, ignored, body,
			repository, environment_key, state, trigger_key, accepted_at, due_at, data, sha, is_act, n
		)
	),
	delivery AS (
		INSERT INTO deliveries
			(guid, event, source, repository_id, deployment_id, received_at, ignored, body, repository, environment)
		SELECT
			guid,
			event,
			source,
			repository_id,
			deployment_id,
			received_at,
			CASE WHEN known AND ignored = '' THEN '` + duplicateReason + `' ELSE ignored END,
			CASE WHEN known THEN NULL ELSE body END,
			CASE WHEN ignored = '' THEN '' ELSE repository END,
			CASE WHEN ignored = '' THEN '' ELSE environment_key END
		FROM incoming
		ORDER BY guid
		ON CONFLICT (guid) DO UPDATE SET
			repository_id = excluded.repository_id,
			deployment_id = excluded.deployment_id,
			received_at = excluded.received_at,
			ignored = excluded.ignored,
			body = excluded.body,
			repository = excluded.repository,
			environment = excluded.environment
		WHERE deliveries.ignored <> ''
		RETURNING guid, ignored
	),
	added AS (
		INSERT INTO deployments (
			repository_id,
			deployment_id,
			repository,
			environment_key,
			state,
			trigger_key,
			accepted_at,
			due_at,
			data,
			sha,
			is_act
		)
		SELECT
			i.repository_id,
			i.deployment_id,
			i.repository,
			i.environment_key,
			i.state,
			i.trigger_key,
			i.accepted_at,
			i.due_at,
			i.data,
			i.sha,
			i.is_act
		FROM incoming i
		JOIN delivery USING (guid)
		WHERE delivery.ignored = ''
		ORDER BY i.n
		ON CONFLICT (repository_id, deployment_id) DO NOTHING
		RETURNING row_id, trigger_key
	),
	history AS (
		INSERT INTO timeline (row_id, at, event, detail)
		SELECT added.row_id, e.at, e.event, e.detail
		FROM unnest($18::text[], $19::bigint[], $20::text[], $21::text[]) WITH ORDINALITY AS e (trigger_key, at, event, detail, n)
		JOIN added USING (trigger_key)
		ORDER BY e.n
	)
	SELECT guid, '' AS trigger_key, 0 AS row_id FROM delivery WHERE ignored = ''
	UNION ALL
	SELECT '', trigger_key, row_id FROM added`

func (p *postgres) accept(ctx context.Context, in *incoming) error {
	return p.intake.write(newIncomingItem(ctx, in))
}

// splitBatch divides a batch into what one statement can store, in which no GUID and no deployment
// may come twice, and into the writes that are no deliveries. Those whose callers have left are
// dropped.
func splitBatch(batch []*item) [][]*item {
	var parts [][]*item
	for len(batch) > 0 {
		guids := map[string]bool{}
		ids := map[[2]int64]bool{}
		var part, others, later []*item

		for _, it := range batch {
			in := it.incoming
			switch {
			case it.ctx.Err() != nil:
				it.done <- it.ctx.Err()
			case in == nil:
				others = append(others, it)
			case guids[in.delivery.GUID] || in.ignored == "" && ids[in.ids()]:
				later = append(later, it)
			default:
				part = append(part, it)
				guids[in.delivery.GUID] = true
				if in.ignored == "" {
					ids[in.ids()] = true
				}
			}
		}

		for _, list := range [][]*item{part, others} {
			if len(list) > 0 {
				parts = append(parts, list)
			}
		}

		batch = later
	}

	return parts
}

func (in *incoming) ids() [2]int64 {
	return [2]int64{in.delivery.RepositoryID, in.delivery.DeploymentID}
}

// processIntake commits and answers an item of the intake queue, and what waits behind it.
func (p *postgres) processIntake(first *item) {
	for _, part := range splitBatch(slices.Collect(p.intake.waiting(first))) {
		err := p.commitIntake(part)
		if err != nil {
			tryEach(part, err, func(it *item) error { return p.commitIntake([]*item{it}) })
		}
	}
}

// commitIntake commits a part of a batch that splitBatch made, and answers it. An error means that
// no item was answered.
func (p *postgres) commitIntake(batch []*item) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()

	if batch[0].incoming == nil {
		_, err := p.intake.commitItems(ctx, slices.Values(batch))
		return err
	}

	rows, err := p.intakeDB.QueryContext(ctx, acceptStatement, acceptParameters(batch)...)
	if err != nil {
		return err
	}

	stored, added := map[string]bool{}, map[string]int64{}
	_, err = scanEach(rows, func(s scanner) (row int64, err error) {
		var guid, key string
		err = s.Scan(&guid, &key, &row)
		stored[guid], added[key] = true, row
		return row, err
	})
	if err != nil {
		return err
	}

	p.answerIntake(ctx, batch, stored, added)
	return nil
}

// answerIntake answers deliveries that are committed: stored are the GUIDs that led to no deployment
// before, and added are the new rows by their keys.
func (p *postgres) answerIntake(ctx context.Context, batch []*item, stored map[string]bool, added map[string]int64) {
	t := tx{ctx: ctx, db: p.db, now: p.db.o.Now()}
	for _, it := range batch {
		in := it.incoming
		if in.ignored != "" {
			continue
		}

		row, isNew := added[in.deployment.Target.Key]
		in.duplicate = !isNew
		if isNew {
			t.changed = true
			t.wake(advanceTask(row), in.deployment.Due)
		}
	}

	t.notifyAfterCommit()

	for _, it := range batch {
		in := it.incoming
		if !in.duplicate || !stored[in.delivery.GUID] {
			it.done <- nil
			continue
		}

		// Another replica accepted the deployment at the same moment.
		_, err := p.intakeDB.ExecContext(ctx, markDuplicate, in.delivery.GUID, duplicateReason)
		it.done <- err
	}
}

// acceptParameters are the parameters of acceptStatement.
func acceptParameters(batch []*item) []any {
	var c acceptColumns
	for _, it := range batch {
		c.add(it.incoming)
	}

	return []any{
		c.guid,
		c.event,
		c.source,
		c.repositoryID,
		c.deploymentID,
		c.receivedAt,
		c.ignored,
		c.body,
		c.repository,
		c.environment,
		c.state,
		c.key,
		c.acceptedAt,
		c.due,
		c.data,
		c.sha,
		c.isAct,
		c.entryKey,
		c.entryAt,
		c.entryEvent,
		c.entryDetail,
	}
}

// acceptColumns are the columns of a batch, one element for each delivery; those of the timeline
// have one for each entry.
type acceptColumns struct {
	guid         []string
	event        []string
	source       []string
	repositoryID []int64
	deploymentID []int64
	receivedAt   []int64
	ignored      []string
	body         [][]byte

	// Of the deployment; of an ignored delivery only repository and environment are known.
	repository  []string
	environment []string
	state       []string
	key         []string
	acceptedAt  []int64
	due         []*int64
	data        []string
	sha         []string
	isAct       []int64

	entryKey    []string
	entryAt     []int64
	entryEvent  []string
	entryDetail []string
}

func (c *acceptColumns) add(in *incoming) {
	del, d := in.delivery, in.deployment
	c.guid = append(c.guid, del.GUID)
	c.event = append(c.event, del.Event)
	c.source = append(c.source, del.Source)
	c.repositoryID = append(c.repositoryID, del.RepositoryID)
	c.deploymentID = append(c.deploymentID, del.DeploymentID)
	c.receivedAt = append(c.receivedAt, micros(del.ReceivedAt))
	c.ignored = append(c.ignored, in.ignored)
	c.body = append(c.body, in.body)

	repository, environment := strings.ToLower(d.Request.Repository.FullName()), d.Request.EnvironmentKey()
	if in.ignored != "" {
		repository, environment = del.Repository, del.Environment
	}

	c.repository = append(c.repository, repository)
	c.environment = append(c.environment, environment)
	c.state = append(c.state, string(d.State))
	c.key = append(c.key, d.Target.Key)
	c.acceptedAt = append(c.acceptedAt, micros(d.AcceptedAt))
	c.due = append(c.due, nullMicros(d.Due))
	c.data = append(c.data, string(in.data))
	c.sha = append(c.sha, d.Request.SHA)
	c.isAct = append(c.isAct, int64(actOf(d.Target)))

	for _, e := range in.entries {
		c.entryKey = append(c.entryKey, d.Target.Key)
		c.entryAt = append(c.entryAt, micros(e.At))
		c.entryEvent = append(c.entryEvent, e.Event)
		c.entryDetail = append(c.entryDetail, e.Detail)
	}
}

// nullMicros is a time in an array of parameters; nil for the zero time.
func nullMicros(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}

	us := micros(t)
	return &us
}
