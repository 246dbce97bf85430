package forest

import (
	"math"
	"slices"
)

// Scikit-learn's conventions (sklearn.ensemble.IsolationForest), so that
// thresholds carry over: there less is stranger, and below the offset is an
// anomaly.

// auto is the offset when no contamination is given.
const auto = -0.5

// ScoreSample is scikit-learn's score_samples of one row: -Score.
func (f *Forest) ScoreSample(row []float64) float64 { return -f.Score(row) }

// Offset is what Decision subtracts: -0.5, or the quantile of the scores of the
// rows that the forest was fitted to by Options.Contamination.
func (f *Forest) Offset() float64 { return f.offset }

// Decision is scikit-learn's decision_function: below 0 is an anomaly.
func (f *Forest) Decision(row []float64) float64 { return -f.Score(row) - f.offset }

// Predict is -1 for an anomaly and 1 for what is normal.
func (f *Forest) Predict(row []float64) int {
	if f.Decision(row) < 0 {
		return -1
	}
	return 1
}

// Threshold is the score above which a row is an anomaly: -Offset.
func (f *Forest) Threshold() float64 { return -f.offset }

func (f *Forest) calibrate(x []float64, contamination float64) {
	f.offset = auto
	if contamination > 0 {
		scores := f.ScoreAll(nil, x)
		for i := range scores {
			scores[i] = -scores[i]
		}
		f.offset = percentile(scores, contamination)
	}
}

// percentile is numpy's, linear between neighbours; it sorts values.
func percentile(values []float64, q float64) float64 {
	slices.Sort(values)
	at := float64(q * float64(len(values)-1))
	low := math.Floor(at)
	a, b := values[int(low)], values[min(int(low)+1, len(values)-1)]
	return a + float64((b-a)*(at-low))
}
