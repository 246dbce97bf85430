package window

import (
	"errors"
	"fmt"
	"math"

	"github.com/firebreak-io/firebreak/internal/sketch"
)

// Function is what an aggregate makes of the events of a window.
type Function string

// The functions. Events whose input is not valid are left out, but for Ratio.
const (
	// Count is how many events there are, Distinct how many different texts:
	// exact up to [MaxDistinct], about from there on.
	Count    Function = "count"
	Distinct Function = "distinct"
	Sum      Function = "sum"
	Avg      Function = "avg"
	Min      Function = "min"
	Max      Function = "max"
	// Quantile is the number at rank floor(Q·(n-1)) of n, within
	// [sketch.QuantileError] of it, 1 %, as long as the numbers of no pane need
	// more than [MaxBins] bins.
	Quantile Function = "quantile"
	// Union is how many different values there are in all sketches of values,
	// with their error: exact up to [sketch.MaxExact], and from there on
	// [sketch.DistinctError].
	Union Function = "union"
	// Rate is events a second, over the whole window; of events that stand for
	// several, or for an amount, their numbers a second.
	Rate Function = "rate"
	// Ratio is the share of valid events among all.
	Ratio Function = "ratio"
	// Baseline is the count of valid events in the window, or the sum of their
	// numbers, by the group's mean in the windows before, which forgets: the newest has a tenth of
	// the weight. NaN until three windows are over.
	Baseline Function = "baseline_ratio"
)

// Aggregate is one number that is kept for each group.
type Aggregate struct {
	Function Function
	// Q is the rank of a quantile, 0 to 1.
	Q float64
}

// Input is what one event gives to one aggregate.
type Input struct {
	// Valid says that there is something: a condition that holds, a number, a
	// value.
	Valid bool
	// Again says that the event was counted before: what is valid is all that is
	// new about it.
	Again bool
	// Number is for Sum, Avg, Min, Max and Quantile, and for how much the event
	// counts in Rate and Baseline; Hash of the value for Distinct.
	Number float64
	Hash   uint64
	// Set is for Union, Numbers for Quantile in place of Number.
	Set     *sketch.Distinct
	Numbers *sketch.Quantiles
}

// Check says what of an aggregate is wrong.
func (a Aggregate) Check() error {
	switch a.Function {
	case Count, Distinct, Union, Sum, Avg, Min, Max, Rate, Ratio, Baseline:
		return nil
	case Quantile:
		if !(a.Q >= 0 && a.Q <= 1) {
			return fmt.Errorf("quantile %v is not 0 to 1", a.Q)
		}
		return nil
	}
	return errors.New("unknown aggregate " + string(a.Function))
}

// width is how many numbers it keeps in each pane.
func (a Aggregate) width() int {
	switch a.Function {
	case Avg, Ratio:
		return 2
	case Distinct, Union, Quantile:
		return 0
	}
	return 1
}

// fold adds an event to the numbers of its pane; fresh says that the pane has
// none yet.
func (a Aggregate) fold(cell []float64, in Input, fresh bool) {
	switch a.Function {
	case Ratio:
		if !in.Again {
			cell[1]++
		}
		if in.Valid {
			cell[0]++
		}
		return
	case Min, Max:
		if fresh {
			cell[0] = math.NaN()
		}
	}
	if !in.Valid || a.Function != Count && math.IsNaN(in.Number) {
		return
	}
	switch a.Function {
	case Count:
		cell[0]++
	case Sum, Rate, Baseline:
		cell[0] += in.Number
	case Avg:
		cell[0] += in.Number
		cell[1]++
	case Min:
		if !(cell[0] <= in.Number) {
			cell[0] = in.Number
		}
	case Max:
		if !(cell[0] >= in.Number) {
			cell[0] = in.Number
		}
	}
}

// merge adds the numbers of a pane to those of others.
func (a Aggregate) merge(sum, cell []float64) {
	switch a.Function {
	case Min:
		if !(sum[0] <= cell[0] || math.IsNaN(cell[0])) {
			sum[0] = cell[0]
		}
	case Max:
		if !(sum[0] >= cell[0] || math.IsNaN(cell[0])) {
			sum[0] = cell[0]
		}
	default:
		for i := range sum {
			sum[i] += cell[i]
		}
	}
}

// result is the aggregate of merged numbers. Of nothing, an average, a
// smallest and a largest number are NaN, with which no comparison holds.
func (a Aggregate) result(sum []float64, seconds float64) float64 {
	switch a.Function {
	case Avg, Ratio:
		return sum[0] / sum[1]
	case Rate:
		return sum[0] / seconds
	}
	return sum[0]
}
