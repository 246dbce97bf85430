package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// Stream keeps objects in a JetStream object store, beside the other streams.
type Stream struct{ Objects *bus.Objects }

// Where is the store.
func (s Stream) Where() string { return "jetstream://" + s.Objects.Name() }

// Put stores an object in chunks.
func (s Stream) Put(ctx context.Context, name string, body io.Reader) error {
	err := s.Objects.Put(ctx, name, body)
	if errors.Is(err, bus.ErrExists) {
		return ErrExists
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	return nil
}

// Get reads an object. Its end is an error if a chunk is missing or another.
func (s Stream) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := s.Objects.Get(ctx, name)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, ErrNone
	}
	return r, err
}
