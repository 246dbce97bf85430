package bus

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// TestLockEndsWithItsHolder: a directory that was let go can be taken at once,
// even while a process that is being started still holds all that this one had
// open.
func TestLockEndsWithItsHolder(t *testing.T) {
	dir := t.TempDir()
	release, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, file := range files {
		name, _ := os.Readlink("/proc/self/fd/" + file.Name())
		fd, err := strconv.Atoi(file.Name())
		if err != nil || name != filepath.Join(dir, "lock") {
			continue
		}
		// As a fork does, which holds what its parent had open.
		other, err := syscall.Dup(fd)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Close(other) })
		held++
	}
	if held == 0 {
		t.Fatal("the lock is not among the open files")
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	again, err := lock(dir)
	if err != nil {
		t.Fatalf("it is taken still: %v", err)
	}
	if err := again(); err != nil {
		t.Fatal(err)
	}
}
