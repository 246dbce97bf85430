package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// fileBench is a directory of files with a source that reads them.
type fileBench struct {
	testing.TB
	dir, data string
	store     *fakeStore
	sink      Sink
	tally     *tally
	kind      string
	config    any
	halt      func()
}

func newFileBench(t testing.TB) *fileBench {
	t.Helper()
	dir := t.TempDir()
	b := &fileBench{TB: t, dir: filepath.Join(dir, "pods"), data: filepath.Join(dir, "data"), store: &fakeStore{}, tally: newTally(), kind: "log"}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.sink = direct{b.store}
	b.config = &LogConfig{Directory: b.dir, Exclude: []string{"kube-system"}, MaxFiles: 500, Multiline: true, Poll: conf.Duration(30 * time.Millisecond)}
	return b
}

// start opens and runs the source.
func (b *fileBench) start() {
	b.Helper()
	s, err := Open(b.kind, Deps{Sink: b.sink, Store: b.store, Metrics: b.tally, Dir: b.dir, Data: b.data}, b.config)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	b.halt = func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		b.halt = func() {}
	}
	b.Cleanup(func() { b.halt() })
}

func (b *fileBench) write(name, text string) {
	b.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		b.Fatal(err)
	}
}

func (b *fileBench) rename(from, to string) {
	b.Helper()
	if err := os.Rename(filepath.Join(b.dir, from), filepath.Join(b.dir, to)); err != nil {
		b.Fatal(err)
	}
}

// events are those stored, without those that came again under the same id.
func (b *fileBench) events() []event.Event {
	var all []event.Event
	seen := map[string]bool{}
	for _, e := range b.store.events() {
		if !seen[e.ID] {
			seen[e.ID] = true
			all = append(all, e)
		}
	}
	return all
}

// want waits until these messages are stored, and no others.
func (b *fileBench) want(messages ...string) []event.Event {
	b.Helper()
	eventually(b, func() bool { return len(b.events()) >= len(messages) })
	events := b.events()
	got := make([]string, 0, len(events))
	for i := range events {
		got = append(got, events[i].Message)
	}
	if !slices.Equal(got, messages) {
		b.Fatalf("stored %q\nwant   %q", got, messages)
	}
	return events
}

const podDir = "shop_cart-1_0000-1111/cart"

// cri is a line of stdout, n nanoseconds after a fixed time.
func cri(n int, tag, text string) string { return criAt(n, "stdout", tag, text) }

func criAt(n int, stream, tag, text string) string {
	return time.Date(2026, 1, 2, 3, 4, 5, n, time.UTC).Format("2006-01-02T15:04:05.000000000Z") + " " + stream + " " + tag + " " + text + "\n"
}

func TestContainerLogs(t *testing.T) {
	b := newFileBench(t)
	b.start()
	b.write("kube-system_x_1/c/0.log", cri(1, "F", "not wanted"))
	b.write(podDir+"/0.log.gz", "not a log")
	b.write(podDir+"/0.log", cri(1, "F", "one")+"2026-01-02T03:04:05Z stdout F tw")
	b.want("one")
	b.write(podDir+"/0.log", "o\nbad line\n"+cri(3, "P", "th")+criAt(3, "stderr", "F", "between")+cri(4, "F", "ree"))
	events := b.want("one", "two", "between", "three")
	e := events[0]
	if e.Object.Namespace != "shop" || e.Object.Name != "cart-1" || e.Object.UID != "0000-1111" || e.Object.Container != "cart" ||
		!e.Object.IsPod() || e.Trust != event.TrustText || e.Received.IsZero() || e.Time.Year() != 2026 || !strings.HasSuffix(e.From, "/0.log:1") {
		t.Errorf("event is %+v", e)
	}
	eventually(t, func() bool { b.store.mu.Lock(); defer b.store.mu.Unlock(); return len(b.store.dead) == 1 })
	if from := b.store.dead[0].From; !strings.HasSuffix(from, podDir+"/0.log:3") {
		t.Errorf("the reject is from %s", from)
	}
	b.rename(podDir+"/0.log", podDir+"/0.log.20260102-030405")
	b.write(podDir+"/0.log.20260102-030405", cri(5, "F", "late"))
	b.write(podDir+"/0.log", cri(6, "F", "new"))
	b.write(podDir+"/1.log", cri(7, "F", "restarted"))
	b.want("one", "two", "between", "three", "late", "new", "restarted")
}

