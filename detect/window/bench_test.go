package window

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// BenchmarkAdd is one event into one of so many groups; bytes/group is what a
// group of a count and a distinct takes with all that leads to it, after one
// event, and after many.
func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("groups=%d", n), func(b *testing.B) {
			before := heap()
			w, err := New(Options{
				Over: time.Hour, Aggregates: []Aggregate{{Function: Count}, {Function: Distinct}}, MaxGroups: n, MaxBytes: 1 << 40, Sample: true,
			})
			if err != nil {
				b.Fatal(err)
			}
			inputs := []Input{{Valid: true}, {Valid: true}}
			for i := range n {
				w.Add(0, numbered(1, i), start, inputs, Mark{Sequence: uint64(i + 1)})
			}
			once := heap()
			i := 0
			for b.Loop() {
				i = (i + 7919) % n
				inputs[1].Hash = uint64(i % 8)
				w.Add(0, numbered(1, i), start.Add(time.Duration(i)*time.Microsecond), inputs, Mark{Sequence: uint64(n + i), Index: i % 512})
			}
			b.ReportMetric((once-before)/float64(n), "bytes/group")
			b.ReportMetric(float64(w.Stats().Bytes)/float64(n), "said-bytes/group")
			if n == 1000 {
				b.ReportMetric((heap()-before)/float64(n), "bytes/busy-group")
			}
			runtime.KeepAlive(w)
		})
	}
}

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
