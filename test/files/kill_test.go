package files

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// childDir makes the test binary a reader of the logs in that directory.
const childDir = "FIREBREAK_TEST_FILES"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := follow(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
	os.Exit(m.Run())
}

// follow reads logs into the streams, until ctx ends.
func follow(ctx context.Context, dir string) error {
	b, err := bus.Open(ctx, bus.Options{Dir: filepath.Join(dir, "streams")})
	if err != nil {
		return err
	}
	defer b.Close()
	batcher := ingest.NewBatcher(b, 0)
	go batcher.Run(ctx)
	var metrics *telemetry.Metrics
	source, err := ingest.Open("log", ingest.Deps{
		Sink: batcher, Store: b, Metrics: metrics, Dir: dir, Data: dir, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}, &ingest.LogConfig{Directory: "pods", Poll: conf.Duration(100 * time.Millisecond), MaxFiles: 100_000, Multiline: true})
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "ready")
	return source.Run(ctx)
}

// logs are containers that write, each line with its number, some in parts and
// some as stack traces, and whose files are rotated now and then.
type logs struct {
	dir   string
	files []*os.File
	sizes []int
	turns int
	n     int
	want  map[string]bool
}

func newLogs(t *testing.T, dir string, containers int) *logs {
	t.Helper()
	l := &logs{dir: dir, want: map[string]bool{}, files: make([]*os.File, containers), sizes: make([]int, containers)}
	for i := range containers {
		if err := os.MkdirAll(filepath.Dir(l.path(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func (l *logs) path(i int) string {
	return filepath.Join(l.dir, "pods", fmt.Sprintf("shop_web-%d_uid-%d", i, i), "web", "0.log")
}

// write writes some lines to one of the containers.
func (l *logs) write() error {
	i := rand.IntN(len(l.files))
	if l.files[i] == nil || l.sizes[i] > 20_000 {
		if l.files[i] != nil {
			l.files[i].Close()
			l.turns++
			if err := os.Rename(l.path(i), fmt.Sprintf("%s.20260102-%06d", l.path(i), l.turns)); err != nil {
				return err
			}
		}
		f, err := os.OpenFile(l.path(i), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		l.files[i], l.sizes[i] = f, 0
	}
	w := bufio.NewWriter(l.files[i])
	for range 1 + rand.IntN(20) {
		l.sizes[i] += l.line(w)
	}
	return w.Flush()
}

func (l *logs) line(w io.Writer) int {
	l.n++
	stamp := time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z")
	message := fmt.Sprintf("line %d", l.n)
	text := fmt.Sprintf("%s stdout F %s\n", stamp, message)
	switch l.n % 7 {
	case 0:
		text = fmt.Sprintf("%s stderr P line \n%s stderr F %d\n", stamp, stamp, l.n)
	case 1:
		message = fmt.Sprintf("panic: %d\n\tmain.go:%d", l.n, l.n)
		text = fmt.Sprintf("%s stderr F panic: %d\n%s stderr F \tmain.go:%d\n", stamp, l.n, stamp, l.n)
	}
	l.want[message] = true
	n, _ := io.WriteString(w, text)
	return n
}

// TestFilesKilledAtAnyPoint kills the reader of files with its embedded server
// at random moments, while containers write and their logs are rotated: every
// line is in the stream, and what came twice has the same id.
// FIREBREAK_TORTURE=1 makes it long.
func TestFilesKilledAtAnyPoint(t *testing.T) {
	kills := 10
	if os.Getenv("FIREBREAK_TORTURE") == "1" {
		kills = 200
	}
	if testing.Short() {
		kills = 2
	}
	dir := t.TempDir()
	l := newLogs(t, dir, 5)
	start := time.Now()
	for range kills {
		killOne(t, dir, l, time.Duration(rand.IntN(int(1200*time.Millisecond))))
	}
	// The last one is left alone, and stopped in order.
	ids, came := finish(t, dir, l)
	if len(ids) != len(l.want) {
		t.Errorf("%d messages stored, %d written", len(ids), len(l.want))
	}
	t.Logf("%d kills in %v, %d lines, %d rotations: %d missing, %d came again with the same id",
		kills, time.Since(start).Round(time.Millisecond), len(l.want), l.turns, len(l.want)-len(ids), came-len(ids))
}

// maxBefore is how often something is written in a life before its reader is
// ready, at most.
const maxBefore = 500

// killOne runs a reader over the directory, and kills it some time after it is
// ready, while lines are written.
func killOne(t *testing.T, dir string, l *logs, after time.Duration) {
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
	ready := make(chan bool, 1)
	go func() { ready <- bufio.NewScanner(out).Scan() }()
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	var over <-chan time.Time
	before := 0 // as a child can take long to come up
	for done := false; !done; {
		select {
		case ok := <-ready:
			if !ok {
				t.Fatal("the child did not come up")
			}
			over = time.After(after)
		case <-pace.C:
			if over == nil && before == maxBefore {
				continue
			}
			if over == nil {
				before++
			}
			if err := l.write(); err != nil {
				t.Fatal(err)
			}
		case <-over:
			done = true
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait() // it was killed; how says nothing
}

// finish reads the rest, and gives the id of each message in the stream and how
// many events there are.
func finish(t *testing.T, dir string, l *logs) (ids map[string]string, came int) {
	t.Helper()
	for range 5 {
		if err := l.write(); err != nil {
			t.Fatal(err)
		}
	}
	ids = map[string]string{}
	var next uint64 = 1
	// A slow disk takes most of a short life to open the store.
	for life := 5 * time.Second; len(ids) < len(l.want) && life < 10*time.Minute; life *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), life)
		// The time may be up anywhere.
		if err := follow(ctx, dir); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		cancel()
		n, last := check(t, dir, l, next, ids)
		came += n
		next = last + 1
	}
	return ids, came
}

// check reads the stream from a sequence on.
func check(t *testing.T, dir string, l *logs, from uint64, ids map[string]string) (came int, last uint64) {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Options{Dir: filepath.Join(dir, "streams")})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	st, err := b.State(t.Context(), bus.Events)
	if err != nil {
		t.Fatal(err)
	}
	if st.Last < from {
		return 0, from - 1
	}
	r, err := b.Read(t.Context(), bus.Events, from)
	if err != nil {
		t.Fatal(err)
	}
	for last = from - 1; last < st.Last; {
		m, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		last = m.Sequence
		events, err := event.DecodeFrame(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			came++
			if !l.want[e.Message] {
				t.Fatalf("nobody wrote %q", e.Message)
			}
			if id, again := ids[e.Message]; again && id != e.ID {
				t.Fatalf("%q came as %s and as %s", e.Message, id, e.ID)
			}
			ids[e.Message] = e.ID
		}
	}
	return came, last
}
