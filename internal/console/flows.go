package console

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// sampleEvery is how often the counters are read, maxSamples how many are
	// kept: an hour.
	sampleEvery = 10 * time.Second
	maxSamples  = 361
)

type sample struct {
	at time.Time
	Flow
}

// flows remember how far the streams had come. They may be used concurrently.
type flows struct {
	house House
	now   func() time.Time
	mu    sync.Mutex
	list  []sample
}

func newFlows(h House, now func() time.Time) *flows { return &flows{house: h, now: now} }

// run reads the counters until ctx ends. A reading that fails is left out.
func (f *flows) run(ctx context.Context, logger *slog.Logger) error {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		if err := f.take(ctx); err != nil && ctx.Err() == nil {
			logger.WarnContext(ctx, "read the streams' counters", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (f *flows) take(ctx context.Context) error {
	flow, err := f.house.Flow(ctx)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, sample{f.now(), flow})
	if over := len(f.list) - maxSamples; over > 0 {
		f.list = append(f.list[:0:0], f.list[over:]...)
	}
	return nil
}

// course is what came a minute, over the last while.
type course struct {
	What              string
	Minute, Ten, Hour float64
	// Curve is the points of a line over the hour in a box of 300 by 40, Peak
	// its highest rate.
	Curve string
	Peak  float64
}

func (f *flows) since() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) == 0 {
		return time.Time{}
	}
	return f.list[0].at
}

// rates are of all counters.
func (f *flows) rates() (all []course, unread uint64) {
	f.mu.Lock()
	list := append([]sample(nil), f.list...)
	f.mu.Unlock()
	if len(list) > 0 {
		unread = list[len(list)-1].Unread
	}
	for _, one := range []struct {
		what string
		of   func(Flow) uint64
	}{
		{"Events taken in here", func(f Flow) uint64 { return f.Events }},
		{"Batches of events stored", func(f Flow) uint64 { return f.Batches }},
		{"Findings", func(f Flow) uint64 { return f.Findings }},
		{"Dead letters", func(f Flow) uint64 { return f.Dead }},
	} {
		r := course{What: one.what, Minute: over(list, one.of, time.Minute), Ten: over(list, one.of, 10*time.Minute), Hour: over(list, one.of, time.Hour)}
		r.Curve, r.Peak = curve(list, one.of)
		all = append(all, r)
	}
	return all, unread
}

// over is the mean a minute since the last sample that is at least so old.
func over(list []sample, of func(Flow) uint64, d time.Duration) float64 {
	if len(list) < 2 {
		return 0
	}
	last := list[len(list)-1]
	first := list[0]
	for _, s := range list {
		if last.at.Sub(s.at) >= d {
			first = s
		}
	}
	return perMinute(first, last, of)
}

func perMinute(a, b sample, of func(Flow) uint64) float64 {
	took := b.at.Sub(a.at).Minutes()
	if took <= 0 || of(b.Flow) < of(a.Flow) { // a counter began anew
		return 0
	}
	return float64(of(b.Flow)-of(a.Flow)) / took
}

// The box of a curve.
const curveWidth, curveHeight = 300, 40

// curve are the points of a line, in a box, and what its top stands for.
func curve(list []sample, of func(Flow) uint64) (points string, peak float64) {
	if len(list) < 2 {
		return "", 0
	}
	rates := make([]float64, 0, len(list)-1)
	for i, b := range list[1:] {
		rates = append(rates, perMinute(list[i], b, of))
		peak = max(peak, rates[i])
	}
	var out strings.Builder
	for i, r := range rates {
		x := float64(curveWidth)
		if len(rates) > 1 {
			x = curveWidth * float64(i) / float64(len(rates)-1)
		}
		y := float64(curveHeight)
		if peak > 0 {
			y -= curveHeight * r / peak
		}
		fmt.Fprintf(&out, "%.1f,%.1f ", x, y)
	}
	return strings.TrimSpace(out.String()), peak
}
