package forest

import (
	"slices"

	"gonum.org/v1/gonum/integrate"
	"gonum.org/v1/gonum/stat"
)

// auc is the area under the ROC curve.
func auc(scores []float64, anomaly []bool) float64 {
	y, classes := sorted(scores, anomaly)
	tpr, fpr, _ := stat.ROC(nil, y, classes, nil)
	return integrate.Trapezoidal(fpr, tpr)
}

// precision is the average precision: the mean of the precision at each rank of
// an anomaly, equal scores taken together, as scikit-learn has it.
func precision(scores []float64, anomaly []bool) float64 {
	y, classes := sorted(scores, anomaly)
	var found, all, sum float64
	for i := len(y) - 1; i >= 0; {
		before, j := found, i
		for ; j >= 0 && y[j] == y[i]; j-- {
			if all++; classes[j] {
				found++
			}
		}
		sum += (found - before) * found / all
		i = j
	}
	return sum / found
}

func sorted(scores []float64, anomaly []bool) ([]float64, []bool) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		switch {
		case scores[i] < scores[j]:
			return -1
		case scores[i] > scores[j]:
			return 1
		}
		return i - j
	})
	y, classes := make([]float64, len(order)), make([]bool, len(order))
	for i, o := range order {
		y[i], classes[i] = scores[o], anomaly[o]
	}
	return y, classes
}

func median(values []float64) float64 {
	values = slices.Clone(values)
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// rank is the share of values below v, as a percentile.
func rank(values []float64, v float64) float64 {
	below := 0
	for _, w := range values {
		if w < v {
			below++
		}
	}
	return 100 * float64(below) / float64(len(values))
}
