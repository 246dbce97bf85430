package forest

import (
	"testing"
	"time"
)

// The room that benchmarks use is what a service has: ten features, four of
// them far from even.
const benchDims = 10

func benchForest(b testing.TB) (*Forest, []float64) {
	b.Helper()
	f, err := Fit(cloud(4096, benchDims, 1), benchDims, Options{Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	return f, cloud(4096, benchDims, 2)
}

func BenchmarkFit(b *testing.B) {
	x := cloud(4096, benchDims, 1)
	for b.Loop() {
		if _, err := Fit(x, benchDims, Options{Seed: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScore(b *testing.B) {
	f, rows := benchForest(b)
	b.ReportAllocs()
	var i int
	began := processor()
	for b.Loop() {
		f.Score(rows[i*benchDims : (i+1)*benchDims])
		i = (i + 1) % 4096
	}
	perSecond(b, b.N, began, "scores/s")
	b.ReportMetric(float64(f.Bytes()), "bytes/model")
}

func BenchmarkScoreAll(b *testing.B) {
	f, rows := benchForest(b)
	dst := make([]float64, 4096)
	b.ReportAllocs()
	began := processor()
	for b.Loop() {
		f.ScoreAll(dst, rows)
	}
	perSecond(b, b.N*4096, began, "scores/s")
}

func BenchmarkScoreAndLearn(b *testing.B) {
	r, err := NewRolling(benchDims, Options{Seed: 1}, Learning{Memory: 2048 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	rows := cloud(4096, benchDims, 2)
	at := time.Unix(1e9, 0)
	step := func(i int) {
		row := rows[i%4096*benchDims:][:benchDims]
		r.Score(row)
		r.Add(row, uint64(i%200+1), at.Add(time.Duration(i)*time.Second))
	}
	i := 0
	for ; i < 8192; i++ {
		step(i)
	}
	b.ReportAllocs()
	began := processor()
	for b.Loop() {
		step(i)
		i++
	}
	perSecond(b, b.N, began, "events/s")
	b.ReportMetric(float64(r.Bytes()), "bytes/model")
}
