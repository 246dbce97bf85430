// Package bench holds the benchmarks that cross rooms; README.md says how to
// read them.
package bench
