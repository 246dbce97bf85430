package respond

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/notify"
)

func glass(v *event.Vote) { v.BreakGlass, v.Reason = true, "the shop is on fire" }

// TestBreakGlass: one yes stands for those that it takes, whoever says it and
// however late; not without a reason, for another plan, or against a no.
func TestBreakGlass(t *testing.T) {
	strict := func(b *Playbook) {
		b.Approve.Need, b.Approve.By, b.Approve.Explain = 3, []string{"group/oncall"}, true
	}
	begin := func(change ...func(*Playbook)) *world {
		w := play(t, book(append([]func(*Playbook){ask, strict}, change...)...))
		w.verdict = func(int) []event.Verdict {
			return []event.Verdict{{Guard: "eyes", Decision: event.Ask, Reason: "a node", Need: 4}}
		}
		return w.turn()
	}
	for name, c := range map[string]struct {
		who    string
		change func(*event.Vote)
		late   time.Duration
		want   string // why it does not count
	}{
		"one of a quorum":       {who: "zoe"},
		"who is in the finding": {who: "mallory"},
		"too late":              {who: "zoe", late: time.Hour},
		"no reason":             {who: "zoe", change: func(v *event.Vote) { v.Reason = " " }, want: "a reason has to be given"},
		"another plan":          {who: "zoe", change: func(v *event.Vote) { v.Digest = "other" }, want: "the plan has changed"},
		"no plan":               {who: "zoe", change: func(v *event.Vote) { v.Digest = "" }, want: "the plan has changed"},
		"a denial":              {who: "zoe", change: func(v *event.Vote) { v.Approve = false }, want: "to do something"},
		"nobody":                {want: "nobody is named"},
	} {
		w := begin()
		w.now = w.now.Add(c.late) // the responder has not looked at the clock yet
		w.vote(c.who, true, glass, func(v *event.Vote) {
			if c.change != nil {
				c.change(v)
			}
		})
		if c.want == "" {
			if w.run.State != event.RunHolding || w.run.Approval.BrokenBy != c.who || w.run.Steps[0].BrokenBy != c.who {
				t.Errorf("%s: run is %s (%s), broken by %q", name, w.run.State, w.run.Reason, w.run.Approval.BrokenBy)
			}
			continue
		}
		votes := w.run.Approval.Votes
		if w.run.State != event.RunAwaiting || len(votes) == 0 || !strings.Contains(votes[len(votes)-1].Refused, c.want) {
			t.Errorf("%s: run is %s, votes %+v", name, w.run.State, votes)
		}
	}
	w := begin()
	w.vote("ann", false, func(v *event.Vote) { v.Groups, v.Reason = []string{"oncall"}, "no" })
	if w.vote("zoe", true, glass); w.run.State != event.RunDenied {
		t.Errorf("the glass is broken against a denial: %s", w.run.State)
	}
	w = begin(func(b *Playbook) { b.Approve.NoChat = true })
	if w.vote("zoe", true, glass, func(v *event.Vote) { v.From = "T1/U1" }); w.run.State != event.RunAwaiting {
		t.Errorf("in a chat where that can't be: %s", w.run.State)
	}
}

// TestGlassIsNoGuard: what a guard denies or holds back stays so, whoever breaks
// the glass.
func TestGlassIsNoGuard(t *testing.T) {
	for decision, want := range map[event.Decision]event.RunState{event.Deny: event.RunDenied, event.Wait: event.RunRunning} {
		w := play(t, book(ask))
		granted := false
		w.verdict = func(int) []event.Verdict {
			d := event.Pass
			if granted {
				d = decision // it is protected, or paused, by now
			}
			return []event.Verdict{{Guard: "protected", Decision: d, Reason: "kube-system"}}
		}
		w.turn()
		granted = true
		w.vote("zoe", true, glass)
		if w.run.State != want || beginnings(w) > 0 {
			t.Errorf("%s: run is %s (%s), did %v", decision, w.run.State, w.run.Reason, w.did)
		}
	}
	// A plan that takes more people by now is asked for again.
	w := play(t, book(ask))
	need := 2
	w.verdict = func(int) []event.Verdict {
		return []event.Verdict{{Guard: "eyes", Decision: event.Pass, Need: need}}
	}
	w.turn()
	need = 3
	if w.vote("zoe", true, glass); w.run.State != event.RunAwaiting || w.run.Steps[0].BrokenBy != "" || beginnings(w) > 0 {
		t.Errorf("run is %s, did %v", w.run.State, w.did)
	}
}

