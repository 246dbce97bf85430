package service

import (
	"math"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	for _, c := range []struct {
		live       uint64
		most, want int64
	}{
		{0, math.MaxInt64, 256 << 20}, {100 << 20, math.MaxInt64, 256 << 20}, {400 << 20, math.MaxInt64, 600 << 20},
		{400 << 20, 500 << 20, 500 << 20}, {0, 64 << 20, 64 << 20},
	} {
		if got := memoryLimit(c.live, c.most); got != c.want {
			t.Errorf("%d in use of %d: %d, want %d", c.live, c.most, got, c.want)
		}
	}
}
