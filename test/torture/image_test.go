//go:build linux

package torture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// image is a disk: an ext4 file system in a file, mounted by a loop device. What is written to it is in
// the file only once the kernel has written it back, which a sync makes it do. So a copy of the file is
// what a disk holds after a power cut.
type image struct {
	t    *testing.T
	file string
	dir  string // where it is mounted
	cuts int
}

// newImage makes a disk and mounts it. Without root or a loop device the test is skipped.
func newImage(t *testing.T, size int64) *image {
	t.Helper()
	if testing.Short() || os.Geteuid() != 0 {
		t.Skip("a disk of its own needs root, and time")
	}
	base := t.TempDir()
	i := &image{t: t, file: filepath.Join(base, "disk"), dir: filepath.Join(base, "mnt")}
	file, err := os.Create(i.file)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(i.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// Tables are written at once, so that the disk is quiet under the test.
	for _, args := range [][]string{
		{"mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", i.file},
		{"mount", "-o", "loop", i.file, i.dir},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("a disk of its own needs %s and a loop device: %v: %s", args[0], err, out)
		}
	}
	t.Cleanup(i.unmount)
	return i
}

// unmount takes the disk away; what just ended may hold it for a moment.
func (i *image) unmount() {
	i.t.Helper()
	var last string
	for range 2400 {
		out, err := exec.Command("umount", i.dir).CombinedOutput()
		if err == nil || strings.Contains(string(out), "not mounted") {
			return
		}
		last = string(out)
		<-time.After(50 * time.Millisecond)
	}
	i.t.Errorf("unmount: %s", last)
}

// cut cuts the power under a process: the process is stopped at this instant and never runs again, and the
// disk that is mounted afterwards holds what had been written back by then.
func (i *image) cut(p *process) {
	i.t.Helper()
	p.signal(syscall.SIGSTOP)
	eventually(i.t, p.name+" stands still", func() bool { return !p.alive() || p.still() })
	i.cuts++
	after := filepath.Join(filepath.Dir(i.file), fmt.Sprint("disk-", i.cuts))
	i.run("cp", "--sparse=always", i.file, after)
	p.kill()
	i.unmount()
	if err := os.Remove(i.file); err != nil {
		i.t.Fatal(err)
	}
	i.file = after
	i.run("mount", "-o", "loop", i.file, i.dir)
}

func (i *image) run(name string, args ...string) {
	i.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		i.t.Fatalf("%s: %v: %s", name, err, out)
	}
}
