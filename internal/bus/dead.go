package bus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"net/netip"
	"strings"
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
// caller has redacted it. The same again within [deadAgain], as after a crash
// between storing it and telling so, is there once.
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
	id := event.HashID("dead", string(r.Source), sender(r.From), r.Reason, string(sum[:]))
	if _, err := b.send(ctx, SubjectDead(r.Source), letter, jetstream.WithMsgID(id)); err != nil {
		return fmt.Errorf("store dead letter: %w", err)
	}
	return nil
}

// sender is where something is from, without the port: who sends again does so
// over another connection.
func sender(from string) string {
	at := strings.LastIndexByte(from, ' ') + 1
	if peer, err := netip.ParseAddrPort(from[at:]); err == nil {
		return from[:at] + peer.Addr().String()
	}
	return from
}

// DeadLetters yields the newest dead letters, at most n of them, oldest first.
// It ends after an error.
func (b *Bus) DeadLetters(ctx context.Context, n uint64) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		from, err := b.newest(ctx, DeadStore, n)
		if err != nil {
			yield(DeadLetter{}, err)
			return
		}
		config := jetstream.ConsumerConfig{
			FilterSubject: "dead.>", DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		}
		for m, err := range b.scanFrom(ctx, DeadStore, config) {
			if err != nil {
				yield(DeadLetter{}, err)
				return
			}
			letter := DeadLetter{}
			if err := json.Unmarshal(m.Data, &letter); err != nil {
				letter = unreadable(m, err)
			}
			letter.Sequence = m.Sequence
			if !yield(letter, nil) {
				return
			}
		}
	}
}

// unreadable stands for a letter that can't be read, so that it hides no other.
func unreadable(m Message, reason error) DeadLetter {
	sum := sha256.Sum256(m.Data)
	return DeadLetter{
		Source: event.SourceControl, From: fmt.Sprintf("%s %d", m.Subject, m.Sequence), Reason: cut("this letter can't be read: "+reason.Error(), maxText),
		SHA256: hex.EncodeToString(sum[:]), Size: len(m.Data), Data: m.Data[:min(len(m.Data), event.MaxRejected)], Time: m.Time,
	}
}

// newest is the sequence at which the newest n messages of a stream begin.
func (b *Bus) newest(ctx context.Context, name Stream, n uint64) (uint64, error) {
	s, err := b.stream(name)
	if err != nil {
		return 0, err
	}
	info, err := s.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("look at stream %s: %w", name, err)
	}
	if n >= info.State.LastSeq {
		return 1, nil
	}
	return info.State.LastSeq - n + 1, nil
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
