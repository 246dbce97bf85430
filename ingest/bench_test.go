package ingest

import (
	"os"
	"strings"
	"testing"
)

func benchDecode(b *testing.B, kind, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	k, _ := Lookup(kind)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if events, _ := k.Decode([]byte(line), Origin{}); len(events) != 1 {
			b.Fatal("no event")
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkFalco(b *testing.B) { benchDecode(b, "falco", "testdata/falco/versions.in") }

func BenchmarkAudit(b *testing.B) { benchDecode(b, "audit", "testdata/audit/events.in") }

func benchScan(b *testing.B, kind, line string) {
	data := strings.Repeat(line+"\n", 1000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Scan(kind, "f", strings.NewReader(data), Origin{}, func(Item) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkScanFalco(b *testing.B) { benchScan(b, "falco", oneAlert) }

func BenchmarkScanLog(b *testing.B) {
	benchScan(b, "log", `2026-01-02T03:04:05.000000001Z stdout F 10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /x HTTP/1.1" 200 13 "-" "curl/8"`)
}

func BenchmarkRedact(b *testing.B) {
	text := `2026-03-01 GET /api/v1/namespaces/shop/pods/cart-1?watch=true kubectl/v1.36 (linux/amd64) kubernetes/abcdef`
	for b.Loop() {
		redactText(text)
	}
}
