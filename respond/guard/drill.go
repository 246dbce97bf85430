package guard

import "github.com/firebreak-io/firebreak/internal/event"

// drill says that the entry is one of a drill of containment.
func (e Entry) drill() bool { return e.Budget == BudgetDrills }

// drills lets one drill stand at a time. It is counted by itself: no quarantine
// that an attack calls for finds its place taken by a drill, and none keeps a
// drill from being held.
func drills(c Check) (event.Decision, string) {
	if n := c.book.count(func(e Entry) bool { return e.stands() && e.drill() && e.Key != c.Key() }); n > 0 {
		return event.Ask, "another drill is held"
	}
	return event.Pass, "counted as a drill alone"
}
