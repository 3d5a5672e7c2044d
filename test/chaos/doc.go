// Package chaos kills, freezes and disconnects the real program again and again while the simulated
// GitHub and CircleCI fail calls. Then it compares what the simulators saw with what Seraph promises: no
// accepted deployment is lost, none runs twice, and GitHub shows what happened.
//
// `go test` does two small runs, on SQLite and on PostgreSQL. Setting SERAPH_CHAOS_DEPLOYMENTS or
// SERAPH_CHAOS_DURATION starts a large run, on the database that SERAPH_CHAOS_DATABASE names.
// SERAPH_CHAOS_SEED sets the seed; without it every run has the same one.
//
// A third of the deployments is on routes with rules, and is attacked: people push while it waits, strangers
// deploy, and somebody forges events with the right secret. Nothing may run there that was not judged.
//
// TestOrders asks for deployments through the API instead, for people, and repeats each request with its key
// until there is an answer. SERAPH_CHAOS_ORDERS sets how many; otherwise there are few, and no call to
// GitHub fails of which it takes long to find out what it did.
//
// The small run of TestChaos has everything that the large run has, except what takes long or needs privileges: a
// freeze of two minutes, a full disk (needs a mount), an old backup that replaces the live database, a
// standby without the last second that takes over from it (PostgreSQL), and clocks that step and stand still
// (the program is built with another time.Now).
//
// TestCards compares what channels in Slack show with what became of the deployments, after kills and failed calls to
// Slack. In its small run the clock of the program goes ten times as fast as time. SERAPH_CHAOS_DEPLOYMENTS sets how
// many deployments there are, at most 300.
package chaos
