// Package telemetry is how Firebreak is seen from outside: structured logs,
// traces, metrics, health; and how it reaches outside: the one HTTP client.
// It is the only importer of OpenTelemetry and Prometheus.
//
// No text that an attacker can write becomes a metric label: the values of
// every label are a closed set, and what is not in it counts as "other".
package telemetry
