package respond

import (
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

// over says that a step in this state holds nothing else up any more.
func over(s event.StepState) bool {
	switch s {
	case event.StepDone, event.StepSkipped, event.StepDenied, event.StepFailed, event.StepReverting, event.StepReverted:
		return true
	}
	return false
}

// places is a set of places in a playbook's steps, of which there are at most
// [maxSteps].
type places uint64

func (s places) has(i int) bool      { return s&(1<<i) != 0 }
func (s places) with(i int) places   { return s | 1<<i }
func (s places) meets(o places) bool { return s&o != 0 }

// before gives for each step the steps that come before it, right before or
// further back. What does not is beside it.
func (p *Playbook) before() []places {
	all := make([]places, min(len(p.Steps), maxSteps))
	for i := range all {
		after := p.Steps[i].After
		if after == nil && i > 0 {
			after = []int{i - 1}
		}
		for _, a := range after {
			if a >= 0 && a < i {
				all[i] |= all[a].with(a)
			}
		}
	}
	return all
}

// turns says whose turn it is.
type turns struct {
	// ready are the places in the run's steps of those that have begun, and of
	// those that nothing keeps from being begun, in order.
	ready []int
}

// turns goes through the steps in the playbook's order. A step's turn comes
// when all before it are over. But what waits for people keeps only effects
// waiting, and a message that could not be delivered at once keeps no effect
// waiting that does not ask about it.
func (m move) turns() turns {
	var t turns
	members := m.members()
	var blocked, moving, failing places
	for place, before := range m.book.before() {
		step := m.book.Steps[place]
		for _, i := range members[place] {
			s := m.run.Steps[i]
			switch {
			case s.State == event.StepIntent:
				t.ready, moving = append(t.ready, i), moving.with(place)
			case s.State == event.StepPending:
				moving = moving.with(place)
			case s.State != event.StepPlanned:
				continue
			case m.needsApproval(i) && s.Approved == "", step.Effect() && before.meets(blocked):
				blocked = blocked.with(place)
			case before.meets(moving &^ m.passable(step, failing)):
				moving = moving.with(place)
			case before.meets(blocked) && (m.uses(step, before&blocked) || !m.met(i)):
				// What it says, or its condition, is about an effect that may still
				// come.
				blocked = blocked.with(place)
			default:
				t.ready, moving = append(t.ready, i), moving.with(place)
			}
			if !step.Effect() && (s.State == event.StepPlanned && s.Attempts > 0 || s.State == event.StepIntent && s.Attempts > 1) {
				failing = failing.with(place)
			}
		}
	}
	slices.Sort(t.ready)
	return t
}

// members are the places in the run of each of the playbook's steps: one, or
// those that a for_each became.
func (m move) members() [][]int {
	at := make(map[string]int, len(m.book.Steps))
	for place, step := range m.book.Steps {
		at[step.Name] = place
	}
	all := make([][]int, len(m.book.Steps))
	for i, s := range m.run.Steps {
		name := s.Name
		if s.Of != "" {
			name = s.Of
		}
		if place, ok := at[name]; ok {
			all[place] = append(all[place], i)
		}
	}
	return all
}

// uses says whether the parameters of a step ask about one of others.
func (m move) uses(step PlaybookStep, others places) bool {
	for place, other := range m.book.Steps {
		if place < maxSteps && others.has(place) && (slices.Contains(step.uses, other.Name) || slices.Contains(step.uses, anyStep)) {
			return true
		}
	}
	return false
}

// passable are the steps that an effect does not wait for, of those whose
// message could not be delivered at once.
func (m move) passable(step PlaybookStep, failing places) places {
	if !step.Effect() {
		return 0
	}
	for place, other := range m.book.Steps[:min(len(m.book.Steps), maxSteps)] {
		if asks := slices.Concat(step.reads, step.uses); slices.Contains(asks, other.Name) || slices.Contains(asks, anyStep) {
			failing &^= places(0).with(place)
		}
	}
	return failing
}

// anyStep stands in a condition's reads for a step that can't be told.
const anyStep = "*"
