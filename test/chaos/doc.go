// Package chaos kills, freezes and disconnects the real program again and again while the simulated
// GitHub and CircleCI fail calls. Then it compares what the simulators saw with what Seraph promises: no
// accepted deployment is lost, none runs twice, and GitHub shows what happened.
//
// `go test` does two small runs, on SQLite and on PostgreSQL. Setting SERAPH_CHAOS_DEPLOYMENTS or
// SERAPH_CHAOS_DURATION starts a large run, on the database that SERAPH_CHAOS_DATABASE names.
// SERAPH_CHAOS_SEED sets the seed; without it every run has the same one.
//
// The small run has everything that the large run has, except what takes long or needs privileges: a
// freeze of two minutes, a full disk (needs a mount), and an old backup that replaces the live database.
package chaos
