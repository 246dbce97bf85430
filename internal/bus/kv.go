package bus

import (
	"context"
	"fmt"
)

// KV is a key-value bucket. A key is one or more tokens with dots between.
type KV struct {
	bus    *Bus
	prefix string
}

// Control holds what operators and leases say: pause, mode, lease.
func (b *Bus) Control() *KV { return &KV{bus: b, prefix: keyPrefix(control)} }

// Chat holds which message of a chat is about what.
func (b *Bus) Chat() *KV { return &KV{bus: b, prefix: keyPrefix(chat)} }

// Sessions holds who is signed in to the page, for twelve hours at the most and
// up to 4,096 of them.
func (b *Bus) Sessions() *KV { return &KV{bus: b, prefix: keyPrefix(sessions)} }

// Get is the value of a key and its revision, or [ErrNotFound]. It sees every
// write that has returned.
func (kv *KV) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	m, err := kv.bus.Last(ctx, kv.prefix+key)
	if err != nil {
		return nil, 0, fmt.Errorf("get key %s: %w", key, err)
	}
	return m.Data, m.Sequence, nil
}

// Put stores a value whatever was there.
func (kv *KV) Put(ctx context.Context, key string, value []byte) (revision uint64, err error) {
	return kv.bus.Publish(ctx, kv.prefix+key, value)
}

// CompareAndSet stores a value if the key still has the revision; 0 says
// that the key does not exist. It returns [ErrConflict] when somebody else
// was first, [ErrUnknown] when no answer came.
func (kv *KV) CompareAndSet(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	return kv.bus.Append(ctx, kv.prefix+key, value, revision)
}
