package detect

import (
	"errors"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// usualTimes is as how often what every cluster has counts.
const usualTimes = 20

// priors makes what every cluster has known. The error says where in the document
// it can't be.
func (m *modeller) priors() error {
	var errs []error
	for i, p := range m.d.Spec.Priors {
		at := "spec.priors[" + text(i) + "]"
		times := p.Times
		if times == 0 {
			times = usualTimes
		}
		if have, want := len(p.Peers), len(m.d.Spec.Peers); have != want {
			errs = append(errs, m.d.doc.Errorf(at+".peers", "as many values as the model's peers, %d, not %d", want, have))
		}
		f := m.feature(p.Feature)
		if f == nil {
			errs = append(errs, m.d.doc.Errorf(at+".feature", "there is no feature %q%s", p.Feature, conf.Suggest(p.Feature, m.d.Spec.names())))
			continue
		}
		if f.told == nil || f.told.category < 0 {
			errs = append(errs, m.d.doc.Errorf(at+".feature", "a prior is for a feature of surprisal or novelty, not for %s", p.Feature))
			continue
		}
		for j, texts := range p.Values {
			if n := len(f.told.Args); len(texts) != n {
				errs = append(errs, m.d.doc.Errorf(at+".values["+text(j)+"]", "%s is of %d, not of %d", f.told.Text, n, len(texts)))
				continue
			}
			m.base.Prior(baseline.Key(hashTexts(p.Peers)), f.told.category, baseline.ValueOf(texts...), times)
		}
	}
	return errors.Join(errs...)
}

// feature is the one of a name, or nil.
func (m *modeller) feature(name string) *feature {
	for _, f := range m.features {
		if f.name == name {
			return f
		}
	}
	return nil
}
