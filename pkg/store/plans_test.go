package store

import (
	"regexp"
	"strings"
	"testing"
)

var (
	// readsWhole matches a step that reads all rows of a large table, also under the names that queries
	// give it.
	readsWhole = regexp.MustCompile(`^SCAN (deployments|deployed|locks|timeline|chat_deliveries|chat_keys|d|o|c|t)\b`)
	// readsOpenOnly matches a step that reads an index which has only deployments or locks that are open.
	readsOpenOnly = regexp.MustCompile(`INDEX (deployments_(waiting|active|one_per_environment)|locks_one_per_scope)\b`)
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
		"environments":                  environmentsQuery(``, false),
		"changes":                       changesBetween,
		"environments of one name":      environmentsQuery(` AND environment_key = $5`, false),
		"due chat deliveries":           overdueChatDeliveries(`1 = 1`),
		"old chat deliveries":           pruneChatDeliveries,
		"old chat keys":                 pruneChatKeys,
		"environments by both":          environmentsQuery(` AND repository_id = $5 AND environment_key = $6`, false),
		"environments with locks":       environmentsQuery(``, true),
		"environments with locks, both": environmentsQuery(` AND repository_id = $6 AND environment_key = $7`, true),
	} {
		t.Run(name, func(t *testing.T) {
			for _, step := range b.plan(query) {
				if readsWhole.MatchString(step) && !readsOpenOnly.MatchString(step) {
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
