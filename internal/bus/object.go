package bus

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats.go/jetstream"
)

// Objects is a store of large objects, each in chunks, with its SHA-256.
type Objects struct {
	js    jetstream.JetStream
	store jetstream.ObjectStore
	name  string
}

// Objects opens an object store of a name, and makes it if there is none. most
// bounds its bytes: what is over it is refused; -1 is no bound.
func (b *Bus) Objects(ctx context.Context, name string, most int64) (*Objects, error) {
	var store jetstream.ObjectStore
	err := b.Begin(ctx, "open object store "+name, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		store, err = b.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
			Bucket: name, Description: "large objects", MaxBytes: most, Storage: jetstream.FileStorage, Replicas: max(b.opts.Replicas, 1),
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", name, err)
	}
	return &Objects{b.js, store, name}, nil
}

// Name is the store's.
func (o *Objects) Name() string { return o.name }

// Put stores what body gives under a name, or nothing if it ends in an error.
// It gives [ErrExists] when there is one of the name; of two who store at the
// same time the later one wins.
func (o *Objects) Put(ctx context.Context, name string, body io.Reader) error {
	if _, err := o.store.GetInfo(ctx, name); err == nil {
		return fmt.Errorf("store object %s: %w", name, ErrExists)
	} else if !errors.Is(err, jetstream.ErrObjectNotFound) {
		return fmt.Errorf("store object %s: %w", name, err)
	}
	if _, err := o.store.Put(ctx, jetstream.ObjectMeta{Name: name}, body); err != nil {
		return fmt.Errorf("store object %s: %w", name, err)
	}
	return nil
}

// Get reads an object, or gives [ErrNotFound]. Reading to the end checks its
// digest.
func (o *Objects) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := o.store.Get(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil, fmt.Errorf("read object %s: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read object %s: %w", name, err)
	}
	return r, nil
}
