package bus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
)

// SnapshotSilences is the key under which the detectors say which silences hold:
// {"sequence": …, "silences": […]}.
const SnapshotSilences = "silences"

// SnapshotModels is the key under which the detectors say how their models stand:
// {"sequence": …, "models": […]}.
const SnapshotModels = "models"

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
	return s.PutParts(ctx, key, func(yield func([]byte, error) bool) { yield(value, nil) })
}

// PutParts is Put of a value that is made while it is stored: the next part is
// asked for when there is room for it. An error among the parts is returned,
// and leaves the value that was there before.
func (s *Snapshots) PutParts(ctx context.Context, key string, parts iter.Seq2[[]byte, error]) error {
	old, err := s.pointer(ctx, key)
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDamaged) {
		return fmt.Errorf("put snapshot %s: %w", key, err)
	}
	p, sum := pointer{Slot: 1 - old.Slot}, sha256.New()
	put := func(data []byte) error {
		_, err := s.kv.Put(ctx, chunkKey(key, p.Slot, p.Chunks), data)
		p.Chunks++
		return err
	}
	var rest []byte
	for part, err := range parts {
		if err != nil {
			return fmt.Errorf("put snapshot %s: %w", key, err)
		}
		sum.Write(part)
		p.Size += len(part)
		for rest = append(rest, part...); len(rest) >= chunk; rest = rest[chunk:] {
			if err := put(rest[:chunk]); err != nil {
				return fmt.Errorf("put snapshot %s: %w", key, err)
			}
		}
	}
	if len(rest) > 0 {
		if err := put(rest); err != nil {
			return fmt.Errorf("put snapshot %s: %w", key, err)
		}
	}
	p.SHA256 = hex.EncodeToString(sum.Sum(nil))
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("put snapshot %s: %w", key, err)
	}
	if _, err := s.kv.Put(ctx, key, text); err != nil {
		return fmt.Errorf("put snapshot %s: %w", key, err)
	}
	return nil
}

// PutJSON is [Snapshots.Put] of a value in JSON.
func (s *Snapshots) PutJSON(ctx context.Context, key string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("put snapshot %s: %w", key, err)
	}
	return s.Put(ctx, key, data)
}

// GetJSON reads what [Snapshots.PutJSON] stored. It says whether there is
// something that can be read: what is damaged is as good as nothing to whoever can
// make it again.
func (s *Snapshots) GetJSON(ctx context.Context, key string, into any) (bool, error) {
	data, err := s.Get(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
		return false, nil
	case err != nil:
		return false, err
	}
	return json.Unmarshal(data, into) == nil, nil
}

// Get is the value that was put last, or [ErrNotFound]. A value that does
// not match its hash is [ErrDamaged]: read the stream from the start then.
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
		return nil, fmt.Errorf("get snapshot %s: %w", key, ErrDamaged)
	}
	return value, nil
}

func (s *Snapshots) pointer(ctx context.Context, key string) (p pointer, err error) {
	text, _, err := s.kv.Get(ctx, key)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("decode pointer: %w: %w", ErrDamaged, err)
	}
	return p, nil
}

func chunkKey(key string, slot, i int) string {
	return key + ".slot" + strconv.Itoa(slot) + "." + strconv.Itoa(i)
}
