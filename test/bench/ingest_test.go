package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// batch is how many events a body holds, as the API server sends them.
const batch = 400

// senders is how many bodies are under way at a time.
const senders = 8

// alert, audit and record are one event of a source, with a place for a
// number that makes it another one.
const (
	alert = `{"hostname":"node-1","output":"10:20:05.408091526: Warning Sensitive file opened for reading by non-trusted program (file=/etc/shadow gparent=sshd ggparent=systemd gggparent=<NA> evt_type=openat user=root user_uid=0 user_loginuid=-1 process=cat proc_exepath=/usr/bin/cat parent=bash command=cat /etc/shadow terminal=34816 container_id=3f4e0c0a9d7b container_name=web-%d)","priority":"Warning","rule":"Read sensitive file untrusted","source":"syscall","tags":["T1555","container","filesystem","host","maturity_stable","mitre_credential_access"],"time":"2026-01-02T10:20:05.408091526Z","output_fields":{"container.id":"3f4e0c0a9d7b","container.name":"web","evt.time":1767349205408091526,"evt.type":"openat","fd.name":"/etc/shadow","k8s.ns.name":"shop","k8s.pod.name":"web-%d","proc.cmdline":"cat /etc/shadow","proc.exepath":"/usr/bin/cat","proc.pname":"bash","proc.tty":34816,"user.loginuid":-1,"user.name":"root","user.uid":0}}`
	audit = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"%08d-1111-4222-8333-444455556666","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/pods/web-%d/exec?command=sh&container=web&stdin=true&stdout=true&tty=true","verb":"get","user":{"username":"jane","uid":"u-1","groups":["dev","system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=aa"]}},"sourceIPs":["10.1.2.3"],"userAgent":"kubectl/v1.36.0 (linux/amd64) kubernetes/abcdef0","objectRef":{"resource":"pods","namespace":"shop","name":"web-1","apiVersion":"v1","subresource":"exec"},"responseStatus":{"metadata":{},"code":101},"requestReceivedTimestamp":"2026-01-02T03:04:05.000001Z","stageTimestamp":"2026-01-02T03:04:05.100001Z","annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by RoleBinding \"dev/shop\" of Role \"dev\" to Group \"dev\""}}`
	line  = `10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] \"GET /item/%d HTTP/1.1\" 200 1312 \"-\" \"curl/8.%d\"`
	one   = `{"date":1767323045.123456,"time":"2026-01-02T03:04:05.123456789Z","stream":"stdout","_p":"F","log":"` + line + `","kubernetes":{"pod_name":"web-7d4b9c6f5-x2x7k","namespace_name":"shop","pod_id":"0b1f6b0e-1111-4222-8333-444455556666","labels":{"app":"web"},"host":"node-1","container_name":"web","docker_id":"3f4e0c0a9d7b5e6f3f4e0c0a9d7b5e6f3f4e0c0a9d7b5e6f3f4e0c0a9d7b5e6f","container_image":"images.example/web:1.2"}}`
)

// source is a body of one source, made new for each number.
type source struct {
	kind string
	body func(n int) []byte
	// isJSON says that encoding/json can read it too.
	isJSON bool
}

func sources() []source {
	list := func(text, open, end string) func(int) []byte {
		return func(n int) []byte {
			items := make([]string, batch)
			for i := range items {
				items[i] = fmt.Sprintf(text, n*batch+i, i)
			}
			return []byte(open + strings.Join(items, ",") + end)
		}
	}
	return []source{
		{"falco", list(alert, "[", "]"), true},
		{"audit", list(audit, `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[`, "]}"), true},
		{"log-http", list(one, "[", "]"), true},
		{"otlp", otlpBody, false},
		{"log", criLines, false},
	}
}

func otlpBody(n int) []byte {
	text := func(s string) *common.AnyValue {
		return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
	}
	records := make([]*logs.LogRecord, batch)
	for i := range records {
		records[i] = &logs.LogRecord{
			TimeUnixNano: 1767323045000000000 + uint64(n*batch+i),
			Body:         text(strings.ReplaceAll(fmt.Sprintf(line, n*batch+i, i), `\"`, `"`)),
		}
	}
	data, err := proto.Marshal(&collector.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{ScopeLogs: []*logs.ScopeLogs{{LogRecords: records}}}}})
	if err != nil {
		panic(err)
	}
	return data
}

func criLines(n int) []byte {
	var b bytes.Buffer
	for i := range batch {
		fmt.Fprintf(&b, "2026-01-02T03:04:05.%09dZ stdout F "+strings.ReplaceAll(line, `\"`, `"`)+"\n", n*batch+i, n*batch+i, i)
	}
	return b.Bytes()
}

