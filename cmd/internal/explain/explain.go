// Package explain says of one event, or of the events behind a finding, how far
// they got in each rule, and what came of it. It replays what came before, so
// that windows, sequences, suppression and silences are as they were.
package explain

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Options say what to explain.
type Options struct {
	// Replay is what the event came among; its inputs are read twice.
	Replay replay.Options
	// What is an event or a finding: its id or the beginning of it, where an
	// event was read (FILE:LINE), or its place in a stream (SEQUENCE/INDEX).
	// Nothing is the last event.
	What string
	// Rule, if set, is the only rule to tell of, however far it got.
	Rule string
	// Known, if set, is the finding that is asked for, as it was stored: the
	// rules of now may find it or not.
	Known *event.Finding
}

// Explained is what became of one event.
type Explained struct {
	Event event.Event
	At    event.Address
	detect.Explanation
	// Rules is how many there are, PassedOver how many of them the index did
	// not ask.
	Rules, PassedOver int
	// Runs are what playbooks would do because of its findings.
	Runs []replay.Run
}

// Answer is what is told.
type Answer struct {
	// Finding is the one that was asked for, else nil. Now is the version that
	// its rule has here, empty where there is none of that name.
	Finding *event.Finding
	Now     string
	// Events are the one that was asked for, or those behind the finding.
	Events []Explained
}

// ErrNothing is that there is no such event or finding.
var ErrNothing = errors.New("no event and no finding of that id or place")

// minPrefix is how much of an id has to be given.
const minPrefix = 6

// maxEvents bounds the events that are told of.
const maxEvents = 64

// Explain replays everything once to find what is asked for, and once to tell
// of it.
func Explain(ctx context.Context, o Options) (Answer, error) {
	f := &finder{Options: o, place: parsePlace(o.What)}
	r := o.Replay
	if o.Known != nil {
		f.take(*o.Known)
	} else {
		r.Explaining = f.look
		if err := replay.Replay(ctx, r, f); err != nil {
			return Answer{}, err
		}
	}
	if f.several {
		return Answer{}, fmt.Errorf("%q is the beginning of several ids: give more of it", o.What)
	}
	if len(f.wanted) == 0 {
		if o.What == "" {
			return Answer{}, errors.New("there is no event")
		}
		return Answer{}, ErrNothing
	}
	t := &teller{Options: o, wanted: f.wanted, answer: Answer{Finding: f.finding}}
	if f.finding != nil {
		name := f.finding.Rule + f.finding.Model
		if t.Rule == "" {
			t.Rule = name
		}
		if d := o.Replay.Rules.Lookup(name); d != nil {
			t.answer.Now = d.Version()
		}
	}
	r = o.Replay
	r.Explaining, r.Explained = t.wants, t.told
	if t.Rule != "" {
		r.Extent.Every = func(name string) bool { return name == t.Rule }
	}
	if err := replay.Replay(ctx, r, t); err != nil {
		return Answer{}, err
	}
	return t.answer, nil
}

// key is where an event is.
type key struct {
	sequence uint64
	index    int
}

func keyOf(a event.Address) key { return key{a.Sequence, a.Index} }

var place = regexp.MustCompile(`^([0-9]{1,19})(?:/([0-9]{1,9}))?$`)

// parsePlace reads SEQUENCE/INDEX; nil is that it is none.
func parsePlace(text string) *key {
	m := place.FindStringSubmatch(text)
	if m == nil || len(text) >= 32 {
		return nil
	}
	sequence, err := strconv.ParseUint(m[1], 10, 64)
	index, _ := strconv.Atoi(m[2])
	if err != nil || m[2] == "" {
		return nil
	}
	return &key{sequence, index}
}

// finder finds what is asked for.
type finder struct {
	nothing
	Options
	place   *key
	id      string
	wanted  map[key]bool
	finding *event.Finding
	several bool
}

// is says whether an id is the one that is asked for.
func (f *finder) is(id string) bool {
	if id == "" || id != f.What && (len(f.What) < minPrefix || !strings.HasPrefix(id, f.What)) {
		return false
	}
	if f.id != "" && f.id != id {
		f.several = true
	}
	f.id = id
	return true
}

// look is asked about each event; none is explained yet.
func (f *finder) look(e *event.Event, at event.Address) bool {
	k := keyOf(at)
	switch {
	case f.What == "":
		if e.Verb != event.VerbTick || e.Source != event.SourceControl {
			f.wanted = map[key]bool{k: true}
		}
	case f.place != nil && *f.place == k, e.From == f.What, strings.HasSuffix(e.From, "/"+f.What), f.is(e.ID):
		if f.wanted == nil {
			f.wanted = map[key]bool{}
		}
		if len(f.wanted) < maxEvents {
			f.wanted[k] = true
		}
	}
	return false
}

// Finding is asked about each finding.
func (f *finder) Finding(one event.Finding) error {
	if f.is(one.ID) {
		f.take(one)
	}
	return nil
}

// take asks for the events behind a finding.
func (f *finder) take(one event.Finding) {
	f.finding, f.wanted = &one, map[key]bool{}
	for _, at := range one.Events {
		f.wanted[keyOf(at)] = true
	}
}

// teller keeps what is told.
type teller struct {
	nothing
	Options
	wanted map[key]bool
	answer Answer
}

func (t *teller) wants(_ *event.Event, at event.Address) bool { return t.wanted[keyOf(at)] }

func (t *teller) told(e *event.Event, at event.Address, x detect.Explanation) {
	all := len(t.Replay.Rules.Detectors())
	passed := all
	for _, l := range x.Looks {
		if l.Stage != detect.StageIndex {
			passed--
		}
	}
	if t.Rule != "" {
		var one []detect.Look
		for _, l := range x.Looks {
			if l.Rule == t.Rule {
				one = append(one, l)
			}
		}
		x.Looks = one
	}
	t.answer.Events = append(t.answer.Events, Explained{Event: *e, At: at, Explanation: x, Rules: all, PassedOver: passed})
}

// Run is what a playbook would do: it belongs to the event whose finding it is
// of.
func (t *teller) Run(r replay.Run) error {
	for i := range t.answer.Events {
		for _, f := range t.answer.Events[i].Findings {
			if f.ID == r.Finding.ID {
				t.answer.Events[i].Runs = append(t.answer.Events[i].Runs, r)
			}
		}
	}
	return nil
}

// nothing is a sink that takes no interest.
type nothing struct{}

func (nothing) Finding(event.Finding) error                   { return nil }
func (nothing) Run(replay.Run) error                          { return nil }
func (nothing) Rejected(event.Rejected) error                 { return nil }
func (nothing) Count(event.Finding, event.FindingCount) error { return nil }
func (nothing) Summary(replay.Summary) error                  { return nil }
