// Package runlog is the authoritative history of runs: each record the whole run,
// chained by hashes and appended by compare-and-set, so that of two responders
// one writes.
//
// Who looks for runs finds those that are open by an [Index] of the log, those
// that are over in ENDED, in short, and the records of any of them in the log or
// in the archive, wherever they are by then. The [Archiver] moves months of runs
// that are over to the object store, reads them back and proves them, and only
// then has the log forget them.
package runlog
