package detect

import (
	"cmp"
	"errors"
	"slices"

	"github.com/firebreak-io/firebreak/detect/rules"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// RuleSet is detectors, each by a name of its own. It does not change once it
// is made.
type RuleSet struct {
	detectors []Detector
}

// elsewhere are the kinds of documents that may lie beside rules and are read
// by others.
var elsewhere = []string{"Playbook", "Config"}

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

// NewRuleSet makes the detectors of documents; see [LoadRules].
func NewRuleSet(docs []*conf.Document) (*RuleSet, error) {
	var errs []error
	set := &RuleSet{}
	first := map[string]*conf.Document{}
	for _, doc := range docs {
		kind, ok := kinds[doc.Kind]
		if !ok {
			if !slices.Contains(elsewhere, doc.Kind) {
				errs = append(errs, doc.Errorf("kind", "unknown kind %q%s", doc.Kind, conf.Suggest(doc.Kind, kindNames())))
			}
			continue
		}
		if before := first[doc.Metadata.Name]; before != nil {
			errs = append(errs, doc.Errorf("metadata.name", "%q is the name of the %s at %s:%d too",
				doc.Metadata.Name, before.Kind, before.File, before.Line))
			continue
		}
		first[doc.Metadata.Name] = doc
		d, err := kind.New(doc)
		if err != nil {
			errs = append(errs, err)
		} else if d != nil {
			set.detectors = append(set.detectors, d)
		}
	}
	set.sort()
	return set, errors.Join(errs...)
}

func kindNames() []string {
	names := slices.Clone(elsewhere)
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// sort puts detectors in the order in which they see an event.
func (s *RuleSet) sort() {
	slices.SortFunc(s.detectors, func(a, b Detector) int { return cmp.Compare(a.Name(), b.Name()) })
}

// Over gives the detectors of both sets; where both have a name, s's: a user's
// rule replaces the shipped one of its name.
func (s *RuleSet) Over(base *RuleSet) *RuleSet {
	out := &RuleSet{detectors: slices.Clone(s.detectors)}
	for _, d := range base.detectors {
		if s.Lookup(d.Name()) == nil {
			out.detectors = append(out.detectors, d)
		}
	}
	out.sort()
	return out
}

// Detectors lists them by name.
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
