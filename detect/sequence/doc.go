// Package sequence finds events of one key that belong to the steps of a
// sequence, within a time: one after the other, or in any order; or the first
// ones without the last.
//
// Time is that of events, which may come late and out of order: what is found
// does not depend on the order in which they come. Memory is bounded by the
// number of keys, and by how many events of one step a key holds: the newest.
// Keys with a single event go first when there are too many, of the namespace
// that has most. Everything is
// deterministic. Nothing here is safe for concurrent use.
package sequence
