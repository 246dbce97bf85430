package respond

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// The defaults and bounds of a playbook.
const (
	defaultHold    = time.Hour
	maxHold        = 24 * time.Hour
	defaultWithin  = 15 * time.Minute
	maxWithin      = 24 * time.Hour
	defaultTimeout = 30 * time.Second
	maxTimeout     = 10 * time.Minute
	maxSteps       = 64
	maxAttempts    = 100
	// With waits of 1 s, doubled up to 30 s, ten attempts outlast the restart
	// of an API server.
	defaultAttempts = 10
)

// playbookSpec is a playbook as it is written.
type playbookSpec struct {
	Title   string          `yaml:"title"`
	When    conf.Expression `yaml:"when,required"`
	Mode    event.Mode      `yaml:"mode"`
	Approve approveSpec     `yaml:"approve"`
	Steps   []stepSpec      `yaml:"steps,required"`
}

type approveSpec struct {
	By     []string      `yaml:"by"`
	Need   *int          `yaml:"need"`
	Within conf.Duration `yaml:"within"`
	// Otherwise is what no answer means. Paging somebody else comes with the
	// pagers.
	Otherwise string `yaml:"otherwise"`
}

type stepSpec struct {
	Name      string          `yaml:"name,required"`
	Action    string          `yaml:"action,required"`
	With      conf.Raw        `yaml:"with"`
	When      conf.Expression `yaml:"when"`
	UndoAfter conf.Duration   `yaml:"undo_after"`
	AtEnd     event.AtEnd     `yaml:"at_end"`
	OnFailure OnFailure       `yaml:"on_failure"`
	Timeout   conf.Duration   `yaml:"timeout"`
	Retry     retrySpec       `yaml:"retry"`
}

type retrySpec struct {
	Attempts *int          `yaml:"attempts"`
	Backoff  conf.Duration `yaml:"backoff"`
}

// EmptySpec is an empty spec of a playbook, which its JSON Schema is made of.
func EmptySpec() any { return playbookSpec{} }

// ParsePlaybook checks and compiles one document of kind Playbook. The error
// joins all problems, each a [*conf.Error] with its place.
func ParsePlaybook(doc *conf.Document) (*Playbook, error) {
	var spec playbookSpec
	if err := doc.Decode(&spec); err != nil {
		return nil, err
	}
	l := loader{doc: doc, spec: spec}
	b := &Playbook{
		Name: doc.Metadata.Name, Title: spec.Title, Text: doc.Text(), Version: doc.Digest(),
		Mode: choose(&l, "spec.mode", spec.Mode, event.ModeObserve, event.ModeAsk, event.ModeAct),
	}
	b.when = l.condition(spec.When)
	b.Approve = l.approve()
	b.Steps = l.steps()
	if err := errors.Join(l.problems...); err != nil {
		return nil, err
	}
	return b, nil
}

// ParseRun reads the playbook that a run began with.
func ParseRun(run event.Run) (*Playbook, error) {
	docs, err := conf.Documents("run "+run.ID, []byte(run.Spec))
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 {
		return nil, fmt.Errorf("run %s: its playbook is %d documents", run.ID, len(docs))
	}
	book, err := ParsePlaybook(docs[0])
	if err != nil {
		return nil, err
	}
	if len(book.Steps) != len(run.Steps) {
		return nil, fmt.Errorf("run %s: its playbook has %d steps, its record %d", run.ID, len(book.Steps), len(run.Steps))
	}
	return book, nil
}

// loader collects the problems of one playbook.
type loader struct {
	doc      *conf.Document
	spec     playbookSpec
	problems []error
}

func (l *loader) problem(path, format string, args ...any) {
	l.problems = append(l.problems, l.doc.Errorf(path, format, args...))
}

// choose takes the first of the values for an empty one.
func choose[T ~string](l *loader, path string, value T, values ...T) T {
	if value == "" {
		return values[0]
	}
	if !slices.Contains(values, value) {
		var names []string
		for _, v := range values {
			names = append(names, string(v))
		}
		l.problem(path, "%q is none of %s%s", value, strings.Join(names, ", "), conf.Suggest(string(value), names))
	}
	return value
}

func (l *loader) condition(e conf.Expression) func(Env) (bool, error) {
	if e.IsZero() {
		return nil
	}
	p, err := e.Compile(Env{}, conf.Bool)
	if err != nil {
		l.problems = append(l.problems, err)
		return nil
	}
	return func(env Env) (bool, error) { return p.Bool(&env) }
}

