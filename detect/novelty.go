package detect

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/detect/window"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// novelFunctions are what when may ask of what was there before:
//
//	first_seen("14d", key, value, …)  is true when the key did not have the
//	                                  values, up to four, in the last 14 days
//	rarity("14d", key, value, …)      is 1 when it did not, 0 when it never had
//	                                  others: the share of its events with others
//
// Both learn for a day before they say anything else than false and 0; how long
// stands behind a stroke, as in "14d/0s". An event is remembered when it comes
// that far in when: put them behind all that is cheap.
var novelFunctions = []string{"first_seen?", "rarity"}

const (
	dayLong      = 24 * time.Hour
	maxNovel     = 90 * dayLong
	minNovel     = time.Hour
	maxNovelBy   = 4
	defaultLearn = dayLong
)

// novelty is what a rule has seen before.
type novelty struct {
	limits Limits
	calls  []*novel
	event  *event.Event
	moment Moment
}

// novel is one call.
type novel struct {
	text        string // as it is written
	rarity      bool
	key, values []*conf.Program
	over, learn time.Duration
	// since is when the first event came.
	since time.Time
	// keys count the events of a key, pairs those of a key with its values.
	keys, pairs *window.Windows
	// answered is the event of the answer: when may ask twice.
	answered *event.Event
	answer   float64
}

// take adds the calls of an expression.
func (n *novelty) take(x conf.Expression, calls []conf.Aggregate) error {
	var errs []error
	for _, call := range calls {
		c := &novel{text: call.Text, rarity: call.Name == "rarity"}
		n.calls = append(n.calls, c)
		if len(call.Args) < 3 || len(call.Args) > 2+maxNovelBy {
			errs = append(errs, x.Errorf(`%s takes a time, a key and up to %d values, as in %s("14d", actor.user, verb)`, call.Name, maxNovelBy, call.Name))
			continue
		}
		text, ok := call.Constants[0].(string)
		if err := c.span(text); err != nil || !ok {
			errs = append(errs, x.Errorf(`%s: the first argument is a constant time of an hour to 90 days, as in "14d", or "14d/1d" to learn for a day`, call.Text))
		}
		c.key, c.values = call.Args[1:2], call.Args[1:]
	}
	return errors.Join(errs...)
}

func (c *novel) span(text string) (err error) {
	over, learn, has := strings.Cut(text, "/")
	if c.over, err = conf.ParseDuration(over); err != nil {
		return err
	}
	c.learn = min(defaultLearn, c.over)
	if has {
		if c.learn, err = conf.ParseDuration(learn); err != nil {
			return err
		}
	}
	if c.over < minNovel || c.over > maxNovel || c.learn > c.over {
		return fmt.Errorf("%s is too short or too long", text)
	}
	return nil
}

// open makes what they remember.
func (n *novelty) open() error {
	for _, c := range n.calls {
		if c.over == 0 {
			continue // it is an error already
		}
		o := window.Options{
			Over: c.over, Panes: max(1, min(31, int(c.over/dayLong))), Aggregates: []window.Aggregate{{Function: window.Count}},
			MaxGroups: n.limits.Groups, MaxBytes: n.limits.Bytes,
		}
		var err error
		if c.keys, err = window.New(o); err != nil {
			return err
		}
		if c.pairs, err = window.New(o); err != nil {
			return err
		}
	}
	return nil
}

// begin is before the expressions are asked about an event.
func (n *novelty) begin(e *event.Event, m Moment) {
	n.event, n.moment = e, m
	for _, c := range n.calls {
		c.answered = nil
	}
}

// value answers the i-th call. What can't be evaluated is nothing new. Without
// begin nothing is remembered.
func (n *novelty) value(i int) float64 {
	c, e := n.calls[i], n.event
	if e == nil {
		return 0
	}
	if c.answered != e {
		c.answered, c.answer = e, c.ask(e, n.moment)
	}
	return c.answer
}

// from answers the calls of an expression whose first one is that.
func (n *novelty) from(first int) func(i int) float64 {
	return func(i int) float64 { return n.value(first + i) }
}

func (c *novel) ask(e *event.Event, m Moment) float64 {
	k, err := groupKey(e, c.key)
	p, failed := groupKey(e, c.values)
	if err != nil || failed != nil {
		return 0
	}
	if c.since.IsZero() {
		c.since = m.Time
	}
	space := namespaceOf(e.Object.Namespace)
	before, seen := c.count(c.keys, space, k, m.Time), c.count(c.pairs, space, p, m.Time)
	if m.Time.Sub(c.since) < c.learn {
		return 0
	}
	switch {
	case !c.rarity && seen == 0, c.rarity && before == 0:
		return 1
	case c.rarity:
		return 1 - min(1, seen/before)
	}
	return 0
}

var counted = []window.Input{{Valid: true}}

// count adds one, and says how many there were before.
func (c *novel) count(w *window.Windows, space uint64, k window.Key, t time.Time) float64 {
	if _, last, ok := w.Add(space, k, t, counted, window.Mark{}); ok {
		return w.Value(k, 0, last) - 1
	}
	return 0
}

func (n *novelty) save(out *pack.Writer) {
	for _, c := range n.calls {
		saveTime(out, c.since)
		c.keys.Save(out)
		c.pairs.Save(out)
	}
}

func (n *novelty) load(in *pack.Reader) error {
	for _, c := range n.calls {
		c.since = loadTime(in)
		if err := errors.Join(c.keys.Load(in), c.pairs.Load(in)); err != nil {
			return err
		}
	}
	return nil
}

func (n *novelty) stats() (m Memory) {
	for _, c := range n.calls {
		for _, w := range []*window.Windows{c.keys, c.pairs} {
			s := w.Stats()
			m.add(Memory{Groups: s.Groups, Bytes: s.Bytes, Evicted: s.Evicted, Late: s.Late})
		}
	}
	return m
}
