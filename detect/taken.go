package detect

import (
	"sync"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// taken is a rule's expressions taken apart, for explaining. One event at a
// time is traced.
type taken struct {
	mu     sync.Mutex
	err    error
	when   *conf.Condition
	unless *conf.Condition
	steps  []*conf.Condition
	having *conf.Condition
	// asked is the rule that runs whose numbers are asked for, about an event.
	asked *running
	event *event.Event
}

// apart gives the rule's expressions taken apart. The caller holds the lock of
// what it gets while it traces.
func (r *Rule) apart() *taken {
	r.takenOnce.Do(func() {
		t := &r.taken
		t.take(&t.when, r.Spec.When, novelFunctions)
		t.take(&t.unless, r.Spec.Unless, nil)
		if w := r.Spec.Window; w != nil {
			t.take(&t.having, w.Having, aggregates)
		}
		if q := r.Spec.Sequence; q != nil {
			for _, st := range q.Steps {
				var one *conf.Condition
				t.take(&one, st.When, novelFunctions)
				t.steps = append(t.steps, one)
			}
		}
	})
	return &r.taken
}

func (t *taken) take(into **conf.Condition, x conf.Expression, names []string) {
	if x.IsZero() {
		return
	}
	c, err := x.Conditions(env, conf.Taking{Funcs: functions, Aggregates: names, Ask: t.ask})
	if err != nil {
		t.err = err
		return
	}
	*into = c
}

// ask is the number of a call: of the window, or what is new about the event.
// Nothing is counted by it: what the rule itself did not ask is not known.
func (t *taken) ask(call string) (float64, bool) {
	if t.asked == nil {
		return 0, false
	}
	if w := t.asked.window; w != nil {
		for i, c := range w.calls {
			if c.Text == call {
				return w.number(i), true
			}
		}
	}
	for _, c := range t.asked.steps[0].novel.calls {
		if c.text == call && c.answered == t.event {
			return c.answer, true
		}
	}
	return 0, false
}

// Parts are the rule's conditions taken apart, to tell where they are and what
// they are made of: those of when and of the steps, of unless, and of having.
// Any of them may be missing. They are not to be traced.
func (r *Rule) Parts() (when []*conf.Condition, unless, having *conf.Condition) {
	t := r.apart()
	for _, c := range append([]*conf.Condition{t.when}, t.steps...) {
		if c != nil {
			when = append(when, c)
		}
	}
	return when, t.unless, t.having
}

// condition is the exception's when taken apart.
func (x *Exception) condition() (*conf.Condition, error) {
	return x.Spec.When.Conditions(env, conf.Taking{Funcs: functions})
}
