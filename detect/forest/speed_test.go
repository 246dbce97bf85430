package forest

import (
	"testing"
	"time"
)

// A batch, one row, and a row scored and learned take no more processor time
// than four times what `make bench-forest` asks for: machines that test are slow
// and busy. The best of several tries counts. And a batch is faster than its rows.
func TestSpeed(t *testing.T) {
	f, rows := benchForest(t)
	dst := make([]float64, 4096)
	r, err := NewRolling(benchDims, Options{Seed: 1}, Learning{Memory: 2048 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	learn := func() {
		for range 4096 {
			row := rows[n%4096*benchDims:][:benchDims]
			r.Score(row)
			r.Add(row, uint64(n%200+1), began.Add(time.Duration(n)*time.Second))
			n++
		}
	}
	learn()
	batch := best(func() { f.ScoreAll(dst, rows) })
	single := best(func() {
		for i := range dst {
			dst[i] = f.Score(rows[i*benchDims : (i+1)*benchDims])
		}
	})
	both := best(learn)
	t.Logf("%.2f million scores/s in batches, one %s; %.0f events/s scored and learned; %d and %d bytes a model",
		4096/batch.Seconds()/1e6, single/4096, 4096/both.Seconds(), f.Bytes(), r.Bytes())
	if batch > 4096*4*time.Microsecond || single > 4096*12*time.Microsecond || both > 4096*16*time.Microsecond {
		t.Errorf("of 4,096 rows: batch %s, one by one %s, score and learn %s", batch, single, both)
	}
	if batch > single {
		t.Errorf("a batch takes %s, its rows one by one %s", batch, single)
	}
}

// best is the least processor time of some tries.
func best(do func()) time.Duration {
	least := time.Duration(1 << 62)
	for range 7 {
		began := processor()
		do()
		least = min(least, processor()-began)
	}
	return least
}