// TestReviews: a review is there once, is closed by somebody else, and is never
// forgotten while it is open.
func TestReviews(t *testing.T) {
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	c, now := NewControl(b, event.ModeAct), time.Now().UTC()
	for range 2 {
		if err := c.OpenReview(t.Context(), Review{ID: "r1", By: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []struct {
		id, by string
		want   error
	}{{"r2", "bob", ErrNoReview}, {"r1", "ann", ErrOwnReview}, {"r1", "", ErrOwnReview}, {"r1", "bob", nil}, {"r1", "cid", ErrReviewed}} {
		if _, err := c.CloseReview(t.Context(), x.id, x.by, "fine", now); !errors.Is(err, x.want) {
			t.Errorf("%s by %q: %v, want %v", x.id, x.by, err, x.want)
		}
	}
	var many []Review
	many = append(many, Review{ID: "first", By: "ann"})
	for range 3 * maxClosed {
		many = trimmed(append(many, Review{ID: "x", ClosedBy: "bob"}))
	}
	if len(many) != maxClosed+1 || many[0].ID != "first" {
		t.Errorf("%d reviews, the first is %s", len(many), many[0].ID)
	}
}

// TestFatigue: who approves much, at once, or always is said to, once an hour.
func TestFatigue(t *testing.T) {
	rules, at := DefaultFatigueRules(), time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	count := func(n int, every, took time.Duration, denyAt int) map[string]int {
		h, got, now := habits{}, map[string]int{}, at
		for i := range n {
			var alarms []PeopleAlarm
			h, alarms = h.take(rules, event.Vote{User: "ann", Approve: i != denyAt, Time: now}, now.Add(-took), now)
			for _, a := range alarms {
				got[a.Kind]++
			}
			now = now.Add(every)
		}
		if len(h.Times) > maxTimes {
			t.Errorf("%d times are kept", len(h.Times))
		}
		return got
	}
	for name, c := range map[string]struct {
		got  map[string]int
		want map[string]int
	}{
		"twenty in an hour":    {count(20, time.Minute, time.Minute, -1), map[string]int{}},
		"one more":             {count(21, time.Minute, time.Minute, -1), map[string]int{AlarmMany: 1}},
		"a flood":              {count(300, time.Second, time.Minute, -1), map[string]int{AlarmMany: 1, AlarmAlways: 1}},
		"slowly":               {count(49, time.Hour, time.Minute, -1), map[string]int{}},
		"slowly, always":       {count(51, 10*time.Minute, time.Minute, -1), map[string]int{AlarmAlways: 1}},
		"with a no between":    {count(60, 10*time.Minute, time.Minute, 30), map[string]int{}},
		"two at once":          {count(2, time.Minute, time.Second, -1), map[string]int{}},
		"three at once":        {count(3, time.Minute, time.Second, -1), map[string]int{AlarmHasty: 1}},
		"at once, hours apart": {count(9, time.Hour, time.Second, -1), map[string]int{}},
	} {
		if len(c.got) != len(c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
		for k, n := range c.want {
			if c.got[k] != n {
				t.Errorf("%s: %v, want %v", name, c.got, c.want)
			}
		}
	}
	rules = FatigueRules{}
	if got := count(300, time.Second, 0, -1); len(got) != 0 {
		t.Errorf("switched off: %v", got)
	}
}

// TestApproveLevels: who decides goes by the incident's priority.
func TestApproveLevels(t *testing.T) {
	const text = `  when: 'true'
  mode: ask
  approve:
    by: [group/oncall]
    within: 30m
    levels:
      - {priority: critical, need: 3, no_chat: true}
      - {priority: high, by: [group/leads], need: 2, explain: true}
  steps:
    - {name: one, action: pod.quarantine}
    - {name: two, action: pod.quarantine, approve: {by: [user/cid], levels: [{priority: high, need: 2}]}}
`
	for priority, want := range map[event.Severity]string{
		event.SeverityLow: "1 [group/oncall] 30m0s false false", event.SeverityHigh: "2 [group/leads] 30m0s true false", event.SeverityCritical: "3 [group/oncall] 30m0s false true",
	} {
		w := playText(t, text)
		w.run.Incident.Priority = priority
		w.turn()
		a := w.run.Approval
		got := strings.Join([]string{itoa(a.Need), "[" + strings.Join(a.By, " ") + "]", a.Expires.Sub(a.Requested).String(), yes(a.Explain), yes(a.NoChat)}, " ")
		if got != want || len(a.Steps) != 1 {
			t.Errorf("%s: %s of %v, want %s", priority, got, a.Steps, want)
		}
	}
}

func itoa(n int) string { return string(rune('0' + n)) }

func yes(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// TestLateReview: people are paged once about a review that nobody closes.
func TestLateReview(t *testing.T) {
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	w := paging(t, b)
	c := w.control
	for id, due := range map[string]time.Duration{"soon": time.Hour, "late": -time.Minute, "closed": -time.Minute} {
		if err := c.OpenReview(t.Context(), Review{ID: id, Run: event.HashID(id), Incident: "i1", By: "ann", Playbook: "contain", Reason: "fire", Due: w.now().Add(due)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.CloseReview(t.Context(), "closed", "bob", "fine", w.now()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.remind(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	out := w.executor.Deps.Outbox.(*told)
	if len(out.list) != 1 || !strings.Contains(out.list[0].Key, "/review-late-late") || !strings.Contains(out.list[0].Notice.Text, "ann broke the glass") {
		t.Errorf("paged %+v", out.list)
	}
}

// paging is a responder that does nothing but page people, into a list.
func paging(t *testing.T, b *bus.Bus) *Worker {
	t.Helper()
	x := &Executor{Deps: action.Deps{
		Cluster: action.Offline{}, Offline: true, Outbox: &told{}, Receivers: notify.Receivers{"oncall": {}}, Routes: notify.Routes{{To: []string{"oncall"}}},
	}}
	w, err := NewWorker(t.Context(), WorkerOptions{Bus: b, Executor: x, Control: NewControl(b, event.ModeAct), Telemetry: telemetry.Nop(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return w
}
