// Package backlog refuses events while what no detector has read yet nears the
// bound of the EVENTS stream: a source is told to come again, instead of being
// told "stored" of what would be lost.
//
// Each source has a share of the unread part, so that one that floods while
// detectors are away or slow is refused before it leaves no room for the
// others. How much of a source is unread is known from what it put, by the
// sequences that the stream had at the time; after a start it is estimated
// from samples of the stream. The estimate decides who is refused first. That
// nothing unread is ever pushed out does not depend on it: the stream itself
// takes no more then (see package bus).
package backlog
