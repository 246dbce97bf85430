// Package limit bounds how much a source takes in a time: events, bytes and
// requests at once, over all of its clients and fairly between them.
//
// A body is let in or refused as a whole, before it is read: how many events
// it holds is known only afterwards. So a bucket may go into debt, by what
// was let in while it was not empty, and then refuses until it has earned
// that back. What is let in is never taken half.
package limit
