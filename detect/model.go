package detect

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/firebreak-io/firebreak/detect/forest"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "Model",
		Doc:  "Entities measured by expressions, and what is unlike their usual found by an isolation forest within a budget.",
		Spec: ModelSpec{},
		New:  newModel,
	})
}

// Model is a detector that learns what is usual.
type Model struct {
	Spec          ModelSpec
	name, version string
	memory        string
	labels        map[string]string
	attack        []string
	sources       []event.Source
	doc           *conf.Document
}

func newModel(doc *conf.Document) (Detector, error) {
	d := &Model{name: doc.Metadata.Name, version: doc.Digest(), labels: doc.Metadata.Labels, doc: doc}
	if err := doc.Decode(&d.Spec); err != nil {
		return nil, err
	}
	errs := d.Spec.check(doc)
	d.Spec.usually()
	d.attack = d.Spec.techniques()
	d.sources = plainSources(d.Spec.Source, d.Spec.Sources)
	d.memory = d.Spec.memory()
	if _, err := openModel(d, Limits{Groups: 1}); err != nil {
		if placed, known := placed(doc, err); known || len(errs) == 0 { // else it was told with its place
			errs = append(errs, placed)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if d.Spec.disabled() {
		return nil, nil
	}
	return d, nil
}

// placed gives an error that has no place in a file that of the spec, or of what it
// is about. Known says that it had one.
func placed(doc *conf.Document, err error) (_ error, known bool) {
	var e *conf.Error
	switch {
	case errors.As(err, &e):
		return err, true
	case errors.Is(err, forest.ErrOptions):
		return doc.Errorf("spec.forest", "%v", err), false
	}
	return doc.Errorf("spec", "%v", err), false
}

// modelForm changes with how models remember: what was saved otherwise can't be
// read.
const modelForm = 7

// memory is the digest of what decides what the model remembers: one whose
// title, message or budget changes goes on where it was.
func (s *ModelSpec) memory() string {
	data, err := json.Marshal([]any{
		modelForm, s.Source, s.Sources, s.Class, s.When, s.Unless, s.Entity, s.Peers, s.Every, s.Silent, s.Features, s.Forest, s.Rollout, s.Priors,
	})
	if err != nil {
		return ""
	}
	return event.HashID("model", string(data))
}

// Name is the model's name.
func (d *Model) Name() string { return d.name }

// Version is the digest of the model's text.
func (d *Model) Version() string { return d.version }

// Memory is the digest of all of the spec that decides what is remembered.
func (d *Model) Memory() string { return d.memory }

// Sources are those whose events it measures.
func (d *Model) Sources() []event.Source { return slices.Clone(d.sources) }

// Open makes one that runs.
func (d *Model) Open(l Limits) (Running, error) { return openModel(d, l) }

// Selects are the alternatives: each event of the source that it measures
// fulfils one of them.
func (d *Model) Selects(source event.Source) []Selection {
	return selection(nil, source, d.sources, d.Spec.Class, d.Spec.When)
}

// Needs are the alternatives of what events have to be like: those that it
// measures, the summaries of lines that it would, and what people say of its
// findings.
func (d *Model) Needs(paths []string) []conf.Needs {
	own := conf.Needs{"source": nil}
	for _, s := range d.sources {
		own["source"] = append(own["source"], string(s))
	}
	if d.Spec.Class != "" {
		own["class"] = []string{string(d.Spec.Class)}
	}
	all := []conf.Needs{{"source": {string(event.SourceControl)}, "verb": {event.VerbVerdict, event.VerbModel}}}
	for _, n := range conf.Select(paths, d.Spec.When) {
		if n, possible := own.And(n); possible {
			all = append(all, n)
		}
	}
	if d.Spec.Every != 0 && slices.Contains(d.sources, event.SourceLog) {
		all = append(all, conf.Needs{"source": {string(event.SourceLog)}, "class": {event.ClassLogSummary}})
	}
	return all
}

func text(i int) string { return strconv.Itoa(i) }
