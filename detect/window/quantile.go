package window

import "math"

// quantiles are the numbers of one group, by pane.
type quantiles struct{ panes []ranked }

type ranked struct {
	pane int64
	bins
}

// rankedBytes is what a pane takes without its bins.
const rankedBytes = 40

func (q *quantiles) bytes() int {
	n := cap(q.panes) * rankedBytes
	for i := range q.panes {
		n += cap(q.panes[i].list) * binBytes
	}
	return n
}

// of is the bins of a pane.
func (q *quantiles) of(pane int64) *bins {
	for i := range q.panes {
		if q.panes[i].pane == pane {
			return &q.panes[i].bins
		}
	}
	q.panes = append(q.panes, ranked{pane: pane})
	return &q.panes[len(q.panes)-1].bins
}

func (q *quantiles) drop(oldest int64) {
	n := 0
	for i := range q.panes {
		if q.panes[i].pane >= oldest {
			q.panes[n] = q.panes[i]
			n++
		}
	}
	clear(q.panes[n:])
	q.panes = q.panes[:n]
}

// within adds the bins of the panes after one and up to another.
func (q *quantiles) within(all []*bins, after, end int64) []*bins {
	for i := range q.panes {
		if pane := q.panes[i].pane; pane > after && pane <= end {
			all = append(all, &q.panes[i].bins)
		}
	}
	return all
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

// add counts so many events in their window. One of a window that is over is left out.
func (b *baseline) add(epoch int64, n float64) {
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
		b.count += n
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
