package detect

import (
	"slices"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// A source may store lines and count them in summaries. Then each kind of line is
// measured from one of the two, for each measure by itself: from the summaries
// what they can tell of all lines of the kind, which is so whether a line was
// stored or not; from the lines what they can't, as far as those were stored.
// Which it is depends on nothing but how the model is written.

// told says of which kinds of lines a measure is from summaries.
type told struct {
	// of is of the condition, or the value, against of that of a ratio's
	// denominator.
	of, against kindSet
	// sketched are the kinds that a sketch or a sum of the summary is of, which is
	// then taken as a whole.
	sketched kindSet
	set      func(*sketch.Summary) *sketch.Distinct
}

// What a summary has a sketch, or the sum, of.
const (
	argLatency   = "http.duration"
	argAddresses = "actor.address"
	argUsers     = "actor.user"
	argBytes     = "http.bytes"
)

// sharing is what a model takes of each kind of line.
type sharing struct {
	kinds    []lineKind
	domain   func(k lineKind, path string) conf.Domain
	selected []conf.Answer
	// wholly are the kinds of which all lines of a writer are selected or none, the
	// same for all these kinds.
	wholly kindSet
	// reads says that something is told by summaries.
	reads bool
}

// newSharing says what the model's conditions select of each kind. Nothing is
// told where entities can't be.
func newSharing(s *ModelSpec, domain func(k lineKind, path string) conf.Domain) *sharing {
	sh := &sharing{kinds: lineKinds(), domain: domain}
	sh.selected = make([]conf.Answer, len(sh.kinds))
	for _, x := range slices.Concat(s.Entity, s.Peers) {
		if x.Tell(writerDomain) == conf.Open {
			return sh
		}
	}
	for i, k := range sh.kinds {
		sh.selected[i] = sh.selects(s, k)
		if sh.whole(s, k) {
			sh.wholly.add(i)
		}
		sh.reads = sh.reads || sh.selected[i] == conf.Always || sh.selected[i] == conf.Told
	}
	return sh
}

func (sh *sharing) selects(s *ModelSpec, k lineKind) conf.Answer {
	if s.Class != "" && string(s.Class) != k.class {
		return conf.Never
	}
	when, unless := conf.Always, conf.Never
	if !s.When.IsZero() {
		when = sh.tell(s.When, k)
	}
	if !s.Unless.IsZero() {
		unless = sh.tell(s.Unless, k)
	}
	switch {
	case when == conf.Never || unless == conf.Always:
		return conf.Never
	case when == conf.Open || unless == conf.Open:
		return conf.Open
	case when == conf.Told || unless == conf.Told:
		return conf.Told
	}
	return conf.Always
}

// whole says whether what selects lines of the kind asks for nothing but the
// writer.
func (sh *sharing) whole(s *ModelSpec, k lineKind) bool {
	if s.Class != "" && string(s.Class) != k.class {
		return false
	}
	for _, x := range s.When.Parts() {
		if !x.IsZero() && x.Tell(writerDomain) == conf.Open && sh.tell(x, k) != conf.Always {
			return false
		}
	}
	return s.Unless.IsZero() || s.Unless.Tell(writerDomain) != conf.Open || sh.tell(s.Unless, k) == conf.Never
}

func (sh *sharing) tell(x conf.Expression, k lineKind) conf.Answer {
	return x.Tell(func(path string) conf.Domain { return sh.domain(k, path) })
}

// all says whether lines are selected wholly of all kinds of which it is true.
func (sh *sharing) all(of func(lineKind) bool) bool { return sh.these(of).within(sh.wholly) }

func (sh *sharing) these(of func(lineKind) bool) (s kindSet) {
	for i, k := range sh.kinds {
		if of(k) {
			s.add(i)
		}
	}
	return s
}

// only says whether nothing but the kinds of which it is true may be selected.
func (sh *sharing) only(of func(lineKind) bool) bool {
	for i, k := range sh.kinds {
		if !of(k) && sh.selected[i] != conf.Never {
			return false
		}
	}
	return true
}

func isRequest(k lineKind) bool { return k.class == event.ClassHTTP }
func isClient(k lineKind) bool  { return k.class == event.ClassHTTP || k.class == event.ClassLogin }
func isFailed(k lineKind) bool {
	return k.class == event.ClassLogin && k.outcomes[0] == event.OutcomeFailure
}
func isAny(lineKind) bool { return true }

// of says what of a measure is told.
func (sh *sharing) of(c *measure) (t told) {
	if !sh.reads {
		return t
	}
	t.set, t.sketched = sh.sketch(c)
	for i, k := range sh.kinds {
		switch {
		case sh.selected[i] == conf.Open:
			continue
		case sh.selected[i] == conf.Never, t.sketched.has(i):
			t.of.add(i)
			t.against.add(i)
			continue
		}
		first, second := sh.argument(c, 0, k), sh.argument(c, 1, k)
		switch c.Name {
		case "ratio":
			if second != conf.Open {
				t.against.add(i)
			}
			if second == conf.Never || first != conf.Open && second != conf.Open {
				t.of.add(i)
			}
		case "quantile": // of many lines together it would count as one
			if c.Exprs[0].Text == argLatency && first != conf.Open {
				t.of.add(i)
			}
		default:
			if !slices.ContainsFunc(c.Exprs, func(x conf.Expression) bool { return sh.tell(x, k) == conf.Open }) {
				t.of.add(i)
			}
		}
	}
	return t
}

// argument is what can be told of one; of one that is left out, that it is true.
func (sh *sharing) argument(c *measure, i int, k lineKind) conf.Answer {
	if i >= len(c.Exprs) {
		return conf.Always
	}
	return sh.tell(c.Exprs[i], k)
}

// sketch is which sketch or sum of a summary answers a measure, and of which
// kinds of lines. That of addresses is of the lines of all kinds: it is taken
// where requests and logins are selected, all of them.
func (sh *sharing) sketch(c *measure) (set func(*sketch.Summary) *sketch.Distinct, kinds kindSet) {
	if len(c.Exprs) == 0 {
		return nil, 0
	}
	switch arg := c.Exprs[0].Text; {
	case c.Name == "quantile" && arg == argLatency, (c.Name == "sum" || c.Name == "avg") && arg == argBytes:
		if sh.all(isRequest) {
			return nil, sh.these(isRequest)
		}
	case c.Name != "distinct" || len(c.Exprs) != 1 || arg != argAddresses && arg != argUsers:
	case sh.only(isFailed) && sh.all(isFailed) && arg == argAddresses:
		return func(s *sketch.Summary) *sketch.Distinct { return &s.FailedAddresses }, sh.these(isFailed)
	case sh.only(isFailed) && sh.all(isFailed):
		return func(s *sketch.Summary) *sketch.Distinct { return &s.FailedUsers }, sh.these(isFailed)
	case sh.all(isClient) && arg == argAddresses:
		return func(s *sketch.Summary) *sketch.Distinct { return &s.Addresses }, sh.these(isAny)
	}
	return nil, 0
}
