package guard

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name:  "rate",
		Doc:   "Bounds how fast new effects begin, in all and because of one source, and how many runs of a playbook act within an hour. What is over asks.",
		Keeps: true,
		New:   func(o Options) Guard { return rate{o.Limits.Budgets, o.Limits.Eyes} },
	})
}

type rate struct {
	limits Budgets
	eyes   Eyes
}

func (g rate) count(_ Check, d event.Decision, _ string) int { return overBudget(g.eyes, d) }

func (g rate) Judge(_ context.Context, c Check) (event.Decision, string) {
	own := c.entry()
	if e := c.book.find(own.Key); e != nil && e.stands() {
		return event.Pass, "has begun"
	}
	if c.Run.Drill {
		return event.Pass, "a drill takes no turn from others"
	}
	if why := bucket(c, g.limits, g.limits.EffectsPerMinute, g.limits.Burst, func(e Entry) bool { return !e.drill() }); why != "" {
		return event.Ask, why
	}
	part := g.limits.share
	if why := bucket(c, g.limits, part(g.limits.EffectsPerMinute), part(g.limits.Burst), func(e Entry) bool { return !e.drill() && e.Source == own.Source }); why != "" {
		return event.Ask, why + " because of source " + string(own.Source)
	}
	runs := func(match func(Entry) bool) int {
		return c.book.distinct(func(e Entry) string {
			if e.Playbook == own.Playbook && e.Run != own.Run && c.Now.Sub(e.Taken) < lately && match(e) {
				return e.Run
			}
			return ""
		})
	}
	if n := runs(func(Entry) bool { return true }); n >= g.limits.most(g.limits.RunsPerHour, c.Run) {
		return event.Ask, fmt.Sprintf("%d of %d runs of the playbook within an hour", n, g.limits.most(g.limits.RunsPerHour, c.Run))
	}
	if n, most := runs(func(e Entry) bool { return own.Namespace != "" && e.Namespace == own.Namespace }), part(g.limits.RunsPerHour); n >= most {
		return event.Ask, fmt.Sprintf("%d of %d runs of the playbook within an hour in namespace %s", n, most, own.Namespace)
	}
	return event.Pass, fmt.Sprintf("%d effects within a minute", c.book.count(func(e Entry) bool { return !e.drill() && c.Now.Sub(e.Taken) < time.Minute }))
}

// bucket says whether one more effect would come too fast: burst at once, and
// perMinute after that.
func bucket(c Check, limits Budgets, perMinute, burst int, match func(Entry) bool) string {
	var times []time.Time
	for _, e := range c.book.Entries {
		if match(e) {
			times = append(times, e.Taken)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	tokens, at := float64(burst), time.Time{}
	fill := func(now time.Time) {
		if !at.IsZero() {
			tokens = min(float64(burst), tokens+now.Sub(at).Minutes()*float64(perMinute))
		}
		at = now
	}
	for _, t := range times {
		fill(t)
		tokens = max(tokens-1, 0) // those that people approved may be over
	}
	fill(c.Now)
	kept := burst - limits.most(burst, c.Run)
	switch {
	case tokens >= float64(1+kept):
		return ""
	case tokens >= 1:
		return fmt.Sprintf("more than %d effects a minute (%d at once, of which %d are kept for graver incidents)", perMinute, burst, kept)
	}
	return fmt.Sprintf("more than %d effects a minute (%d at once)", perMinute, burst)
}
