package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Options set an index up; Config is required.
type Options struct {
	// Config says how the cluster is reached. The index makes clients of its
	// own of it.
	Config *rest.Config
	Logger *slog.Logger
	// Keep is how long a pod is known after it is gone, 10 minutes if 0, and
	// MaxGone how many such pods at most, 10,000 if 0.
	Keep    time.Duration
	MaxGone int
	// Discover is how often it is looked whether the cluster has
	// VulnerabilityReports, a minute if 0.
	Discover time.Duration
}

const (
	defaultKeep     = 10 * time.Minute
	defaultGone     = 10_000
	defaultDiscover = time.Minute
)

// Index is what is known of a cluster's objects. Its methods may be called
// concurrently, before [Index.Run] and after it too.
type Index struct {
	o Options

	mu      sync.RWMutex
	pods    *table
	nodes   *nodes
	owners  *owners
	reports *reports
	// feeds are the lists that are watched, by resource.
	feeds map[string]*feed
	// changed is closed at the next change of the pods, if somebody waits.
	changed chan struct{}
	// found and unknown count the questions by what was asked for.
	found, unknown [len(ways)]atomic.Uint64
}

// New makes an index that knows nothing yet. It does not connect.
func New(o Options) *Index {
	if o.Keep <= 0 {
		o.Keep = defaultKeep
	}
	if o.MaxGone <= 0 {
		o.MaxGone = defaultGone
	}
	if o.Discover <= 0 {
		o.Discover = defaultDiscover
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Index{
		o: o, pods: newTable(o.Keep, o.MaxGone), nodes: newNodes(), owners: newOwners(o.Keep, o.MaxGone), reports: newReports(),
		feeds: map[string]*feed{},
	}
}

// Run keeps the index up to date until ctx ends, and then returns nil. A
// cluster that is away, or that refuses, is asked again and again. It must be
// called once.
func (x *Index) Run(ctx context.Context) error {
	c, err := newClients(x.o.Config)
	if err != nil {
		return fmt.Errorf("run index: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range []*feed{x.podFeed(c), x.nodeFeed(c), x.ownerFeed(c, "apps", "replicasets"), x.ownerFeed(c, "batch", "jobs")} {
		x.mu.Lock()
		x.feeds[f.resource] = f
		x.mu.Unlock()
		group.Go(func() error { f.run(ctx); return nil })
	}
	group.Go(func() error { x.discover(ctx, c); return nil })
	group.Go(func() error { x.forget(ctx); return nil })
	return group.Wait()
}

// forget drops what is gone for long, also while nothing else happens.
func (x *Index) forget(ctx context.Context) {
	tick := time.NewTicker(x.o.Keep / 10)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			x.mu.Lock()
			x.pods.prune(time.Now())
			x.owners.prune(time.Now())
			x.mu.Unlock()
		}
	}
}

// PodByUID finds a pod by its UID.
func (x *Index) PodByUID(uid string) Match {
	return x.look(ByUID, func(now time.Time) Match { return x.pods.uid(uid, now) })
}

// PodByContainer finds a pod by a container's id, whole or its first twelve
// characters or more. What could be several containers is none.
func (x *Index) PodByContainer(id string) Match {
	return x.look(ByContainer, func(now time.Time) Match { return x.pods.container(id, now) })
}

// PodByName finds the pod that had a name at a time; the zero time is now.
func (x *Index) PodByName(namespace, pod string, at time.Time) Match {
	return x.look(ByName, func(now time.Time) Match { return x.pods.name(name{namespace, pod}, orNow(at, now), now) })
}

// PodByAddress finds the pod that had an address of its own at a time; the
// zero time is now.
func (x *Index) PodByAddress(ip netip.Addr, at time.Time) Match {
	return x.look(ByAddress, func(now time.Time) Match { return x.pods.address(ip.Unmap(), orNow(at, now), now) })
}

