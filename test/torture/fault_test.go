//go:build linux

package torture

import (
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// how a fault strikes.
type how int

const (
	// killBefore kills the sender, and what it sent never arrives; killAfter kills it when it arrived and
	// was answered; pauseAfter stops it (SIGSTOP) then.
	killBefore how = iota
	killAfter
	pauseAfter
	// loseAnswer breaks the connection instead of answering.
	loseAnswer
	// holdBack lets a message arrive only when another has finished the work; a responder that sent to NATS
	// is stopped meanwhile.
	holdBack
)

// fault is one crash point of RELIABILITY: at what message it strikes, and how.
type fault struct {
	point string
	at    string
	how   how

	fired   chan struct{}
	release chan struct{}
	by      int
	run     string
	pod     string
	late    bool
}

// faults are the crash points that a responder can be struck at. C0 to C3 are those of ingest and detectors,
// which TestKilledEmbedded and TestKilledApart strike; C12 and C16 have tests of their own below.
func faults() []fault {
	return []fault{
		{point: "C4 run created, nothing else", at: "create", how: killAfter},
		{point: "C4 run not created", at: "create", how: killBefore},
		{point: "C5 two create the same run", at: "create", how: holdBack},
		{point: "C6 input stored, not consumed", at: "input", how: killBefore},
		{point: "C7 intent written, effect not sent", at: "intent", how: killAfter},
		{point: "C7 effect not arrived", at: "patch set", how: killBefore},
		{point: "C8 effect landed, done not written", at: "patch set", how: killAfter},
		{point: "C9 effect sent, reply lost", at: "patch set", how: loseAnswer},
		{point: "C10 done written, next not started", at: "done", how: killAfter},
		{point: "C10 done not written", at: "done", how: killBefore},
		{point: "C11 paused before the effect, another finished and reverted", at: "intent", how: pauseAfter},
		{point: "C11 effect on its way while another finished and reverted", at: "patch set", how: holdBack},
		{point: "C13 revert landed, record not written", at: "patch clear", how: killAfter},
		{point: "C13 revert not arrived", at: "patch clear", how: killBefore},
		{point: "C13 reverted written", at: "reverted", how: killAfter},
		{point: "C14 approval taken in twice", at: "input", how: killAfter},
	}
}

// take gives the armed fault when it is to strike now. The lock is held.
func (s *stage) take(a *actor, patch bool, kinds ...string) *fault {
	f := s.armed
	if f == nil || f.late || !slices.Contains(kinds, f.at) {
		return nil
	}
	s.armed = nil
	f.by = a.n
	if f.how != loseAnswer && (!patch || f.how != holdBack) {
		s.struck = time.Now()
	}
	return f
}

// kinds say what a record is, beside the one before.
func kinds(before, after event.Run) []string {
	var list []string
	if after.Record == 1 {
		list = append(list, "create")
	}
	if after.Input > before.Input {
		list = append(list, "input")
	}
	for i, s := range after.Steps {
		var old event.StepState
		if i < len(before.Steps) {
			old = before.Steps[i].State
		}
		if s.State == old {
			continue
		}
		switch s.State {
		case event.StepIntent:
			list = append(list, "intent")
		case event.StepDone:
			list = append(list, "done")
		case event.StepReverted:
			list = append(list, "reverted")
		}
	}
	return list
}

func patchKind(w write) string {
	switch {
	case w.hold == "":
		return "patch other"
	case w.set:
		return "patch set"
	}
	return "patch clear"
}
