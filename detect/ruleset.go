package detect

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	"github.com/firebreak-io/firebreak/detect/rules"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// RuleSet is detectors, each by a name of its own. It does not change once it
// is made.
type RuleSet struct {
	detectors []Detector
	library   *conf.Library
	// layers are the documents that it is made of.
	layers []layer
	// bundle is what [RuleSet.Bundle] gives, once it was asked for by the
	// worker.
	bundle []byte
	// index is for [RuleSet.For], and used by one at a time.
	index     *index
	indexOnce sync.Once
	indexMu   sync.Mutex
}

// elsewhere are the kinds of documents that may lie beside rules and are read
// by others.
var elsewhere = []string{"Playbook", "StepGroup", "Config"}

// LoadRules reads the detectors of files and directories (see [conf.Read]).
// Documents of playbooks and of the configuration are passed over. The error
// joins the problems of all files; there is no set beside it.
func LoadRules(paths ...string) (*RuleSet, error) {
	docs, err := conf.Read(paths...)
	set, more := NewRuleSet(docs)
	if err := errors.Join(err, more); err != nil {
		return nil, err
	}
	return set, nil
}

// Shipped reads the rules that come with Firebreak.
func Shipped() (*RuleSet, error) {
	docs, err := conf.ReadFS(rules.FS, "rules")
	set, more := NewRuleSet(docs)
	if err := errors.Join(err, more); err != nil {
		return nil, err
	}
	return set, nil
}

// NewRuleSet makes the detectors of documents; see [LoadRules]. Their
// expressions may name the lists and macros of the documents, and those that
// come with Firebreak. What an [Exception] says of a rule that comes with
// Firebreak, and is not among the documents, has its effect in [RuleSet.Over].
func NewRuleSet(docs []*conf.Document) (*RuleSet, error) {
	return newRuleSet([]layer{docs})
}

// Over gives the detectors of both sets; where both have a name, s's: a user's
// rule replaces the shipped one of its name, or, where it is not enabled,
// switches it off. So do lists, macros and exceptions, for the rules of both.
func (s *RuleSet) Over(base *RuleSet) (*RuleSet, error) {
	set, err := newRuleSet(slices.Concat(base.layers, s.layers))
	if err != nil {
		return nil, err
	}
	return set, nil
}

func newRuleSet(layers []layer) (*RuleSet, error) {
	set := &RuleSet{library: &conf.Library{}, layers: layers}
	shared, err := shippedShared()
	errs := []error{err}
	used := []layer{shared.using(set.library)}
	for _, l := range layers {
		l, err := known(l)
		errs = append(errs, err)
		used = append(used, l.using(set.library))
	}
	errs = append(errs, fill(set.library, used))
	exceptions, err := exceptionsOf(used)
	errs = append(errs, err)
	for _, doc := range last(used, makesDetector) {
		d, err := kinds[doc.Kind].New(doc)
		if err == nil && d != nil {
			set.detectors = append(set.detectors, d)
			err = except(d, exceptions[d.Name()])
		}
		errs = append(errs, err)
	}
	set.sort()
	return set, errors.Join(errs...)
}

// known leaves out the documents of other kinds, and those whose name was given
// before in the layer.
func known(docs layer) (layer, error) {
	var out layer
	var errs []error
	first := map[string]*conf.Document{}
	for _, doc := range docs {
		if _, ok := kinds[doc.Kind]; !ok {
			if !slices.Contains(elsewhere, doc.Kind) {
				errs = append(errs, doc.Errorf("kind", "unknown kind %q%s", doc.Kind, conf.Suggest(doc.Kind, kindNames())))
			}
			continue
		}
		if before := first[key(doc)]; before != nil {
			errs = append(errs, doc.Errorf("metadata.name", "%q is the name of the %s at %s:%d too",
				doc.Metadata.Name, before.Kind, before.File, before.Line))
			continue
		}
		first[key(doc)] = doc
		out = append(out, doc)
	}
	return out, errors.Join(errs...)
}

// key is what no two documents of a layer share: all detectors have one space
// of names, and each other kind one of its own.
func key(doc *conf.Document) string {
	if makesDetector(doc) {
		return doc.Metadata.Name
	}
	return doc.Kind + "/" + doc.Metadata.Name
}

// last are those documents of some kind that none of a later layer replaces.
func last(layers []layer, of func(*conf.Document) bool) []*conf.Document {
	var out []*conf.Document
	place := map[string]int{}
	for _, l := range layers {
		for _, doc := range l {
			if !of(doc) {
				continue
			}
			if i, replaced := place[key(doc)]; replaced {
				out[i] = doc
				continue
			}
			place[key(doc)] = len(out)
			out = append(out, doc)
		}
	}
	return out
}

func kindNames() []string {
	names := slices.Clone(elsewhere)
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// sort puts detectors in the order in which they see an event: models hear of
// what rules found first.
func (s *RuleSet) sort() {
	late := func(d Detector) int {
		if _, model := d.(*Model); model {
			return 1
		}
		return 0
	}
	slices.SortFunc(s.detectors, func(a, b Detector) int { return cmp.Or(cmp.Compare(late(a), late(b)), cmp.Compare(a.Name(), b.Name())) })
}

// Library is what the expressions of the set's rules may name.
func (s *RuleSet) Library() *conf.Library { return s.library }

// Detectors lists them by name, models after the others.
func (s *RuleSet) Detectors() []Detector { return slices.Clone(s.detectors) }

// Lookup is the detector of that name, or nil.
func (s *RuleSet) Lookup(name string) Detector {
	i := slices.IndexFunc(s.detectors, func(d Detector) bool { return d.Name() == name })
	if i < 0 {
		return nil
	}
	return s.detectors[i]
}

// Version is the digest over the names and versions of all detectors.
func (s *RuleSet) Version() string {
	parts := []string{"rules"}
	for _, d := range s.detectors {
		parts = append(parts, d.Name(), d.Version())
	}
	return event.HashID(parts...)
}