func orNow(at, now time.Time) time.Time {
	if at.IsZero() {
		return now
	}
	return at
}

func (x *Index) look(by By, find func(now time.Time) Match) Match {
	x.mu.RLock()
	m := find(time.Now())
	x.mu.RUnlock()
	count := &x.unknown
	if m.Pod != nil {
		count = &x.found
	}
	count[slices.Index(ways[:], by)].Add(1)
	return m
}

// Node finds a node by its name, its host name or its internal address.
func (x *Index) Node(key string) (Node, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.nodes.find(key)
}

// Workload is the controller at the top of a pod's owners. It is the zero
// value for a pod without one, and while a ReplicaSet or Job between is not
// known.
func (x *Index) Workload(p *Pod) event.Workload {
	x.mu.RLock()
	defer x.mu.RUnlock()
	top, _ := x.owners.above(p.Owner)
	return top
}

// Image is what scanners and policy engines said of a container's image.
func (x *Index) Image(p *Pod, c *Container) event.Image {
	x.mu.RLock()
	defer x.mu.RUnlock()
	image := event.Image{Signature: p.Signature(c)}
	top, _ := x.owners.above(p.Owner)
	if r := x.reports.find(p, top, c); r != nil {
		image.Report, image.Vulnerabilities = r.name, r.counts
	}
	return image
}

// Hints is what chooses the parser of a container's log: the pod's annotation
// firebreak.io/logs, and the image. Both are empty when the pod is not known.
func (x *Index) Hints(namespace, pod, uid, container string) (annotation, image string) {
	m := x.PodByUID(uid)
	if uid == "" {
		m = x.PodByName(namespace, pod, time.Time{})
	}
	if m.Pod == nil || m.Pod.Namespace != namespace || m.Pod.Name != pod {
		return "", ""
	}
	if c := m.Pod.Container(container); c != nil {
		image = c.Image
	}
	return m.Pod.Logs, image
}

// Changed is closed when a pod is added or changed from now on.
func (x *Index) Changed() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.changed == nil {
		x.changed = make(chan struct{})
	}
	return x.changed
}

// tell wakes those who wait for a change; the lock is held.
func (x *Index) tell() {
	if x.changed != nil {
		close(x.changed)
		x.changed = nil
	}
}

// Healthy says what of the cluster is not known yet, or for how long nothing
// was heard.
func (x *Index) Healthy(context.Context) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(x.feeds) == 0 {
		return errors.New("index: not started")
	}
	var errs []error
	for _, f := range x.feeds {
		if err := f.healthy(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Synced says whether all pods, nodes and owners were listed once.
func (x *Index) Synced() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, resource := range []string{"pods", "nodes", "replicasets", "jobs"} {
		if f := x.feeds[resource]; f == nil || !f.synced {
			return false
		}
	}
	return true
}

// Stats are the sizes of an index, and how many questions for a pod had an
// answer, and had none.
type Stats struct {
	Pods, Gone, Nodes, Owners, Reports int
	Found, Unknown                     map[string]uint64
}

// Stats counts what the index holds; Pods are those that are there.
func (x *Index) Stats() Stats {
	x.mu.RLock()
	defer x.mu.RUnlock()
	gone := len(x.pods.gone)
	s := Stats{
		Pods: len(x.pods.byUID) - gone, Gone: gone, Nodes: len(x.nodes.byName), Owners: len(x.owners.tops), Reports: len(x.reports.byUID),
		Found: map[string]uint64{}, Unknown: map[string]uint64{},
	}
	for i, by := range ways {
		s.Found[string(by)], s.Unknown[string(by)] = x.found[i].Load(), x.unknown[i].Load()
	}
	return s
}

// Age is how long nothing was heard of the pods, bookmarks of the watch
// included; it is zero before the first list.
func (x *Index) Age() time.Duration {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if f := x.feeds["pods"]; f != nil && f.synced {
		return time.Since(f.contact)
	}
	return 0
}
