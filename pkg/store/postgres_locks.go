package store

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// lockEnvironments takes one advisory lock for each environment and project. What several rows
// decide together, such as whose slot it is and who comes next, is then decided by one replica at a
// time. The locks end with the transaction. They are taken in the same order everywhere, so that
// two transactions cannot wait for each other. Two names with the same number only wait for each
// other.
//
// A start also shares the lock of lockLocks, before it touches a row.
func (p *postgres) lockEnvironments(t *tx, rows []deployment.Deployment) error {
	var environments, projects []int64
	starts := false
	for _, d := range rows {
		environments = append(environments,
			lockNumber("environment", d.Request.Repository.ID, d.Request.EnvironmentKey()))
		if d.Project.ID != "" {
			projects = append(projects, lockNumber("project", 0, d.Project.ID))
		}

		starts = starts || d.State == deployment.Triggering
	}

	slices.Sort(environments)
	slices.Sort(projects)
	numbers := slices.Concat(slices.Compact(environments), slices.Compact(projects))
	shared := len(numbers) + 1 // the place of the first lock that is shared
	if starts {
		numbers = append(numbers, lockNumber("locks", 0, ""))
	}

	// The function is called row by row, after the rows have been sorted.
	_, err := t.exec(`
		SELECT CASE WHEN place < $2 THEN pg_advisory_xact_lock(number) ELSE pg_advisory_xact_lock_shared(number) END
		FROM unnest($1::bigint[]) WITH ORDINALITY AS l (number, place)
		ORDER BY place`,
		numbers,
		shared,
	)
	return err
}

// lockLocks waits for the starts that are under way: they have looked at the locks already. Starts
// take their share before they touch a row, so whoever has the whole lock may touch rows.
func (p *postgres) lockLocks(t *tx) error {
	_, err := t.exec(`SELECT pg_advisory_xact_lock($1)`, lockNumber("locks", 0, ""))
	return err
}

// lockNumber is the number of an advisory lock.
func lockNumber(kind string, id int64, name string) int64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s\x00%d\x00%s", kind, id, name) // writing to a hash cannot fail
	return int64(h.Sum64())
}
