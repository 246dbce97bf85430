package files

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/ingest/summary"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Blind finds the rules that would need events which a source of the config
// does not store one by one, and those whose windows can't be made of the
// summaries that it stores. A rule sees all that it is for when its when
// implies the source's store, or when it is for summaries, which are always
// stored; see [conf.Implies] for what can be told. Each problem is at the rule's
// when.
func Blind(c *config.Config, rules *detect.RuleSet) []*conf.Error {
	var all []*conf.Error
	for _, name := range slices.Sorted(maps.Keys(c.Decoded)) {
		kind, ok := ingest.Lookup(name)
		filter := ingest.FilterOf(c.Decoded[name])
		if !ok {
			continue
		}
		for _, d := range rules.Detectors() {
			if !slices.Contains(d.Sources(), kind.Source) {
				continue
			}
			s := ingest.SummariesOf(c.Decoded[name])
			if !filter.IsZero() && !readsSummaries(d, s) {
				all = append(all, blind(d, name, kind.Source, filter)...)
			}
			all = append(all, unfit(d, name, s)...)
		}
	}
	return all
}

// summarising is a detector that reads summaries in the place of lines.
type summarising interface {
	detect.Detector
	ReadsSummaries(by []string) bool
	LostOnSummaries(stored conf.Expression) []*conf.Error
}

func readsSummaries(d detect.Detector, s *summary.Config) bool {
	r, ok := d.(summarising)
	return ok && s != nil && r.ReadsSummaries(s.Writers())
}

// Lost says what those who read summaries lose of lines that a source of the
// config does not store, each at the feature.
func Lost(c *config.Config, rules *detect.RuleSet) (all []*conf.Error) {
	for _, name := range slices.Sorted(maps.Keys(c.Decoded)) {
		kind, ok := ingest.Lookup(name)
		s, filter := ingest.SummariesOf(c.Decoded[name]), ingest.FilterOf(c.Decoded[name])
		for _, d := range rules.Detectors() {
			if !ok || !slices.Contains(d.Sources(), kind.Source) || !readsSummaries(d, s) {
				continue
			}
			for _, lost := range d.(summarising).LostOnSummaries(filter) {
				lost.Msg = fmt.Sprintf("%s: %s, and source %s does not store all of those (store: %s)", d.Name(), lost.Msg, name, filter.Text)
				all = append(all, lost)
			}
		}
	}
	return all
}

// unfit says that a window is no multiple of a source's interval.
func unfit(d detect.Detector, name string, s *summary.Config) []*conf.Error {
	r, ok := d.(interface {
		FitsInterval(interval time.Duration) *conf.Error
	})
	if !ok || s == nil {
		return nil
	}
	problem := r.FitsInterval(s.Every())
	if problem == nil {
		return nil
	}
	problem.Msg = fmt.Sprintf("%s: %s (sources.%s.summarise.interval)", d.Name(), problem.Msg, name)
	return []*conf.Error{problem}
}

// selecting is a detector that looks only at some events of a source.
type selecting interface {
	Selects(source event.Source) []detect.Selection
}

func blind(d detect.Detector, name string, source event.Source, filter conf.Expression) []*conf.Error {
	s, ok := d.(selecting)
	if !ok {
		return []*conf.Error{{Msg: fmt.Sprintf("%s needs each event of source %s, which does not store all of them (store: %s)", d.Name(), name, filter.Text)}}
	}
	summaries := conf.Expression{Text: fmt.Sprintf("class == %q", event.ClassLogSummary)}
	var all []*conf.Error
	for _, sel := range s.Selects(source) {
		if conf.Implies(sel.Facts, filter, summaries) {
			continue
		}
		all = append(all, sel.When.Errorf("%s may need events that source %s does not store (store: %s): add a part of store to when, "+
			"add this when to store, or read the counts of summaries (class == %q)", d.Name(), name, filter.Text, event.ClassLogSummary))
	}
	return all
}

// BlindTo is [Blind] for the rules that a config loads: problems are of the
// user's rules, notes of those that come with Firebreak, and what is [Lost].
func BlindTo(c *config.Config) (problems, notes []*conf.Error, err error) {
	if !filters(c) {
		return nil, nil, nil
	}
	var paths []string
	for _, p := range c.Rules {
		paths = append(paths, c.Path(p))
	}
	mine, err := detect.LoadRules(paths...)
	if err != nil {
		return nil, nil, err
	}
	problems = Blind(c, mine)
	if c.NoShipped {
		return problems, Lost(c, mine), nil
	}
	shipped, err := detect.Shipped()
	if err != nil {
		return nil, nil, err
	}
	all, err := mine.Over(shipped)
	if err != nil {
		return nil, nil, err
	}
	for _, note := range Blind(c, all) {
		if !slices.ContainsFunc(problems, func(p *conf.Error) bool { return *p == *note }) {
			notes = append(notes, note)
		}
	}
	return problems, append(notes, Lost(c, all)...), nil
}

func filters(c *config.Config) bool {
	for _, decoded := range c.Decoded {
		if !ingest.FilterOf(decoded).IsZero() || ingest.SummariesOf(decoded) != nil {
			return true
		}
	}
	return false
}

// Notes says of the configs among paths which of the rules that come with
// Firebreak may not see all that they are for, which is the operator's choice
// and no problem; and of the rules among them which of their numbers are
// estimates, and how good those are.
func Notes(paths []string) []*conf.Error {
	docs, err := conf.Read(paths...)
	if err != nil {
		return nil // Check tells
	}
	var all []*conf.Error
	set, err := detect.NewRuleSet(docs)
	for _, doc := range docs {
		if c := parsedConfig(doc); c != nil {
			_, notes, _ := BlindTo(c)
			if err == nil {
				notes = append(notes, Lost(c, set)...)
			}
			all = append(all, fresh(all, notes)...)
		}
	}
	if err != nil {
		return all
	}
	for _, d := range set.Detectors() {
		if r, ok := d.(interface{ Estimates() []*conf.Error }); ok {
			all = append(all, r.Estimates()...)
		}
	}
	return all
}

// fresh are the problems that are not among those before.
func fresh(before, all []*conf.Error) (out []*conf.Error) {
	for _, p := range all {
		known := func(o *conf.Error) bool { return o.Line == p.Line && o.Msg == p.Msg && sameFile(o.File, p.File) }
		if !slices.ContainsFunc(before, known) && !slices.ContainsFunc(out, known) {
			out = append(out, p)
		}
	}
	return out
}

// parsedConfig is the config of a document, if it is one without problems.
func parsedConfig(doc *conf.Document) *config.Config {
	if doc.Kind != config.Kind {
		return nil
	}
	c, err := config.Parse(doc)
	if err != nil {
		return nil
	}
	return c
}

// checkBlind holds the rules of a check against its configs, and those that
// the configs load.
func checkBlind(docs []*conf.Document, rules *detect.RuleSet) error {
	var errs []error
	for _, doc := range docs {
		c := parsedConfig(doc)
		if c == nil {
			continue
		}
		loaded, _, err := BlindTo(c)
		errs = append(errs, err)
		for _, p := range slices.Concat(Blind(c, rules), loaded) {
			errs = append(errs, p)
		}
	}
	return errors.Join(errs...)
}
