package service

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// smallMemory is what the Go runtime may take without collecting more
	// often than it would: half of the 512 MiB that are promised for hostile
	// input, since files and the program itself count in there too.
	smallMemory = 256 << 20
	// garbage is how much of it is let lie, in percent of what is in use, within the
	// limit. With Go's own 100 a storm of alerts on a service that has little in use
	// was collected after twice, which took a fifth of its processor time.
	garbage = 200
	// followMemory is how often the limit is set anew.
	followMemory = time.Second
)

// keepSmall lets garbage take less room the more there is in use, until ctx
// ends: without it a flood of large bodies doubles the memory of the process,
// though all of what is in use is bounded. What is really needed, the state of
// detectors above all, is never limited by it, only by GOMEMLIMIT, which holds
// as it was set. Below the limit more garbage is let lie than by Go's default, unless
// GOGC says otherwise.
func keepSmall(ctx context.Context) error {
	most := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(most)
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(garbage))
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(followMemory)
	defer tick.Stop()
	for {
		metrics.Read(live)
		debug.SetMemoryLimit(memoryLimit(live[0].Value.Uint64(), most))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// memoryLimit is the limit where so many bytes are in use, and never more than
// most. Half as much again is left for garbage.
func memoryLimit(live uint64, most int64) int64 {
	return min(max(smallMemory, int64(live)/2*3), most)
}
