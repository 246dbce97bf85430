package ingest

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// BenchmarkDecode takes bytes to events, for each form in which they come, and
// beside it the same bytes to a map by encoding/json.
func BenchmarkDecode(b *testing.B) {
	line := func(kind, file string, n int) []byte {
		data, err := os.ReadFile("testdata/" + kind + "/" + file)
		if err != nil {
			b.Fatal(err)
		}
		return bytes.Split(data, []byte("\n"))[n]
	}
	audit := line("audit", "events.in", 0)
	list := slices.Concat([]byte(`{"kind":"EventList","items":[`), bytes.Repeat(append(bytes.Clone(audit), ','), 399), audit, []byte("]}"))
	for _, c := range []struct {
		name, kind string
		data       []byte
	}{
		{"falco", "falco", line("falco", "versions.in", 0)}, {"audit", "audit", audit}, {"audit400", "audit", list},
		{"eks", "audit", line("audit", "eks.in", 0)}, {"aks", "audit", line("audit", "aks.in", 2)}, {"gke", "audit", line("audit", "gke.in", 0)},
		{"gke-pod", "audit", line("audit", "gke.in", 1)},
	} {
		k, _ := Lookup(c.kind)
		events, _ := k.Decode(c.data, Origin{})
		if len(events) == 0 {
			b.Fatalf("%s: no event", c.name)
		}
		each := float64(len(events))
		b.Run(c.name+"/firebreak", func(b *testing.B) {
			b.SetBytes(int64(len(c.data)))
			b.ReportAllocs()
			for b.Loop() {
				k.Decode(c.data, Origin{})
			}
			b.ReportMetric(each*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
		b.Run(c.name+"/encoding-json", func(b *testing.B) {
			b.SetBytes(int64(len(c.data)))
			b.ReportAllocs()
			for b.Loop() {
				var m map[string]any
				if err := json.Unmarshal(c.data, &m); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(each*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

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
