package ingest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// bench is a directory of logs with a reader that is driven pass by pass.
type bench struct {
	t     testing.TB
	dir   string
	state string
	store *fakeStore
	tail  *Tail
}

func newBench(t testing.TB) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, dir: filepath.Join(dir, "pods"), state: filepath.Join(dir, "logs.json"), store: &fakeStore{}}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

// start opens the reader, as after a start of the process.
func (b *bench) start() {
	b.t.Helper()
	tail, err := NewTail(TailOptions{
		Config:     LogConfig{Directory: b.dir, Exclude: []string{"kube-system"}, MaxFiles: 500},
		Checkpoint: b.state, Sink: direct{b.store}, Store: b.store, Metrics: newTally(),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.tail = tail
}

// pass reads all that is there; crash leaves out the saving.
func (b *bench) pass() error {
	b.t.Helper()
	for {
		more, err := b.tail.pass(b.t.Context())
		if err != nil || !more {
			return err
		}
	}
}

func (b *bench) must() {
	b.t.Helper()
	if err := b.pass(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) stop(save bool) {
	b.t.Helper()
	if save {
		if err := b.tail.save(); err != nil {
			b.t.Fatal(err)
		}
	}
	b.tail.close()
}

const podDir = "shop_cart-1_0000-1111/cart"

func (b *bench) write(name, text string) {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) rename(from, to string) {
	b.t.Helper()
	if err := os.Rename(filepath.Join(b.dir, from), filepath.Join(b.dir, to)); err != nil {
		b.t.Fatal(err)
	}
}

// messages are those stored, without those that came again under the same id.
func (b *bench) messages() []string {
	var all []string
	seen := map[string]bool{}
	for _, e := range b.store.events() {
		if !seen[e.ID] {
			seen[e.ID] = true
			all = append(all, e.Message)
		}
	}
	return all
}

func (b *bench) want(messages ...string) {
	b.t.Helper()
	if got := b.messages(); !slices.Equal(got, messages) {
		b.t.Errorf("stored %q, want %q", got, messages)
	}
}

func cri(n int, tag, text string) string {
	return time.Date(2026, 1, 2, 3, 4, 5, n, time.UTC).Format("2006-01-02T15:04:05.000000000Z") + " stdout " + tag + " " + text + "\n"
}

func TestTailReadsWhatIsAdded(t *testing.T) {
	b := newBench(t)
	b.start()
	b.must()
	b.write(podDir+"/0.log", cri(1, "F", "one")+"2026-01-02T03:04:05Z stdout F tw")
	b.write("kube-system_x_1/c/0.log", cri(1, "F", "not wanted"))
	b.write(podDir+"/0.log.gz", "not a log")
	b.must()
	b.want("one")
	b.write(podDir+"/0.log", "o\nbad line\n"+cri(3, "P", "th")+cri(4, "F", "ree"))
	b.must()
	b.want("one", "two", "three")
	e := b.store.events()[0]
	if e.Object.Namespace != "shop" || e.Object.Name != "cart-1" || e.Object.UID != "0000-1111" || e.Object.Container != "cart" ||
		!e.Object.IsPod() || e.Trust != event.TrustText || e.Received.IsZero() || e.Time.Year() != 2026 {
		t.Errorf("event is %+v", e)
	}
	if len(b.store.dead) != 1 || !strings.HasSuffix(b.store.dead[0].From, podDir+"/0.log:3") {
		t.Errorf("dead is %+v", b.store.dead)
	}
	b.stop(true)
}

func TestTailRotation(t *testing.T) {
	b := newBench(t)
	b.start()
	b.write(podDir+"/0.log", cri(1, "F", "one")+cri(2, "P", "tw"))
	b.must()
	b.rename(podDir+"/0.log", podDir+"/0.log.20260102-030405")
	b.write(podDir+"/0.log.20260102-030405", cri(3, "F", "o")+cri(4, "F", "late"))
	b.write(podDir+"/0.log", cri(5, "F", "new"))
	b.must()
	b.want("one", "two", "late", "new")
	// The old file is packed and removed, with a last line that nobody read.
	b.write(podDir+"/0.log.20260102-030405", cri(6, "F", "last"))
	if err := os.Remove(filepath.Join(b.dir, podDir, "0.log.20260102-030405")); err != nil {
		t.Fatal(err)
	}
	b.must()
	b.want("one", "two", "late", "new", "last")
	if len(b.tail.files) != 1 {
		t.Errorf("%d files are open", len(b.tail.files))
	}
	b.write(podDir+"/1.log", cri(7, "F", "restarted"))
	b.must()
	b.want("one", "two", "late", "new", "last", "restarted")
	os.RemoveAll(filepath.Join(b.dir, "shop_cart-1_0000-1111"))
	b.must()
	if len(b.tail.files) != 0 || len(b.tail.runs) != 0 {
		t.Errorf("%d files, %d runs after the pod is gone", len(b.tail.files), len(b.tail.runs))
	}
}

func TestTailTruncation(t *testing.T) {
	b := newBench(t)
	b.start()
	b.write(podDir+"/0.log", cri(1, "F", "one")+cri(2, "F", "two"))
	b.must()
	if err := os.Truncate(filepath.Join(b.dir, podDir, "0.log"), 0); err != nil {
		t.Fatal(err)
	}
	b.write(podDir+"/0.log", cri(3, "F", "three"))
	b.must()
	b.want("one", "two", "three")
	// Overwritten by something longer.
	os.Truncate(filepath.Join(b.dir, podDir, "0.log"), 0)
	b.write(podDir+"/0.log", cri(4, "F", "four")+cri(5, "F", "five"))
	b.must()
	b.want("one", "two", "three", "four", "five")
}

func TestTailStartsWhereItStopped(t *testing.T) {
	b := newBench(t)
	b.start()
	b.write(podDir+"/0.log", cri(1, "F", "one")+cri(2, "P", "tw"))
	b.must()
	b.stop(true)
	b.write(podDir+"/0.log", cri(3, "F", "o"))
	b.start()
	b.must()
	b.want("one", "two")
	if n := len(b.store.events()); n != 2 {
		t.Errorf("%d events stored, the position was lost", n)
	}
	b.write(podDir+"/0.log", cri(4, "F", "three"))
	b.must()
	b.stop(false) // a crash: the position of three is not saved
	b.start()
	b.must()
	b.want("one", "two", "three")
	// Another file has the same name, and perhaps the same inode.
	b.stop(true)
	os.Remove(filepath.Join(b.dir, podDir, "0.log"))
	b.write(podDir+"/0.log", cri(9, "F", "other pod of the same name, longer than the first one was")+cri(10, "F", "x"))
	b.start()
	b.must()
	b.want("one", "two", "three", "other pod of the same name, longer than the first one was", "x")
}

func TestTailStoreDown(t *testing.T) {
	b := newBench(t)
	b.start()
	b.write(podDir+"/0.log", cri(1, "F", "one")+"bad\n"+cri(2, "P", "tw")+cri(3, "F", "o"))
	down := errors.New("down")
	b.store.fail(down)
	for range 3 {
		if err := b.pass(); !errors.Is(err, down) {
			t.Fatalf("got %v", err)
		}
	}
	b.store.fail(nil)
	b.must()
	b.want("one", "two")
}

func TestTailLongLines(t *testing.T) {
	b := newBench(t)
	b.start()
	head := "2026-01-02T03:04:05Z stdout F "
	b.write(podDir+"/0.log", cri(1, "F", "one")+head+strings.Repeat("x", 3*maxLine))
	b.must()
	b.must()
	if n := len(b.messages()); n != 2 {
		t.Fatalf("%d messages", n)
	}
	b.stop(true)
	b.start()
	b.write(podDir+"/0.log", strings.Repeat("x", maxLine)+"\n"+cri(2, "F", "two"))
	b.must()
	got := b.store.events()
	if len(got) != 3 || got[2].Message != "two" || len(got[1].Message) > maxField || !slices.Contains(got[1].Cut, "message") {
		t.Errorf("%d events, cut %v", len(got), got[1].Cut)
	}
}

func TestTailManyFilesAndLinks(t *testing.T) {
	b := newBench(t)
	for i := range 300 {
		b.write(fmt.Sprintf("shop_p%d_u%d/c/0.log", i, i), cri(1, "F", fmt.Sprint(i))+cri(2, "F", fmt.Sprint(i)))
	}
	secret := filepath.Join(filepath.Dir(b.dir), "secret")
	os.WriteFile(secret, []byte(cri(1, "F", "secret of the node")), 0o600)
	if err := os.Symlink(secret, filepath.Join(b.dir, "shop_p0_u0/c/1.log")); err != nil {
		t.Skip(err)
	}
	b.start()
	b.must()
	if got := b.messages(); len(got) != 600 || slices.Contains(got, "secret of the node") {
		t.Errorf("%d messages", len(got))
	}
	b.stop(true)
	b.start()
	b.must()
	if got := b.store.events(); len(got) != 600 {
		t.Errorf("%d events after a start from the checkpoint", len(got))
	}
}

// Whatever is written, rotated, crashed and refused in whatever order: every
// line is stored, and under one id only.
func TestTailLosesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t)
		b.start()
		var want []string
		n, rotation := 0, 0
		line := func() string {
			n++
			if rapid.IntRange(0, 3).Draw(rt, "parts") == 0 {
				want = append(want, fmt.Sprintf("a%db%d", n, n))
				return cri(2*n, "P", fmt.Sprintf("a%d", n)) + cri(2*n+1, "F", fmt.Sprintf("b%d", n))
			}
			want = append(want, fmt.Sprintf("m%d", n))
			return cri(2*n, "F", fmt.Sprintf("m%d", n))
		}
		pending := ""
		for range rapid.IntRange(1, 25).Draw(rt, "moves") {
			switch rapid.SampledFrom([]string{"write", "write", "half", "pass", "pass", "rotate", "crash", "restart", "down"}).Draw(rt, "move") {
			case "write":
				b.write(podDir+"/0.log", pending+line())
				pending = ""
			case "half":
				text := pending + line()
				at := rapid.IntRange(0, len(text)).Draw(rt, "at")
				b.write(podDir+"/0.log", text[:at])
				pending = text[at:]
			case "pass":
				b.must()
			case "rotate":
				b.write(podDir+"/0.log", pending)
				pending = ""
				rotation++
				b.rename(podDir+"/0.log", fmt.Sprintf("%s/0.log.%08d", podDir, rotation))
			case "crash":
				b.stop(false)
				b.start()
			case "restart":
				b.stop(true)
				b.start()
			case "down":
				b.store.fail(errors.New("down"))
				b.pass()
				b.store.fail(nil)
			}
		}
		b.write(podDir+"/0.log", pending)
		b.must()
		b.stop(true)
		if got := b.messages(); !slices.Equal(got, want) {
			rt.Fatalf("stored %q\nwant   %q", got, want)
		}
	})
}

// Where the streams are elsewhere nobody else makes the data directory.
func TestTailMakesTheDirectoryOfItsCheckpoint(t *testing.T) {
	b := newBench(t)
	b.state = filepath.Join(b.dir, "not", "there", "logs.json")
	b.start()
	b.stop(true)
	if _, err := os.Stat(b.state); err != nil {
		t.Error(err)
	}
}

// The reader as a whole wakes by itself, and saves when it ends.
func TestTailRuns(t *testing.T) {
	b := newBench(t)
	b.start()
	b.tail.o.Config.Poll = conf.Duration(20 * time.Millisecond)
	ctx, stop := contextWithCancel(t)
	ended := make(chan error, 1)
	go func() { ended <- b.tail.Run(ctx) }()
	b.write(podDir+"/0.log", cri(1, "F", "one"))
	eventually(t, func() bool { return len(b.store.events()) == 1 })
	b.write(podDir+"/0.log", cri(2, "F", "two"))
	eventually(t, func() bool { return len(b.store.events()) == 2 })
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if positions, err := loadCheckpoint(b.state); err != nil || len(positions) != 1 || positions[0].Ordinal != 2 {
		t.Errorf("checkpoint %+v, %v", positions, err)
	}
}
