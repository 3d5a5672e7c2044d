package store

import (
	"context"
	"slices"
	"strings"
)

// acceptStatement stores a whole batch of deliveries, their deployments and the first entries of
// the timelines. It gives the rows of the deployments that are new by their keys, and the GUIDs of
// the deliveries that were stored for a deployment. It is one statement because
// to the server, and on the way to it, statements cost more than rows. It is a transaction by
// itself: when its rows have been read it is committed.
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
		INSERT INTO deliveries (guid, event, source, repository_id, deployment_id, received_at, ignored, body)
		SELECT
			guid,
			event,
			source,
			repository_id,
			deployment_id,
			received_at,
			CASE WHEN known AND ignored = '' THEN '` + duplicateReason + `' ELSE ignored END,
			CASE WHEN known THEN NULL ELSE body END
		FROM incoming
		ORDER BY guid
		ON CONFLICT (guid) DO UPDATE SET
			repository_id = excluded.repository_id,
			deployment_id = excluded.deployment_id,
			received_at = excluded.received_at,
			ignored = excluded.ignored,
			body = excluded.body
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
	SELECT guid AS key, 0 AS row_id FROM delivery WHERE ignored = ''
	UNION ALL
	SELECT trigger_key, row_id FROM added`

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

// commitIntake commits a part of a batch that splitBatch made, and answers it.
func (p *postgres) commitIntake(batch []*item) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()

	if batch[0].incoming == nil {
		return p.intake.commitItems(ctx, batch)
	}

	t := tx{ctx: ctx, db: p.db, now: p.db.o.Now()}
	rows, err := p.intakeDB.QueryContext(ctx, acceptStatement, acceptParameters(batch)...)
	if err != nil {
		return err
	}

	results := map[string]int64{} // the rows by their keys; and 0 by the GUIDs that led to no deployment before
	_, err = scanEach(rows, func(s scanner) (key string, err error) {
		var row int64
		err = s.Scan(&key, &row)
		results[key] = row
		return key, err
	})
	if err != nil {
		return err
	}

	var raced []*item
	for _, it := range batch {
		in := it.incoming
		row, isNew := results[in.deployment.Target.Key]
		if in.ignored != "" {
			continue
		}
		if isNew {
			t.wake(advanceTask(row), in.deployment.Due)
			continue
		}

		in.duplicate = true
		if _, stored := results[in.delivery.GUID]; stored {
			raced = append(raced, it)
		}
	}

	t.notifyAfterCommit()
	for _, it := range batch {
		if !slices.Contains(raced, it) {
			it.done <- nil
		}
	}
	for _, it := range raced {
		_, err := p.intakeDB.ExecContext(ctx, markDuplicate, it.incoming.delivery.GUID, duplicateReason)
		it.done <- err
	}

	return nil
}

func acceptParameters(batch []*item) []any {
	n := len(batch)
	texts := func() []string { return make([]string, n) }
	numbers := func() []int64 { return make([]int64, n) }

	guid, event, source, ignored := texts(), texts(), texts(), texts()
	repositoryID, deploymentID, received := numbers(), numbers(), numbers()
	body := make([][]byte, n)
	repository, environment, state, key, data, sha := texts(), texts(), texts(), texts(), texts(), texts()
	accepted, isLockTask := numbers(), numbers()
	due := make([]*int64, n)
	var entryKey, entryEvent, entryDetail []string
	var entryAt []int64

	for i, it := range batch {
		in := it.incoming
		del, d := in.delivery, in.deployment
		guid[i], event[i], source[i], ignored[i] = del.GUID, del.Event, del.Source, in.ignored
		repositoryID[i], deploymentID[i], received[i] = del.RepositoryID, del.DeploymentID, micros(del.ReceivedAt)
		if in.ignored != "" {
			continue
		}

		repository[i], environment[i] = strings.ToLower(d.Request.Repository.FullName()), d.Request.EnvironmentKey()
		state[i], key[i], data[i], sha[i] = string(d.State), d.Target.Key, string(in.data), d.Request.SHA
		body[i], accepted[i], isLockTask[i] = in.body, micros(d.AcceptedAt), int64(flag(d.Target.LockTask != ""))
		if !d.Due.IsZero() {
			us := micros(d.Due)
			due[i] = &us
		}

		for _, e := range in.entries {
			entryKey = append(entryKey, d.Target.Key)
			entryAt = append(entryAt, micros(e.At))
			entryEvent = append(entryEvent, e.Event)
			entryDetail = append(entryDetail, e.Detail)
		}
	}

	return []any{
		guid, event, source, repositoryID, deploymentID, received, ignored, body,
		repository, environment, state, key, accepted, due, data, sha, isLockTask,
		entryKey, entryAt, entryEvent, entryDetail,
	}
}
