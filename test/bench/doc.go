// Package bench measures the real, stripped program between the simulated GitHub and CircleCI: how fast
// it accepts webhooks, relative to a minimal server (the floor); the time from one event to the next;
// load, bursts, thousands of open deployments and kill -9; and memory. Each figure is printed as a
// metric and in a line that compares it with its bar. A missed bar does not fail a benchmark, because
// a busy machine can cause it; the lines also say how much CPU other processes used.
package bench
