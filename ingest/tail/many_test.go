package tail

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Five thousand files with a tenth of the handles: all are read, in bounded
// memory, and a look at them when nothing happens costs little.
func TestThousandsOfFiles(t *testing.T) {
	const files, handles = 5000, 500
	b := newBench(t)
	b.o.MaxFiles, b.o.MaxOpen = files, handles
	name := func(i int) string { return fmt.Sprintf("pod-%d/a.log", i) }
	for i := range files {
		b.write(name(i), fmt.Sprintf("first %d\n", i))
	}
	b.start()
	b.t.o.Handler.(*handler).max = 1000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	b.pass()
	first := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := len(b.store.all()); n != files {
		t.Fatalf("%d lines of %d files", n, files)
	}
	if n := b.t.handles.Len(); n > handles {
		t.Errorf("%d files are open", n)
	}
	// Directories that have not changed for a second are not read again.
	old := time.Now().Add(-time.Minute)
	for i := range files {
		b.must(os.Chtimes(filepath.Dir(b.path(name(i))), old, old))
	}
	b.must(os.Chtimes(b.dir, old, old))
	b.look()
	start = time.Now()
	const looks = 5
	for range looks {
		b.look()
	}
	idle := time.Since(start) / looks
	start = time.Now()
	b.write(name(4321), "second\n")
	b.look()
	one := time.Since(start)
	b.t.keep()
	start = time.Now()
	b.t.snapshot()
	b.t.write()
	kept := time.Since(start)
	if got := b.store.all(); len(got) != files+1 || got[files] != "second" {
		t.Errorf("%d lines after one more", len(got))
	}
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	if grown > 100<<20 {
		t.Errorf("%d bytes are held for %d files", grown, files)
	}
	if idle > 2*time.Second {
		t.Errorf("a look at idle files takes %v", idle)
	}
	t.Logf("%d files, %d handles: first read %v, a look when idle %v, a look with one line %v, a checkpoint %v, %d KiB held",
		files, handles, first.Round(time.Millisecond), idle.Round(time.Millisecond), one.Round(time.Millisecond), kept.Round(time.Millisecond), grown>>10)
	b.stop(true)
}

// A quiet file waits for a busy one only for a turn.
func TestFair(t *testing.T) {
	b := newBench(t)
	b.write("a.log", strings.Repeat(strings.Repeat("x", 99)+"\n", 100_000))
	b.write("b.log", "quiet\n")
	b.start()
	b.t.o.Handler.(*handler).max = 1000
	b.pass()
	if at := slices.Index(b.store.all(), "quiet"); at < 0 || at > 2*len(b.t.buf)/100 {
		t.Errorf("the quiet line came after %d others", at)
	}
	b.stop(true)
}

// The follower as a whole: it wakes by itself, waits while the store refuses,
// and saves when it ends.
func TestRuns(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "one\n")
	synctest.Test(t, func(t *testing.T) {
		b.start()
		b.t.o.Now = time.Now
		b.t.o.Poll = 2 * time.Second
		ctx, stop := contextWithCancel(t)
		ended := make(chan error, 1)
		b.store.fail(errDown)
		go func() { ended <- b.t.Run(ctx) }()
		time.Sleep(time.Minute) //nolint:forbidigo // of synctest
		synctest.Wait()
		if n := len(b.store.all()); n != 0 {
			t.Errorf("%d lines are stored by a store that is down", n)
		}
		tries := b.store.fault(FaultStore)
		if tries < 10 || tries > 40 {
			t.Errorf("%d tries in a minute", tries)
		}
		b.write("b.log", "two\n")
		b.store.fail(nil)
		time.Sleep(10 * time.Second) //nolint:forbidigo // of synctest
		synctest.Wait()
		b.want("one", "two")
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if positions, err := loadCheckpoint(b.state); err != nil || len(positions) != 2 {
		t.Errorf("checkpoint %+v, %v", positions, err)
	}
}

// What the system tells of wakes the follower long before it polls.
func TestWakes(t *testing.T) {
	b := newBench(t)
	b.o.PollOnly, b.o.Poll = false, time.Hour
	b.start()
	b.t.o.Now = time.Now
	ctx, stop := contextWithCancel(t)
	ended := make(chan error, 1)
	go func() { ended <- b.t.Run(ctx) }()
	for i, name := range []string{"a.log", "a.log", "dir/b.log", "dir/b.log"} {
		b.write(name, fmt.Sprintf("line %d\n", i))
		for deadline := time.Now().Add(4 * time.Minute); len(b.store.all()) <= i; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("line %d did not come", i)
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
