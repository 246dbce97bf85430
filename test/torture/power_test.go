//go:build linux

package torture

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// diskBytes is room for what a test stores.
const diskBytes = 512 << 20

// TestPowerCut cuts the power under a publisher with the embedded server, each time on a fresh disk. What
// was acknowledged is there afterwards. With the sync interval that NATS has by default it is not, which
// shows that the cut is one.
func TestPowerCut(t *testing.T) {
	cuts, control := size(t, "FIREBREAK_CUTS", 3, 20), 1
	if cuts >= 20 {
		control = 5
	}
	var acked, lost uint64
	for range cuts {
		a, l := powerCut(t, "publisher")
		acked, lost = acked+a, lost+l
	}
	if lost > 0 {
		t.Errorf("%d cuts lost %d of %d acknowledged frames", cuts, lost, acked)
	}
	t.Logf("synced always: %d cuts, %d of %d acknowledged frames lost", cuts, lost, acked)
	acked, lost = 0, 0
	for range control {
		a, l := powerCut(t, "unsynced")
		acked, lost = acked+a, lost+l
	}
	if lost == 0 {
		t.Errorf("%d cuts with the default sync interval lost none of %d frames: this is no power cut", control, acked)
	}
	t.Logf("synced by default: %d cuts, %d of %d acknowledged frames lost", control, lost, acked)
}

// powerCut runs a publisher on a disk of its own and cuts its power, within two seconds of the first
// acknowledgement. It says how many frames were acknowledged, and how many of those are not there.
func powerCut(t *testing.T, role string) (acked, lost uint64) {
	t.Helper()
	disk := newImage(t, diskBytes)
	defer disk.unmount()
	dir := filepath.Join(disk.dir, "data")
	p, first, last := acknowledged(t, role, dir)
	select {
	case <-first:
	case <-p.ended:
		t.Fatalf("%s ended:\n%s", role, p.tail())
	}
	shortly(2 * time.Second)
	disk.cut(p)
	acked = <-last
	stored := readFrames(t, dir)
	return acked, acked - min(acked, stored)
}

// readFrames opens the streams as a Firebreak would and says up to which sequence all frames are there.
func readFrames(t *testing.T, dir string) uint64 {
	t.Helper()
	ctx := t.Context()
	b, err := bus.Open(ctx, bus.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	st, err := b.State(ctx, bus.Events)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Read(ctx, bus.Events, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(ctx)
	for seq := uint64(1); seq <= st.Last; seq++ {
		m, err := r.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m.Sequence != seq || string(m.Data) != string(frameAt(seq)) {
			return seq - 1
		}
	}
	return st.Last
}

// TestPowerCutOfTheWhole cuts the power under a whole Firebreak that takes events by HTTP and from files,
// again and again; it goes on each time with the disk as it was. The log files are on a disk that keeps
// its power.
func TestPowerCutOfTheWhole(t *testing.T) {
	cuts := size(t, "FIREBREAK_CUTS", 3, 20)
	events := cuts * 5000
	disk := newImage(t, diskBytes+int64(events)*4<<10)
	logs := filepath.Join(t.TempDir(), "logs")
	f := newFirebreak(t, setup{name: "firebreak", data: filepath.Join(disk.dir, "data"), logs: logs})
	l := newLoad(t, f.api, logs)
	for i := range cuts {
		f.start()
		l.allow(events * (i + 1) / cuts)
		eventually(t, "some events are accepted", func() bool { return l.http.done() > events*i/cuts })
		shortly(time.Second)
		disk.cut(f.p)
	}
	f.start()
	f.ready()
	l.finish(events)
	eventually(t, "the detector has come to the end", func() bool { return f.findings()[final] == l.ends() })
	t.Logf("%d cuts; %s", cuts, l.answers())
	disk.cut(f.p)
	s := audit(t, bus.Options{Dir: f.data})
	s.stored(t, l.want())
	s.found(t, l.want())
}
