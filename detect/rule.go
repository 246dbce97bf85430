package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "Rule",
		Doc:  "Events that an expression holds for: one, as many in a time as it says, or a sequence.",
		Spec: RuleSpec{},
		New:  newRule,
	})
}

// Rule is a detector that is written as expressions.
type Rule struct {
	Spec          RuleSpec
	name, version string
	file          string
	line          int
	memory        string
	labels        map[string]string
	attack        []string
	sources       []event.Source
	doc           *conf.Document
	exceptions    []*Exception
	// first is one that runs, to ask for a single event, see [Rule.Match], and to
	// open others.
	first *running
	// needs are what [Rule.Needs] found, once it was asked.
	needs     []conf.Needs
	needsOnce sync.Once
	// taken is for explaining, once that was asked.
	taken     taken
	takenOnce sync.Once
}

func newRule(doc *conf.Document) (Detector, error) {
	r := &Rule{doc: doc, name: doc.Metadata.Name, version: doc.Digest(), file: doc.File, line: doc.Line, labels: doc.Metadata.Labels}
	if err := doc.Decode(&r.Spec); err != nil {
		return nil, err
	}
	r.attack = r.Spec.techniques()
	r.sources = r.Spec.allSources()
	r.memory = r.Spec.memory()
	errs := r.Spec.check(doc)
	if len(errs) == 0 || r.Spec.Window == nil || r.Spec.Sequence == nil {
		var err error
		if r.first, err = compileRule(r, Limits{Groups: 1}); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if r.Spec.disabled() {
		return nil, nil
	}
	return r, nil
}

// allSources are those of the rule, or of its steps.
func (s *RuleSpec) allSources() []event.Source {
	var all []event.Source
	add := func(one source, more ...source) {
		for _, o := range append(more, one) {
			if o != "" && !slices.Contains(all, event.Source(o)) {
				all = append(all, event.Source(o))
			}
		}
	}
	if s.Sequence == nil {
		add(s.Source, s.Sources...)
		return all
	}
	for _, st := range s.Sequence.Steps {
		if st.Source != "" {
			add(st.Source)
		} else {
			add(s.Source, s.Sources...)
		}
	}
	return all
}

// memoryForm changes with how rules remember: what was saved otherwise can't be
// read.
const memoryForm = 2

// memory is the digest of what decides what the rule remembers: a rule whose
// title or message changes goes on where it was.
func (s *RuleSpec) memory() string {
	data, err := json.Marshal([]any{memoryForm, s.Source, s.Sources, s.Class, s.When, s.Unless, s.Window, s.Sequence, s.Suppress})
	if err != nil {
		return ""
	}
	return event.HashID("memory", string(data))
}

// Name is the rule's name.
func (r *Rule) Name() string { return r.name }

// Version is the digest of the rule's text.
func (r *Rule) Version() string { return r.version }

// Place is the file that it is written in, and the line where it begins.
func (r *Rule) Place() (file string, line int) { return r.file, r.line }

// Memory is the digest of all of the spec that decides what is remembered.
func (r *Rule) Memory() string { return r.memory }

// Sources are those whose events it looks at.
func (r *Rule) Sources() []event.Source { return slices.Clone(r.sources) }

// Open makes one that runs. What was compiled when the rule was loaded is shared by
// all of them.
func (r *Rule) Open(l Limits) (Running, error) { return r.first.another(l) }

// Selection is what events are like that a rule looks at: all of Facts hold for
// them. When is that of the facts which a person would change.
type Selection struct {
	Facts []conf.Expression
	When  conf.Expression
}

// Selects are the alternatives: each event of the source that the rule looks at
// fulfils one of them.
func (r *Rule) Selects(source event.Source) []Selection {
	spec := &r.Spec
	if spec.Sequence == nil {
		return selection(nil, source, r.sources, spec.Class, spec.When)
	}
	var all []Selection
	for _, st := range spec.Sequence.Steps {
		sources, of := r.sources, spec.Class
		if st.Source != "" {
			sources = []event.Source{event.Source(st.Source)}
		}
		if st.Class != "" {
			of = st.Class
		}
		all = selection(all, source, sources, of, st.When, spec.When)
	}
	return all
}

func selection(all []Selection, source event.Source, sources []event.Source, of class, when conf.Expression, more ...conf.Expression) []Selection {
	if !slices.Contains(sources, source) {
		return all
	}
	s := Selection{Facts: append(more, when, conf.Expression{Text: fmt.Sprintf("source == %q", source)}), When: when}
	if of != "" {
		s.Facts = append(s.Facts, conf.Expression{Text: fmt.Sprintf("class == %q", of)})
	}
	return append(all, s)
}

// Match says whether when holds for an event alone, and whether unless or an
// exception does; of a sequence, those of any step. Of an error neither counts
// as true. It is for
// explaining: what the rule remembers is left out. Not for a rule that asks
// first_seen or rarity, it may be called by many at a time.
func (r *Rule) Match(e *event.Event) (when, unless bool, err error) {
	for i := range r.first.steps {
		w, u, problem := r.first.steps[i].match(e)
		if err = problem; w {
			return w, u, err
		}
	}
	return false, false, err
}

// Needs are the alternatives of what events have to be like, of some paths, which
// are the same at every call; see
// [conf.Select].
func (r *Rule) Needs(paths []string) []conf.Needs {
	r.needsOnce.Do(func() { r.needs = r.allNeeds(paths) })
	return r.needs
}

func (r *Rule) allNeeds(paths []string) []conf.Needs {
	var all []conf.Needs
	add := func(sources []event.Source, class class, when ...conf.Expression) {
		own := conf.Needs{"source": nil}
		for _, s := range sources {
			own["source"] = append(own["source"], string(s))
		}
		if class != "" {
			own["class"] = []string{string(class)}
		}
		for _, n := range conf.Select(paths, when...) {
			if n, possible := own.And(n); possible {
				all = append(all, n)
			}
		}
	}
	plain := plainSources(r.Spec.Source, r.Spec.Sources)
	if r.Spec.Sequence == nil {
		add(plain, r.Spec.Class, r.Spec.When)
		return all
	}
	for _, st := range r.Spec.Sequence.Steps {
		sources, class := plain, r.Spec.Class
		if st.Source != "" {
			sources = []event.Source{event.Source(st.Source)}
		}
		if st.Class != "" {
			class = st.Class
		}
		add(sources, class, r.Spec.When, st.When)
	}
	return all
}