// decode reads one body as the service would.
func (s source) decode(endpoint *ingest.Endpoint, body []byte) ([]event.Event, error) {
	o := ingest.Origin{From: "bench", Received: time.Unix(1767323046, 0)}
	if endpoint != nil {
		var events []event.Event
		rejects, err := endpoint.Decode(s.request(), body, o, func(some []event.Event) error {
			events = append(events, some...)
			return nil
		})
		if len(rejects) > 0 {
			return nil, fmt.Errorf("rejected: %s", rejects[0].Reason)
		}
		return events, err
	}
	var events []event.Event
	_, err := ingest.Scan(s.kind, "shop_web_u-1/web/0.log", bytes.NewReader(body), o, func(i ingest.Item) error {
		events = append(events, *i.Event)
		return nil
	})
	return events, err
}

func (s source) request() *http.Request {
	r := &http.Request{Header: http.Header{"Content-Type": {"application/json"}}}
	if s.kind == "otlp" {
		r.Header.Set("Content-Type", "application/x-protobuf")
	}
	return r
}

// BenchmarkStored is from the bytes of a body of 400 events to events on disk,
// with eight bodies under way, beside two peers in the same run: the same
// frames published without a look at them, and encoding/json reading the same
// bytes into maps. events/cpu-s is per second of processor time.
func BenchmarkStored(b *testing.B) {
	for _, s := range sources() {
		b.Run(s.kind+"/stored", func(b *testing.B) { benchStored(b, s) })
		b.Run(s.kind+"/raw", func(b *testing.B) { benchRaw(b, s) })
		if s.isJSON {
			b.Run(s.kind+"/json-map", func(b *testing.B) { benchMap(b, s) })
		}
	}
}

func openBus(b *testing.B) *bus.Bus {
	b.Helper()
	store, err := bus.Open(b.Context(), bus.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	return store
}

func benchStored(b *testing.B, s source) {
	store := openBus(b)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	batcher := ingest.NewBatcher(store, 0)
	go func() { _ = batcher.Run(ctx) }()
	endpoint := endpointOf(b, s.kind)
	measure(b, s, func(body []byte) error {
		events, err := s.decode(endpoint, body)
		if err != nil {
			return err
		}
		return batcher.Put(ctx, events)
	})
}

// endpointOf opens the source as the service does; it is nil for one that
// reads files.
func endpointOf(b *testing.B, kind string) *ingest.Endpoint {
	k, ok := ingest.Lookup(kind)
	if !ok {
		b.Fatalf("no source %s", kind)
	}
	config := k.Config()
	switch c := config.(type) {
	case *ingest.HTTPConfig:
		c.Token = conf.SecretFile{Path: "token"}
	case *ingest.AuditConfig:
		c.Token = conf.SecretFile{Path: "token"}
	case *ingest.ShipperConfig:
		c.Token = conf.SecretFile{Path: "token"}
	default:
		return nil
	}
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("a-token-for-benchmarks"), 0o600); err != nil {
		b.Fatal(err)
	}
	opened, err := ingest.Open(kind, ingest.Deps{Sink: nowhere{}, Store: nowhere{}, Metrics: (*telemetry.Metrics)(nil), Dir: dir}, config)
	if err != nil {
		b.Fatal(err)
	}
	return &opened.Endpoints[0]
}

// nowhere takes what a benchmark doesn't look at.
type nowhere struct{}

func (nowhere) Put(context.Context, []event.Event) error                { return nil }
func (nowhere) Publish(context.Context, string, []byte) (uint64, error) { return 0, nil }
func (nowhere) Dead(context.Context, event.Rejected) error              { return nil }

// benchRaw publishes the frames that the events of a body make.
func benchRaw(b *testing.B, s source) {
	store := openBus(b)
	events, err := s.decode(endpointOf(b, s.kind), s.body(0))
	if err != nil {
		b.Fatal(err)
	}
	encoded := make([][]byte, len(events))
	for i := range events {
		if encoded[i], err = json.Marshal(events[i]); err != nil {
			b.Fatal(err)
		}
	}
	frame := event.EncodeFrame(encoded)
	var mu sync.Mutex // one frame at a time, as the batcher does
	measure(b, s, func([]byte) error {
		mu.Lock()
		defer mu.Unlock()
		_, err := store.Publish(b.Context(), bus.SubjectEvents, frame)
		return err
	})
}

func benchMap(b *testing.B, s source) {
	measure(b, s, func(body []byte) error {
		dec := json.NewDecoder(bytes.NewReader(body))
		for {
			var v any
			if err := dec.Decode(&v); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
	})
}

// measure runs take on bodies made before, by several at a time.
func measure(b *testing.B, s source, take func(body []byte) error) {
	b.Helper()
	bodies := make([][]byte, 64)
	size := 0
	for i := range bodies {
		bodies[i] = s.body(i)
		size += len(bodies[i])
	}
	b.SetBytes(int64(size / len(bodies)))
	b.ReportAllocs()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := cpuTime(b)
	b.SetParallelism(max(1, senders/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if err := take(bodies[i%len(bodies)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	used := cpuTime(b) - cpu
	runtime.ReadMemStats(&after)
	events := float64(b.N) * batch
	b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(events/used.Seconds(), "events/cpu-s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/events, "allocs/event")
}

// cpuTime is the processor time that the process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
