// Package event holds what travels between Firebreak's roles: events,
// findings, incidents, runs, and the types that they share.
//
// It imports nothing of the module, so every room may import it. Everything
// here is plain data with a stable JSON form; the functions are pure and may
// be called concurrently on values that nobody writes to.
package event
