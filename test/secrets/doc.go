// Package secrets holds a test only: what is secret in input is written
// nowhere. It takes events with planted tokens in by the real endpoints, over
// the real embedded streams, and looks for them in everything that was written.
package secrets
