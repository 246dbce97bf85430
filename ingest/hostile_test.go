package ingest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/metrics"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/hostile"
)

// full says that the tests of hostile input run in their full size.
func full() bool { return os.Getenv("FIREBREAK_TORTURE") != "" }

// maxHeap is what all of one process may take while it reads hostile input.
const maxHeap = 512 << 20

// watchHeap gives the most of the heap that is in use until the function that
// it returns is called.
func watchHeap() (most func() uint64) {
	var peak atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			peak.Store(max(peak.Load(), sample[0].Value.Uint64()))
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() uint64 { close(stop); <-done; return peak.Load() }
}

// classOf checks a reject, and gives its class.
func classOf(t *testing.T, r event.Rejected) string {
	if r.Reason == "" || len(r.Data) > event.MaxRejected || len(r.Reason) > maxReason {
		t.Errorf("reject %q with %d bytes", r.Reason, len(r.Data))
	}
	return reasonClass(r.Reason)
}

// holdsNothing is input that may give neither an event nor a reject: white
// space, empty lists, a check of CloudWatch.
func holdsNothing(data []byte) bool {
	for _, word := range []string{"[]", "null", "EventList", "CONTROL_MESSAGE", "[ ]"} {
		if bytes.Contains(data, []byte(word)) {
			return true
		}
	}
	if _, rest, ok := bytes.Cut(data, []byte(`"data":"`)); ok {
		code, _, _ := bytes.Cut(rest, []byte(`"`))
		inner, err := base64.StdEncoding.DecodeString(string(code))
		if isGzip(inner) {
			room := int64(maxInflated)
			inner, err = inflate(inner, &room)
		}
		return err == nil && holdsNothing(inner)
	}
	return len(bytes.TrimSpace(data)) == 0 || bytes.Contains(data, []byte("[")) && !bytes.ContainsAny(data, "{\"0123456789")
}

// TestHostileInput: of 100,000 generated bodies and lines (20,000 without
// FIREBREAK_TORTURE) no one crashes any reader of the catalogue, each gives
// events or rejects with a reason, and the memory stays bounded.
func TestHostileInput(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	count := 20_000
	if full() {
		count = 100_000
	}
	all := hostile.Seeds(t, "testdata", "../../shared/data")
	heap := watchHeap()
	bodies, reasons, silent, events, began := 0, map[string]int{}, 0, 0, time.Now()
	var readers []Kind
	for _, k := range Kinds() {
		if k.Decode != nil || k.Scan != nil {
			readers = append(readers, k)
		}
	}
	for i, k := range readers {
		m := hostile.New(all, uint64(i), 7)
		for range count / len(readers) {
			data := m.Next()
			bodies++
			if k.Decode != nil {
				good, bad := k.Decode(data, Origin{From: "test"})
				events += len(good)
				for _, r := range bad {
					reasons[classOf(t, r)]++
				}
				// A request of OTLP may be empty, and hold members that its
				// receiver does not know.
				if len(good)+len(bad) == 0 && !holdsNothing(data) && k.Name != "otlp" {
					t.Errorf("%s: nothing comes of %.200q", k.Name, data)
				}
				if len(good)+len(bad) == 0 {
					silent++
				}
			}
			if k.Scan != nil && bodies%4 == 0 {
				counts, items := scanAll(t, k.Name, "f", data)
				checkScan(t, "f", data, counts, items)
			}
			if t.Failed() {
				t.Fatalf("%s: %.2000q", k.Name, data)
			}
		}
	}
	peak := heap()
	t.Logf("%d bodies by %d readers in %v: %d events, %d held nothing, heap at most %d MiB", bodies, len(readers), time.Since(began).Round(time.Second), events, silent, peak>>20)
	for _, class := range slices.SortedFunc(maps.Keys(reasons), func(a, b string) int { return cmp.Compare(reasons[b], reasons[a]) }) {
		t.Logf("%8d %s", reasons[class], class)
	}
	if peak > maxHeap {
		t.Errorf("the heap took %d MiB", peak>>20)
	}
}

