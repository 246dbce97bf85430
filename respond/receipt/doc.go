// Package receipt is the record of runs as it can be checked by anybody, with
// nothing else: no store, no cluster, no clock.
//
// Each line of a receipt but the last is a record of the run log to the byte, and
// the last is a [HeadLine]. Each record names the hash of the one before, the head
// that of the last: no byte of any line can be changed, no line left out or
// moved, without that it shows. Who forges all of it is found out by a head that
// was kept elsewhere.
//
// A part of the archive is many receipts in one gzip file, closed by an
// [ArchiveEnd] that names the part before. What a run kept as evidence is held
// against the record that names it by [CheckEvidence].
package receipt
