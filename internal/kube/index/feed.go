package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// feed lists one resource and watches it, and puts what it sees into the
// index. It is the store of a reflector, which keeps nothing itself.
type feed struct {
	resource string
	list     func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error)
	watch    func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
	// trim makes an object small before it is held; it may be nil.
	trim func(any) any
	// put, remove and replace change the index, whose lock is held. For
	// replace, contact is when the resource was last heard of before.
	put     func(any)
	remove  func(any)
	replace func(all []any, contact time.Time)

	logger *slog.Logger
	mu     *sync.RWMutex // the index's
	synced bool
	// contact is when the API server last said anything about the resource.
	contact time.Time
	// began is when the last watch did.
	began time.Time
	// failed is what a list or watch ended in since contact, told when it was
	// logged.
	failed error
	told   time.Time
}

const (
	pageSize = 500
	// silence is how long a watch may say nothing: the API server sends a
	// bookmark every minute.
	silence = 5 * time.Minute
	// tellEvery is how often the same failure is logged.
	tellEvery = time.Minute
)

// run lists and watches until ctx ends, over all interruptions.
func (f *feed) run(ctx context.Context) {
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			all, err := f.list(ctx, o)
			f.note(ctx, "list", err)
			return all, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := f.watch(ctx, o)
			f.note(ctx, "watch", cmp.Or(err, f.begin()))
			return w, err
		},
	}
	r := cache.NewReflectorWithOptions(lw, nil, f, cache.ReflectorOptions{Name: "index", TypeDescription: f.resource})
	r.WatchListPageSize = pageSize
	// What the reflector would log goes where the index logs: note.
	r.RunWithContext(klog.NewContext(ctx, logr.Discard()))
}

var errSilent = errors.New("the connection ended before anything was heard")

// begin notes that a watch begins. The client takes a connection that breaks
// for a watch without events; so it is an error when the last one was such.
func (f *feed) begin() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.began
	f.began = time.Now()
	if last.After(f.contact) {
		return errSilent
	}
	return nil
}

// note keeps a failure, and logs it now and then.
func (f *feed) note(ctx context.Context, verb string, err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	f.failed = fmt.Errorf("%s %s: %w", verb, f.resource, err)
	tell := ctx.Err() == nil && time.Since(f.told) > tellEvery
	if tell {
		f.told = time.Now()
	}
	f.mu.Unlock()
	if tell {
		f.logger.WarnContext(ctx, "the index of the cluster is behind; events pass with what it knows", "resource", f.resource, "verb", verb, "error", err)
	}
}

func (f *feed) healthy() error {
	switch {
	case f.failed != nil:
		return fmt.Errorf("index: %w", f.failed)
	case !f.synced:
		return errors.New("index: " + f.resource + " are not listed yet")
	case time.Since(f.contact) > silence:
		return fmt.Errorf("index: nothing was heard of %s for %s", f.resource, time.Since(f.contact).Round(time.Second))
	}
	return nil
}

func (f *feed) locked(do func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	f.contact, f.failed = time.Now(), nil
	return nil
}

// Add takes in a new object.
func (f *feed) Add(obj any) error { return f.locked(func() { f.put(f.small(obj)) }) }

// Update takes in a changed object.
func (f *feed) Update(obj any) error { return f.Add(obj) }

// Delete takes an object out.
func (f *feed) Delete(obj any) error { return f.locked(func() { f.remove(f.small(obj)) }) }

// Replace takes in a list of all objects.
func (f *feed) Replace(all []any, _ string) error {
	small := make([]any, len(all))
	for i, obj := range all {
		small[i] = f.small(obj)
	}
	return f.locked(func() {
		f.replace(small, f.contact)
		f.synced = true
	})
}

// Resync has nothing to do.
func (*feed) Resync() error { return nil }

// Bookmark is a sign of life.
func (f *feed) Bookmark(string) error { return f.locked(func() {}) }

// Transformer trims what the reflector collects of a streamed list.
func (f *feed) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) { return f.small(obj), nil }
}

func (f *feed) small(obj any) any {
	if f.trim == nil {
		return obj
	}
	return f.trim(obj)
}
