package window

import (
	"math"

	"github.com/firebreak-io/firebreak/internal/sketch"
)

// quantiles are the sketches of one group, one a pane.
type quantiles struct {
	panes    []int64
	sketches []*sketch.Quantiles
}

// sketchBytes is about what one sketch takes.
const sketchBytes = 2 << 10

func (q *quantiles) bytes() int { return len(q.panes) * sketchBytes }

func (q *quantiles) add(v float64, pane int64) {
	for i, p := range q.panes {
		if p == pane {
			q.sketches[i].Add(v)
			return
		}
	}
	s := &sketch.Quantiles{}
	s.Add(v)
	q.panes, q.sketches = append(q.panes, pane), append(q.sketches, s)
}

func (q *quantiles) drop(oldest int64) {
	n := 0
	for i, p := range q.panes {
		if p >= oldest {
			q.panes[n], q.sketches[n] = p, q.sketches[i]
			n++
		}
	}
	clear(q.sketches[n:])
	q.panes, q.sketches = q.panes[:n], q.sketches[:n]
}

func (q *quantiles) at(rank float64, after, end int64) float64 {
	all := &sketch.Quantiles{}
	for i, p := range q.panes {
		if p > after && p <= end {
			all.Merge(q.sketches[i])
		}
	}
	if v, ok := all.At(rank); ok {
		return v
	}
	return math.NaN()
}

// baseline is how often a group had events in the windows before, as a mean
// that forgets. Its windows are those of one length that begin at whole
// multiples of it.
type baseline struct {
	epoch int64
	count float64
	mean  float64
	// closed is how many windows the mean is made of, up to minClosed.
	closed int
}

const (
	// forget is the weight of the newest window in the mean.
	forget = 0.1
	// minClosed is how many windows have to be over before there is a ratio.
	minClosed = 3
	// remembered is for how many windows without an event a group with a
	// baseline stays: its mean is then an eighth of what it was.
	remembered = 20
)

const baselineBytes = 32

// add counts an event in its window. One of a window that is over is left out.
func (b *baseline) add(epoch int64) {
	if b.closed == 0 && b.count == 0 {
		b.epoch = epoch
	}
	if epoch > b.epoch {
		b.close(b.count)
		// Windows without an event in between; the mean of more of them than
		// this is nothing.
		for range min(epoch-b.epoch-1, 10*remembered) {
			b.close(0)
		}
		b.epoch, b.count = epoch, 0
	}
	if epoch == b.epoch {
		b.count++
	}
}

func (b *baseline) close(count float64) {
	if b.closed == 0 {
		b.mean = count
	} else {
		b.mean += forget * (count - b.mean)
	}
	b.closed = min(b.closed+1, minClosed)
}

// ratio is how many times the mean a count is. A mean below one counts as one:
// the second event of a group that hardly has any is no burst.
func (b *baseline) ratio(count float64) float64 {
	if b.closed < minClosed {
		return math.NaN()
	}
	return count / max(b.mean, 1)
}
