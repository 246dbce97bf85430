// Package tail follows files that grow: it finds them, gives their lines once
// and in order over rotation, truncation and restart, and remembers how far it
// came only after what was made of the lines is stored.
//
// It knows nothing of what stands in the lines. Files are told apart by device
// and inode, and by a hash of their first and last read bytes, as inodes are
// used again. Files that belong together (a log and what it was rotated to)
// are a group, read from the oldest to the youngest by one [Reader].
//
// Rotation by rename loses nothing. When a file is copied and truncated the
// rest is read from the copy; what was written between the copy and the
// truncation, or before a truncation without a copy, can't be read by anybody:
// the next line says so, with the bytes that are known to be lost.
//
// Names and links in the followed directories may be made by somebody hostile:
// nothing outside the configured directories is opened.
package tail
