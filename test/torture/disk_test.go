//go:build linux

package torture

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// TestDiskFull fills the disk under a Firebreak that takes events by HTTP and from files: by what it
// stores itself, and all of a sudden, as others do who share the disk. Senders are told so, memory stays
// bounded, and when there is room again the same process goes on; nothing that was accepted is lost, and
// no line of the files.
func TestDiskFull(t *testing.T) {
	for name, suddenly := range map[string]bool{"by its events": false, "suddenly": true} {
		t.Run(name, func(t *testing.T) { fullDisk(t, suddenly) })
	}
}

func fullDisk(t *testing.T, suddenly bool) {
	t.Helper()
	disk := newImage(t, 256<<20)
	ballast := []string{disk.fill("ballast", 42<<20)}
	logs := filepath.Join(t.TempDir(), "logs")
	f := newFirebreak(t, setup{name: "firebreak", data: filepath.Join(disk.dir, "data"), logs: logs})
	f.start()
	f.ready()
	l := newLoad(t, f.api, logs)
	watch := newMemory(t, f.p)
	l.http.allow(endless)
	l.files.allow(2000)
	if suddenly {
		eventually(t, "events are accepted", func() bool { return l.http.done() > 5000 })
		ballast = append(ballast, disk.fill("more", 0))
	}
	stuck(t, f, l)
	l.files.allow(5000)
	full := l.http.done()
	t.Logf("%d accepted until the disk was full, %d KiB are free", full, disk.free()>>10)
	for _, file := range ballast {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "events are accepted again", func() bool { return l.http.done() > full+1000 || f.p.died() })
	watch.end(rssBound)
	l.finish(l.close())
	eventually(t, "the detector has come to the end", func() bool { return f.findings()[final] == l.ends() || f.p.died() })
	if f.p.died() {
		t.Fatalf("firebreak ended by itself (%s):\n%s", f.p.cmd.ProcessState, f.p.tail())
	}
	t.Log(l.answers())
	l.toldInTime()
	f.p.kill()
	s := audit(t, bus.Options{Dir: f.data})
	s.stored(t, l.want())
	s.found(t, l.want())
}

// stuck waits until nothing was accepted for some seconds, in which senders
// were refused: a disk that is only slow does not count.
func stuck(t *testing.T, f *firebreak, l *load) {
	t.Helper()
	last, told, since := -1, 0, time.Now()
	eventually(t, "nothing is accepted any more", func() bool {
		if n := l.http.done(); n != last {
			last, told, since = n, l.http.told(), time.Now()
		}
		return f.p.died() || time.Since(since) > 3*time.Second && l.http.told() >= told+10
	})
	if f.p.died() {
		t.Fatalf("firebreak ended by itself (%s):\n%s", f.p.cmd.ProcessState, f.p.tail())
	}
}

// fill takes the room of a disk but for some bytes.
func (i *image) fill(name string, rest int64) (ballast string) {
	i.t.Helper()
	ballast = filepath.Join(i.dir, name)
	file, err := os.Create(ballast)
	if err != nil {
		i.t.Fatal(err)
	}
	defer file.Close()
	// What is free may have been taken by others meanwhile.
	for more := int64(1); more > 0; more -= 64 << 10 {
		more = max(more, i.free()-rest)
		info, err := file.Stat()
		if err != nil {
			i.t.Fatal(err)
		}
		if syscall.Fallocate(int(file.Fd()), 0, 0, info.Size()+more) == nil && i.free() <= rest {
			break
		}
	}
	return ballast
}

// free is how many bytes anybody may still write.
func (i *image) free() int64 {
	i.t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(i.dir, &fs); err != nil {
		i.t.Fatal(err)
	}
	return int64(fs.Bavail) * fs.Bsize
}
