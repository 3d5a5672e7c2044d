package store

import (
	"strings"
	"testing"
)

// The queries of the API and of the periodic work read no table whole on SQLite, whatever its size.
func TestSQLite_ReadsNoTableWhole(t *testing.T) {
	b := freshSQLite(t)
	for name, query := range map[string]string{
		"list by state":                 listQuery([]string{`state = $1`}, `$2`),
		"list by environment":           listQuery([]string{`environment_key = $1`}, `$2`),
		"list by repository":            listQuery([]string{`repository = $1`}, `$2`),
		"list by all three":             listQuery([]string{`repository = $1`, `environment_key = $2`, `state = $3`}, `$4`),
		"list the next page of a state": listQuery([]string{`state = $1`, `row_id < $2`}, `$3`),
		"repositories":                  repositoriesQuery,
		"finished deployments":          finishedDeployments,
	} {
		t.Run(name, func(t *testing.T) {
			for _, step := range b.plan(query) {
				if strings.HasPrefix(step, "SCAN deployments") && !strings.Contains(step, "deployments_waiting") &&
					!strings.Contains(step, "deployments_active") {
					t.Errorf("got %q, want a search by an index", step)
				}
			}
		})
	}
}

// plan is how SQLite reads a query.
func (b *testDB) plan(query string) (steps []string) {
	b.t.Helper()
	args := make([]any, strings.Count(query, "$"))
	for i := range args {
		args[i] = 1
	}
	for n := len(args); n > 0; n-- {
		rows, err := b.rdb.Query(`EXPLAIN QUERY PLAN `+query, args[:n]...)
		if err != nil {
			continue // a parameter is used more than once
		}

		steps, err = scanEach(rows, func(s scanner) (detail string, err error) {
			var id, parent, unused int
			err = s.Scan(&id, &parent, &unused, &detail)
			return detail, err
		})
		if err == nil {
			return steps
		}
	}

	b.t.Fatal("the query cannot be explained")
	return nil
}
