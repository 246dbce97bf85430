package ingest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/ingest/logline"
	"github.com/firebreak-io/firebreak/internal/event"
)

// scanText gives what a scan makes of a text, and checks its counts.
func scanText(t *testing.T, text string) (Counts, []event.Event) {
	t.Helper()
	counts, items := scanAll(t, "log", "f", []byte(text))
	checkScan(t, "f", []byte(text), counts, items)
	var events []event.Event
	for _, it := range items {
		if it.Event != nil {
			events = append(events, *it.Event)
		}
	}
	return counts, events
}

// The samples of package stack, as the runtime writes them: split in parts, and
// with another stream between.
func TestTracesAreJoined(t *testing.T) {
	files, err := filepath.Glob("stack/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimSuffix(string(data), "\n")
		lines := strings.Split(text, "\n")
		// Below what gives no hint only the very next line counts.
		between := !strings.Contains(file, "logged") && !strings.Contains(file, "indented")
		var b strings.Builder
		b.WriteString(criAt(0, "stderr", "F", "before"))
		for i, l := range lines {
			if between && i%2 == 1 {
				b.WriteString(criAt(i, "stdout", "F", "meanwhile"))
			}
			// What a line is shows at its beginning.
			if at := len(l) / 2; i > 0 && strings.HasPrefix(l, "\t") {
				b.WriteString(criAt(i, "stderr", "P", l[:at]))
				l = l[at:]
			}
			b.WriteString(criAt(i, "stderr", "F", l))
		}
		b.WriteString(criAt(100, "stderr", "F", "after"))
		_, events := scanText(t, b.String())
		at := slices.IndexFunc(events, func(e event.Event) bool { return e.Message == text })
		if at < 0 {
			t.Errorf("%s is not joined: %+v", file, events)
			continue
		}
		e := events[at]
		if e.Fields["lines"] != int64(len(lines)) || e.From != "f:2" {
			t.Errorf("%s: %v lines from %s", file, e.Fields["lines"], e.From)
		}
		_, alone := scanText(t, strings.Join(strings.SplitAfter(b.String(), "\n")[:2], ""))
		if alone[1].ID != e.ID {
			t.Errorf("%s: the id is not that of the first line", file)
		}
	}
}

func TestTracesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(cri(0, "F", "panic: x"))
	for i := range 2*maxTraceLines - 1 {
		b.WriteString(cri(i, "F", "\tmain.go:1"))
	}
	counts, events := scanText(t, b.String())
	if len(events) != 2 || counts.Joined != 2*maxTraceLines-2 || events[1].Fields["lines"] != int64(maxTraceLines) {
		t.Errorf("%d events, %+v", len(events), counts)
	}
	b.Reset()
	for i := range 100 {
		b.WriteString(cri(i, "F", "\t"+strings.Repeat("x", 10_000)))
	}
	if _, events = scanText(t, b.String()); len(events) != 1 || len(events[0].Message) > maxField || !slices.Contains(events[0].Cut, "message") {
		t.Errorf("%d events", len(events))
	}
	// A line that comes late is another event.
	if _, events = scanText(t, cri(0, "F", "panic: x")+cri(int(2*time.Second), "F", "\tmain.go:1")); len(events) != 2 {
		t.Errorf("%d events", len(events))
	}
}

// What a client can have written into an access log hides no other line.
func TestNothingHidesBelowARequest(t *testing.T) {
	access := `10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /x?Error: HTTP/1.1" 200 13 "-" "curl/8"`
	_, events := scanText(t, cri(0, "F", access)+cri(1, "F", "  "+access))
	if len(events) != 2 {
		t.Errorf("%d events", len(events))
	}
}

func TestMultilineOff(t *testing.T) {
	b := newFileBench(t)
	b.config.(*LogConfig).Multiline = false
	b.start()
	b.write(podDir+"/0.log", cri(1, "F", "panic: x")+cri(2, "F", "\tmain.go:1"))
	b.want("panic: x", "\tmain.go:1")
}

// A trace whose end nobody can see is given when nothing follows in time, and
// read again as a whole after a crash before that.
func TestTracesLive(t *testing.T) {
	b := newFileBench(t)
	b.start()
	b.write(podDir+"/0.log", cri(1, "F", "panic: x"))
	b.write("shop_cart-2_2/cart/0.log", cri(1, "F", "\tnot of it"))
	b.write(podDir+"/0.log", criAt(2, "stderr", "F", "between")+cri(3, "F", "\tmain.go:1"))
	eventually(t, func() bool { return len(b.events()) == 3 })
	events := b.events()
	at := slices.IndexFunc(events, func(e event.Event) bool { return strings.HasPrefix(e.Message, "panic") })
	if events[at].Message != "panic: x\n\tmain.go:1" {
		t.Errorf("stored %q", events[at].Message)
	}
	b.halt()
	if i := slices.IndexFunc(events, func(e event.Event) bool { return e.Message == "\tnot of it" }); i < 0 || events[i].Object.Name != "cart-2" {
		t.Errorf("stored %+v", events)
	}
}

func TestTraceWaitsOnlySoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		a := &assembler{traces: true}
		add := func(text string) {
			if _, err := a.add(logInput{text: []byte(strings.TrimSuffix(cri(0, "F", text), "\n")), now: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		idle := func() time.Time {
			next := a.idle(time.Now())
			a.take(func(e *event.Event, _ int) { got = append(got, e.Message) })
			return next
		}
		add("plain")
		if next := idle(); !next.IsZero() || len(got) != 1 {
			t.Errorf("a plain line waits until %v", next)
		}
		start := time.Now()
		add("panic: x")
		for n := 0; ; n++ {
			next := idle()
			if next.IsZero() {
				break
			}
			if n == 100 {
				t.Fatal("it waits for ever")
			}
			time.Sleep(min(time.Until(next), 400*time.Millisecond)) //nolint:forbidigo // of synctest
			add("\tmain.go:1")
		}
		// The last line may begin the next event.
		if took := time.Since(start); took > traceWhole+traceWait {
			t.Errorf("it waited %v", took)
		}
		if a.held() != nil {
			t.Error("something is still held")
		}
	})
}

// Lines that never end, in many containers: memory is bounded.
func TestOpenLinesAreBounded(t *testing.T) {
	sum := 0
	budget := &atomic.Int64{}
	all := make([]*assembler, 2*maxOpenBytes/maxLine)
	part := []byte(strings.TrimSuffix(cri(0, "P", strings.Repeat("x", maxLine-100)), "\n"))
	for i := range all {
		all[i] = &assembler{budget: budget, traces: true}
		if _, err := all[i].add(logInput{text: part}); err != nil {
			t.Fatal(err)
		}
		all[i].take(func(e *event.Event, _ int) { sum++ })
	}
	if n := budget.Load(); n > maxOpenBytes+maxLine {
		t.Errorf("%d bytes are open", n)
	}
	if sum == 0 {
		t.Error("nothing was given cut")
	}
	for _, a := range all {
		a.flush()
		a.take(func(*event.Event, int) {})
	}
	if n := budget.Load(); n != 0 {
		t.Errorf("%d bytes are left of nothing", n)
	}
}

// Whatever a line says, and whichever parser reads it, the object stays the
// pod that wrote it, and the trust that of text.
func TestTextAccusesOnlyItsWriter(t *testing.T) {
	claims := []string{
		`{"kubernetes":{"pod_name":"victim","namespace_name":"kube-system","pod_id":"u"},"object":{"name":"victim","namespace":"x","uid":"u"},"trust":3,"id":"x","source":"audit","pod":"victim","message":"m","level":"error"}`,
		`{"object":"pods/victim","stream":"stderr","log":"x","k8s.pod.name":"victim","container_id":"abc","node":"victim","labels":{"a":"b"},"trust":"T3"}`,
		`level=error namespace=kube-system pod=victim object.name=victim trust=3 msg="x"`,
		`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","verb":"delete","user":{"username":"victim"},"objectRef":{"resource":"pods","namespace":"x","name":"victim"}}`,
		`{"rule":"Terminal shell in container","output":"x","priority":"Critical","output_fields":{"k8s.pod.name":"victim","k8s.ns.name":"x","container.id":"abc"}}`,
		`10.0.0.1 - victim [02/Jan/2026:03:04:05 +0000] "GET /pods/victim HTTP/1.1" 200 13 "-" "victim"`,
		`Jan  2 03:04:05 victim sshd[1]: Failed password for victim from 10.0.0.1 port 22 ssh2`,
		`type=SYSCALL msg=audit(1.1:1): arch=c000003e syscall=59 success=yes exit=0 pid=1 uid=0 comm="victim" exe="/victim" key="x"`,
	}
	for _, p := range logline.Parsers() {
		for _, claim := range claims {
			a := &assembler{container: "c", object: event.PodRef("shop", "cart"), annotation: p.Name, traces: true}
			if _, err := a.add(logInput{text: []byte(strings.TrimSuffix(cri(0, "F", claim), "\n"))}); err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("%+v", event.PodRef("shop", "cart"))
			a.flush()
			a.take(func(e *event.Event, _ int) {
				if got := fmt.Sprintf("%+v", e.Object); got != want || e.Trust != event.TrustText || e.Source != event.SourceLog || len(e.ID) != 32 {
					t.Errorf("%s, read by %s: object %s, trust %v, source %s", claim, p.Name, got, e.Trust, e.Source)
				}
			})
		}
	}
}
