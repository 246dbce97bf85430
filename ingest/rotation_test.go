package ingest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/wait"
)

// tracked keeps which numbered lines came, how often, and before which a
// truncation was said.
type tracked struct {
	mu    sync.Mutex
	ids   map[int]string
	said  map[int]bool
	twice int // under another id
	again int // under the same
}

func (s *tracked) Put(_ context.Context, events []event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range events {
		n, err := strconv.Atoi(events[i].Message[len("line "):])
		if err != nil {
			return fmt.Errorf("a line that nobody wrote: %q", events[i].Message)
		}
		// A copy that was met before its original was seen to be truncated is
		// read once more: the same ids, which a detector counts once.
		if id, again := s.ids[n]; again && id != events[i].ID {
			s.twice++
		} else if again {
			s.again++
		}
		s.ids[n] = events[i].ID
		if slices.Contains(events[i].Tags, TagTruncated) {
			s.said[n] = true
		}
	}
	return nil
}

func (s *tracked) has(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.ids[n]
	return ok
}

// writer writes numbered lines as fast as it can.
type writer struct {
	t    *testing.T
	path string
	f    *os.File
	w    *bufio.Writer
	n    int
}

func (w *writer) open() {
	f, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		w.t.Fatal(err)
	}
	w.f, w.w = f, bufio.NewWriterSize(f, 4<<10)
}

func (w *writer) lines(n int) {
	for range n {
		fmt.Fprintf(w.w, "%s stdout F line %d\n", time.Unix(1_767_323_045, int64(w.n)).UTC().Format("2006-01-02T15:04:05.000000000Z"), w.n)
		w.n++
	}
	if err := w.w.Flush(); err != nil {
		w.t.Fatal(err)
	}
}

// TestRotationAtFullSpeed has a writer that waits for nobody, and rotation of
// all kinds under it. FIREBREAK_TORTURE=1 makes it long.
func TestRotationAtFullSpeed(t *testing.T) {
	rounds := 20
	if os.Getenv("FIREBREAK_TORTURE") == "1" {
		rounds = 500
	}
	if testing.Short() {
		rounds = 5
	}
	const perRound = 10_000
	for _, kind := range []string{"rename", "copytruncate", "truncate"} {
		t.Run(kind, func(t *testing.T) {
			b := newFileBench(t)
			s := &tracked{ids: map[int]string{}, said: map[int]bool{}}
			b.sink = s
			// Docker's rotation has numbers, as logrotate's.
			path := filepath.Join(b.dir, podDir, "0.log")
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			w := &writer{t: t, path: path}
			w.open()
			b.start()
			w.lines(100)
			eventually(t, func() bool { return s.has(99) })
			start := time.Now()
			for range rounds {
				w.lines(perRound)
				rotate(t, kind, w, s)
			}
			w.lines(100)
			w.f.Close()
			s.wait(t, w.n-1)
			b.halt()
			missing, gaps := 0, 0
			for n := 0; n < w.n; n++ {
				if s.has(n) {
					continue
				}
				first := n
				for ; !s.has(n); n++ {
					missing++
				}
				gaps++
				if kind == "rename" || !s.said[n] {
					t.Fatalf("lines %d to %d are lost, and line %d doesn't say it", first, n-1, n)
				}
			}
			if s.twice > 0 {
				t.Errorf("%d lines came twice, under two ids", s.twice)
			}
			t.Logf("%d lines in %v, %d rotations: %d lines lost in %d gaps, all said; %d came again under their ids; truncations counted %d, bytes known to be lost %d",
				w.n, time.Since(start).Round(time.Millisecond), rounds, missing, gaps, s.again, b.tally.faults["log truncated"], b.tally.faults["log lost_bytes"])
		})
	}
}

// rotate rotates once. Of renamed and copied files five are kept, and what is
// not yet old or was not noticed yet: nobody rotates a log every few
// milliseconds, and how fast this machine is is not the question.
func rotate(t *testing.T, kind string, w *writer, s *tracked) {
	t.Helper()
	must := func(err error) {
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if kind != "truncate" {
		for i := 5; ; i++ {
			info, err := os.Stat(fmt.Sprintf("%s.%d", w.path, i))
			if err != nil {
				break
			}
			if time.Since(info.ModTime()) > 2*time.Second && (held(info) || s.all(t, fmt.Sprintf("%s.%d", w.path, i))) {
				must(os.Remove(fmt.Sprintf("%s.%d", w.path, i)))
			}
		}
		for i := 1000; i > 0; i-- {
			must(os.Rename(fmt.Sprintf("%s.%d", w.path, i), fmt.Sprintf("%s.%d", w.path, i+1)))
		}
	}
	switch kind {
	case "rename":
		must(os.Rename(w.path, w.path+".1"))
		w.f.Close()
		w.open()
		return
	case "copytruncate":
		data, err := os.ReadFile(w.path)
		must(err)
		must(os.WriteFile(w.path+".1", data, 0o644))
	}
	must(os.Truncate(w.path, 0))
}

// held says whether this process has the file open.
func held(info os.FileInfo) bool {
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return false
	}
	return slices.ContainsFunc(open, func(path string) bool {
		other, err := os.Stat(path)
		return err == nil && os.SameFile(info, other)
	})
}

// all says whether the last line of a file came.
func (s *tracked) all(t *testing.T, path string) bool {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.TrimSpace(data)
	n, err := strconv.Atoi(string(data[bytes.LastIndexByte(data, ' ')+1:]))
	return err == nil && s.has(n)
}

// wait waits for a line, however slow the machine is, while others come.
func (s *tracked) wait(t *testing.T, last int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	came, late := 0, time.Now()
	for !s.has(last) {
		<-tick.C
		s.mu.Lock()
		n := len(s.ids)
		s.mu.Unlock()
		if n > came {
			came, late = n, time.Now()
		}
		if time.Since(late) > 4*time.Minute {
			t.Fatalf("line %d did not come, nor any other for four minutes; %d have", last, n)
		}
	}
}

func eventuallyWithin(t *testing.T, limit time.Duration, ok func() bool) {
	t.Helper()
	if !wait.Within(limit, ok) {
		t.Fatal("it did not come")
	}
}
