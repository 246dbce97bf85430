// Package kube is the only importer of client-go: reads, the one executor of
// planned writes, and the reviews by which the API server authenticates and
// authorises people.
//
// Every call takes a context and ends with it. Errors wrap the values of this
// package ([ErrNotFound], [ErrConflict], [ErrForbidden], …), so that callers
// need no type of client-go. A [Client] may be used by many goroutines.
package kube

// The labels that every object made by Firebreak carries, and its name as the
// manager of fields.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "firebreak"
	FieldManager   = "firebreak"
)
