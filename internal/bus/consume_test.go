package bus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func TestConsumerRedeliversAfterRestart(t *testing.T) {
	ctx, dir := within(t), t.TempDir()
	b := open(t, dir)
	for i := range 3 {
		if _, err := b.Create(ctx, SubjectFinding(fmt.Sprint(i)), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := b.Consume(ctx, Findings, "respond", "find.*", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	take(t, c, "0").Ack(ctx)
	take(t, c, "1") // taken, and not acknowledged
	c.Close()
	b.Close()

	b = open(t, dir)
	if c, err = b.Consume(ctx, Findings, "respond", "find.*", 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for len(seen) < 2 {
		d, err := c.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seen[string(d.Data)] = true
		if err := d.Ack(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if !seen["1"] || !seen["2"] {
		t.Errorf("after restart came %v", seen)
	}
}

func TestConsumerRetry(t *testing.T) {
	ctx := within(t)
	b := open(t, t.TempDir())
	if _, err := b.Publish(ctx, SubjectOutbox("slack", "a", "k"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	c, err := b.Consume(ctx, Outbox, "slack", "out.slack.>", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for want := range uint64(3) {
		d := take(t, c, "x")
		if d.Attempt != want+1 {
			t.Errorf("attempt %d, want %d", d.Attempt, want+1)
		}
		if err := d.Retry(time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if err := take(t, c, "x").Ack(ctx); err != nil {
		t.Fatal(err)
	}
	if st, err := b.State(ctx, Outbox); err != nil || st.Messages != 0 {
		t.Errorf("the work queue holds %d, %v", st.Messages, err)
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	b := open(t, t.TempDir())
	c, err := b.Consume(within(t), Findings, "respond", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := b.Read(within(t), Events, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(within(t))
	ctx, cancel := context.WithTimeout(within(t), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("consumer: %v", err)
	}
	if _, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reader: %v", err)
	}
	// Both go on afterwards.
	if _, err := b.Publish(within(t), SubjectEvents, []byte("e")); err != nil {
		t.Fatal(err)
	}
	if m, err := r.Next(within(t)); err != nil || string(m.Data) != "e" {
		t.Errorf("reader: %s, %v", m.Data, err)
	}
	b.Close()
	if _, err := r.Next(within(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("reader of a closed bus: %v", err)
	}
	if _, err := c.Next(within(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("consumer of a closed bus: %v", err)
	}
}

func take(t *testing.T, c *Consumer, want string) Delivery {
	t.Helper()
	d, err := c.Next(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if string(d.Data) != want {
		t.Fatalf("got %s, want %s", d.Data, want)
	}
	return d
}

// TestDeadLettersComeOnce: what is buried again after a crash is there once,
// also over a restart; the same from somewhere else is another.
func TestDeadLettersComeOnce(t *testing.T) {
	ctx, dir := within(t), t.TempDir()
	b := open(t, dir)
	bury := func(want int, from, reason, data string) {
		t.Helper()
		if err := b.Dead(ctx, event.Rejected{Source: event.SourceFalco, From: from, Reason: reason, Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range b.DeadLetters(ctx, 100) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != want {
			t.Errorf("%d letters, want %d", n, want)
		}
	}
	bury(1, "falco http 10.0.0.1:1234", "malformed", "{")
	bury(1, "falco http 10.0.0.1:4321", "malformed", "{")
	bury(1, "falco http 10.0.0.1:1234", "malformed", "{")
	bury(2, "falco http 10.0.0.2:1234", "malformed", "{")
	bury(3, "/var/log/falco.json:12", "malformed", "{")
	bury(4, "/var/log/falco.json:13", "malformed", "{")
	bury(5, "/var/log/falco.json:13", "too large", "{")
	bury(6, "/var/log/falco.json:13", "malformed", "[")
	b.Close()
	b = open(t, dir)
	bury(6, "falco http 10.0.0.1:5678", "malformed", "{")
	bury(6, "/var/log/falco.json:12", "malformed", "{")
}

func TestDeadLetters(t *testing.T) {
	ctx := within(t)
	b := open(t, t.TempDir())
	large := bytes.Repeat([]byte("x"), event.MaxRejected+1)
	for _, r := range []event.Rejected{
		{Source: event.SourceFalco, From: "falco http 10.0.0.1:1", Reason: "malformed", Data: []byte("{")},
		{Source: event.SourceAudit, From: "f:1", Reason: strings.Repeat("r", 100_000), Data: large},
		{Source: "*.>evil", Reason: "unknown source"},
	} {
		if err := b.Dead(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.send(ctx, SubjectDead(event.SourceFalco), []byte("no letter")); err != nil {
		t.Fatal(err)
	}
	var letters []DeadLetter
	for l, err := range b.DeadLetters(ctx, 100) {
		if err != nil {
			t.Fatal(err)
		}
		letters = append(letters, l)
	}
	if len(letters) != 4 {
		t.Fatalf("%d letters", len(letters))
	}
	if l := letters[3]; string(l.Data) != "no letter" || !strings.Contains(l.Reason, "can't be read") || l.Sequence != 4 || l.Time.IsZero() {
		t.Errorf("what can't be read is %+v", l)
	}
	first, second := letters[0], letters[1]
	if first.Sequence != 1 || first.From != "falco http 10.0.0.1:1" || string(first.Data) != "{" || first.Time.IsZero() {
		t.Errorf("%+v", first)
	}
	sum := sha256.Sum256(large)
	if len(second.Data) != event.MaxRejected || second.Size != len(large) || second.SHA256 != hex.EncodeToString(sum[:]) ||
		len(second.Reason) > maxText {
		t.Errorf("cut to %d of %d, reason %d", len(second.Data), second.Size, len(second.Reason))
	}
	if got := SubjectDead("*.>evil"); got != "dead.other" {
		t.Error(got)
	}
}
