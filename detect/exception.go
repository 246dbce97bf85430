package detect

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "Exception",
		Doc:  "Events that a rule passes over, said without changing the rule.",
		Spec: ExceptionSpec{},
	})
}

// ExceptionSpec is the spec of an Exception document.
type ExceptionSpec struct {
	// Rule is the name of the rule.
	Rule string `yaml:"rule,required"`
	// When is true of the events that the rule passes over.
	When conf.Expression `yaml:"when,required"`
	// Reason says to people why.
	Reason string `yaml:"reason,required"`
	// Until ends the exception: it is for events before that time. A date
	// stands for its end in UTC.
	Until Until `yaml:"until"`
}

// Exception is what an Exception document says, ready for use.
type Exception struct {
	Spec          ExceptionSpec
	Name, Version string
	when          *conf.Program
}

func newException(doc *conf.Document) (*Exception, error) {
	x := &Exception{Name: doc.Metadata.Name, Version: doc.Digest()}
	if err := doc.Decode(&x.Spec); err != nil {
		return nil, err
	}
	var err error
	x.when, err = x.Spec.When.Compile(event.Event{}, conf.Bool, functions...)
	return x, err
}

// Holds says whether an event is one of those that the rule passes over.
func (x *Exception) Holds(e *event.Event) (bool, error) {
	at := e.Received
	if at.IsZero() {
		at = e.Time
	}
	if until := time.Time(x.Spec.Until); !until.IsZero() && !at.Before(until) {
		return false, nil
	}
	holds, err := x.when.Bool(e)
	if err != nil {
		return false, fmt.Errorf("exception %s: %w", x.Name, err)
	}
	return holds, nil
}

// Until is a time in YAML, as RFC 3339 writes it; a date alone is its end in
// UTC.
type Until time.Time

// UnmarshalText reads a date or a time.
func (u *Until) UnmarshalText(text []byte) error {
	day, err := time.Parse(time.DateOnly, string(text))
	if err == nil {
		*u = Until(day.AddDate(0, 0, 1))
		return nil
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is no date as in 2026-12-31, and no time as in 2026-12-31T18:00:00Z", text)
	}
	*u = Until(at)
	return nil
}

// exceptionsOf gives the exceptions of layers by the names of their rules. One
// of a rule that is nowhere is an error.
func exceptionsOf(layers []layer) (map[string][]*Exception, error) {
	out := map[string][]*Exception{}
	var errs []error
	var names []string
	for _, doc := range last(layers, makesDetector) {
		names = append(names, doc.Metadata.Name)
	}
	for _, doc := range last(layers, func(d *conf.Document) bool { return d.Kind == "Exception" }) {
		x, err := newException(doc)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if rule := x.Spec.Rule; !slices.Contains(names, rule) && !shippedRule(rule) {
			errs = append(errs, doc.Errorf("spec.rule", "there is no rule %q%s", rule, conf.Suggest(rule, slices.Concat(names, shippedRules()))))
			continue
		}
		out[x.Spec.Rule] = append(out[x.Spec.Rule], x)
	}
	return out, errors.Join(errs...)
}

// Excepting is a detector that exceptions can be made for.
type Excepting interface {
	Detector
	// Except adds exceptions, before the first event is folded. The version
	// changes by it.
	Except(all []*Exception)
	// Exceptions are those that were added.
	Exceptions() []*Exception
}

func except(d Detector, all []*Exception) error {
	if len(all) == 0 {
		return nil
	}
	x, ok := d.(Excepting)
	if !ok {
		return all[0].Spec.When.Errorf("exceptions can't be made for %s", d.Name())
	}
	x.Except(all)
	return nil
}

// Except adds exceptions; see [Excepting].
func (r *Rule) Except(all []*Exception) {
	parts := []string{r.version}
	for _, x := range all {
		parts = append(parts, x.Name, x.Version)
	}
	r.version = event.HashID(parts...)
	r.exceptions = slices.Concat(r.exceptions, all)
}

// Exceptions are those that were made for the rule.
func (r *Rule) Exceptions() []*Exception { return slices.Clone(r.exceptions) }

// excepted says whether an exception holds for an event. One that can't be
// evaluated is none: better a finding too many.
func (r *Rule) excepted(e *event.Event) (bool, error) {
	var errs []error
	for _, x := range r.exceptions {
		holds, err := x.Holds(e)
		if holds {
			return true, nil
		}
		errs = append(errs, err)
	}
	return false, errors.Join(errs...)
}
