package guard

import (
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// saw is a drill that has seen something.
type saw struct{ works, known bool }

func (s saw) Works() (works, known bool, note string) { return s.works, s.known, "as the drill saw" }

// enforced are the cases of the guard of that name.
func enforced() []judged {
	with := func(s saw) func(*world) {
		return func(w *world) { w.o.Drill = s; w.check.Plan.Action = "pod.quarantine" }
	}
	drill := func(change ...func(*world)) func(*world) {
		return func(w *world) {
			w.check.Run.Drill, w.check.Run.Finding.Rule = true, "containment-drill"
			for _, c := range change {
				c(w)
			}
		}
	}
	drills := func(n int) func(*Book) {
		return func(b *Book) {
			standing(n, "shop")(b)
			for i := range b.Entries {
				b.Entries[i].Budget = BudgetDrills
			}
		}
	}
	return []judged{
		{"enforcement", "absent, in a drill", drill(with(saw{false, true})), event.Pass, "to find out"},
		{"mode", "a drill that nobody is asked about", drill(func(w *world) { w.control.ceiling = event.ModeAsk }), event.Pass, "the config asks"},
		{"mode", "a drill while all only observes", drill(func(w *world) { w.control.ceiling = event.ModeObserve }), event.Deny, "observe"},
		{"budget", "a drill beside many quarantines", drill(book(spread(100))), event.Pass, "as a drill alone"},
		{"budget", "a drill beside a drill", drill(book(drills(1))), event.Deny, "a drill asks nobody: another drill is held"},
		{"budget", "a quarantine beside drills", book(drills(100)), event.Pass, "0 of 10 pods"},
		{"rate", "a quarantine after many drills", book(drills(100)), event.Pass, ""},
		{"freshness", "a drill that is old", drill(func(w *world) { w.check.Run.Finding.Received = now.Add(-time.Hour) }), event.Deny, "a drill asks nobody"},
		{"enforcement", "enforced", with(saw{true, true}), event.Pass, "as the drill saw"},
		{"enforcement", "absent", with(saw{false, true}), event.Ask, "as the drill saw"},
		{"enforcement", "not known", with(saw{}), event.Pass, "as the drill saw"},
		{"enforcement", "no drill", func(w *world) { w.check.Plan.Action = "pod.quarantine" }, event.Pass, "no drill is held"},
		{"enforcement", "another action", func(w *world) { with(saw{false, true})(w); w.check.Plan.Action = "node.cordon" }, event.Pass, "no network policy"},
	}
}
