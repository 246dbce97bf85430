package respond

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// The defaults and bounds of a playbook.
const (
	defaultHold    = time.Hour
	maxHold        = 24 * time.Hour
	defaultWithin  = 15 * time.Minute
	maxWithin      = 24 * time.Hour
	defaultTimeout = 30 * time.Second
	maxTimeout     = 10 * time.Minute
	maxRun         = 7 * 24 * time.Hour
	maxSteps       = 64
	maxAttempts    = 100
	// With waits of 1 s, doubled up to 30 s, ten attempts outlast the restart
	// of an API server.
	defaultAttempts = 10
	defaultOrder    = 100
	maxOrder        = 1000
	defaultAtMost   = 10
)

// ParsePlaybook checks and compiles one document of kind Playbook. Of groups it
// takes the step groups that the playbook uses. The error joins all problems,
// each a [*conf.Error] with its place.
func ParsePlaybook(doc *conf.Document, groups ...*conf.Document) (*Playbook, error) {
	var spec playbookSpec
	if err := doc.Decode(&spec); err != nil {
		return nil, err
	}
	l := newLoader(doc, groups)
	b := &Playbook{
		Name: doc.Metadata.Name, Title: spec.Title, Order: defaultOrder,
		Mode: choose(l, "spec.mode", spec.Mode, event.ModeObserve, event.ModeAsk, event.ModeAct),
	}
	if spec.Order != nil {
		b.Order = *spec.Order
	}
	if b.Order < 0 || b.Order > maxOrder {
		l.problem("spec.order", "%d: between 0 and %d", b.Order, maxOrder)
	}
	b.Timeout = l.within("spec.timeout", spec.Timeout, 0, maxRun)
	l.mode = b.Mode
	b.when, b.written = l.condition(spec.When), spec.When
	l.noSteps(spec.When)
	b.Approve = l.approve("spec.approve", spec.Approve)
	b.Steps = l.steps(spec.Steps)
	l.sense(spec.When, b)
	if err := errors.Join(l.problems...); err != nil {
		return nil, err
	}
	b.Text, b.Version = l.text()
	return b, nil
}

// ParseGroup checks one document of kind StepGroup by itself.
func ParseGroup(doc *conf.Document) error {
	var spec groupSpec
	if err := doc.Decode(&spec); err != nil {
		return err
	}
	l := newLoader(doc, nil)
	l.mode = event.ModeAsk // whether it needs approval is up to who uses it
	l.params = spec.Params
	steps := l.steps(spec.Steps)
	l.sense(conf.Expression{}, &Playbook{Steps: steps})
	return errors.Join(l.problems...)
}

// ParseRun reads the playbook that a run began with.
func ParseRun(run event.Run) (*Playbook, error) {
	docs, err := conf.Documents("run "+run.ID, []byte(run.Spec))
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 || docs[0].Kind != PlaybookKind {
		return nil, fmt.Errorf("run %s: it holds no playbook", run.ID)
	}
	if i := slices.IndexFunc(docs[1:], func(d *conf.Document) bool { return d.Kind != GroupKind }); i >= 0 {
		return nil, fmt.Errorf("run %s: a %s stands behind its playbook", run.ID, docs[1+i].Kind)
	}
	book, err := ParsePlaybook(docs[0], docs[1:]...)
	if err != nil {
		return nil, err
	}
	return book, book.fits(run)
}

// fits says what of a run's steps the playbook does not have.
func (p *Playbook) fits(run event.Run) error {
	if len(p.Steps) > len(run.Steps) {
		return fmt.Errorf("run %s: its playbook has %d steps, its record %d", run.ID, len(p.Steps), len(run.Steps))
	}
	for i, s := range run.Steps {
		if _, place, found := p.Of(s); !found || (i < len(p.Steps)) != (s.Of == "") || s.Of == "" && place != i {
			return fmt.Errorf("run %s: its playbook has no step %q at place %d", run.ID, s.Name, i+1)
		}
	}
	return nil
}

// loader collects the problems of one playbook.
type loader struct {
	doc      *conf.Document
	groups   []*conf.Document
	mode     event.Mode
	problems []error
	// names are those of all steps of the list that is being read.
	names []string
	// used are the groups that the playbook uses, in the order of their use.
	used []*conf.Document
	// Of a group that is being read: its parameters, and how a use names and
	// fills them.
	params map[string]paramSpec
	use    *use
}

func newLoader(doc *conf.Document, groups []*conf.Document) *loader {
	return &loader{doc: doc, groups: groups}
}

func (l *loader) problem(path, format string, args ...any) {
	l.problems = append(l.problems, l.doc.Errorf(path, format, args...))
}

func (l *loader) add(err error) {
	if err != nil {
		l.problems = append(l.problems, err)
	}
}

// text is the playbook as runs keep it, with the groups that it uses behind it,
// and its digest.
func (l *loader) text() (text, version string) {
	if len(l.used) == 0 {
		return l.doc.Text(), l.doc.Digest()
	}
	parts := []string{l.doc.Text()}
	for _, d := range l.used {
		parts = append(parts, d.Text())
	}
	for i, p := range parts {
		parts[i] = strings.TrimSuffix(p, "\n") + "\n"
	}
	text = strings.Join(parts, "---\n")
	sum := sha256.Sum256([]byte(text))
	return text, hex.EncodeToString(sum[:])
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

func (l *loader) condition(e conf.Expression) func(Env) (bool, error) {
	if e.IsZero() {
		return nil
	}
	l.paramsOf(e.Members("params", functions()...))
	p, err := e.Compile(Env{}, conf.Bool, functions()...)
	if err != nil {
		l.add(err)
		return nil
	}
	return func(env Env) (bool, error) { return p.Bool(&env) }
}