func (l *loader) within(path string, d conf.Duration, standard, most time.Duration) time.Duration {
	switch v := d.Std(); {
	case v == 0:
		return standard
	case v > most:
		l.problem(path, "%s is more than %s", v, most)
		return most
	default:
		return v
	}
}

func (l *loader) approve() Approve {
	s := l.spec.Approve
	a := Approve{By: s.By, Need: 1, Within: l.within("spec.approve.within", s.Within, defaultWithin, maxWithin)}
	if s.Need != nil {
		a.Need = *s.Need
	}
	if a.Need < 1 || a.Need > 10 {
		l.problem("spec.approve.need", "%d: between 1 and 10 people can be needed", a.Need)
	}
	for i, by := range s.By {
		kind, name, _ := strings.Cut(by, "/")
		if (kind != "user" && kind != "group") || name == "" {
			l.problem(fmt.Sprintf("spec.approve.by[%d]", i), "%q is neither user/NAME nor group/NAME", by)
		}
	}
	choose(l, "spec.approve.otherwise", s.Otherwise, "deny")
	return a
}

func (l *loader) steps() []PlaybookStep {
	if n := len(l.spec.Steps); n == 0 || n > maxSteps {
		l.problem("spec.steps", "%d steps: a playbook has 1 to %d", n, maxSteps)
		return nil
	}
	seen := map[string]bool{}
	steps := make([]PlaybookStep, len(l.spec.Steps))
	for i := range l.spec.Steps {
		at := fmt.Sprintf("spec.steps[%d]", i)
		name := l.spec.Steps[i].Name
		if !conf.IsName(name) {
			l.problem(at+".name", "%q is no name: at most 63 of a-z, 0-9 and -", name)
		}
		if seen[name] {
			l.problem(at+".name", "a step of the name %q is there already", name)
		}
		seen[name] = true
		steps[i] = l.step(at, &l.spec.Steps[i])
	}
	return steps
}

func (l *loader) step(at string, s *stepSpec) PlaybookStep {
	kind, ok := action.Lookup(s.Action)
	if !ok {
		var names []string
		for _, k := range action.Kinds() {
			names = append(names, k.Name)
		}
		l.problem(at+".action", "unknown action %q%s", s.Action, conf.Suggest(s.Action, names))
		return PlaybookStep{}
	}
	p := PlaybookStep{
		Name: s.Name, Action: s.Action, Kind: kind, when: l.condition(s.When), with: l.with(s, kind),
		UndoAfter: l.within(at+".undo_after", s.UndoAfter, defaultHold, maxHold),
		Timeout:   l.within(at+".timeout", s.Timeout, defaultTimeout, maxTimeout),
		OnFailure: choose(l, at+".on_failure", s.OnFailure, OnFailureStop, OnFailureContinue, OnFailureUndo),
		Retry:     Retry{Attempts: defaultAttempts, Backoff: l.within(at+".retry.backoff", s.Retry.Backoff, time.Second, maxBackoff)},
	}
	if s.Retry.Attempts != nil {
		p.Retry.Attempts = *s.Retry.Attempts
	}
	if p.Retry.Attempts < 1 || p.Retry.Attempts > maxAttempts {
		l.problem(at+".retry.attempts", "%d: between 1 and %d", p.Retry.Attempts, maxAttempts)
	}
	l.end(at, s, &p)
	return p
}

// end sets what happens when the hold's time is up. What is no hold has no
// end, and saying one is a mistake.
func (l *loader) end(at string, s *stepSpec, p *PlaybookStep) {
	if !p.Holds() {
		if s.UndoAfter != 0 {
			l.problem(at+".undo_after", "%s holds nothing that could be undone", p.Action)
		}
		if s.AtEnd != "" {
			l.problem(at+".at_end", "%s holds nothing that could end", p.Action)
		}
		return
	}
	values := []event.AtEnd{event.AtEndRestore, event.AtEndAsk}
	if p.Kind.Deletable {
		// A compromised pod is not given its traffic back by a clock alone.
		values = []event.AtEnd{event.AtEndAsk, event.AtEndRestore, event.AtEndDelete}
	}
	p.AtEnd = choose(l, at+".at_end", s.AtEnd, values...)
}

func (l *loader) with(s *stepSpec, kind action.Kind) func(Env) (any, error) {
	raw := s.With
	config := kind.Config()
	if err := raw.Check(Env{}, config); err != nil {
		l.problems = append(l.problems, err)
		return nil
	}
	return func(env Env) (any, error) {
		filled := kind.Config()
		if err := raw.Fill(&env, filled); err != nil {
			return nil, err
		}
		return filled, nil
	}
}
