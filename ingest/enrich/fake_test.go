package enrich

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube/index"
)

// cluster is an index of a few pods that can be added to.
type cluster struct {
	mu      sync.Mutex
	pods    []*index.Pod
	gone    map[string]time.Time
	waiting chan struct{}
	asked   int
	blank   bool
}

var _ Index = (*index.Index)(nil)

func (c *cluster) add(p *index.Pod) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pods = append(c.pods, p)
	if c.waiting != nil {
		close(c.waiting)
		c.waiting = nil
	}
}

func (c *cluster) find(by index.By, is func(p *index.Pod) bool) index.Match {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := index.Match{By: by}
	for _, p := range c.pods {
		if !is(p) {
			continue
		}
		if m.Pod != nil {
			return index.Match{By: by, Ambiguous: true}
		}
		m.Pod, m.Gone = p, c.gone[p.UID]
	}
	return m
}

func (c *cluster) PodByUID(uid string) index.Match {
	return c.find(index.ByUID, func(p *index.Pod) bool { return p.UID == uid })
}

func (c *cluster) PodByContainer(id string) index.Match {
	has := func(k index.Container) bool { return len(id) >= 12 && strings.HasPrefix(k.ID, id) }
	m := c.find(index.ByContainer, func(p *index.Pod) bool {
		for _, k := range p.Containers {
			if has(k) {
				return true
			}
		}
		return false
	})
	if m.Pod != nil {
		for i, k := range m.Pod.Containers {
			if has(k) {
				m.Container = &m.Pod.Containers[i]
			}
		}
	}
	return m
}

func (c *cluster) PodByName(namespace, name string, _ time.Time) index.Match {
	return c.find(index.ByName, func(p *index.Pod) bool { return p.Namespace == namespace && p.Name == name })
}

func (c *cluster) PodByAddress(ip netip.Addr, _ time.Time) index.Match {
	return c.find(index.ByAddress, func(p *index.Pod) bool { return len(p.Addresses) > 0 && p.Addresses[0] == ip })
}

func (c *cluster) Node(key string) (index.Node, bool) {
	return index.Node{Name: "node-1", UID: "node-uid"}, key == "node-1"
}

func (c *cluster) Workload(p *index.Pod) event.Workload {
	if p.Owner.Kind == "ReplicaSet" {
		return event.Workload{Kind: "Deployment", Name: "web", UID: "deployment-uid"}
	}
	return p.Owner
}

func (c *cluster) Image(_ *index.Pod, k *index.Container) event.Image {
	return event.Image{Report: "report-" + k.Name, Vulnerabilities: event.Vulnerabilities{Critical: 2, Score: 9.8}}
}

func (c *cluster) Synced() bool { return !c.blank }

func (c *cluster) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.waiting == nil {
		c.waiting = make(chan struct{})
	}
	return c.waiting
}

// kept is a sink that keeps what it is given.
type kept struct {
	mu     sync.Mutex
	events []event.Event
}

func (k *kept) Put(_ context.Context, events []event.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = append(k.events, events...)
	return nil
}
