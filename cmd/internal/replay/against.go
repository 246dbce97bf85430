package replay

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Change says how something differs between two replays of the same events.
type Change string

// The changes. One that is changed is in both, and says something else.
const (
	Added   Change = "added"
	Removed Change = "removed"
	Changed Change = "changed"
)

// Difference is a finding or a run that is not the same in both.
type Difference struct {
	Change Change
	// Finding or Run is set; of a removed one it is as it was before.
	Finding *event.Finding
	Run     *Run
	// Parts are what is changed.
	Parts []Part
	at    time.Time
	order int
}

// Part is one thing about a finding or run that changed.
type Part struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	Now    string `json:"now"`
}

// Comparison counts. Now and Before are each replay's own counts.
type Comparison struct {
	Summary
	Before  Summary            `json:"before"`
	Changes map[Change]Changes `json:"changes"`
}

// Changes counts differences of one kind.
type Changes struct {
	Findings int `json:"findings"`
	Runs     int `json:"runs"`
}

// Differences takes what differs, in the order of time, after all rejects. An
// error ends the comparison.
type Differences interface {
	Rejected(r event.Rejected) error
	Difference(d Difference) error
	// Compared comes last, once.
	Compared(c Comparison) error
}

// Compare replays the same events through two sets of rules and playbooks, and
// says what is different now. Both have the inputs, the ceiling and the cluster
// of now. Findings are the same when they are of the same rule and events, and
// have changed when they are of the same rule and some of the same events; runs
// are the same when they are of the same playbook on the same target.
func Compare(ctx context.Context, now, before Options, to Differences) error {
	c := &comparer{to: to, open: [2]map[string][]*Difference{{}, {}}}
	before.Ceiling, before.Cluster, before.Logger = now.Ceiling, now.Cluster, now.Logger
	sides := []*side{{c: c, i: 0, first: true}, {c: c, i: 1}}
	fresh, old := NewSession(now, sides[0]), NewSession(before, sides[1])
	sides[0].s, sides[1].s = fresh, old
	if err := feed(ctx, now, fresh, old); err != nil {
		return err
	}
	if err := each([]*Session{fresh, old}, func(s *Session) error { return s.End(ctx) }); err != nil {
		return err
	}
	return c.end(Comparison{Summary: sides[0].summary, Before: sides[1].summary})
}

// comparer holds what one side has and the other has not, so far.
type comparer struct {
	to      Differences
	open    [2]map[string][]*Difference
	changed []*Difference
	order   int
}

// meet takes what one side has: it is done with when the other has the same.
func (c *comparer) meet(side int, key string, d *Difference) {
	c.order++
	d.order = c.order
	if others := c.open[1-side][key]; len(others) > 0 {
		other := others[0]
		if c.open[1-side][key] = others[1:]; len(others) == 1 {
			delete(c.open[1-side], key)
		}
		now, before := d, other
		if side == 1 {
			now, before = other, d
		}
		if now.Parts = parts(now, before); len(now.Parts) > 0 {
			now.Change = Changed
			c.changed = append(c.changed, now)
		}
		return
	}
	c.open[side][key] = append(c.open[side][key], d)
}

func (c *comparer) end(out Comparison) error {
	all := slices.Concat(c.changed, c.shifted())
	for side, change := range []Change{Added, Removed} {
		for _, list := range c.open[side] {
			for _, d := range list {
				d.Change = change
				all = append(all, d)
			}
		}
	}
	slices.SortFunc(all, earlier)
	out.Changes = map[Change]Changes{Added: {}, Removed: {}, Changed: {}}
	for _, d := range all {
		n := out.Changes[d.Change]
		if d.Finding != nil {
			n.Findings++
		} else {
			n.Runs++
		}
		out.Changes[d.Change] = n
		if err := c.to.Difference(*d); err != nil {
			return err
		}
	}
	return c.to.Compared(out)
}

// parts are what differs between two findings or runs that are the same
// otherwise.
func parts(now, before *Difference) []Part {
	var out []Part
	add := func(name string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			out = append(out, Part{name, fmt.Sprint(b), fmt.Sprint(a)})
		}
	}
	if a, b := now.Finding, before.Finding; a != nil {
		add("severity", a.Severity, b.Severity)
		add("title", a.Title, b.Title)
		add("explanation", a.Explanation, b.Explanation)
		add("mode", a.Mode, b.Mode)
		add("attack", a.Attack, b.Attack)
		add("silence", a.Silence, b.Silence)
		if a.ID != b.ID {
			add("time", stamp(a.Time), stamp(b.Time))
			add("events", len(a.Events), len(b.Events))
		}
		return out
	}
	a, b := now.Run, before.Run
	add("mode", a.Would, b.Would)
	for i := range max(len(a.Steps), len(b.Steps)) {
		name, mine := stepOf(a, i)
		other, theirs := stepOf(b, i)
		if name == "" {
			name = other
		}
		add("step "+name, mine, theirs)
	}
	return out
}

// stepOf is what would become of a step, in words.
func stepOf(r *Run, i int) (name, text string) {
	if i >= len(r.Steps) {
		return "", "none"
	}
	return r.Steps[i].Name, fmt.Sprintf("%s %s", r.Verdicts[i].Decision, r.Steps[i].Action)
}

// side is the sink of one of the two replays.
type side struct {
	c       *comparer
	i       int
	first   bool
	s       *Session
	summary Summary
}

func (s *side) Finding(f event.Finding) error {
	s.c.meet(s.i, "finding "+f.ID, &Difference{Finding: &f, at: s.s.Now()})
	return nil
}

func (s *side) Run(r Run) error {
	s.c.meet(s.i, fmt.Sprintf("run %s %s %s", r.Playbook, r.Target, r.Target.UID), &Difference{Run: &r, at: s.s.Now()})
	return nil
}

func (s *side) Rejected(r event.Rejected) error {
	if !s.first {
		return nil
	}
	return s.c.to.Rejected(r)
}

func (s *side) Count(event.Finding, event.FindingCount) error { return nil }

func (s *side) Summary(sum Summary) error {
	s.summary = sum
	return nil
}
