package kube

import (
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
)

// lateFor is how long a watch is not gone by after a write of ours that it can't be
// asked about.
const lateFor = 2 * cacheFor

// ours are the writes of this client to one kind that a watch may not show yet. That
// it shows what was made a moment ago can be told: by then it is as new as that.
// The zero value is ready; it may be used concurrently.
type ours struct {
	mu sync.Mutex
	by map[string]*unseen // by namespace
}

type unseen struct {
	// blind is when something was written last of which a watch can't be asked
	// whether it shows it: a change, a removal, a write whose answer was lost.
	blind time.Time
	// made are what was created and is not known to be shown yet, by name.
	made map[string]creation
}

type creation struct {
	uid types.UID
	at  time.Time
}

// note remembers how a write ended.
func (o *ours) note(w event.Write, uid string, err error) {
	if errors.Is(err, ErrExists) {
		return // nothing was written
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	n := o.by[w.Namespace]
	if n == nil {
		o.tidy(now)
		n = &unseen{made: map[string]creation{}}
		o.by[w.Namespace] = n
	}
	if err == nil && w.Verb == "create" && uid != "" {
		n.made[w.Name] = creation{types.UID(uid), now}
		return
	}
	n.blind = now
}

// tidy drops what is shown for long.
func (o *ours) tidy(now time.Time) {
	if o.by == nil {
		o.by = map[string]*unseen{}
	}
	for namespace, n := range o.by {
		if n.settled(now) {
			delete(o.by, namespace)
		}
	}
}

func (n *unseen) settled(now time.Time) bool {
	for name, c := range n.made {
		if now.Sub(c.at) >= lateFor {
			delete(n.made, name)
		}
	}
	return len(n.made) == 0 && now.Sub(n.blind) >= lateFor
}

// shown says whether a watch, which has an object of this UID by a name, is as new as
// all that was written in a namespace.
func (o *ours) shown(namespace string, has func(name string, uid types.UID) bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.by[namespace]
	if n == nil || n.settled(time.Now()) {
		return true
	}
	for name, c := range n.made {
		if has(name, c.uid) {
			delete(n.made, name)
		}
	}
	return n.settled(time.Now())
}
