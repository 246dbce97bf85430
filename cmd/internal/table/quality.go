package table

import (
	"cmp"
	"math"
	"slices"
)

// Quality says how well scores tell anomalies from the rest.
type Quality struct {
	// Odd is how many rows were labelled as anomalies, of All that had a label.
	Odd int `json:"odd"`
	All int `json:"all"`
	// AUC is the area under the curve of ROC: how often an anomaly has the higher
	// score of two. AveragePrecision is that of the ranking, as in scikit-learn.
	AUC              float64 `json:"auc"`
	AveragePrecision float64 `json:"average_precision"`
}

// Judged are the scores of rows with labels. The zero value has none.
type Judged struct {
	rows []judged
}

type judged struct {
	score float64
	odd   bool
}

// maxJudged bounds the rows that are remembered for it.
const maxJudged = 20_000_000

// Add takes the score of a row.
func (j *Judged) Add(score float64, odd bool) {
	if len(j.rows) < maxJudged && !math.IsNaN(score) {
		j.rows = append(j.rows, judged{score, odd})
	}
}

// Quality is that of all rows; false where there are no two kinds of them.
func (j *Judged) Quality() (q Quality, ok bool) {
	rows := slices.Clone(j.rows)
	slices.SortStableFunc(rows, func(a, b judged) int { return cmp.Compare(b.score, a.score) })
	q.All = len(rows)
	for _, r := range rows {
		if r.odd {
			q.Odd++
		}
	}
	usual := q.All - q.Odd
	if q.Odd == 0 || usual == 0 {
		return q, false
	}
	var hits, misses float64
	for i := 0; i < len(rows); {
		var h, m float64 // of one score
		for score := rows[i].score; i < len(rows) && rows[i].score == score; i++ {
			if rows[i].odd {
				h++
			} else {
				m++
			}
		}
		q.AUC += m * (hits + h/2)
		hits, misses = hits+h, misses+m
		q.AveragePrecision += h * hits / (hits + misses)
	}
	q.AUC /= float64(q.Odd) * float64(usual)
	q.AveragePrecision /= float64(q.Odd)
	return q, true
}
