package bus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Snapshots holds the detectors' state: values of any size, by key.
type Snapshots struct{ kv *KV }

// Snapshots is where detectors keep their state.
func (b *Bus) Snapshots() *Snapshots {
	return &Snapshots{kv: &KV{bus: b, prefix: keyPrefix(snapshots)}}
}

// chunk is how many bytes of a snapshot go in one message.
const chunk = 512 << 10

// pointer is what a key holds: where the chunks are. It is written last, so
// that a snapshot is there as a whole or not at all.
type pointer struct {
	Slot   int    `json:"slot"`
	Chunks int    `json:"chunks"`
	Size   int    `json:"size"`
	SHA256 string `json:"sha256"`
}

// Put stores a value in place of the one before. There are two slots a key,
// used in turn, so that a crash half way leaves the old value whole. One
// writer a key at a time.
func (s *Snapshots) Put(ctx context.Context, key string, value []byte) error {
	old, err := s.pointer(ctx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("put snapshot %s: %w", key, err)
	}
	sum := sha256.Sum256(value)
	p := pointer{Slot: 1 - old.Slot, Size: len(value), SHA256: hex.EncodeToString(sum[:])}
	for ; len(value) > 0; p.Chunks++ {
		n := min(len(value), chunk)
		if _, err := s.kv.Put(ctx, chunkKey(key, p.Slot, p.Chunks), value[:n]); err != nil {
			return fmt.Errorf("put snapshot %s: %w", key, err)
		}
		value = value[n:]
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("put snapshot %s: %w", key, err)
	}
	if _, err := s.kv.Put(ctx, key, text); err != nil {
		return fmt.Errorf("put snapshot %s: %w", key, err)
	}
	return nil
}

// Get is the value that was put last, or [ErrNotFound]. A value that does
// not match its hash is an error: read the stream from the start then.
func (s *Snapshots) Get(ctx context.Context, key string) ([]byte, error) {
	p, err := s.pointer(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("get snapshot %s: %w", key, err)
	}
	var value []byte
	for i := range p.Chunks {
		part, _, err := s.kv.Get(ctx, chunkKey(key, p.Slot, i))
		if err != nil {
			return nil, fmt.Errorf("get snapshot %s: %w", key, err)
		}
		value = append(value, part...)
	}
	if sum := sha256.Sum256(value); hex.EncodeToString(sum[:]) != p.SHA256 {
		return nil, fmt.Errorf("get snapshot %s: content does not match its hash", key)
	}
	return value, nil
}

func (s *Snapshots) pointer(ctx context.Context, key string) (p pointer, err error) {
	text, _, err := s.kv.Get(ctx, key)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("decode pointer: %w", err)
	}
	return p, nil
}

func chunkKey(key string, slot, i int) string {
	return key + ".slot" + strconv.Itoa(slot) + "." + strconv.Itoa(i)
}
