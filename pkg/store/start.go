package store

import (
	"cmp"
	"slices"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// blocker is something that may keep a deployment from starting: another deployment, or a lock.
type blocker struct {
	rank int // of the constants below
	deployment.BlockedError
}

// What blockersQuery finds, in the order in which it counts.
const (
	newerStarted = iota + 1
	slotTaken
	olderWaits
	lockHolds
	projectTaken
)

var blockedOn = map[int]string{
	newerStarted: deployment.BlockedByNewer,
	slotTaken:    deployment.BlockedByEnvironment,
	olderWaits:   deployment.BlockedByOrder,
	lockHolds:    deployment.BlockedByLock,
	projectTaken: deployment.BlockedByProject,
}

// blockersQuery finds the first blocker of each kind, and all locks. It is one statement because on
// PostgreSQL each one costs a round trip. A newer deployment that has succeeded may have been pruned
// since.
const blockersQuery = `
	SELECT rank, id, state
	FROM (
		SELECT 1 AS rank, deployment_id AS id, state
		FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND started = 1 AND deployment_id > $4
		ORDER BY deployment_id
		LIMIT 1
	) AS newer
	UNION ALL
	SELECT 1, deployment_id, 'succeeded'
	FROM deployed
	WHERE repository_id = $1 AND environment_key = $2 AND deployment_id > $4
	UNION ALL
	SELECT 2, deployment_id, state
	FROM deployments
	WHERE repository_id = $1 AND environment_key = $2 AND holds_slot = 1
	UNION ALL
	SELECT rank, id, state
	FROM (
		SELECT 3 AS rank, deployment_id AS id, state
		FROM deployments
		WHERE repository_id = $1 AND environment_key = $2 AND state = 'waiting' AND deployment_id < $4
		ORDER BY deployment_id
		LIMIT 1
	) AS older
	UNION ALL
	SELECT 4, id, ''
	FROM locks
	WHERE ` + covering + `
	UNION ALL
	SELECT 5, deployment_id, state
	FROM deployments
	WHERE project_id = $5 AND holds_project = 1`

// checkCanStart keeps the order of an environment, its one slot, its locks, and the one trigger of a
// project. The policy has asked for the same things before, to say what the deployment waits for;
// only this transaction sees for certain what is in its way.
func (t *tx) checkCanStart(old currentRow, next deployment.Deployment, passedLocks []int64) error {
	triggers := next.State == deployment.Triggering
	takesSlot := next.HoldsSlot() && !old.slot
	meetsLocks := triggers && old.state != deployment.Triggering
	takesProject := next.HoldsProject() && !old.project
	if !takesSlot && !meetsLocks && !takesProject {
		return nil
	}

	counts := map[int]bool{
		newerStarted: takesSlot && triggers,
		slotTaken:    takesSlot,
		olderWaits:   takesSlot && triggers,
		lockHolds:    meetsLocks,
		projectTaken: takesProject,
	}
	found, err := t.findBlockers(next)
	if err != nil {
		return err
	}

	for _, b := range found {
		passed := b.rank == lockHolds && slices.Contains(passedLocks, b.ID)
		if counts[b.rank] && !passed {
			return &b.BlockedError
		}
	}

	return nil
}

// findBlockers returns what blockersQuery finds, in the order in which it counts.
func (t *tx) findBlockers(next deployment.Deployment) ([]blocker, error) {
	rows, err := t.all(
		blockersQuery,
		next.Request.Repository.ID,
		next.Request.EnvironmentKey(),
		micros(t.now),
		next.Request.ID,
		next.Project.ID,
	)
	if err != nil {
		return nil, err
	}

	found, err := scanEach(rows, func(s scanner) (b blocker, err error) {
		err = s.Scan(&b.rank, &b.ID, &b.State)
		b.On = blockedOn[b.rank]
		return b, err
	})
	slices.SortStableFunc(found, func(a, b blocker) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.ID, b.ID))
	})

	return found, err
}
