package summary

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// kind is containers that write alike: how many of ten thousand there are, and
// what each writes in a minute.
type kind struct {
	name                       string
	containers, lines, clients int
	class                      string
}

// cluster is ten thousand containers, of which most are quiet: 1.9 million
// lines a minute.
var cluster = []kind{
	{"quiet", 8000, 20, 0, event.ClassLogLine},
	{"service", 1900, 300, 20, event.ClassHTTP},
	{"busy", 90, 6000, 400, event.ClassHTTP},
	{"ingress", 10, 60_000, 5000, event.ClassHTTP},
}

// writer makes the lines of one container.
type writer struct {
	kind
	r      *rand.Rand
	object event.Ref
}

func newWriter(k kind, n int) *writer {
	o := event.PodRef(fmt.Sprint("team-", n%40), fmt.Sprintf("%s-%d-7d4b9c6f5-x2x7k", k.name, n/4))
	o.UID, o.Container, o.Node = fmt.Sprintf("0b1f6b0e-1111-4222-8333-%012d", n), "main", fmt.Sprint("node-", n%200)
	o.ContainerID = fmt.Sprintf("%064d", n)
	o.Workload = event.Workload{Kind: "Deployment", Name: fmt.Sprint(k.name, "-", n/4), UID: fmt.Sprintf("1c2f6b0e-1111-4222-8333-%012d", n/4)}
	return &writer{kind: k, r: rand.New(rand.NewPCG(uint64(n), 7)), object: o} // #nosec G404 G115 -- input of a benchmark
}

func (w *writer) line(at time.Time, i int) event.Event {
	e := event.Event{
		ID: event.HashID(w.object.UID, fmt.Sprint(i)), Source: event.SourceLog, Class: w.class, Time: at, Received: at, Object: w.object,
		Severity: event.SeverityInfo, Message: `10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /item/1 HTTP/1.1" 200 1312 "-" "curl/8.1"`,
		From: fmt.Sprintf("/var/log/pods/%s_%s_%s/main/0.log:%d", w.object.Namespace, w.object.Name, w.object.UID, i+1), Fields: event.Fields{"stream": "stdout"},
	}
	if w.class == event.ClassLogLine {
		if w.r.IntN(50) == 0 {
			e.Class = event.ClassLogError
		}
		return e
	}
	e.Actor.Address = fmt.Sprintf("10.%d.%d.%d", w.r.IntN(4), w.r.IntN(w.clients)/250, w.r.IntN(w.clients)%250)
	if w.clients <= 400 {
		e.Actor.Address = fmt.Sprintf("10.0.%d.%d", w.r.IntN(w.clients)/250, w.r.IntN(w.clients)%250)
	}
	e.HTTP = event.HTTP{
		Method: "GET", Path: "/item/1", Status: []int{200, 200, 200, 200, 200, 200, 304, 404, 200, 500}[w.r.IntN(10)],
		Duration: math.Exp(w.r.NormFloat64()*.8 - 3.5), Bytes: int64(w.r.IntN(20_000)),
	}
	return e
}

// minute counts a minute of one of every share containers of a kind, and gives
// how many lines that were, and the bytes of the summaries.
func minute(tb testing.TB, k kind, share int) (writers, lines, bytes int) {
	tb.Helper()
	table := NewTable(event.SourceLog, Config{}, "nonce")
	writers = max(1, k.containers/share)
	for n := range writers {
		w := newWriter(k, n*share)
		for i := range k.lines {
			at := begin.Add(time.Minute * time.Duration(i) / time.Duration(k.lines))
			e := w.line(at, i)
			table.Add(&e, at, 1)
			lines++
		}
	}
	table.Close(begin.Add(time.Minute))
	for _, p := range table.Due(table.Waiting()) {
		data, err := json.Marshal(p.Event())
		if err != nil {
			tb.Fatal(err)
		}
		bytes += len(data) + 4
	}
	return writers, lines, bytes
}

// TestStreamOfTenThousandContainers: a minute of ten thousand containers fits in
// a modest stream. One of a hundred of each kind is counted; the log says how
// large the summaries are.
func TestStreamOfTenThousandContainers(t *testing.T) {
	var perSecond, lineBytes, lines float64
	for _, k := range cluster {
		writers, n, bytes := minute(t, k, 100)
		each := float64(bytes) / float64(writers)
		w := newWriter(k, 1)
		data, err := json.Marshal(w.line(begin, 1))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-8s %5d containers, %6d lines a minute each: a summary has %5.0f bytes, the lines %9d", k.name, k.containers, n/writers, each, len(data)*k.lines)
		perSecond += each * float64(k.containers) / 60
		lines += float64(k.containers*k.lines) / 60
		lineBytes += float64(len(data)*k.containers*k.lines) / 60
	}
	t.Logf("all: %.0f KB/s of summaries for %.0f lines/s, which are %.1f MB/s one by one", perSecond/1e3, lines, lineBytes/1e6)
	if perSecond > 250e3 {
		t.Errorf("%.0f bytes a second", perSecond)
	}
}

// BenchmarkAdd counts lines of ten thousand writers, in the proportions of the
// cluster.
func BenchmarkAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- input of a benchmark
	var events []event.Event
	n := 0
	for _, k := range cluster {
		for range k.containers {
			w := newWriter(k, n)
			n++
			for i := range max(1, k.lines/40) {
				events = append(events, w.line(begin.Add(time.Duration(i)*time.Second), i))
			}
		}
	}
	r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	table := NewTable(event.SourceLog, Config{}, "nonce")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e := &events[i%len(events)]
		table.Add(e, begin, 1)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkEvent makes an event of a service's minute.
func BenchmarkEvent(b *testing.B) {
	table := NewTable(event.SourceLog, Config{}, "nonce")
	w := newWriter(cluster[1], 1)
	for i := range w.lines {
		e := w.line(begin.Add(time.Duration(i)*100*time.Millisecond), i)
		table.Add(&e, begin, 1)
	}
	table.Close(begin)
	part := table.Due(1)[0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(part.Event()); err != nil {
			b.Fatal(err)
		}
	}
}
