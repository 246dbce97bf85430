package enrich

import (
	"context"
	"net/netip"
	"time"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube/index"
)

// Index is what the cluster's objects are looked up in. [*index.Index] is one.
type Index interface {
	PodByUID(uid string) index.Match
	PodByContainer(id string) index.Match
	PodByName(namespace, pod string, at time.Time) index.Match
	PodByAddress(ip netip.Addr, at time.Time) index.Match
	Node(key string) (index.Node, bool)
	Workload(p *index.Pod) event.Workload
	Image(p *index.Pod, c *index.Container) event.Image
	// Synced says whether the cluster was seen once, Changed is closed at the
	// next change.
	Synced() bool
	Changed() <-chan struct{}
}

// Enricher enriches events. It may be used by many goroutines.
type Enricher struct {
	index Index
	wait  *patience
}

// Options of [New].
type Options struct {
	Index Index
	// Wait is how long a call waits for a pod that the index does not know
	// yet; 0 waits for none.
	Wait time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// New makes an enricher.
func New(o Options) *Enricher {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Enricher{index: o.Index, wait: newPatience(o.Wait, o.Now)}
}

// Before puts the enricher before a sink. What waiting may cost is shared by
// all sinks that it stands before.
func (s *Enricher) Before(next ingest.Sink) ingest.Sink { return &sink{s, next} }

type sink struct {
	*Enricher
	next ingest.Sink
}

// Unwrap is the sink behind.
func (s *sink) Unwrap() ingest.Sink { return s.next }

// Put enriches the events, in place, and puts them on. It waits for pods that
// the index does not know yet, for a bounded time, a bounded number of calls,
// and never twice for the same pod. Putting the same events again is harmless.
func (s *sink) Put(ctx context.Context, events []event.Event) error {
	var open []*event.Event
	for i := range events {
		if !s.enrich(&events[i]) {
			open = append(open, &events[i])
		}
	}
	s.wait.until(ctx, s.index, open, s.enrich)
	return s.next.Put(ctx, events)
}

// enrich fills in what is known. It says false when the event needs a pod that
// the index may know a moment later.
func (s *Enricher) enrich(e *event.Event) bool {
	if e.Source == event.SourceControl {
		return true
	}
	known := s.object(e)
	if e.Source == event.SourceAudit {
		s.requester(e)
	}
	return known
}

// happened is when the event was at the latest: a source's clock may be ahead,
// but nothing is received before it happens.
func happened(e *event.Event) time.Time {
	if !e.Received.IsZero() && e.Received.Before(e.Time) {
		return e.Received
	}
	return e.Time
}
