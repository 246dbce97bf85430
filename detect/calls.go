package detect

import (
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/detect/window"
)

// Call is a function that only rules know: it asks of what was there before.
type Call struct {
	// Of is function, for those that when may call, or aggregate, for those of
	// having and of a window's message.
	Of, Name string
	// Usage shows how it is called and what it gives, Doc says what it does.
	Usage, Doc string
}

// Calls are those functions, by name.
func Calls() []Call {
	all := []Call{
		{"function", "first_seen", `first_seen("14d", key, value…) bool`, "Whether a key did not have the values, up to four, in that time. It learns for a day before it says so; \"14d/1h\" learns for an hour. In when only, behind what is cheap."},
		{"function", "rarity", `rarity("14d", key, value…) number`, "The share of a key's events in that time that had other values: 1 is what it never had. It learns as first_seen does."},
	}
	aggregate := func(name window.Function, args, doc string) {
		all = append(all, Call{"aggregate", string(name), string(name) + "(" + args + ") number", doc})
	}
	aggregate(window.Count, "condition", "How many events there are, or those of which a condition holds.")
	aggregate(window.Distinct, "value…", "How many different values there are, or tuples of up to four.")
	aggregate(window.Sum, "number", "The sum over the events.")
	aggregate(window.Avg, "number", "The mean of the events that have the number.")
	aggregate(window.Min, "number", "The least of the events.")
	aggregate(window.Max, "number", "The greatest of the events.")
	aggregate(window.Quantile, "number, share", "The number at a share of the events, as quantile(http.duration, 0.99), within 1 %.")
	aggregate(window.Rate, "condition", "Events a second, all or those of which a condition holds, or the sum of a number a second.")
	aggregate(window.Ratio, "condition", "The share of the events of which a condition holds.")
	aggregate(window.Baseline, "condition", "The rate beside what is usual for the group.")
	slices.SortFunc(all, func(a, b Call) int { return strings.Compare(a.Of+a.Name, b.Of+b.Name) })
	return all
}
