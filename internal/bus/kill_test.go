package bus

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// childDir makes the test binary a publisher over that data directory.
const childDir = "FIREBREAK_TEST_PUBLISH"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := publishForever(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
	os.Exit(m.Run())
}

// publishForever prints each sequence once its frame is acknowledged.
func publishForever(dir string) error {
	ctx := context.Background()
	b, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		return err
	}
	st, err := b.State(ctx, Events)
	if err != nil {
		return err
	}
	for next := st.Last + 1; ; next++ {
		seq, err := b.Publish(ctx, SubjectEvents, killFrame(next))
		if err != nil {
			return err
		}
		if seq != next {
			return fmt.Errorf("frame %d was stored as %d", next, seq)
		}
		// One write to a pipe: whole, or not there.
		if _, err := fmt.Fprintln(os.Stdout, seq); err != nil {
			return err
		}
	}
}

// killFrame is the frame for a sequence: its content follows from it.
func killFrame(seq uint64) []byte {
	events := make([][]byte, 1+seq%5)
	for i := range events {
		events[i] = fmt.Appendf(nil, `{"id":"%d-%d","message":"%0*d"}`, seq, i, 1+seq%1000, seq)
	}
	return event.EncodeFrame(events)
}

// TestKilledAtAnyPoint is the small proof of P1: a publisher with its
// embedded server is killed at random points, over one data directory, and
// every frame that was acknowledged is there. FIREBREAK_TORTURE=1 makes it
// long.
func TestKilledAtAnyPoint(t *testing.T) {
	kills := 20
	if os.Getenv("FIREBREAK_TORTURE") == "1" {
		kills = 300
	}
	if testing.Short() {
		kills = 3
	}
	dir := t.TempDir()
	var acked uint64
	frames := 0
	for i := range kills {
		before := acked
		acked = max(acked, killOne(t, dir, time.Duration(rand.IntN(int(250*time.Millisecond)))))
		frames += int(acked - before)
		// Look every time at first, then now and then: opening costs.
		if i < 5 || i%10 == 9 || i == kills-1 {
			checkFrames(t, dir, acked)
		}
	}
	t.Logf("%d kills, %d frames acknowledged, 0 missing", kills, frames)
	if frames == 0 {
		t.Error("no child came far enough to prove anything")
	}
}

// killOne runs a child, kills it some time after its first acknowledgement,
// and gives the last sequence that it was told.
func killOne(t *testing.T, dir string, after time.Duration) (last uint64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	// Now and then it dies while it still opens the directory.
	fuse := time.AfterFunc(time.Minute, func() { child.Process.Kill() })
	if rand.IntN(5) == 0 {
		fuse.Reset(after)
	}
	var seqs []uint64
	for lines := bufio.NewScanner(out); lines.Scan(); {
		seq, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if len(seqs) == 0 {
			fuse.Reset(after)
		}
		seqs = append(seqs, seq)
	}
	child.Wait() // it was killed; how says nothing
	fuse.Stop()
	if code := child.ProcessState.ExitCode(); code != -1 {
		t.Fatalf("the child ended by itself with %d", code)
	}
	if len(seqs) > 0 {
		last = slices.Max(seqs)
	}
	return last
}

// checkFrames opens the directory and reads every frame from the start.
func checkFrames(t *testing.T, dir string, acked uint64) {
	t.Helper()
	b := open(t, dir)
	defer b.Close()
	ctx := within(t)
	st, err := b.State(ctx, Events)
	if err != nil {
		t.Fatal(err)
	}
	if st.Last < acked || st.Last > 0 && st.First != 1 {
		t.Fatalf("acknowledged up to %d, stored %d to %d", acked, st.First, st.Last)
	}
	r, err := b.Read(ctx, Events, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(ctx)
	for seq := uint64(1); seq <= st.Last; seq++ {
		m, err := r.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m.Sequence != seq || string(m.Data) != string(killFrame(seq)) {
			t.Fatalf("frame %d came as %d with other content", seq, m.Sequence)
		}
	}
}
