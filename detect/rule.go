package detect

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "Rule",
		Doc:  "One event of one source that an expression holds for is a finding.",
		New:  newRule,
	})
}

// RuleSpec is the spec of a Rule document.
type RuleSpec struct {
	Title    string `yaml:"title,required"`
	Severity level  `yaml:"severity,required"`
	// Attack are techniques of MITRE ATT&CK.
	Attack []technique `yaml:"attack"`
	Source source      `yaml:"source,required"`
	// When has to be true of an event, Unless must not be. Both see the
	// event's fields as names.
	When   conf.Expression `yaml:"when,required"`
	Unless conf.Expression `yaml:"unless"`
	// Message tells a person what happened.
	Message conf.Template `yaml:"message"`
	Enabled *bool         `yaml:"enabled"`

	// For people alone.
	Description    string   `yaml:"description"`
	FalsePositives []string `yaml:"false_positives"`
	Response       string   `yaml:"response"`
	References     []string `yaml:"references"`
}

// Rule is a detector that looks at one event at a time.
type Rule struct {
	Spec          RuleSpec
	name, version string
	attack        []string
	when, unless  *conf.Program
	message       *conf.Text
	exceptions    []*Exception
}

// maxExplanation bounds a rendered message, in bytes.
const maxExplanation = 2 << 10

func newRule(doc *conf.Document) (Detector, error) {
	r := &Rule{name: doc.Metadata.Name, version: doc.Digest()}
	if err := doc.Decode(&r.Spec); err != nil {
		return nil, err
	}
	for _, t := range r.Spec.Attack {
		r.attack = append(r.attack, string(t))
	}
	var errs []error
	var err error
	env := event.Event{}
	if r.when, err = r.Spec.When.Compile(env, conf.Bool, functions...); err != nil {
		errs = append(errs, err)
	}
	if !r.Spec.Unless.IsZero() {
		if r.unless, err = r.Spec.Unless.Compile(env, conf.Bool, functions...); err != nil {
			errs = append(errs, err)
		}
	}
	if r.message, err = r.Spec.Message.Compile(env, functions...); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if r.Spec.Enabled != nil && !*r.Spec.Enabled {
		return nil, nil
	}
	return r, nil
}

// Name is the rule's name.
func (r *Rule) Name() string { return r.name }

// Version is the digest of the rule's text.
func (r *Rule) Version() string { return r.version }

// Source is the source whose events it looks at.
func (r *Rule) Source() event.Source { return event.Source(r.Spec.Source) }

// Selects is the expression that is true of each event that it looks at.
func (r *Rule) Selects() conf.Expression { return r.Spec.When }

// Match says whether when holds for an event, and whether unless or an exception
// does. Of an error neither counts as true. It is for [Rule.Fold] and for
// explaining.
func (r *Rule) Match(e *event.Event) (when, unless bool, err error) {
	if when, err = r.when.Bool(e); err != nil || !when {
		return false, false, err
	}
	if r.unless != nil {
		// What can't be evaluated is no exception: better a finding too many.
		if unless, err = r.unless.Bool(e); err == nil && unless {
			return true, true, nil
		}
	}
	excepted, more := r.excepted(e)
	return true, excepted, errors.Join(err, more)
}

// Fold gives a finding when the rule holds.
func (r *Rule) Fold(e *event.Event, at event.Address) ([]event.Finding, error) {
	when, unless, err := r.Match(e)
	if err != nil {
		err = fmt.Errorf("rule %s: %w", r.name, err)
	}
	if !when || unless {
		return nil, err
	}
	explanation, failed := r.message.Render(e)
	if failed != nil {
		err = errors.Join(err, fmt.Errorf("rule %s: message: %w", r.name, failed))
		explanation = r.Spec.Title
	}
	if len(explanation) > maxExplanation {
		explanation = strings.ToValidUTF8(explanation[:maxExplanation], "") + "…"
	}
	return []event.Finding{{
		ID: event.FindingID(r.name, "", origin(e)), Rule: r.name, Version: r.version,
		Title: r.Spec.Title, Severity: event.Severity(r.Spec.Severity), Score: 1, Explanation: explanation,
		Subject: e.Object, Actor: e.Actor, Attack: slices.Clone(r.attack), Source: e.Source, Trust: e.Trust,
		Events: []event.Address{at}, Time: e.Time, Received: e.Received,
	}}, err
}

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

// level is a severity in YAML.
type level event.Severity

func (l *level) UnmarshalText(text []byte) error {
	s, err := event.ParseSeverity(string(text))
	*l = level(s)
	return err
}

// source is a source in YAML.
type source event.Source

func (s *source) UnmarshalText(text []byte) error {
	known := []string{string(event.SourceFalco), string(event.SourceAudit), string(event.SourceLog), string(event.SourceControl)}
	if !slices.Contains(known, string(text)) {
		return fmt.Errorf("source %q is none of %s", text, strings.Join(known, ", "))
	}
	*s = source(text)
	return nil
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
