package detect

import (
	"slices"

	"github.com/firebreak-io/firebreak/detect/sequence"
	"github.com/firebreak-io/firebreak/detect/window"
)

// another is a rule that runs, with the same programs and nothing remembered.
// Compiling is nearly all of what it takes to open a rule, so it is done once, when
// the rule is loaded; what programs ask of memory they ask of that of their own.
func (s *running) another(l Limits) (*running, error) {
	own := &running{r: s.r, steps: slices.Clone(s.steps), message: s.message, requests: s.requests.another()}
	novel, err := s.steps[0].novel.another(l)
	if err != nil {
		return nil, err
	}
	for i := range own.steps {
		st := &own.steps[i]
		st.novel, st.always, st.when = novel, st.always.Asking(novel.value), st.when.Asking(novel.from(st.asks))
	}
	if s.window != nil {
		if own.window, err = s.window.another(l); err != nil {
			return nil, err
		}
		own.message = s.message.Asking(own.window.ofMessage)
	}
	if s.chain != nil {
		if own.chain, err = s.chain.another(l); err != nil {
			return nil, err
		}
	}
	own.quiet = s.quiet.another(l)
	return own, nil
}

func (n *novelty) another(l Limits) (*novelty, error) {
	own := &novelty{limits: l}
	for _, c := range n.calls {
		own.calls = append(own.calls, &novel{
			text: c.text, rarity: c.rarity, key: c.key, values: c.values, over: c.over, learn: c.learn,
		})
	}
	return own, own.open()
}

func (w *windowed) another(l Limits) (*windowed, error) {
	own := &windowed{
		by: w.by, calls: w.calls, parts: w.parts, summaries: w.summaries, mixed: w.mixed, o: w.o,
		inHaving: w.inHaving, inMessage: w.inMessage, inputs: make([]window.Input, len(w.inputs)),
	}
	own.o.Late, own.o.MaxGroups, own.o.MaxBytes = l.Late, l.Groups, l.Bytes
	own.having = w.having.Asking(own.ofHaving)
	var err error
	own.groups, err = window.New(own.o)
	return own, err
}

func (q *chained) another(l Limits) (*chained, error) {
	own := &chained{by: q.by, not: q.not, o: q.o}
	limitChain(&own.o, l)
	var err error
	own.machine, err = sequence.New(own.o)
	return own, err
}

func (q *quiet) another(l Limits) *quiet {
	if q == nil {
		return nil
	}
	own := newQuiet(l.Groups, q.length)
	own.by, own.grouped = q.by, q.grouped
	return own
}

func (r *requests) another() *requests {
	if r == nil {
		return nil
	}
	return &requests{at: map[uint64]int{}}
}
