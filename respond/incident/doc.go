// Package incident puts findings that belong together into incidents: which one
// a finding joins, how grave and how sure it is, what state its runs, people and
// time bring it to.
//
// The core is pure: [Group] says to which incident a finding belongs. The [Store]
// is the one responder's shell around it: it holds the incidents that are not
// over and appends each change to the INCIDENTS stream by compare-and-set. A
// [List] is for all who only read: it finds what is open by an index, and what is
// over in pages, however many incidents there ever were.
package incident
