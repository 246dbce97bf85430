//go:build linux

package torture

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// load is senders and logs at work.
type load struct {
	t       *testing.T
	http    *pace
	files   *pace
	senders []*sender
	logs    []*kubelet
	stop    context.CancelFunc
	group   sync.WaitGroup
}

// newLoad starts three senders of Falco alerts and three of audit events, and with a directory two
// containers that write logs.
func newLoad(t *testing.T, api, logs string) *load {
	t.Helper()
	l := &load{t: t, http: newPace(), files: newPace()}
	for i := range 3 {
		l.senders = append(l.senders, newSender(t, fmt.Sprint("f", i), api, l.http, 40), newSender(t, fmt.Sprint("a", i), api, l.http, 400))
	}
	if logs != "" {
		for i := range 2 {
			l.logs = append(l.logs, newKubelet(t, fmt.Sprint("l", i), logs, l.files, 2000))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	l.stop = cancel
	for _, s := range l.senders {
		l.group.Go(func() { s.run(ctx) })
	}
	for _, k := range l.logs {
		l.group.Go(func() { k.run(ctx) })
	}
	// After a failure too nobody may go on sending when the test is over.
	t.Cleanup(func() { cancel(); l.group.Wait() })
	return l
}

// allow lets n events be sent in all, a tenth more as lines of logs.
func (l *load) allow(n int) { l.http.allow(n); l.files.allow(n / 10) }

// finish waits until all n events are accepted, and sends the last ones.
func (l *load) finish(n int) {
	l.t.Helper()
	eventually(l.t, "all events are accepted", func() bool { return l.http.done() >= n || l.t.Failed() })
	eventually(l.t, "all lines are written", func() bool { return l.files.rest() == 0 })
	l.halt()
	for _, s := range l.senders {
		s.end()
	}
	for _, k := range l.logs {
		k.end()
	}
}

// halt stops the load; what was begun is sent to its end.
func (l *load) halt() { l.stop(); l.group.Wait() }

// ends is how many last events there are.
func (l *load) ends() int { return len(l.senders) + len(l.logs) }

// want is what must be found: how many events of each sender and log.
func (l *load) want() map[string]source {
	want := map[string]source{}
	for _, s := range l.senders {
		want[s.name] = source{s.accepted, s.ended}
	}
	for _, k := range l.logs {
		want[k.name] = source{k.accepted, k.ended}
	}
	return want
}

// source is what one sender or log has got rid of.
type source struct {
	accepted int
	ended    bool
}

// all counts them.
func all(want map[string]source) (n int) {
	for _, s := range want {
		n += s.accepted
		if s.ended {
			n++
		}
	}
	return n
}

// close lets nothing more begin, and says how many events were allowed to.
func (l *load) close() int { l.files.close(); return l.http.close() }

// toldInTime fails the test unless senders were told that nothing can be stored, each within seconds.
func (l *load) toldInTime() {
	l.t.Helper()
	told := 0
	for _, s := range l.senders {
		told += s.refused[http.StatusServiceUnavailable] + s.refused[http.StatusTooManyRequests]
		if s.slowest > toldWithin {
			l.t.Errorf("sender %s was told after %s only", s.name, s.slowest)
		}
	}
	if told == 0 {
		l.t.Error("no sender was told")
	}
}

// answers says what the senders were told.
func (l *load) answers() string {
	refused := map[int]int{}
	var slowest time.Duration
	for _, s := range l.senders {
		for status, n := range s.refused {
			refused[status] += n
		}
		slowest = max(slowest, s.slowest)
	}
	return fmt.Sprintf("%d accepted, %d without an answer, %d told 503 (the slowest after %s), %d told 429",
		l.http.done(), refused[0], refused[503], slowest.Round(time.Millisecond), refused[429])
}
