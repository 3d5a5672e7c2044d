// Package bench measures the real, stripped program between its two simulated vendors: how fast it
// takes webhooks, beside a server that does the least that can be done; how fast it is from event
// to event; how it stands load, bursts, thousands of open deployments and kill -9; and how much
// memory it takes. Each figure is printed as a metric and as a line that says how it stands to its
// bar. No bar fails anything: a busy machine would make it lie, so the lines also say who else used
// the processors.
package bench
