package detect

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/detect/budget"
	"github.com/firebreak-io/firebreak/detect/forest"
	"github.com/firebreak-io/firebreak/detect/pack"
)

// Table is a model of rows that somebody else measured, one number a feature:
// what is left of a model without events, entities and their past. It is used by
// one goroutine.
type Table struct {
	features []string
	forest   *forest.Rolling
	budget   *budget.Budget
	warm     int
	// rows counts those that were learned; of is the model that they are of, nil
	// of a table of its own.
	rows uint64
	of   *modeller
}

// TableOptions set up a Table of its own.
type TableOptions struct {
	// Features are what its rows measure.
	Features []string
	// Forest is as in a Model; its Anchors do not matter.
	Forest ForestSpec
	// Contamination is the share of rows that counts as anomalous, 0.01 if 0.
	Contamination float64
	// WarmUp is how many rows have to be learned before any is anomalous, as many
	// as a tree is made of if 0.
	WarmUp int
}

// Scored is what a row is found to be.
type Scored struct {
	// Score is 0 to 1; P the share of recent rows that are as high; Decision is
	// below 0 for what counts as anomalous, as in scikit-learn.
	Score    float64 `json:"score"`
	P        float64 `json:"p"`
	Decision float64 `json:"decision"`
	// Anomalous says that its p is as small as it has to be, and that it is warm.
	Anomalous bool `json:"anomalous"`
}

// NewTable makes one that knows nothing.
func NewTable(o TableOptions) (*Table, error) {
	if len(o.Features) == 0 {
		return nil, errors.New("a table without features")
	}
	if o.Contamination == 0 {
		o.Contamination = aloneShare
	}
	t := &Table{features: slices.Clone(o.Features), warm: o.WarmUp}
	var err error
	if t.forest, err = forest.NewRolling(len(o.Features), forest.Options{
		Trees: o.Forest.Trees, Sample: o.Forest.Sample, Beyond: o.Forest.Beyond, Seed: baseline.ValueOf(append([]string{"table"}, o.Features...)...).Hash,
	}, forest.Learning{Reservoir: o.Forest.Reservoir, Memory: o.Forest.Memory.Std(), Share: o.Forest.Share}); err != nil {
		return nil, err
	}
	t.budget, err = budget.New(budget.Options{Contamination: o.Contamination})
	return t, err
}

// Table is a model's own forest and budget, to which rows come as if it had
// measured them.
func (g *Engine) Table(name string) (*Table, error) {
	_, m, err := g.modelNamed(name)
	if err != nil {
		return nil, err
	}
	return &Table{features: m.d.Spec.names(), forest: m.forest, budget: m.budget, warm: m.d.Spec.WarmUp.Events, rows: m.warm.events, of: m}, nil
}

// Features are what rows measure, in order.
func (t *Table) Features() []string { return slices.Clone(t.features) }

// Rows is how many were learned.
func (t *Table) Rows() uint64 { return t.rows }

// Missing is how many rows have to be learned yet before any is anomalous.
func (t *Table) Missing() int {
	_, n := t.forest.Ready()
	return max(0, n, t.warm-int(min(t.rows, 1<<31))) // #nosec G115 -- bounded
}

// Score says what a row is, and changes nothing but what is counted.
func (t *Table) Score(row []float64, at time.Time) (Scored, error) {
	if len(row) != len(t.features) {
		return Scored{}, t.misshapen(row)
	}
	s := Scored{Score: t.forest.Score(row)}
	d := t.budget.Judge(0, at, s.Score, budget.Circumstance{Quiet: true})
	s.P, s.Decision = d.P, t.budget.Threshold()-s.Score
	s.Anomalous = t.Missing() == 0 && d.P <= d.Need && s.Score > usualScore
	return s, nil
}

// Learn makes a row one of those that are usual. Those of one principal have no
// more than its share; 0 is nobody in particular. Score it first.
func (t *Table) Learn(row []float64, s Scored, principal uint64, at time.Time) {
	whose := principal
	if whose == 0 { // each is of somebody else: together they are no principal with a share
		whose = ^t.rows
	}
	t.budget.Learn(whose, at, s.Score)
	t.forest.Add(row, principal, at)
	t.rows++
	if m := t.of; m != nil {
		if m.warm.events++; m.warm.since.IsZero() {
			m.warm.since = at
		}
	}
}

// tableHead begins what Save writes of a table of its own.
const tableHead = "firebreak table 1\n"

// Save writes all that a table of its own has learned. Of a model's it is
// [Engine.SaveModel].
func (t *Table) Save() []byte {
	out := pack.Writer{Data: []byte(tableHead)}
	out.Len(len(t.features))
	for _, name := range t.features {
		out.Text(name)
	}
	out.Uint(t.rows)
	t.forest.Save(&out)
	t.budget.Save(&out)
	return out.Data
}

// Load reads what Save wrote of a table with the same features and forest, into
// one that knows nothing.
func (t *Table) Load(data []byte) error {
	names, rows, in, err := tableOf(data)
	if err == nil && !slices.Equal(names, t.features) {
		err = fmt.Errorf("load table: the state is of the features %q", names)
	}
	if err != nil {
		return err
	}
	t.rows = rows
	t.forest.Load(in)
	if err = in.Err(); err == nil {
		err = t.budget.Load(in)
	}
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return fmt.Errorf("load table: %w, or of other numbers of trees and rows", err)
	}
	return nil
}

// TableOf says of which features a state is that [Table.Save] wrote, and how many
// rows it learned.
func TableOf(data []byte) (features []string, rows uint64, err error) {
	features, rows, _, err = tableOf(data)
	return features, rows, err
}

func tableOf(data []byte) (features []string, rows uint64, in *pack.Reader, err error) {
	if len(data) < len(tableHead) || string(data[:len(tableHead)]) != tableHead {
		return nil, 0, nil, errors.New("load table: this is no state of a table")
	}
	in = pack.NewReader(data[len(tableHead):])
	for range in.Count(forest.MaxDims) {
		features = append(features, in.Text())
	}
	if rows = in.Uint(); in.Err() != nil {
		return nil, 0, nil, fmt.Errorf("load table: %w", in.Err())
	}
	return features, rows, in, nil
}
