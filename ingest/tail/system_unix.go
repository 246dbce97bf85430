//go:build unix

package tail

import (
	"io/fs"
	"syscall"
)

// noBlock keeps the opening of a pipe from waiting for a writer.
const noBlock = syscall.O_NONBLOCK

// keyOf is what tells a file from others while it exists.
func keyOf(info fs.FileInfo) fileKey {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileKey{uint64(st.Dev), st.Ino} //nolint:unconvert // Dev is signed on some systems
	}
	return fileKey{}
}

// openLimit is how many files may be open by default: a quarter of what the
// process may, as others need some too.
func openLimit() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 256
	}
	return int(min(max(uint64(limit.Cur)/4, 16), 1<<16)) //nolint:unconvert // it is signed on some systems
}
