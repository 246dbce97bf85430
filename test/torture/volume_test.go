//go:build linux

package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// volumeInterval is the least that may be configured; volumeDelay follows it.
const (
	volumeInterval = 10 * time.Second
	volumeDelay    = time.Second
)

// TestKilledWhileCounting kills a Firebreak at random moments that stores only errors of what it reads,
// and counts the rest. Each error is stored, and no line is missing in the counts: what was counted and
// not stored is read again. What was stored and read again is counted again, which has a bound.
func TestKilledWhileCounting(t *testing.T) {
	t.Parallel()
	kills := size(t, "FIREBREAK_TORTURE_VOLUME_KILLS", 4, 40)
	dir := t.TempDir()
	logs := filepath.Join(dir, "logs")
	f := newFirebreak(t, setup{name: "firebreak", data: filepath.Join(dir, "data"), logs: logs})
	config := fmt.Sprintf(`apiVersion: firebreak.io/v1alpha1
kind: Config
metadata: {name: torture}
spec:
  data: %q
  kubernetes: {disabled: true}
  listen: {address: %q, health: %q}
  no_shipped: true
  rules: [rules.yaml]
  respond: {mode: observe}
  sources:
    log: {directory: %q, poll: 200ms, store: class == "log.error", summarise: {interval: %s, delay: %s}}
`, f.data, f.api, f.health, logs, volumeInterval, volumeDelay)
	var last strings.Builder // a rule that does with what is stored
	writeRule(&last, "last", "log", final, `class == "log.error" and message endsWith "-end"`, "message")
	for name, text := range map[string]string{"config.yaml": config, "rules.yaml": last.String()} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := newLevels(t, filepath.Join(logs, "shop_web-1_u1", "main"))
	began := time.Now()
	for range kills {
		f.start()
		f.ready()
		rest(t, time.Second+rand.N(volumeInterval)) // #nosec G404 -- a moment, not a secret
		f.p.kill()
	}
	f.start()
	f.ready()
	rate := float64(w.stop()) / time.Since(began).Seconds()
	eventually(t, "the last line is read", func() bool { return f.findings()[final] == 1 })
	f.p.stop()

	counted, errorsStored := countsOf(t, f.data)
	written := w.lines.Load()
	again := counted - written
	t.Logf("%d kills, %d lines at %.0f/s: %d counted again, %.0f a kill, which is %.1f s of them", kills, written, rate, again,
		float64(again)/float64(kills), float64(again)/float64(kills)/rate)
	if counted < written {
		t.Errorf("%d of %d lines are counted", counted, written)
	}
	// The position that is on disk is of the interval before the last one that was stored, at the oldest;
	// a life that is shorter than an interval moves none. So each kill may cost what all since then is.
	// A machine that does other work as well may take some seconds more until a count is on its disk.
	if most := float64(kills) * rate * (2*(volumeInterval+volumeDelay) + 15*time.Second).Seconds(); float64(again) > most {
		t.Errorf("%d lines are counted again, more than %.0f", again, most)
	}
	if want := int(written/10) + 1; len(errorsStored) != want { // the last one is an error, too
		t.Errorf("%d of %d errors are stored", len(errorsStored), want)
	}
}

// rest lets a time go by.
func rest(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// levels writes a container's log, one line of ten an error.
type levels struct {
	t     *testing.T
	f     *os.File
	lines atomic.Int64
	halt  chan struct{}
	ended chan struct{}
}

func newLevels(t *testing.T, dir string) *levels {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "0.log"))
	if err != nil {
		t.Fatal(err)
	}
	w := &levels{t: t, f: f, halt: make(chan struct{}), ended: make(chan struct{})}
	go w.run()
	return w
}

func (w *levels) run() {
	defer close(w.ended)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-w.halt:
			return
		case <-tick.C:
		}
		var text []byte
		for range 20 {
			n := w.lines.Add(1)
			level := "info"
			if n%10 == 0 {
				level = "error"
			}
			text = fmt.Appendf(text, "%s stdout F level=%s msg=\"line %d\"\n", time.Now().UTC().Format(time.RFC3339Nano), level, n)
		}
		if _, err := w.f.Write(text); err != nil {
			w.t.Error(err)
			return
		}
	}
}

// stop ends the writing with a line that the rules find, and gives how many lines there are.
func (w *levels) stop() int64 {
	close(w.halt)
	<-w.ended
	w.lines.Add(1)
	if _, err := fmt.Fprintf(w.f, "%s stdout F level=error msg=t-l0-end\n", time.Now().UTC().Format(time.RFC3339Nano)); err != nil {
		w.t.Error(err)
	}
	if err := w.f.Close(); err != nil {
		w.t.Error(err)
	}
	return w.lines.Load()
}

// countsOf reads how many lines the summaries of a stream count, and the ids of the other events.
func countsOf(t *testing.T, data string) (lines int64, others map[string]bool) {
	t.Helper()
	ctx := t.Context()
	b, err := bus.Open(ctx, bus.Options{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	st, err := b.State(ctx, bus.Events)
	if err != nil {
		t.Fatal(err)
	}
	others = map[string]bool{}
	for seq := st.First; seq <= st.Last; seq++ {
		m, err := b.At(ctx, bus.Events, seq)
		if err != nil {
			t.Fatal(err)
		}
		events, err := event.DecodeFrame(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		for i := range events {
			if events[i].Class != event.ClassLogSummary {
				others[events[i].ID] = true
				continue
			}
			s, err := sketch.Read(&events[i])
			if err != nil {
				t.Fatal(err)
			}
			lines += int64(s.Lines) // #nosec G115 -- as many as were written
		}
	}
	return lines, others
}
