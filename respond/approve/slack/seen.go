package slack

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// seen remembers what was taken, for longer than Slack's signatures are good:
// who has recorded a request can't have it taken again, by another responder or
// after a restart neither. It may be used concurrently, also by several processes
// on one store. Only what Slack has signed gets in.
type seen struct {
	kv  *bus.KV
	now func() time.Time
}

// Slack's signatures are good for five minutes; see
// https://docs.slack.dev/authentication/verifying-requests-from-slack.
const (
	seenFor = 11 * time.Minute
	// seenSlots is over how many keys it is spread, maxTaken how many each holds.
	seenSlots = 4096
	maxTaken  = 200
)

// errFull says that no more can be remembered now.
var errFull = errors.New("too much at a time")

// first says whether this is the first time, and remembers that it was.
func (s seen) first(ctx context.Context, id string) (first bool, err error) {
	err = s.change(ctx, id, func(taken map[string]time.Time, name string) error {
		_, known := taken[name]
		if first = !known; known {
			return nil
		}
		if len(taken) >= maxTaken {
			return errFull
		}
		taken[name] = s.now()
		return nil
	})
	return first, err
}

// forget takes back that it was taken.
func (s seen) forget(ctx context.Context, id string) error {
	return s.change(ctx, id, func(taken map[string]time.Time, name string) error {
		delete(taken, name)
		return nil
	})
}

// change changes the slot of an id, by compare-and-set: of two that take the same
// at a time one is the first.
func (s seen) change(ctx context.Context, id string, change func(taken map[string]time.Time, name string) error) error {
	sum := sha256.Sum256([]byte(id))
	key, name := fmt.Sprintf("slack.seen.%d", binary.BigEndian.Uint16(sum[:])%seenSlots), hex.EncodeToString(sum[2:18])
	for {
		taken := map[string]time.Time{}
		data, revision, err := s.kv.Get(ctx, key)
		if err == nil {
			err = json.Unmarshal(data, &taken)
		}
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			return fmt.Errorf("look whether it was taken: %w", err)
		}
		maps.DeleteFunc(taken, func(_ string, at time.Time) bool { return s.now().Sub(at) >= seenFor })
		before := maps.Clone(taken)
		if err := change(taken, name); err != nil {
			return err
		}
		if maps.Equal(before, taken) {
			return nil
		}
		if data, err = json.Marshal(taken); err == nil {
			_, err = s.kv.CompareAndSet(ctx, key, data, revision)
		}
		switch {
		case errors.Is(err, bus.ErrConflict):
		case err != nil:
			return fmt.Errorf("remember that it was taken: %w", err)
		default:
			return nil
		}
	}
}
