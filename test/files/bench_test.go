//go:build unix

package files

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

const benchLines = 50_000

// benchFiles writes a log of plain lines and one of an access log.
func benchFiles(b *testing.B) map[string]string {
	files := map[string]string{}
	for name, text := range map[string]string{
		"plain":  "connection from the pool was given back after %d ms",
		"access": `10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /cart/%d HTTP/1.1" 200 1312 "-" "curl/8.5.0"`,
		"json":   `{"level":"info","ts":"2026-01-02T03:04:05Z","msg":"request done","path":"/cart/%d","status":200,"took":0.012}`,
	} {
		path := filepath.Join(b.TempDir(), "pods", "shop_web-0_uid-0", "web", "0.log")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		var all strings.Builder
		for i := range benchLines {
			stamp := time.Unix(1_767_323_045, int64(i)).UTC().Format("2006-01-02T15:04:05.000000000Z")
			fmt.Fprintf(&all, "%s stdout F "+text+"\n", stamp, i)
		}
		if err := os.WriteFile(path, []byte(all.String()), 0o644); err != nil {
			b.Fatal(err)
		}
		files[name] = path
	}
	return files
}

// counting is a sink that tells when all lines have come. Without an inner one
// it stores nothing.
type counting struct {
	inner ingest.Sink
	n     atomic.Int64
	all   chan struct{}
}

func (s *counting) Put(ctx context.Context, events []event.Event) error {
	if s.inner != nil {
		if err := s.inner.Put(ctx, events); err != nil {
			return err
		}
	}
	if s.n.Add(int64(len(events))) == benchLines {
		close(s.all)
	}
	return nil
}

type noStore struct{}

func (noStore) Publish(context.Context, string, []byte) (uint64, error) { return 0, nil }
func (noStore) Dead(context.Context, event.Rejected) error              { return nil }

// readAll reads a file as the service does.
func readAll(b *testing.B, path string, inner ingest.Sink) {
	var metrics *telemetry.Metrics
	s := &counting{inner: inner, all: make(chan struct{})}
	source, err := ingest.Open("log", ingest.Deps{Sink: s, Store: noStore{}, Metrics: metrics, Data: b.TempDir()},
		&ingest.LogConfig{Directory: filepath.Dir(filepath.Dir(filepath.Dir(path))), Poll: conf.Duration(time.Second), MaxFiles: 10, Multiline: true})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- source.Run(ctx) }()
	<-s.all
	cancel()
	<-ended
}

func report(b *testing.B, path string) {
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportMetric(float64(b.N)*benchLines/b.Elapsed().Seconds(), "lines/s")
}

// cores measures by the time of processors, as others use them too.
func cores(b *testing.B) func() {
	before := used(b)
	return func() {
		took := used(b) - before
		b.ReportMetric(float64(b.N)*benchLines/took.Seconds(), "lines/core-s")
	}
}

func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFiles is from the file to nothing, from the file to the synced
// stream, and beside them bufio.Scanner over the same bytes.
func BenchmarkFiles(b *testing.B) {
	for name, path := range benchFiles(b) {
		b.Run(name+"/scanner", func(b *testing.B) {
			for b.Loop() {
				f, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for s := bufio.NewScanner(f); s.Scan(); {
					n += len(s.Bytes())
				}
				f.Close()
			}
			report(b, path)
		})
		b.Run(name+"/null", func(b *testing.B) {
			b.ReportAllocs()
			done := cores(b)
			for b.Loop() {
				readAll(b, path, nil)
			}
			done()
			report(b, path)
		})
		b.Run(name+"/stream", func(b *testing.B) {
			store, err := bus.Open(b.Context(), bus.Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			batcher := ingest.NewBatcher(store, 0)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			go batcher.Run(ctx)
			done := cores(b)
			for b.Loop() {
				readAll(b, path, batcher)
			}
			done()
			report(b, path)
		})
	}
}
