package detect

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/detect/forest"
	"github.com/firebreak-io/firebreak/internal/event"
)

// usualShare is the share of recent scores above what counts as normal in an
// explanation.
const usualShare = 0.05

// explainFinding says why a row is unlike the usual, in numbers and in words.
func (m *modeller) explainFinding(o *observation, f *event.Finding) {
	x, err := m.forest.Explain(m.row, max(usualScore, m.budget.Usual(usualShare)))
	if err != nil {
		f.Explanation = err.Error()
		return
	}
	var nearest []float64
	if x.Nearest != nil {
		nearest = x.Nearest
	}
	for _, c := range x.Features {
		one := m.featureOf(o, c)
		if nearest != nil {
			one.Nearest = finiteOrNil(nearest[c.Feature])
		}
		f.Features = append(f.Features, one)
	}
	for _, c := range x.Counterfactual {
		f.Counterfactual = append(f.Counterfactual, m.features[c.Feature].name)
	}
	f.Explanation = m.inWords(o, f, x)
}

// featureOf is what one feature has to do with it, against the entity's usual
// where that is known, else against everybody's.
func (m *modeller) featureOf(o *observation, c forest.Contribution) event.Feature {
	f := m.features[c.Feature]
	one := event.Feature{Name: f.name, Contribution: c.Depth, Scaled: finiteOrNil(c.Value), Direction: direction(c)}
	if f.told != nil && f.told.category >= 0 {
		one.Value, one.Text = one.Scaled, f.told.noted.Text
		one.Usual, one.Peers = m.base.Usual(o.e, f.told.category)
		if one.Direction == "new" && one.Usual == one.Text && one.Text != "" {
			one.Direction = "above" // it is rarer than it was, and no new value
		}
		return one
	}
	value := c.Value
	if f.told != nil && f.told.number >= 0 {
		value = f.told.given
	}
	one.Value = finiteOrNil(value)
	low, high, ok := m.base.Range(o.e, f.number, o.at)
	if !ok && (f.told == nil || f.told.number < 0) {
		low, high, ok = c.Low, c.High, true
	}
	if !ok || math.IsNaN(value) {
		return one
	}
	one.Low, one.High = finiteOrNil(low), finiteOrNil(high)
	switch {
	case value > high:
		one.Direction = "above"
	case value < low:
		one.Direction = "below"
	default:
		one.Direction = "inside"
	}
	return one
}

func direction(c forest.Contribution) string {
	switch {
	case c.New:
		return "new"
	case c.Direction > 0:
		return "above"
	case c.Direction < 0:
		return "below"
	}
	return "inside"
}

func finiteOrNil(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// named is how many features an explanation names.
const named = 4

// countNamed is how many of the features, of which the first counts most, an
// explanation names: those that are more than a tenth of it.
func countNamed(all []event.Feature) int {
	var up float64
	for _, one := range all {
		up += max(0, one.Contribution)
	}
	n := 0
	for n < min(named, len(all)) && all[n].Contribution > 0.1*up {
		n++
	}
	return n
}

// inWords is the explanation for people: what counts most, and what would be
// normal.
func (m *modeller) inWords(o *observation, f *event.Finding, x *forest.Explanation) string {
	var b strings.Builder
	if o.silent {
		fmt.Fprintf(&b, "nothing comes of %s since %s, which is unlike its usual", f.Entity, o.e.Last().UTC().Format(time.RFC3339))
	} else {
		fmt.Fprintf(&b, "%s is unlike its usual", f.Entity)
	}
	if f.P > 0 {
		fmt.Fprintf(&b, " (p %s)", short(f.P))
	}
	var up float64
	for _, one := range f.Features {
		up += max(0, one.Contribution)
	}
	for i, one := range f.Features[:countNamed(f.Features)] {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s, %.0f %% of it", sep, phrase(one), 100*one.Contribution/max(up, 1e-9))
	}
	if o.e.InGrace(o.at) {
		b.WriteString("; it has a new version, so its own past counts less")
		if except := m.d.Spec.Rollout.Except; len(except) > 0 {
			b.WriteString(", but not for " + strings.Join(except, ", "))
		}
	}
	if len(f.Counterfactual) > 0 {
		fmt.Fprintf(&b, ". It would be normal, were %s", strings.Join(m.wishes(o, x), " and "))
	}
	return b.String()
}

// phrase is one feature in words.
func phrase(f event.Feature) string {
	text := f.Name
	switch {
	case f.Text != "":
		text += " " + strconv.Quote(f.Text)
		if f.Usual != "" && f.Usual != f.Text {
			text += " (" + whose(f) + "usually " + strconv.Quote(f.Usual) + ")"
		} else if f.Direction == "new" {
			text += " (never seen)"
		}
		return text
	case f.Value == nil:
		return text + " missing"
	}
	text += " " + short(*f.Value)
	if f.Low != nil && f.High != nil {
		text += " (usually " + span(*f.Low, *f.High) + ")"
	}
	return text
}

// whose usual a feature has, where it is not the entity's own.
func whose(f event.Feature) string {
	if f.Peers {
		return "its peers "
	}
	return ""
}

// wishes are the usual values of what would have to be otherwise.
func (m *modeller) wishes(o *observation, x *forest.Explanation) []string {
	var all []string
	for _, c := range x.Counterfactual {
		f := m.features[c.Feature]
		wish := f.name + " " + short(c.To)
		if f.told != nil && f.told.category >= 0 {
			wish = f.name + " as usual"
			usual, peers := m.base.Usual(o.e, f.told.category)
			if usual != "" {
				wish = f.name + " " + strconv.Quote(usual)
			}
			if peers {
				wish += " as of its peers"
			}
		} else if low, high, ok := m.base.Range(o.e, f.number, o.at); ok {
			wish = f.name + " " + span(low, high)
		}
		all = append(all, wish)
	}
	return all
}

func span(low, high float64) string {
	if a, b := short(low), short(high); a != b {
		return a + " to " + b
	}
	return short(low)
}

// short is a number for people.
func short(v float64) string {
	if math.Abs(v) >= 1000 && math.Abs(v) < 1e9 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func cutText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
