//go:build linux || darwin

package bus

import "syscall"

// space is how many bytes of a directory's disk this process may still write,
// and how large the disk is.
func space(dir string) (free, size uint64, err error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, 0, err
	}
	return fs.Bavail * uint64(fs.Bsize), fs.Blocks * uint64(fs.Bsize), nil
}
