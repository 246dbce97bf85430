package detect

import (
	"fmt"
	"math"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Why says why a row has its score.
type Why struct {
	// Distance is by how many cuts fewer than the usual row this one stands alone;
	// the contributions of Features sum to it.
	Distance float64 `json:"distance"`
	// Features are all columns, the one that counts most first, each with its usual
	// range and its value in the nearest normal row.
	Features []event.Feature `json:"features"`
	// Counterfactual is what would have to be otherwise for the row to be normal, and
	// After its score then. It is empty for what is normal.
	Counterfactual []Wish  `json:"counterfactual,omitempty"`
	After          float64 `json:"after"`
	// Words is the same for people.
	Words string `json:"words,omitempty"`
}

// Wish is a value that would be normal.
type Wish struct {
	Name string  `json:"name"`
	To   float64 `json:"to"`
}

// Explain says why a row has its score. It takes some milliseconds, and is an
// error before anything was learned.
func (t *Table) Explain(row []float64) (*Why, error) {
	if len(row) != len(t.features) {
		return nil, t.misshapen(row)
	}
	x, err := t.forest.Explain(row, max(usualScore, t.budget.Usual(usualShare)))
	if err != nil {
		return nil, err
	}
	w := &Why{Distance: x.Distance, After: x.After}
	var up float64
	for _, c := range x.Features {
		up += max(0, c.Depth)
		f := event.Feature{
			Name: t.features[c.Feature], Contribution: c.Depth, Direction: direction(c),
			Value: finiteOrNil(c.Value), Low: finiteOrNil(c.Low), High: finiteOrNil(c.High),
		}
		if x.Nearest != nil {
			f.Nearest = finiteOrNil(x.Nearest[c.Feature])
		}
		w.Features = append(w.Features, f)
	}
	var parts, wishes []string
	for i, f := range w.Features {
		if i >= named || f.Contribution <= 0.1*up {
			break
		}
		parts = append(parts, fmt.Sprintf("%s, %.0f %% of it", phrase(f), 100*f.Contribution/up))
	}
	for _, c := range x.Counterfactual {
		name := t.features[c.Feature]
		if !math.IsNaN(c.To) && !math.IsInf(c.To, 0) {
			w.Counterfactual = append(w.Counterfactual, Wish{name, c.To})
		}
		wishes = append(wishes, name+" "+short(c.To))
	}
	w.Words = strings.Join(parts, "; ")
	if len(wishes) > 0 {
		w.Words += ". It would be normal, were " + strings.Join(wishes, " and ")
	}
	return w, nil
}

func (t *Table) misshapen(row []float64) error {
	return fmt.Errorf("a row of %d numbers, there are %d features", len(row), len(t.features))
}
