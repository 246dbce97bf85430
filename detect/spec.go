package detect

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/detect/sequence"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// RuleSpec is the spec of a Rule document. Without window and sequence each
// event that when is true of is a finding.
type RuleSpec struct {
	Claim `yaml:",inline"`
	// Window is for findings of many events, Sequence of different ones.
	Window   *WindowSpec   `yaml:"window"`
	Sequence *SequenceSpec `yaml:"sequence"`
	// Suppress makes findings of one group one, that is counted.
	Suppress *SuppressSpec `yaml:"suppress"`
}

// WindowSpec groups events by the values of By. A group is found when Having
// holds for its events within Over. Without By all events are one group.
type WindowSpec struct {
	By   []conf.Expression `yaml:"by"`
	Over conf.Duration     `yaml:"over,required"`
	// Type is sliding (the usual) or tumbling: windows that begin at whole
	// multiples of Over since 1970.
	Type windowType `yaml:"type"`
	// Having is made of aggregates: count(), count(condition), distinct(value,
	// …), sum(x), avg(x), min(x), max(x), quantile(x, 0.99), rate(),
	// ratio(condition), baseline_ratio().
	Having conf.Expression `yaml:"having,required"`
}

// SequenceSpec finds events of one group, one for each step, within a time.
type SequenceSpec struct {
	By     []conf.Expression `yaml:"by,required"`
	Within conf.Duration     `yaml:"within,required"`
	// Order is strict (the usual), one after the other, or any.
	Order order      `yaml:"order"`
	Steps []StepSpec `yaml:"steps,required"`
}

// StepSpec is one event of a sequence.
type StepSpec struct {
	Name   string          `yaml:"name"`
	Source source          `yaml:"source"`
	Class  class           `yaml:"class"`
	When   conf.Expression `yaml:"when,required"`
	// Not, of the last step: there is a finding when it does not follow the
	// others in time.
	Not bool `yaml:"not"`
	// By takes the place of the sequence's by, where the same thing has another
	// name in this step's events.
	By []conf.Expression `yaml:"by"`
}

// SuppressSpec makes the findings of one group one for some time: the first one
// is a finding, those that follow are counted.
type SuppressSpec struct {
	By  []conf.Expression `yaml:"by"`
	For conf.Duration     `yaml:"for,required"`
}

// Bounds of windows, sequences and suppression.
const (
	minOver     = time.Second
	maxOver     = 30 * 24 * time.Hour
	maxGroupBy  = 8
	maxSteps    = sequence.MaxSteps
	maxSuppress = 30 * 24 * time.Hour
)

// check finds what is wrong with the spec besides its expressions.
func (s *RuleSpec) check(doc *conf.Document) []error {
	errs := s.Claim.check(doc, s.Sequence != nil && !slices.ContainsFunc(s.Sequence.Steps, func(st StepSpec) bool { return st.Source == "" }))
	bad := func(path, format string, args ...any) { errs = append(errs, doc.Errorf("spec"+path, format, args...)) }
	span := func(path string, d conf.Duration, most time.Duration) {
		if d.Std() < minOver || d.Std() > most {
			bad(path, "%s is not from %s to %s", d, conf.Duration(minOver), conf.Duration(most))
		}
	}
	if s.When.IsZero() && s.Sequence == nil {
		bad("", "required key %q is missing", "when")
	}
	if s.Window != nil && s.Sequence != nil {
		bad(".window", "window and sequence exclude each other")
	}
	if w := s.Window; w != nil {
		span(".window.over", w.Over, maxOver)
		errs = append(errs, tooMany(w.By)...)
	}
	if q := s.Sequence; q != nil {
		span(".sequence.within", q.Within, maxOver)
		errs = append(errs, tooMany(q.By)...)
		errs = append(errs, s.checkSteps(doc)...)
	}
	if p := s.Suppress; p != nil {
		span(".suppress.for", p.For, maxSuppress)
		errs = append(errs, tooMany(p.By)...)
	}
	return append(errs, s.checkSummaries(doc)...)
}

