package detect

import (
	"regexp"
	"time"

	"github.com/firebreak-io/firebreak/detect/forest"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// featureName is what a feature is called, in findings too.
var featureName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)

// check finds what is wrong with the spec besides its expressions.
func (s *ModelSpec) check(doc *conf.Document) []error {
	errs := s.Claim.check(doc, false)
	bad := func(path, format string, args ...any) { errs = append(errs, doc.Errorf("spec"+path, format, args...)) }
	if n := len(s.Features); n == 0 || n > maxFeatures {
		bad(".features", "a model has 1 to %d features, not %d", maxFeatures, n)
	}
	for name, x := range s.Features {
		if !featureName.MatchString(name) {
			errs = append(errs, x.Errorf("feature %q: a name is 1 to 63 letters, digits, _ and -", name))
		}
	}
	if len(s.Entity) == 0 && doc.Has("spec.entity") {
		bad(".entity", "names nothing: say what is measured, as in [object.namespace, object.name]")
	}
	if d := s.Every.Std(); doc.Has("spec.every") && (d < minOver || d > maxModelSpan) {
		bad(".every", "%s is not from %s to %s", s.Every, minOver, conf.Duration(maxModelSpan))
		s.Every = conf.Duration(time.Minute) // so that all else is told that is wrong
	}
	if q := s.Silent; q != nil {
		if s.Every == 0 || q.After.Std() < s.Every.Std() {
			bad(".silent.after", "%s is less than an interval (every)", q.After)
		}
		if d := q.For.Std(); d < 0 || d > maxModelSpan {
			bad(".silent.for", "%s is more than %s", q.For, maxModelSpan)
		}
	}
	if r := s.Rollout; r != nil {
		for _, name := range r.Except {
			if _, ok := s.Features[name]; !ok {
				bad(".rollout.except", "there is no feature %q%s", name, conf.Suggest(name, s.names()))
			}
		}
	}
	if s.Mode == "act" {
		bad(".mode", "a model alone never acts: observe or ask")
	}
	if d := s.Quarantine.Std(); d > maxQuarantine {
		bad(".quarantine", "%s is more than %s", s.Quarantine, maxQuarantine)
	}
	if d := s.Quiet.Std(); d > maxSuppress {
		bad(".quiet", "%s is more than %s", s.Quiet, maxSuppress)
	}
	if w := s.WarmUp; w.Events < 0 {
		bad(".warm_up.events", "%d is below 0", w.Events)
	}
	errs = append(errs, s.Budget.check(doc)...)
	errs = append(errs, s.Forest.check(doc)...)
	if w := s.Budget.WithRules; w != 0 && (w < 1 || w > 1000) {
		bad(".budget.with_rules", "%v is not from 1 to 1000", w)
	}
	errs = append(errs, tooMany(s.Entity)...)
	return append(errs, tooMany(s.Peers)...)
}

// check says of each number of a budget why it is none.
func (b *BudgetSpec) check(doc *conf.Document) []error {
	var errs []error
	given := 0
	for _, one := range []struct {
		name  string
		value float64
		most  float64
		words string
	}{
		{"alerts_per_day", b.AlertsPerDay, maxPerDay, "a number of alerts above 0 and up to 100000"},
		{"p", b.P, 0.4999, "a probability above 0 and below 0.5"},
		{"contamination", b.Contamination, 0.5, "a share above 0 and up to 0.5"},
	} {
		path := "spec.budget." + one.name
		if !doc.Has(path) {
			continue
		}
		if !(one.value > 0 && one.value <= one.most) {
			errs = append(errs, doc.Errorf(path, "%v is not %s", one.value, one.words))
		}
		if given++; given == 2 {
			errs = append(errs, doc.Errorf(path, "a budget has one of alerts_per_day, p and contamination"))
		}
	}
	return errs
}

// maxPerDay is more than anybody reads.
const maxPerDay = 100_000

// usualSample is how many rows a tree is made of where that is left open.
const usualSample = 256

// check says of each number of a forest why it is none.
func (f *ForestSpec) check(doc *conf.Document) []error {
	var errs []error
	sample := f.Sample
	if sample == 0 {
		sample = usualSample
	}
	for _, one := range []struct {
		name               string
		value, least, most float64
	}{
		{"trees", float64(f.Trees), 1, forest.MaxTrees},
		{"sample", float64(f.Sample), 2, forest.MaxSample},
		{"reservoir", float64(f.Reservoir), float64(sample), forest.MaxReservoir},
		{"share", f.Share, 1e-6, 1},
	} {
		if path := "spec.forest." + one.name; doc.Has(path) && !(one.value >= one.least && one.value <= one.most) {
			errs = append(errs, doc.Errorf(path, "%v is not from %v to %v", one.value, one.least, one.most))
		}
	}
	if b := f.Beyond; b >= 1 {
		errs = append(errs, doc.Errorf("spec.forest.beyond", "%v is not below 1", b))
	}
	return errs
}
