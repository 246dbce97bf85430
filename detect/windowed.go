package detect

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/window"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// aggregates are the functions of having and of a window's message.
var aggregates = []string{
	string(window.Count), string(window.Distinct), string(window.Sum), string(window.Avg), string(window.Min), string(window.Max),
	string(window.Quantile), string(window.Rate), string(window.Ratio), string(window.Baseline),
}

// windowed is a rule's window.
type windowed struct {
	by     []*conf.Program
	having *conf.Program
	// calls are the aggregates, each once, numbered as in o.Aggregates.
	calls []conf.Aggregate
	// inHaving and inMessage are the numbers of the calls there, in their order.
	inHaving, inMessage []int

	o      window.Options
	groups *window.Windows
	// key and end are the window that having and the message ask about.
	key    window.Key
	end    int64
	inputs []window.Input
	// summaries says that all events are summaries, parts what the calls take of
	// one.
	summaries bool
	parts     []part
	// mixed says that events of different trust may come together. Then the
	// least is the last of the aggregates.
	mixed bool
}

func (c *compiler) window(spec *WindowSpec, l Limits, summaries bool) *windowed {
	w := &windowed{summaries: summaries, o: window.Options{Over: spec.Over.Std(), Late: l.Late, Sample: true, MaxGroups: l.Groups, MaxBytes: l.Bytes}}
	if spec.Type == "tumbling" {
		w.o.Panes = 1
	}
	w.by = c.values(spec.By)
	having, calls, err := spec.Having.CompileAggregates(env, conf.Bool, aggregates, w.ofHaving, functions...)
	c.failed(err)
	if err == nil {
		w.inHaving, err = w.take(spec.Having.Errorf, calls)
		c.failed(err)
		w.having = having
		if len(calls) == 0 {
			c.failed(spec.Having.Errorf("asks for no aggregate, as in count() > 5"))
		}
	}
	return w
}

// take adds calls to those of the window, and says which they are.
func (w *windowed) take(fail func(string, ...any) *conf.Error, calls []conf.Aggregate) ([]int, error) {
	var places []int
	var errs []error
	for _, call := range calls {
		i := slices.IndexFunc(w.calls, func(c conf.Aggregate) bool { return c.Text == call.Text })
		if i < 0 {
			a, why := aggregateOf(call)
			part, problem := partOf(call)
			if w.summaries && why == "" {
				if why = problem; part == partSet {
					a.Function = window.Union
				}
			} else {
				part = partNone
			}
			if why != "" {
				errs = append(errs, fail("%s: %s", call.Text, why))
			}
			i = len(w.calls)
			w.calls, w.o.Aggregates, w.parts = append(w.calls, call), append(w.o.Aggregates, a), append(w.parts, part)
		}
		places = append(places, i)
	}
	return places, errors.Join(errs...)
}

// aggregateOf is what a call asks for, or why it can't be.
func aggregateOf(call conf.Aggregate) (window.Aggregate, string) {
	a := window.Aggregate{Function: window.Function(call.Name)}
	n, least, most := len(call.Args), 1, 1
	switch a.Function {
	case window.Count:
		least = 0
	case window.Rate, window.Baseline:
		least = 0
	case window.Distinct:
		most = 4
	case window.Quantile:
		least, most = 2, 2
		if n == 2 {
			q, ok := call.Constants[1].(float64)
			if a.Q = q; !ok || a.Check() != nil {
				return a, "the second argument has to be a constant from 0 to 1"
			}
		}
	}
	if n < least || n > most {
		return a, "has the wrong number of arguments"
	}
	return a, misfit(call, true)
}

// open makes the groups when all aggregates are known.
func (w *windowed) open() (err error) {
	if w.exact() {
		w.o.Panes, w.o.Exact = int(w.o.Over/time.Second), true
	}
	if w.mixed {
		w.o.Aggregates = append(w.o.Aggregates, window.Aggregate{Function: window.Min})
	}
	w.inputs = make([]window.Input, len(w.o.Aggregates))
	w.groups, err = window.New(w.o)
	return err
}

func (w *windowed) ofHaving(i int) float64  { return w.number(w.inHaving[i]) }
func (w *windowed) ofMessage(i int) float64 { return w.number(w.inMessage[i]) }

func (w *windowed) number(i int) float64 { return w.groups.Value(w.key, i, w.end) }

func (w *windowed) expire(now time.Time) { w.groups.Expire(now.Add(-w.o.Late), 100) }

