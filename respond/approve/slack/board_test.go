package slack

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/workspace"
)

var update = flag.Bool("update", false, "write the golden files")

// run keeps the messages until the test or stop ends it, at a pace for tests.
func (r *rig) run() (stop func()) {
	r.app.board.every, r.app.board.first = time.Millisecond, 5*time.Millisecond
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.app.board.Run(ctx) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			r.t.Errorf("the board ended: %v", err)
		}
		done <- nil
	}
	r.t.Cleanup(stop)
	return stop
}

// until waits for a condition on the messages of the channel.
func (r *rig) until(what string, holds func([]workspace.Message) bool) []workspace.Message {
	r.t.Helper()
	if !r.space.Wait(4*time.Minute, func() bool { return holds(r.space.Messages(channel)) }) {
		r.t.Fatalf("waited in vain: %s\n%+v\nrefused: %q", what, r.space.Messages(channel), r.space.Refused())
	}
	return r.space.Messages(channel)
}

func shows(n int, text string) func([]workspace.Message) bool {
	return func(list []workspace.Message) bool {
		return len(list) == n && slices.ContainsFunc(list, func(m workspace.Message) bool { return strings.Contains(m.Shows(), text) })
	}
}

// TestOneMessage: an incident has one message, which changes in place as the
// incident goes on, and what happened is in its thread.
func TestOneMessage(t *testing.T) {
	r := newRig(t)
	r.run()
	run := r.waiting("web-1")
	list := r.until("the question", shows(1, "Needs 2 of group/oncall"))
	ts := list[0].TS
	r.change(run.ID, func(n *event.Run) {
		a := *n.Approval
		a.Votes = []event.Vote{{User: "ann", Approve: true, Digest: a.Digest}}
		n.Approval = &a
	})
	r.until("the first vote", shows(1, "ann has approved"))
	until := r.clock().Add(time.Hour)
	r.change(run.ID, func(n *event.Run) {
		n.Approval, n.State = nil, event.RunHolding
		n.Steps[0].State, n.Steps[0].Until, n.Steps[0].Receipt = event.StepDone, &until, &event.Receipt{Result: event.ResultEnforced}
	})
	list = r.until("the hold", shows(1, "Extend by 1h"))
	if list[0].TS != ts || list[0].Edits < 2 {
		t.Errorf("message %s became %s after %d changes", ts, list[0].TS, list[0].Edits)
	}
	if _, ok := list[0].Button("approve"); ok {
		t.Error("what is decided can still be approved")
	}
	if !r.space.Wait(4*time.Minute, func() bool {
		var all strings.Builder
		for _, m := range r.space.Thread(channel, ts) {
			all.WriteString(m.Shows())
		}
		for _, want := range []string{"nsenter in web-1", "begun: playbook contain", "ann approves plan", "isolate done: enforced"} {
			if strings.Count(all.String(), want) < 1 {
				return false
			}
		}
		return true
	}) {
		t.Errorf("the thread: %+v", r.space.Thread(channel, ts))
	}
	if refused := r.space.Refused(); len(refused) > 0 {
		t.Errorf("refused: %q", refused)
	}
}

// TestRestart: a board that starts again posts nothing twice, shows what changed
// meanwhile, and finds the message whose answer was lost.
func TestRestart(t *testing.T) {
	r := newRig(t)
	var lose atomic.Bool
	lose.Store(true)
	r.space.Lose = func(method string) bool { return method == "chat.postMessage" && lose.Load() }
	stop := r.run()
	run := r.waiting("web-1")
	r.until("the message", func(l []workspace.Message) bool { return len(l) == 1 })
	stop()
	lose.Store(false)
	r.change(run.ID, func(n *event.Run) { n.State, n.Approval = event.RunDenied, nil })
	r.start()
	stop = r.run()
	r.until("the end", shows(1, "was denied"))
	if !r.space.Wait(4*time.Minute, func() bool {
		e, err := entries{r.bus.Chat()}.load(t.Context(), run.Incident.ID)
		return err == nil && e.Runs[run.ID] == 2
	}) {
		t.Fatal("what was shown is not remembered")
	}
	stop()
	before := r.space.Calls("chat.update")
	threads := len(r.space.Thread(channel, r.space.Messages(channel)[0].TS))
	r.start()
	r.run()
	second := r.waiting("web-2")
	r.until("another message", shows(2, "pods/shop/web-2"))
	if got := r.space.Calls("chat.update"); got != before {
		t.Errorf("%d changes of a message that says the same", got-before)
	}
	if got := len(r.space.Thread(channel, r.space.Messages(channel)[0].TS)); got != threads {
		t.Errorf("the thread has %d messages, had %d", got, threads)
	}
	_ = second
}

// TestPace: a channel gets no more than Slack takes, and gets all of it.
func TestPace(t *testing.T) {
	r := newRig(t, func(r *rig) { r.space.Pace = 20 * time.Millisecond })
	for i := range 4 {
		r.waiting(fmt.Sprintf("web-%d", i))
	}
	stop := r.run()
	r.until("all four", func(l []workspace.Message) bool { return len(l) == 4 })
	stop()
}

// TestDeleted: a message that somebody deletes comes again when there is
// something new to say.
func TestDeleted(t *testing.T) {
	r := newRig(t)
	r.run()
	run := r.waiting("web-1")
	ts := r.until("the message", shows(1, "Needs 2"))[0].TS
	r.space.Delete(ts)
	r.change(run.ID, func(n *event.Run) { n.State, n.Approval = event.RunExpired, nil })
	r.until("the new message", shows(1, "got no answer in time"))
}

// TestRoutes: the first route that fits says where an incident goes; what is
// below the least priority and waits for nobody goes nowhere.
func TestRoutes(t *testing.T) {
	c := Config{Channel: "C1", Routes: []Route{{Channel: "C2", Namespaces: []string{"pay"}, Lowest: event.SeverityHigh}, {Channel: "C3", Namespaces: []string{"pay"}}}}
	for want, in := range map[string]event.Incident{
		"C1": {Priority: event.SeverityCritical, Subject: event.PodRef("shop", "a")},
		"C2": {Priority: event.SeverityCritical, Subject: event.PodRef("pay", "a")},
		"C3": {Priority: event.SeverityLow, Subject: event.PodRef("pay", "a")},
	} {
		if got := c.channel(in); got != want {
			t.Errorf("%+v goes to %s, want %s", in, got, want)
		}
	}
	r := newRig(t, func(r *rig) { r.config.Lowest = event.SeverityHigh })
	now := r.clock()
	r.store(event.Incident{ID: event.HashID("low"), State: event.IncidentOpen, Priority: event.SeverityLow, Created: now, Updated: now})
	r.run()
	r.waiting("web-1")
	r.until("the one that counts", shows(1, "web-1"))
	if _, _, err := r.bus.Chat().Get(t.Context(), entryKey(event.HashID("low"))); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("of the low one: %v", err)
	}
}

// TestGolden compares the messages of the usual moments of an incident with the
// files in testdata; go test -update writes them.
func TestGolden(t *testing.T) {
	seal, err := NewSealer("xoxb-1")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := &rig{t: t, clock: func() time.Time { return at }}
	for name, c := range moments(r) {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(c.Message(face{Sealer: seal}), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "card", name+".json")
			if *update {
				if err := os.WriteFile(path, append(got, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if strings.TrimSpace(string(want)) != string(got) {
				t.Errorf("the message is another than %s:\n%s", path, got)
			}
		})
	}
}
