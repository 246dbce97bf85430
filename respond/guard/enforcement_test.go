package guard

import "github.com/firebreak-io/firebreak/internal/event"

// saw is a drill that has seen something.
type saw struct{ works, known bool }

func (s saw) Works() (works, known bool, note string) { return s.works, s.known, "as the drill saw" }

// enforced are the cases of the guard of that name.
func enforced() []judged {
	with := func(s saw) func(*world) {
		return func(w *world) { w.o.Drill = s; w.check.Plan.Action = "pod.quarantine" }
	}
	return []judged{
		{"enforcement", "enforced", with(saw{true, true}), event.Pass, "as the drill saw"},
		{"enforcement", "absent", with(saw{false, true}), event.Ask, "as the drill saw"},
		{"enforcement", "not known", with(saw{}), event.Pass, "as the drill saw"},
		{"enforcement", "no drill", func(w *world) { w.check.Plan.Action = "pod.quarantine" }, event.Pass, "no drill is held"},
		{"enforcement", "another action", func(w *world) { with(saw{false, true})(w); w.check.Plan.Action = "node.cordon" }, event.Pass, "no network policy"},
	}
}
