//go:build linux

package torture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/test/hostile"
)

// floodBound is what one process may take, of the 512 MiB that are promised, while it is sent the worst
// that there is as fast as it answers. It takes 315 to 362 MiB: when garbage is collected differs from
// run to run.
const floodBound = 420 << 20

// floodSenders is how many send at a time.
const floodSenders = 64

// TestFlood sends 4,000 bodies (20,000 with FIREBREAK_TORTURE) that are bad, large, dense or all of that to every source that is posted,
// from many connections at once. Each is answered, the process lives and stays small, and takes a good
// event afterwards.
func TestFlood(t *testing.T) {
	f := newFirebreak(t, setup{name: "flood", data: filepath.Join(t.TempDir(), "data"), more: []string{
		"audit-firehose: {token: {file: token}}", "audit-pubsub: {path: {file: token}}", "log-http: {token: {file: token}}", "otlp: {token: {file: token}}",
	}})
	f.start()
	f.ready()
	watch := newMemory(t, f.p)
	posts := newFlood(t, f.api, size(t, "FIREBREAK_FLOOD", 4_000, 20_000))
	posts.run()
	watch.end(floodBound)
	if f.p.died() {
		t.Fatalf("it ended by itself: %s", f.p.tail())
	}
	after := newSender(t, "f0", f.api, nil, 1)
	if !after.deliver(after.body([]any{after.event(0)})) {
		t.Error("no good event is taken afterwards")
	}
	f.p.stop()
}

// flood sends hostile bodies.
type flood struct {
	t     *testing.T
	api   string
	seeds [][]byte
	large []body
	left  atomic.Int64
	mu    sync.Mutex
	// answers counts by status.
	answers map[int]int
}

// body is what is posted to a source.
type body struct {
	path, encoding string
	data           []byte
}

func newFlood(t *testing.T, api string, posts int) *flood {
	f := &flood{t: t, api: api, answers: map[int]int{}, large: largeBodies()}
	f.seeds = hostile.Seeds(t, "../../ingest/testdata", "../../../shared/data")
	f.left.Store(int64(posts))
	return f
}

func (f *flood) run() {
	var group sync.WaitGroup
	began, posts := time.Now(), f.left.Load()
	for n := range floodSenders {
		group.Go(func() { f.send(hostile.New(f.seeds, uint64(n), 9)) })
	}
	group.Wait()
	f.t.Logf("%d bodies in %v: answers %v", posts, time.Since(began).Round(time.Second), f.answers)
	for _, status := range []int{200, 400, 413} {
		if f.answers[status] == 0 {
			f.t.Errorf("none was answered with %d: that was no flood of all kinds", status)
		}
	}
	// A body that is refused before it was read may cost the sender its connection.
	if lost := f.answers[0]; int64(lost) > posts/20 {
		f.t.Errorf("%d of %d had no answer", lost, posts)
	}
}

func (f *flood) send(m hostile.Mutant) {
	client := &http.Client{Timeout: 10 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	for f.left.Add(-1) >= 0 {
		b := f.next(m)
		status := f.post(client, b)
		f.mu.Lock()
		f.answers[status]++
		f.mu.Unlock()
		switch status {
		case 0, 200, 204, 400, 413, 415, 429, 503:
		default:
			f.t.Errorf("%s was answered with %d: %.200q", b.path, status, b.data)
		}
	}
}

// next is a body: one in fifty is as large as it may be.
func (f *flood) next(m hostile.Mutant) body {
	if m.IntN(50) == 0 {
		return f.large[m.IntN(len(f.large))]
	}
	paths := []string{"/v1/falco", "/v1/audit", "/v1/audit-firehose", "/v1/audit-pubsub/" + token, "/v1/log-http", "/v1/logs"}
	b := body{path: paths[m.IntN(len(paths))], data: m.Next()}
	if m.IntN(2) == 0 {
		b.encoding, b.data = "gzip", m.Bomb(b.data)
	}
	return b
}

// post gives 0 when there was no answer.
func (f *flood) post(client *http.Client, b body) int {
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, "http://"+f.api+b.path, bytes.NewReader(b.data))
	if err != nil {
		f.t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if b.encoding != "" {
		req.Header.Set("Content-Encoding", b.encoding)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // the status is what counts
	return resp.StatusCode
}

// largeBodies are of the size that a source takes at most: of many good events, of many small ones, of
// one that is deep, of what is dense.
func largeBodies() []body {
	falco := `{"rule":"r","output":"o","priority":"Notice","time":"2026-01-02T03:04:05Z","output_fields":{"proc.cmdline":"sh -c true"}},`
	audit := `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"ResponseComplete","verb":"get","requestURI":"/api","user":{"username":"u"},"responseObject":{"a":[{},[],{}]}},`
	line := `{"log":"GET /a 200","kubernetes":{"namespace_name":"a","pod_name":"b"},"time":"2026-01-02T03:04:05Z"},`
	record := `{"timeUnixNano":"1700000000000000000","body":{"stringValue":"GET /a 200"}},`
	list := func(item string, size int) []byte {
		return []byte("[" + strings.TrimSuffix(strings.Repeat(item, size/len(item)), ",") + "]")
	}
	dense := func(n int) []byte {
		var lines bytes.Buffer
		for i := 0; lines.Len() < n; i++ {
			fmt.Fprintf(&lines, `{"kind":"Event","verb":"get","auditID":"%x","user":{"username":"u"},"requestURI":"/x"}`+"\n", i*7919)
		}
		return lines.Bytes()
	}
	firehose, err := json.Marshal(map[string]any{"requestId": "r", "records": []map[string][]byte{
		{"data": hostile.Zip(dense(15 << 20))}, {"data": hostile.Zip(dense(15 << 20))}, {"data": hostile.Zip(dense(15 << 20))},
	}})
	if err != nil {
		panic(err)
	}
	otlp := `{"resourceLogs":[{"scopeLogs":[{"logRecords":` + string(list(record, 1<<20)) + `}]}]}`
	bodies := []body{
		{"/v1/falco", "", list(falco, 1<<20)}, {"/v1/audit", "", list(audit, 16<<20)}, {"/v1/log-http", "", list(line, 2<<20)}, {"/v1/logs", "", []byte(otlp)},
		{"/v1/falco", "", []byte(strings.Repeat("[", 1<<20))}, {"/v1/audit", "", []byte(strings.Repeat(`{"items":[`, 1<<20))}, {"/v1/log-http", "", []byte(strings.Repeat("{}\n", 1<<20))},
		{"/v1/audit", "", list("{},", 15<<20)}, {"/v1/audit", "", []byte(`{"kind":"Event","verb":"get","x":"` + strings.Repeat("x", 15<<20) + `"}`)},
		{"/v1/audit", "", []byte(`{"kind":"Event","verb":"get","auditID":"a","user":{"username":"u"},"requestObject":{"a":` + string(list(`{"a":1},`, 15<<20)) + `}}`)},
		{"/v1/audit-firehose", "", firehose}, {"/v1/audit-firehose", "", []byte(strings.Repeat(" ", 17<<20))},
		{"/v1/log-http", "", []byte(`{"log":"` + strings.Repeat(`\u0041`, 600<<10) + `"}`)},
	}
	for _, b := range bodies {
		bodies = append(bodies, body{b.path, "gzip", hostile.Zip(b.data)})
	}
	return bodies
}