// Ids don't depend on where the reading began: a checkpoint that is lost, and
// older files that are gone, only bring events again.
func TestContainerLogIdsWithoutCheckpoint(t *testing.T) {
	for _, broken := range []string{"", "{"} {
		b := newFileBench(t)
		b.start()
		same := cri(9, "F", "equal")
		b.write(podDir+"/0.log", cri(1, "F", "one")+cri(2, "F", "two"))
		b.want("one", "two")
		b.rename(podDir+"/0.log", podDir+"/0.log.20260102-030405")
		b.write(podDir+"/0.log", cri(3, "F", "three")+same+same+same)
		b.want("one", "two", "three", "equal", "equal", "equal")
		b.halt()
		if err := os.Remove(filepath.Join(b.dir, podDir, "0.log.20260102-030405")); err != nil {
			t.Fatal(err)
		}
		state := filepath.Join(b.data, "log-positions.json")
		if err := os.Remove(state); err != nil {
			t.Fatal(err)
		}
		if broken != "" {
			if err := os.WriteFile(state, []byte(broken), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		b.start()
		eventually(t, func() bool { return len(b.store.events()) == 10 })
		b.want("one", "two", "three", "equal", "equal", "equal")
		b.halt()
	}
}

func TestDockerLogs(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	line := `{"log":"hello\n","stream":"stdout","time":"2026-01-02T03:04:05.1Z"}` + "\n"
	docker := func(b *fileBench) string { return filepath.Join(filepath.Dir(b.dir), "docker") }
	for name, c := range map[string]struct {
		links  func(b *fileBench) // from the directory that is read
		object event.Ref
	}{
		"pods to docker": {func(b *fileBench) {
			os.MkdirAll(filepath.Join(b.dir, podDir), 0o755)
			os.Symlink(filepath.Join(docker(b), id, id+"-json.log"), filepath.Join(b.dir, podDir, "0.log"))
		}, event.Ref{Namespace: "shop", Name: "cart-1", UID: "0000-1111", Container: "cart", ContainerID: id}},
		"containers to docker": {func(b *fileBench) {
			os.Symlink(filepath.Join(docker(b), id, id+"-json.log"), filepath.Join(b.dir, "cart-1_shop_my-cart-"+id+".log"))
		}, event.Ref{Namespace: "shop", Name: "cart-1", Container: "my-cart", ContainerID: id}},
		"docker alone": {func(b *fileBench) {
			b.config.(*LogConfig).Directory = docker(b)
		}, event.Ref{ContainerID: id}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFileBench(t)
			b.config.(*LogConfig).Follow = []string{docker(b)}
			b.write("../docker/"+id+"/"+id+"-json.log", line)
			b.write("../docker/"+id+"/config.v2.json", "{}")
			c.links(b)
			b.start()
			got := b.want("hello")[0].Object
			if c.object.Resource, c.object.Kind = "pods", "Pod"; got.String() != c.object.String() || got.UID != c.object.UID || got.Container != c.object.Container || got.ContainerID != id {
				t.Errorf("it is of %+v, want %+v", got, c.object)
			}
		})
	}
}

// While the store refuses nothing is lost, and no more is read than two
// batches.
func TestFilesWaitForTheStore(t *testing.T) {
	b := newFileBench(t)
	var all strings.Builder
	n := 2*batchEvents + 100
	for i := range n {
		all.WriteString(cri(i, "F", fmt.Sprint("line ", i)))
	}
	b.write(podDir+"/0.log", all.String()+"bad\n")
	s := &countingSink{inner: b.sink}
	b.sink = s
	b.store.fail(errors.New("disk full"))
	b.start()
	eventually(t, func() bool { return s.calls.Load() >= 3 })
	if got := s.most.Load(); got > batchEvents+1 {
		t.Errorf("%d events at once", got)
	}
	if b.tally.stored("log log.line") != 0 {
		t.Error("counted before it is stored")
	}
	b.store.fail(nil)
	eventuallyWithin(t, time.Minute, func() bool { return b.tally.stored("log log.line") >= n })
	b.halt()
	if got := b.events(); len(got) != n || got[0].Message != "line 0" || got[n-1].Message != fmt.Sprint("line ", n-1) {
		t.Errorf("%d events stored, want %d", len(got), n)
	}
	if b.tally.events["log log.line"] != n || b.tally.faults["log store"] == 0 {
		t.Errorf("counted %v, %v", b.tally.events, b.tally.faults)
	}
}

func TestTruncationIsSaid(t *testing.T) {
	b := newFileBench(t)
	b.start()
	b.write(podDir+"/0.log", cri(1, "F", "one")+"2026-01-02T03:04:05Z stdout F half")
	b.want("one")
	if err := os.Truncate(filepath.Join(b.dir, podDir, "0.log"), 0); err != nil {
		t.Fatal(err)
	}
	b.write(podDir+"/0.log", cri(3, "F", "two"))
	e := b.want("one", "two")[1]
	if !slices.Contains(e.Tags, TagTruncated) {
		t.Errorf("the event says nothing: %+v", e)
	}
	b.halt()
	if b.tally.faults["log truncated"] != 1 {
		t.Errorf("counted %v", b.tally.faults)
	}
}

func TestFalcoFile(t *testing.T) {
	b := newFileBench(t)
	b.kind, b.config = "falco-file", &FileConfig{Paths: []string{"*.json"}, Poll: conf.Duration(30 * time.Millisecond), MaxFiles: 10}
	alert := func(n int) string {
		return fmt.Sprintf(`{"rule":"r","output":"alert %d","priority":"Notice","time":"2026-01-02T03:04:05.%09dZ"}`+"\n", n, n)
	}
	b.write("falco.json", "Fri Jan  2 03:04:05 2026: Falco version 0.41\n"+alert(1)+"\n{broken\n"+alert(2))
	b.start()
	b.want("alert 1", "alert 2")
	b.rename("falco.json", "falco.json.1")
	b.write("falco.json.1", alert(3))
	b.write("falco.json", alert(4)+alert(4))
	b.want("alert 1", "alert 2", "alert 3", "alert 4")
	b.halt()
	b.write("falco.json", alert(5))
	b.start()
	b.want("alert 1", "alert 2", "alert 3", "alert 4", "alert 5")
	b.halt()
	if len(b.store.dead) != 2 || !strings.HasSuffix(b.store.dead[1].From, "falco.json:4") {
		t.Errorf("dead is %+v", b.store.dead)
	}
}

func TestAuditFile(t *testing.T) {
	b := newFileBench(t)
	b.kind, b.config = "audit-file", &AuditFileConfig{FileConfig: FileConfig{
		Paths: []string{filepath.Join(b.dir, "audit.log")}, Poll: conf.Duration(30 * time.Millisecond), MaxFiles: 10,
	}, Stages: StagesAll}
	line := func(n int) string {
		return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a%d","stage":"ResponseComplete","verb":"get","requestURI":"/%d","user":{"username":"u"},"requestReceivedTimestamp":"2026-01-02T03:04:05Z"}`+"\n", n, n)
	}
	b.write("audit-2026-01-01T00-00-00.000.log", line(1))
	b.write("audit-policy.yaml", "not read")
	b.write("audit.log", line(2)+"text\n"+line(3)[:50])
	b.start()
	eventually(t, func() bool { return len(b.events()) == 2 })
	b.write("audit.log", line(3)[50:])
	b.rename("audit.log", "audit-2026-01-02T00-00-00.000.log")
	b.write("audit.log", line(4))
	eventually(t, func() bool { return len(b.events()) == 4 })
	b.halt()
	for i, e := range b.events() {
		if e.Fields["audit_id"] != fmt.Sprint("a", i+1) || e.Trust != event.TrustAudit {
			t.Errorf("event %d is %+v", i, e)
		}
	}
	if len(b.store.dead) != 1 {
		t.Errorf("dead is %+v", b.store.dead)
	}
}

func TestStdin(t *testing.T) {
	k, _ := Lookup("falco-file")
	store, m := &fakeStore{}, newTally()
	text := strings.Repeat("x", MaxEvent+1) + "\n" + oneAlert + "\nhello\n" + oneAlert
	s, err := k.Open(Deps{Sink: direct{store}, Store: store, Metrics: m, Stdin: strings.NewReader(text)}, &FileConfig{Paths: []string{"-"}, Poll: 1, MaxFiles: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := contextWithCancel(t)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	eventually(t, func() bool { return len(store.events()) == 2 })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(store.dead) != 2 {
		t.Errorf("dead is %+v", store.dead)
	}
}

func TestFileConfigs(t *testing.T) {
	good := conf.Duration(time.Second)
	for name, c := range map[string]interface{ Check() error }{
		"no paths":       &FileConfig{Poll: good, MaxFiles: 1},
		"bad pattern":    &FileConfig{Paths: []string{"["}, Poll: good, MaxFiles: 1},
		"empty":          &FileConfig{Paths: []string{""}, Poll: good, MaxFiles: 1},
		"stdin and file": &FileConfig{Paths: []string{"-", "a"}, Poll: good, MaxFiles: 1},
		"poll":           &FileConfig{Paths: []string{"a"}, MaxFiles: 1},
		"max_files":      &FileConfig{Paths: []string{"a"}, Poll: good},
		"follow all":     &LogConfig{Directory: "/x", Poll: good, MaxFiles: 1, Follow: []string{"/"}},
		"max_open":       &LogConfig{Directory: "/x", Poll: good, MaxFiles: 1, MaxOpen: -1},
	} {
		if c.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, kind := range []string{"falco-file", "audit-file", "log"} {
		k, _ := Lookup(kind)
		if err := k.Config().(interface{ Check() error }).Check(); err != nil {
			t.Errorf("the default of %s: %v", kind, err)
		}
	}
}
