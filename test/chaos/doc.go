// Package chaos kills, freezes and cuts off the real program again and again while its two vendors
// misbehave, and then asks the vendors' simulators what really happened: nothing that was accepted
// is lost, nothing ran twice, and GitHub was told the truth.
//
// All that the large run does, the small one does a cut of, but for three things that take their
// time or a right: a freeze of two minutes, a disk that is full (a mount), and an old backup that
// is put back over the live world.
//
// `go test` does two small runs, on SQLite and on PostgreSQL. Setting SERAPH_CHAOS_DEPLOYMENTS or
// SERAPH_CHAOS_DURATION asks for the large one, on the database that SERAPH_CHAOS_DATABASE names;
// SERAPH_CHAOS_SEED repeats a run's dice.
package chaos
