//go:build linux

package torture

import (
	"testing"
	"time"
)

// memory watches what a process takes.
type memory struct {
	t    *testing.T
	p    *process
	stop chan struct{}
	most chan int64
}

func newMemory(t *testing.T, p *process) *memory {
	m := &memory{t: t, p: p, stop: make(chan struct{}), most: make(chan int64, 1)}
	go func() {
		var most int64
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, p.rss())
			select {
			case <-tick.C:
			case <-t.Context().Done():
				return
			case <-m.stop:
				m.most <- most
				return
			}
		}
	}()
	return m
}

// end fails the test when it was more than a bound.
func (m *memory) end(bound int64) {
	m.t.Helper()
	close(m.stop)
	most := <-m.most
	m.t.Logf("%s took %d MiB at most", m.p.name, most>>20)
	if most == 0 || most > bound {
		m.t.Errorf("%s took %d bytes, the bound is %d", m.p.name, most, bound)
	}
}
