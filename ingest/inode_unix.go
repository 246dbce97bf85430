//go:build unix

package ingest

import (
	"io/fs"
	"syscall"
)

// noBlock keeps the opening of a pipe from waiting for a writer.
const noBlock = syscall.O_NONBLOCK

// inodeOf is what tells a file from others while it exists.
func inodeOf(info fs.FileInfo) (device, inode uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), st.Ino //nolint:unconvert // Dev is signed on some systems
	}
	return 0, 0
}
