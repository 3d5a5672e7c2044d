// Package bench measures the real, stripped program between its two simulated vendors: how fast it is from event to event, and how much memory
// it takes. Its numbers are printed as metrics of benchmarks, never held against a bar: a busy machine would make them lie.
package bench