// TestHostilePosts: the same by HTTP, compressed and not: each is answered, and
// each that is not accepted is counted.
func TestHostilePosts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	count := 4_000
	if full() {
		count = 20_000
	}
	all := hostile.Seeds(t, "testdata", "../../shared/data")
	heap := watchHeap()
	statuses := map[string]int{}
	names := []string{"falco", "audit", "audit-firehose", "audit-pubsub", "log-http"}
	for i, name := range names {
		h, store, counted := opened(t, name, "")
		m := hostile.New(all, uint64(i), 8)
		for range count / len(names) {
			data := m.Next()
			header := []string{"Authorization", "Bearer " + testToken}
			if m.IntN(2) == 0 {
				header = append(header, "Content-Encoding", "gzip")
				if m.IntN(2) == 0 {
					data = m.Bomb(data)
				}
			}
			store.frames, store.dead = nil, nil // nobody else is there
			w := post(h, "/v1/"+name, string(data), header...)
			statuses[fmt.Sprint(w.Code)]++
			if w.Code != 200 && w.Code != 204 && w.Code != 400 && w.Code != 413 && w.Code != 415 {
				t.Fatalf("%s: answer %d to %.300q", name, w.Code, data)
			}
			if len(store.frames)+len(store.dead) == 0 && !holdsNothing(data) && header[len(header)-1] != "gzip" {
				t.Fatalf("%s: nothing is kept of %.300q: %d %s", name, data, w.Code, w.Body)
			}
		}
		if len(counted.rejected) < 2 {
			t.Errorf("%s: rejects are counted as %v", name, counted.rejected)
		}
	}
	peak := heap()
	t.Logf("answers %v, heap at most %d MiB", statuses, peak>>20)
	if peak > maxHeap {
		t.Errorf("the heap took %d MiB", peak>>20)
	}
}

// endless gives a beginning, and then a piece again and again.
type endless struct {
	head, piece string
	left        int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, e.head)
	e.head = e.head[n:]
	for n < len(p) && e.head == "" {
		n += copy(p[n:], e.piece)
	}
	n = int(min(int64(n), e.left))
	e.left -= int64(n)
	return n, nil
}

// TestLongLine: a line of 1 GiB (64 MiB without FIREBREAK_TORTURE) is one
// reject, or a log line that is cut, in bounded memory.
func TestLongLine(t *testing.T) {
	size := int64(64 << 20)
	if full() {
		size = 1 << 30
	}
	for _, k := range Kinds() {
		if k.Scan == nil {
			continue
		}
		for _, c := range []struct{ head, piece string }{
			{`{"rule":"`, "x"}, {"", "x"}, {"", "["}, {`{"kind":"EventList","items":[{"a":"`, `\u0041`}, {"2026-01-02T03:04:05Z stdout F ", "word "},
			{`{"log":"`, "y"}, {"10:20:05.408091526: Warning ", "z"}, {"", " "}, {`{"kind":"Event","verb":"get","requestURI":"/x?`, "command=a&"},
		} {
			heap := watchHeap()
			items := 0
			counts, err := k.Scan("f", &endless{c.head, c.piece, size}, Origin{}, func(it Item) error {
				items++
				if it.Event != nil {
					checkEvent(t, it.Event)
				}
				return nil
			})
			peak := heap()
			if err != nil || counts.Lines != 1 || items > 1 || items == 0 && counts.Blank == 0 {
				t.Errorf("%s: %q…: %+v, %d items, %v", k.Name, c.head+c.piece, counts, items, err)
			}
			if peak > maxHeap/4 {
				t.Errorf("%s: %q…: the heap took %d MiB", k.Name, c.head+c.piece, peak>>20)
			}
		}
	}
}
