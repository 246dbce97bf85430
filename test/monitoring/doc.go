// Package monitoring proves the alerts of deploy/monitoring: each is evaluated by
// Prometheus' own engine over series that should raise it, and over some that
// should not. The engine is in the module below, because what it depends on is no
// business of Firebreak's.
package monitoring