func tooMany(by []conf.Expression) []error {
	if len(by) > maxGroupBy {
		return []error{by[maxGroupBy].Errorf("more than %d values to group by", maxGroupBy)}
	}
	return nil
}

func (s *RuleSpec) checkSteps(doc *conf.Document) (errs []error) {
	steps := s.Sequence.Steps
	if n := len(steps); n < 2 || n > maxSteps {
		errs = append(errs, doc.Errorf("spec.sequence.steps", "a sequence has 2 to %d steps, not %d", maxSteps, n))
	}
	for i, st := range steps {
		if st.Not && i < len(steps)-1 {
			errs = append(errs, doc.Errorf(fmt.Sprintf("spec.sequence.steps[%d].not", i), "only the last step may be one that must not follow"))
		}
		if len(st.By) > 0 && len(st.By) != len(s.Sequence.By) {
			errs = append(errs, doc.Errorf(fmt.Sprintf("spec.sequence.steps[%d].by", i), "has %d values, and the sequence's by %d", len(st.By), len(s.Sequence.By)))
		}
	}
	return errs
}

// What the labels of a rule say of the threat, for the matrix of risks.
var (
	threats = []string{"container-escape", "malicious-image", "misconfiguration", "data-leak", "denial-of-service"}
	grades  = []string{"low", "medium", "high"}
)

// The labels by which a rule says so.
const (
	labelThreat     = "threat"
	labelLikelihood = "likelihood"
	labelImpact     = "impact"
)

func checkLabels(doc *conf.Document) (errs []error) {
	for _, l := range []struct {
		name string
		of   []string
	}{{labelThreat, threats}, {labelLikelihood, grades}, {labelImpact, grades}} {
		if v, has := doc.Metadata.Labels[l.name]; has && !slices.Contains(l.of, v) {
			errs = append(errs, doc.Errorf("metadata.labels."+l.name, "%s %q is none of %s%s", l.name, v, strings.Join(l.of, ", "), conf.Meant(v, l.of)))
		}
	}
	return errs
}

func oneOf(what string, text []byte, of ...string) (string, error) {
	if !slices.Contains(of, string(text)) {
		return "", fmt.Errorf("%s %q is none of %s%s", what, text, strings.Join(of, ", "), conf.Meant(string(text), of))
	}
	return string(text), nil
}

// level is a severity in YAML.
type level event.Severity

func (l *level) UnmarshalText(text []byte) error {
	s, err := event.ParseSeverity(string(text))
	if err != nil {
		return fmt.Errorf("%w%s", err, conf.Meant(string(text), s.Values()))
	}
	*l = level(s)
	return nil
}

// source is a source in YAML.
type source event.Source

func (s *source) UnmarshalText(text []byte) error {
	v, err := oneOf("source", text, event.Source("").Values()...)
	*s = source(v)
	return err
}

type class string

func (c *class) UnmarshalText(text []byte) error {
	v, err := oneOf("class", text, event.Classes()...)
	*c = class(v)
	return err
}

type windowType string

func (w *windowType) UnmarshalText(text []byte) error {
	v, err := oneOf("type", text, "sliding", "tumbling")
	*w = windowType(v)
	return err
}

type order string

func (o *order) UnmarshalText(text []byte) error {
	v, err := oneOf("order", text, "strict", "any")
	*o = order(v)
	return err
}

type mode event.Mode

func (m *mode) UnmarshalText(text []byte) error {
	v, err := oneOf("mode", text, string(event.ModeObserve), string(event.ModeAsk), string(event.ModeAct))
	*m = mode(v)
	return err
}

// technique is an id of a technique of MITRE ATT&CK.
type technique string

var techniqueID = regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)

func (t *technique) UnmarshalText(text []byte) error {
	if !techniqueID.Match(text) {
		return fmt.Errorf("%q is no ATT&CK technique, as in T1552 or T1552.007", text)
	}
	*t = technique(text)
	return nil
}