// ofWindow adds an event to its group, and says whether having holds in any
// window that it belongs to.
func (s *running) ofWindow(e *event.Event, at event.Address, m Moment) (f event.Finding, ok bool, err error) {
	w := s.window
	if w.key, err = groupKey(e, w.by); err != nil {
		return f, false, err
	}
	s.group = w.key
	of, err := w.moment(e, m)
	if err != nil {
		return f, false, err
	}
	for i, call := range w.calls {
		if w.parts[i] != partNone {
			w.inputs[i] = of.input(call, w.parts[i])
		} else if w.inputs[i], err = inputOf(e, call, w.o.Aggregates[i].Function); err != nil {
			return f, false, err
		}
	}
	place := window.Mark{Sequence: at.Sequence, Index: at.Index}
	if s.again = w.again(s.requests.of(e, w.key)); s.again {
		if place = (window.Mark{}); !slices.ContainsFunc(w.inputs[:len(w.calls)], func(in window.Input) bool { return in.Valid }) {
			if w.end = w.groups.Newest(w.key); s.watched != nil {
				s.watched.window = true
			}
			return f, false, nil
		}
	}
	if w.mixed {
		w.inputs[len(w.calls)] = window.Input{Valid: true, Number: float64(e.Trust)}
	}
	first, last, taken := w.groups.Add(namespaceOf(e.Object.Namespace), w.key, of.time, w.inputs, place)
	if s.watched != nil {
		s.watched.window, s.watched.late = true, !taken
		defer func() { w.end = min(w.end, last) }()
	}
	for w.end = of.align(first); taken && w.end <= last; w.end += of.step {
		if ok, err = w.having.Bool(e); err != nil {
			return f, false, err
		}
		if !ok {
			continue
		}
		f, err = s.finding(e, at)
		f.Events, f.Trust = w.behind(at), min(f.Trust, w.trust())
		f.ID = event.FindingID(s.r.name, hex.EncodeToString(w.key[:]), origin(e))
		return f, true, err
	}
	return f, false, nil
}

// again takes away what other stages of the request have given, and says whether
// there was one.
func (w *windowed) again(r *request) bool {
	was := r.seen
	for i := range w.calls {
		in, bit := &w.inputs[i], uint64(1)<<i // 0 of the 65th, of which the first stage counts
		in.Again, in.Valid = was, in.Valid && r.taken&bit == 0 && (bit > 0 || !was)
		if in.Valid {
			r.taken |= bit
		}
	}
	r.seen = true
	return was
}

// behind are the addresses of events of the window: the first of those that are
// known, the newest, and last the one that is looked at.
func (w *windowed) behind(at event.Address) []event.Address {
	var all []event.Address
	for _, m := range w.groups.Sample(w.key, w.end) {
		if m.Sequence != at.Sequence || m.Index != at.Index {
			all = append(all, event.Address{Sequence: m.Sequence, Index: m.Index})
		}
	}
	return append(all, at)
}

// trust is the least of the events of the window.
func (w *windowed) trust() event.Trust {
	if !w.mixed {
		return event.TrustAudit
	}
	return event.Trust(w.number(len(w.calls)))
}

// inputOf is what an event gives to an aggregate.
func inputOf(e *event.Event, call conf.Aggregate, function window.Function) (in window.Input, err error) {
	switch function {
	case window.Distinct:
		hash, some, err := tuple(e, call.Args)
		return window.Input{Valid: some, Hash: binary.LittleEndian.Uint64(hash[:8])}, err
	case window.Rate, window.Baseline:
		return weightOf(e, call.Args)
	case window.Count, window.Ratio:
		if in.Valid = true; len(call.Args) > 0 {
			in.Valid, err = call.Args[0].Bool(e)
			if err != nil { // what is no truth is not true
				in.Valid = false
			}
		}
		return in, nil
	}
	v, err := call.Args[0].Any(e)
	switch v := v.(type) {
	case int64:
		return window.Input{Valid: true, Number: float64(v)}, err
	case float64:
		return window.Input{Valid: true, Number: v}, err
	}
	return in, err
}

// weightOf is how much an event counts: once where a condition holds or there is
// none, or as much as a number says that is not negative.
func weightOf(e *event.Event, args []*conf.Program) (window.Input, error) {
	if len(args) == 0 {
		return window.Input{Valid: true, Number: 1}, nil
	}
	v, err := args[0].Any(e)
	if err != nil { // what is no truth is not true
		return window.Input{}, nil
	}
	n := 0.0
	switch v := v.(type) {
	case bool:
		return window.Input{Valid: v, Number: 1}, nil
	case int64:
		n = float64(v)
	case float64:
		n = v
	}
	return window.Input{Valid: n > 0, Number: n}, nil
}
