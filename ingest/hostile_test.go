package ingest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
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

// seeds are real input: our own, and what lies beside the checkout.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	var list [][]byte
	add := func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".golden") || strings.HasSuffix(path, ".npz") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data = data[:min(len(data), 32<<10)]
		list = append(list, data)
		for i, line := range bytes.Split(data, []byte("\n")) {
			if len(line) > 0 && i < 20 {
				list = append(list, line)
			}
		}
		return nil
	}
	for _, root := range []string{"testdata", "../../shared/data"} {
		if err := filepath.WalkDir(root, add); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// mutant makes hostile input of real input.
type mutant struct {
	*rand.Rand
	seeds [][]byte
}

func (m mutant) seed() []byte { return m.seeds[m.IntN(len(m.seeds))] }

// span is a place in data, and one not before it.
func (m mutant) span(data []byte) (int, int) {
	a := m.IntN(len(data) + 1)
	return a, a + m.IntN(min(len(data)-a, 400)+1)
}

func (m mutant) next() []byte {
	data := slices.Clone(m.seed())
	for range 1 + m.IntN(3) {
		data = m.once(data)
	}
	return data
}

func (m mutant) once(data []byte) []byte {
	a, b := m.span(data)
	put := func(piece []byte) []byte { return slices.Concat(data[:a], piece, data[b:]) }
	switch m.IntN(16) {
	case 0:
		return data[:a]
	case 1:
		return data[a:]
	case 2:
		return put(nil)
	case 3:
		return put(slices.Concat(data[a:b], data[a:b]))
	case 4:
		other := m.seed()
		c, d := m.span(other)
		return put(other[c:d])
	case 5:
		if len(data) > 0 {
			data[m.IntN(len(data))] ^= 1 << m.IntN(8)
		}
		return data
	case 6:
		return put([][]byte{{0xff, 0xfe}, {0xc0, 0x80}, {0xed, 0xa0, 0x80}, []byte(`\ud800`), {0xf4, 0x90, 0x80, 0x80}}[m.IntN(5)])
	case 7:
		return put(make([]byte, m.IntN(100)))
	case 8: // deep
		open := []string{"[", `{"a":`, `[{"items":[`, `"{\"a\":`, `{"records":[`}[m.IntN(5)]
		return put([]byte(strings.Repeat(open, 10_000/len(open)*m.IntN(5))))
	case 9:
		return put([]byte([]string{"1e999999999", "-0", "18446744073709551616", "1e-400", strings.Repeat("9", 5000), "NaN", "\ufeff"}[m.IntN(7)]))
	case 10:
		return put([]byte([]string{"\n", "\r\n", "null", "{}", "[]", `"`, `\`, ",", ":", "}", "]", "\u2028", `,"kind":"x"`, `"rule":"r",`}[m.IntN(14)]))
	case 11: // compressed, as it is and inside
		return m.bomb(data)
	case 12:
		return []byte(`{"records":[{"data":"` + base64.StdEncoding.EncodeToString(m.bomb(data)) + `"}]}`)
	case 13:
		return []byte(`{"message":{"data":"` + base64.StdEncoding.EncodeToString(data) + `"}}`)
	case 14:
		return bytes.Repeat(data, 1+m.IntN(max(1, 20_000/(len(data)+1))))
	default:
		random := make([]byte, m.IntN(300))
		for i := range random {
			random[i] = byte(m.Uint32())
		}
		return put(random)
	}
}

func (m mutant) bomb(data []byte) []byte {
	if m.IntN(20) == 0 {
		return zipped(make([]byte, 4<<20))
	}
	if m.IntN(10) == 0 {
		return append([]byte("PK\x03\x04"), data...)
	}
	return zipped(data)
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
	all := seeds(t)
	heap := watchHeap()
	bodies, reasons, silent, events, began := 0, map[string]int{}, 0, 0, time.Now()
	var readers []Kind
	for _, k := range Kinds() {
		if k.Decode != nil || k.Scan != nil {
			readers = append(readers, k)
		}
	}
	for i, k := range readers {
		m := mutant{rand.New(rand.NewPCG(uint64(i), 7)), all}
		for range count / len(readers) {
			data := m.next()
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
	all := seeds(t)
	heap := watchHeap()
	statuses := map[string]int{}
	names := []string{"falco", "audit", "audit-firehose", "audit-pubsub", "log-http"}
	for i, name := range names {
		h, store, counted := opened(t, name, "")
		m := mutant{rand.New(rand.NewPCG(uint64(i), 8)), all}
		for range count / len(names) {
			data := m.next()
			header := []string{"Authorization", "Bearer " + testToken}
			if m.IntN(2) == 0 {
				header = append(header, "Content-Encoding", "gzip")
				if m.IntN(2) == 0 {
					data = m.bomb(data)
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
