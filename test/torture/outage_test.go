//go:build linux

package torture

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// The bounds of the outage tests.
const (
	toldWithin = 30 * time.Second // 5 s are promised; the machine is shared, and what hangs hangs longer
	rssBound   = 512 << 20
	endless    = 1 << 40
)

// TestNATSHangs stops an external NATS without closing a connection of it, under load: nobody says that it
// is away. Senders are told within seconds, memory stays bounded, and what was accepted before and after
// is there.
func TestNATSHangs(t *testing.T) {
	a, logs := newApart(t)
	l := newLoad(t, a.ingest.api, logs)
	events := 20_000
	l.allow(events)
	eventually(t, "events are accepted", func() bool { return l.http.done() > events/4 })
	a.nats.p.signal(syscall.SIGSTOP)
	l.http.allow(endless)
	watch := newMemory(t, a.ingest.p)
	<-time.After(time.Duration(size(t, "FIREBREAK_OUTAGE", 10, 30)) * time.Second)
	a.nats.p.signal(syscall.SIGCONT)
	watch.end(rssBound)
	before := l.http.done()
	eventually(t, "events are accepted again", func() bool { return l.http.done() > before+events/4 })
	settle(t, a, l)
	l.toldInTime()
}

// TestNATSIsSlow lets NATS run for a twentieth of the time. Everything goes on, slowly.
func TestNATSIsSlow(t *testing.T) {
	a, logs := newApart(t)
	l := newLoad(t, a.ingest.api, logs)
	watch := newMemory(t, a.ingest.p)
	l.http.allow(endless)
	l.files.allow(5000)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		a.nats.p.signal(syscall.SIGSTOP)
		<-time.After(190 * time.Millisecond)
		a.nats.p.signal(syscall.SIGCONT)
		<-time.After(10 * time.Millisecond)
	}
	watch.end(rssBound)
	settle(t, a, l)
	if l.http.done() == 0 {
		t.Error("nothing was accepted")
	}
}

// settle ends the load and checks the books.
func settle(t *testing.T, a *apart, l *load) {
	t.Helper()
	l.finish(l.close())
	notes := openNotes(t, filepath.Join(a.ingest.dir, "notes"))
	eventually(t, "the detectors have come to the end", func() bool {
		return a.detect.findings()[final] == l.ends() && notes.read() == l.ends()
	})
	for _, p := range []*process{a.nats.p, a.ingest.p, a.detect.p, a.witness} {
		if p.died() {
			t.Errorf("%s ended by itself (%s):\n%s", p.name, p.cmd.ProcessState, p.tail())
		}
	}
	a.ingest.p.stop()
	a.detect.p.stop()
	t.Log(l.answers())
	s := audit(t, bus.Options{URL: a.nats.url(), Replicas: 1})
	s.stored(t, l.want())
	s.found(t, l.want())
	notes.seen.agrees(t, "the witness", l.want(), whole)
}
