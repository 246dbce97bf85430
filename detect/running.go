package detect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// running is a rule with what it remembers. All that run of one rule share what was
// compiled; see [running.another].
type running struct {
	r       *Rule
	steps   []step
	window  *windowed
	chain   *chained
	quiet   *quiet
	message *conf.Text
	// requests are those that were counted, or nil.
	requests *requests
	// group is that of the event that is looked at; again says that it is another
	// stage of a request that was counted.
	group [16]byte
	again bool
	// watched notes what happens to an event that is explained, else it is nil.
	watched *watched
}

// step says which events are looked at. A rule without a sequence has one.
type step struct {
	r            *Rule
	sources      []event.Source
	class        string
	always       *conf.Program // the rule's when, beside the step's
	when, unless *conf.Program
	novel        *novelty
	// asks is the first of the calls that when asks the novelty about.
	asks int
}

// compileRule compiles all that the rule says, and opens one that runs. The error
// joins [*conf.Error].
func compileRule(r *Rule, l Limits) (*running, error) {
	s, c := &running{r: r}, &compiler{}
	spec := &r.Spec
	novel := &novelty{limits: l}
	rule := step{
		r: r, sources: plainSources(spec.Source, spec.Sources), class: string(spec.Class), novel: novel,
		when: c.condition(spec.When, novel), unless: c.condition(spec.Unless, nil),
	}
	switch {
	case spec.Window != nil:
		s.steps = []step{rule}
		s.window = c.window(spec.Window, l, spec.ofSummaries())
		s.window.mixed = len(r.sources) > 1 || slices.Contains(r.sources, event.SourceFalco)
	case spec.Sequence != nil:
		s.chain = c.chain(spec.Sequence, l)
		for _, st := range spec.Sequence.Steps {
			one := rule
			one.asks = len(novel.calls)
			one.always, one.when = rule.when, c.condition(st.When, novel)
			if st.Source != "" {
				one.sources = []event.Source{event.Source(st.Source)}
			}
			if st.Class != "" {
				one.class = string(st.Class)
			}
			s.steps = append(s.steps, one)
		}
	default:
		s.steps = []step{rule}
	}
	s.quiet = c.quiet(spec, l)
	s.requests = spec.counting(r.sources)
	s.message = c.message(spec.Message, s.window)
	if err := novel.open(); err != nil {
		c.errs = append(c.errs, err)
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	return s, nil
}

func plainSources(one source, more []source) []event.Source {
	var all []event.Source
	for _, o := range append([]source{one}, more...) {
		if o != "" {
			all = append(all, event.Source(o))
		}
	}
	return all
}

// match says whether the step looks at an event.
func (st *step) match(e *event.Event) (when, unless bool, err error) {
	if st.class != "" && e.Class != st.class || !slices.Contains(st.sources, e.Source) {
		return false, false, nil
	}
	for _, p := range []*conf.Program{st.always, st.when} {
		if p == nil {
			continue
		}
		if when, err = p.Bool(e); err != nil || !when {
			return false, false, err
		}
	}
	if !when {
		return false, false, nil
	}
	if st.unless != nil {
		// What can't be evaluated is no exception: better a finding too many.
		if unless, err = st.unless.Bool(e); err == nil && unless {
			return true, true, nil
		}
	}
	excepted, more := st.r.excepted(e)
	return true, excepted, errors.Join(err, more)
}

// Fold takes an event; see [Running].
func (s *running) Fold(e *event.Event, at event.Address, m Moment) ([]event.Finding, error) {
	var belongs uint
	var errs []error
	s.steps[0].novel.begin(e, m)
	for i := range s.steps {
		when, unless, err := s.steps[i].match(e)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %s: %w", s.r.name, err))
		}
		if when && s.watched != nil {
			s.watched.when = true
		}
		if when && !unless {
			belongs |= 1 << i
		}
	}
	if belongs == 0 {
		return nil, errors.Join(errs...)
	}
	found, err := s.found(belongs, e, at, m)
	if err != nil {
		errs = append(errs, fmt.Errorf("rule %s: %w", s.r.name, err))
	}
	return found, errors.Join(errs...)
}

// found gives the finding of an event that belongs to some step.
func (s *running) found(steps uint, e *event.Event, at event.Address, m Moment) ([]event.Finding, error) {
	var f event.Finding
	var ok bool
	var err error
	s.again = false
	switch {
	case s.window != nil:
		f, ok, err = s.ofWindow(e, at, m)
	case s.chain != nil:
		f, ok, err = s.ofChain(steps, e, at, m)
	default:
		f, err = s.finding(e, at)
		f.ID, ok = event.FindingID(s.r.name, "", origin(e)), true
		r := s.requests.of(e, [16]byte{})
		s.again, r.seen = r.seen, true
	}
	if s.watched != nil && ok {
		s.watched.found = f.ID
	}
	if !ok || s.quiet == nil {
		return one(f, ok), err
	}
	key, failed := s.quiet.key(e, s.group)
	err = errors.Join(err, failed)
	if s.watched != nil {
		s.watched.quiet = key
	}
	return one(f, s.quiet.first(key, &f, m.Now, s.again)), err
}

