// Package index knows the pods, nodes and owners of a cluster, in memory: it
// lists them once and then watches, with no more rights than get, list and
// watch. It answers by name, UID, container id and address, also for a while
// after a pod is gone.
//
// An answer is about one pod and never mixes two: a name or an address that
// was handed on is answered by the time that is asked about, and where that
// does not decide there is no answer. An [Index] may be used by many
// goroutines, and its answers must not be changed.
package index
