package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// entry is what is remembered of an incident's message.
type entry struct {
	// Channel and TS name the message; without TS there is none yet.
	Channel string `json:"channel"`
	TS      string `json:"ts,omitempty"`
	// Posting is when it was first tried to post it: whether an attempt of which
	// no answer came was taken is looked up before the next one.
	Posting time.Time `json:"posting,omitzero"`
	// Digest says that the incident is only a line in a message about many.
	Digest bool `json:"digest,omitempty"`
	// Hash is of the message as it stands.
	Hash string `json:"hash,omitempty"`
	// Moments is how many of the incident's are in the thread, Runs up to which
	// record the runs are.
	Moments int               `json:"moments,omitempty"`
	Runs    map[string]uint64 `json:"runs,omitempty"`

	revision uint64
}

func entryKey(incident string) string { return "slack." + incident }

// entries are kept in a bucket of the store, by compare-and-set: of two that
// post at a time one finds out before it does.
type entries struct{ kv keys }

// keys are what is remembered, by names; [bus.KV] is one.
type keys interface {
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	CompareAndSet(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

func (s entries) load(ctx context.Context, incident string) (*entry, error) {
	data, revision, err := s.kv.Get(ctx, entryKey(incident))
	e := &entry{Runs: map[string]uint64{}, revision: revision}
	if errors.Is(err, bus.ErrNotFound) {
		return e, nil
	}
	if err == nil {
		err = json.Unmarshal(data, e)
	}
	if err != nil {
		return nil, fmt.Errorf("read message of incident %s: %w", incident, err)
	}
	if e.Runs == nil {
		e.Runs = map[string]uint64{}
	}
	return e, nil
}

func (s entries) save(ctx context.Context, incident string, e *entry) error {
	data, err := json.Marshal(e)
	if err == nil {
		e.revision, err = s.kv.CompareAndSet(ctx, entryKey(incident), data, e.revision)
	}
	if err != nil {
		return fmt.Errorf("remember message of incident %s: %w", incident, err)
	}
	return nil
}
