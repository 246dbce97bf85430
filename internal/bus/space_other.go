//go:build !linux && !darwin

package bus

// space knows nothing of this system's disks. Firebreak is released for Linux.
func space(string) (free, size uint64, err error) { return 1 << 62, 1 << 62, nil }