func one(f event.Finding, ok bool) []event.Finding {
	if !ok {
		return nil
	}
	return []event.Finding{f}
}

// Advance gives the findings of sequences that are due.
func (s *running) Advance(now time.Time) []event.Finding {
	var all []event.Finding
	if s.window != nil {
		s.window.expire(now)
	}
	if s.quiet != nil {
		s.quiet.expire(now)
	}
	if s.chain != nil {
		for _, h := range s.chain.due(now) {
			if s.quiet.first(h.key, &h.finding, now, false) {
				all = append(all, h.finding)
			}
		}
	}
	return all
}

// Next is when something may be due that Advance gives.
func (s *running) Next() (at time.Time, ok bool) {
	if s.chain == nil {
		return at, false
	}
	return s.chain.machine.Next()
}

// Counts gives how often findings came again.
func (s *running) Counts() []event.FindingCount {
	if s.quiet == nil {
		return nil
	}
	return s.quiet.counts()
}

// Save writes what is remembered.
func (s *running) Save(out *pack.Writer) {
	s.steps[0].novel.save(out)
	if s.window != nil {
		s.window.groups.Save(out)
	}
	if s.chain != nil {
		s.chain.machine.Save(out)
	}
	if s.quiet != nil {
		s.quiet.save(out)
	}
	if s.requests != nil {
		s.requests.save(out)
	}
}

// Load reads what Save wrote.
func (s *running) Load(in *pack.Reader) error {
	errs := []error{s.steps[0].novel.load(in)}
	if s.window != nil {
		errs = append(errs, s.window.groups.Load(in))
	}
	if s.chain != nil {
		errs = append(errs, s.chain.machine.Load(in))
	}
	if s.quiet != nil {
		s.quiet.load(in)
	}
	if s.requests != nil {
		s.requests.load(in)
	}
	return errors.Join(append(errs, in.Done())...)
}

// Stats counts what is remembered.
func (s *running) Stats() Memory {
	m := s.steps[0].novel.stats()
	if s.window != nil {
		w := s.window.groups.Stats()
		m.add(Memory{Groups: w.Groups, Bytes: w.Bytes, Evicted: w.Evicted, Late: w.Late})
	}
	if s.chain != nil {
		c := s.chain.machine.Stats()
		m.add(Memory{Groups: c.Keys, Bytes: c.Keys * chainBytes, Evicted: c.Evicted + c.Dropped})
	}
	if s.quiet != nil {
		m.add(s.quiet.stats())
	}
	if s.requests != nil {
		m.add(s.requests.stats())
	}
	return m
}

// Evict makes room of about so many bytes, if there is as much: of what has most
// of it.
func (s *running) Evict(size int) {
	for target := max(s.Stats().Bytes-size, 0); s.Stats().Bytes > target; {
		least, most := func() {}, 0
		consider := func(bytes int, evict func()) {
			if bytes > most {
				least, most = evict, bytes
			}
		}
		for _, c := range s.steps[0].novel.calls {
			consider(c.keys.Stats().Bytes, c.keys.Evict)
			consider(c.pairs.Stats().Bytes, c.pairs.Evict)
		}
		if s.window != nil {
			consider(s.window.groups.Stats().Bytes, s.window.groups.Evict)
		}
		if s.chain != nil {
			consider(s.chain.machine.Stats().Keys*chainBytes, s.chain.machine.Evict)
		}
		if s.quiet != nil {
			consider(s.quiet.stats().Bytes, s.quiet.Evict)
		}
		if most == 0 {
			return
		}
		least()
	}
}

// finding is what is claimed of one event, without an id.
func (s *running) finding(e *event.Event, at event.Address) (event.Finding, error) {
	explanation, err := s.message.Render(e)
	if err != nil {
		err = fmt.Errorf("message: %w", err)
		explanation = s.r.Spec.Title
	}
	if len(explanation) > maxExplanation {
		explanation = strings.ToValidUTF8(explanation[:maxExplanation], "") + "…"
	}
	f := event.Finding{
		Rule: s.r.name, Version: s.r.version, Score: 1, Explanation: explanation, Subject: e.Object, Actor: e.Actor, Source: e.Source, Trust: e.Trust,
		Events: []event.Address{at}, Time: e.Time, Received: e.Received,
	}
	s.r.Spec.claimed(&f, s.r.attack, s.r.labels)
	return f, err
}

// maxExplanation bounds a rendered message, in bytes.
const maxExplanation = 2 << 10

// origin is what a finding is told apart by. The API server writes an audit
// event for each stage of a request: those of one request give one finding,
// whichever stages its policy lets through. An audit id alone would not do, as
// clients may choose it; the time at which the server received the request is
// the server's own, and the same in all stages.
func origin(e *event.Event) string {
	id, _ := e.Fields["audit_id"].(string)
	if e.Source != event.SourceAudit || id == "" || e.Time.IsZero() {
		return e.ID
	}
	uri, _ := e.Fields["uri"].(string)
	return event.HashID("request", id, e.Time.UTC().Format(time.RFC3339Nano), e.Actor.User, e.Verb, uri)
}
