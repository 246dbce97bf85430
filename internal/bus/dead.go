package bus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/firebreak-io/firebreak/internal/event"
)

// DeadLetter is what the DEAD stream holds of input that could not be
// processed.
type DeadLetter struct {
	// Sequence is its position in the stream.
	Sequence uint64       `json:"sequence,omitempty"`
	Source   event.Source `json:"source"`
	From     string       `json:"from"`
	Reason   string       `json:"reason"`
	// SHA256 and Size are of the data before it was cut to
	// [event.MaxRejected].
	SHA256 string    `json:"sha256"`
	Size   int       `json:"size"`
	Data   []byte    `json:"data,omitempty"`
	Time   time.Time `json:"time"`
}

// maxText bounds the words about a dead letter, in bytes.
const maxText = 2 << 10

// Dead stores what could not be processed, its data cut to 64 KiB. The
// caller has redacted it.
func (b *Bus) Dead(ctx context.Context, r event.Rejected) error {
	sum := sha256.Sum256(r.Data)
	letter, err := json.Marshal(DeadLetter{
		Source: r.Source, From: cut(r.From, maxText), Reason: cut(r.Reason, maxText),
		SHA256: hex.EncodeToString(sum[:]), Size: len(r.Data), Data: r.Data[:min(len(r.Data), event.MaxRejected)],
		Time: time.Now().UTC(),
	})
	if err != nil {
		return fmt.Errorf("store dead letter: %w", err)
	}
	if _, err := b.Publish(ctx, SubjectDead(r.Source), letter); err != nil {
		return fmt.Errorf("store dead letter: %w", err)
	}
	return nil
}

// DeadLetters yields all dead letters, oldest first. It ends after an error.
func (b *Bus) DeadLetters(ctx context.Context) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		for m, err := range b.scan(ctx, DeadStore, "dead.>", jetstream.DeliverAllPolicy) {
			if err != nil {
				yield(DeadLetter{}, err)
				return
			}
			letter := DeadLetter{}
			if err := json.Unmarshal(m.Data, &letter); err != nil {
				yield(DeadLetter{}, fmt.Errorf("decode dead letter %d: %w", m.Sequence, err))
				return
			}
			letter.Sequence = m.Sequence
			if !yield(letter, nil) {
				return
			}
		}
	}
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
