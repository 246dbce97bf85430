//go:build linux

package torture

import (
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// The sizes of the kill tests, in all; each of the two does half.
const (
	smallKills, longKills   = 20, 2_000
	smallEvents, longEvents = 100_000, 2_000_000
)

// shortly waits a moment that nobody could have chosen. It is the load, not a wait for something.
func shortly(most time.Duration) { <-time.After(time.Duration(rand.Int64N(int64(most)))) }

// TestKilledEmbedded kills the one process with SIGKILL at random instants under load over HTTP and files,
// and starts it again over the same directory.
func TestKilledEmbedded(t *testing.T) {
	kills, events := size(t, "FIREBREAK_KILLS", smallKills, longKills)/2, size(t, "FIREBREAK_EVENTS", smallEvents, longEvents)/2
	dir := t.TempDir()
	data, logs := filepath.Join(dir, "data"), filepath.Join(dir, "logs")
	f := newFirebreak(t, setup{name: "firebreak", data: data, logs: logs})
	l := newLoad(t, f.api, logs)
	began := time.Now()
	for i := range kills {
		f.start()
		l.allow(events * (i + 1) / kills)
		killOnce(t, f, l, events/kills)
	}
	f.start()
	f.ready()
	l.finish(events)
	eventually(t, "the detector has come to the end", func() bool { return f.findings()[final] == l.ends() })
	t.Logf("%d kills in %s; %s", kills, time.Since(began).Round(time.Second), l.answers())
	f.p.kill()
	s := audit(t, bus.Options{Dir: data})
	s.stored(t, l.want())
	s.found(t, l.want())
}

// killOnce kills a Firebreak that was just started: while it starts, after some of the events that it may
// take in this life, or when its detector is at work.
func killOnce(t *testing.T, f *firebreak, l *load, events int) {
	t.Helper()
	before, most := l.http.done(), 1+rand.IntN(max(1, events))
	switch rand.IntN(6) {
	case 0:
		shortly(time.Second)
		f.p.kill()
		return
	case 1, 2:
		f.ready()
		eventually(t, "the detector finds something", func() bool {
			return f.findings()[sampled] > 0 || l.http.rest() == 0 || f.p.died()
		})
	default:
		eventually(t, "some events are accepted", func() bool {
			return l.http.done()-before >= most || l.http.rest() == 0 || f.p.died()
		})
	}
	if f.p.died() {
		t.Fatalf("firebreak ended by itself (%s):\n%s", f.p.cmd.ProcessState, f.p.tail())
	}
	shortly(50 * time.Millisecond)
	f.p.kill()
}

// apart is a Firebreak in three processes: NATS, ingest, and detect with a witness beside it.
type apart struct {
	t              *testing.T
	nats           *broker
	ingest, detect *firebreak
	witness        *process
	start          func() *process // of the witness
	kills          map[string]int
	deck           []int // of harms: each comes before one comes again
}

// TestKilledApart kills ingest, detect and an external NATS, each at random instants, and stops NATS for
// moments in which nobody knows that it is away.
func TestKilledApart(t *testing.T) {
	kills, events := size(t, "FIREBREAK_KILLS", smallKills, longKills)/2, size(t, "FIREBREAK_EVENTS", smallEvents, longEvents)/2
	a, logs := newApart(t)
	l := newLoad(t, a.ingest.api, logs)
	began := time.Now()
	for n := 0; n < kills; {
		l.allow(events * (n + 1) / kills)
		before, most := l.http.done(), 1+rand.IntN(max(1, events/kills))
		eventually(t, "some events are accepted", func() bool {
			return l.http.done()-before >= most || l.http.rest() == 0
		})
		shortly(50 * time.Millisecond)
		n += a.harm()
		a.mend()
	}
	l.allow(events) // where two were killed at last, not all was allowed yet
	l.finish(events)
	notes := openNotes(t, filepath.Join(a.ingest.dir, "notes"))
	eventually(t, "the detectors have come to the end", func() bool {
		return a.detect.findings()[final] == l.ends() && notes.read() == l.ends()
	})
	t.Logf("kills %v in %s; %s", a.kills, time.Since(began).Round(time.Second), l.answers())
	a.ingest.p.stop()
	a.detect.p.stop()
	s := audit(t, bus.Options{URL: a.nats.url(), Replicas: 1})
	s.stored(t, l.want())
	s.found(t, l.want())
	notes.seen.agrees(t, "the witness", l.want(), whole)
	t.Logf("the witness has seen %d events, %d of them again after a kill", notes.seen.distinct(), notes.seen.again)
}

func newApart(t *testing.T) (a *apart, logs string) {
	t.Helper()
	dir := t.TempDir()
	logs = filepath.Join(dir, "logs")
	a = &apart{t: t, nats: newBroker(t, filepath.Join(dir, "nats")), kills: map[string]int{}}
	a.ingest = newFirebreak(t, setup{
		name: "ingest", roles: "ingest", data: filepath.Join(dir, "ingest"), logs: logs, nats: a.nats.url(),
	})
	a.detect = newFirebreak(t, setup{name: "detect", roles: "detect", data: filepath.Join(dir, "detect"), nats: a.nats.url()})
	a.start = func() *process {
		return child(t, "witness", a.ingest.dir, nil, urlVar+"="+a.nats.url(),
			rulesVar+"="+wholeRules(t), outVar+"="+filepath.Join(a.ingest.dir, "notes"))
	}
	a.ingest.start()
	a.ingest.ready() // it makes the streams
	a.detect.start()
	a.detect.ready()
	a.witness = a.start()
	return a, logs
}

// harm kills something, or stops NATS for a moment, and says how many were killed.
func (a *apart) harm() (killed int) {
	kill := func(name string, p *process) {
		p.kill()
		a.kills[name]++
		killed++
	}
	if len(a.deck) == 0 {
		a.deck = rand.Perm(10)
	}
	harm := a.deck[0]
	a.deck = a.deck[1:]
	switch harm {
	case 0, 1:
		kill("ingest", a.ingest.p)
	case 2:
		kill("detect", a.detect.p)
		kill("witness", a.witness)
	case 3, 4:
		kill("detect", a.detect.p)
	case 5:
		kill("witness", a.witness)
	case 6:
		kill("nats", a.nats.p)
		shortly(time.Second)
	case 7:
		kill("nats", a.nats.p)
		kill("ingest", a.ingest.p)
	case 8:
		a.nats.p.signal(syscall.SIGSTOP)
		shortly(time.Second)
		kill("nats", a.nats.p)
	default:
		a.nats.p.signal(syscall.SIGSTOP)
		shortly(2 * time.Second)
		a.nats.p.signal(syscall.SIGCONT)
		a.kills["(nats stopped)"]++
	}
	return killed
}

// mend starts again what was killed; nothing else may have ended.
func (a *apart) mend() {
	a.t.Helper()
	for _, p := range []*process{a.nats.p, a.ingest.p, a.detect.p, a.witness} {
		if p.died() {
			a.t.Errorf("%s ended by itself (%s):\n%s", p.name, p.cmd.ProcessState, p.tail())
		}
	}
	early := a.nats.p.alive() || rand.IntN(2) == 0
	if early && !a.ingest.p.alive() {
		a.ingest.start() // perhaps before NATS is back: then a kubelet starts it again
	}
	if !a.nats.p.alive() {
		a.nats.start()
	}
	for _, f := range []*firebreak{a.ingest, a.detect} {
		if !f.p.alive() {
			f.start()
		}
		f.ready()
	}
	if !a.witness.alive() {
		a.witness = a.start()
	}
}
