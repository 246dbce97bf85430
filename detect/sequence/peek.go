package sequence

// Peek says how many events of each step are kept for a key, and how many
// sequences are complete but for the last step that must not come. It changes
// nothing.
func (m *Machine) Peek(key Key) (steps []int, awaited int) {
	steps = make([]int, m.o.Steps)
	g := m.keys[key]
	if g == nil {
		return steps, 0
	}
	for i, events := range g.steps {
		steps[i] = len(events)
	}
	return steps, len(g.held)
}
