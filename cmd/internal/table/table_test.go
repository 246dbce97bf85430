package table

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	r, err := New(strings.NewReader("\ufefftime, a,entity,b ,is attack,c\n2026-01-02T03:04:05Z,1,x,,no,true\n2026-01-02T03:04:06Z,-2e3,\"y,z\",?,yes,0\n"), "is attack")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(r.Features, " ") != "a b c" {
		t.Fatalf("features are %q", r.Features)
	}
	if err := r.Want([]string{"c", "nope"}); err == nil || !strings.Contains(err.Error(), `no column "nope"`) {
		t.Errorf("wanted what is not there: %v", err)
	}
	if err := r.Want([]string{"c", "b", "a"}); err != nil {
		t.Fatal(err)
	}
	one, err := r.Read()
	if err != nil || one.Line != 2 || one.Values[0] != 1 || !math.IsNaN(one.Values[1]) || one.Values[2] != 1 || one.Odd || !one.Labelled || one.Entity != "x" {
		t.Errorf("the first is %+v, %v", one, err)
	}
	two, err := r.Read()
	if err != nil || two.Values[2] != -2000 || !two.Odd || two.Entity != "y,z" || !two.Time.Equal(time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)) {
		t.Errorf("the second is %+v, %v", two, err)
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v", err)
	}
}

func TestRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "empty",
		"a,,b\n":                                 "column 2 has no name",
		"a,b,a\n":                                `column "a" is there twice`,
		"label,time\n":                           "no column is a feature",
		"a\nx\n":                                 `line 2, column "a": "x" is no number`,
		"a\n1e999\n":                             "no number",
		"a,b\n1\n":                               "line 2 has 1 values, of 2 columns",
		"a,b\n1,2,3\n":                           "line 2 has 3 values, of 2 columns",
		"a;b\n1;2\n":                             `line 1 is the one column "a;b": columns are separated by commas`,
		"a\tb\n1\t2\n":                           "columns are separated by commas",
		"a,time\n1,today\n":                      "no time as in",
		strings.Repeat("a", maxLine+1):           "more than",
		strings.Repeat("a,", maxColumns) + "b\n": "columns are more",
	} {
		r, err := New(strings.NewReader(text), Label)
		if err == nil {
			_, err = r.Read()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
	}
}

// The figures are those of scikit-learn's roc_auc_score and
// average_precision_score, with scores that are the same among them.
func TestQuality(t *testing.T) {
	var j Judged
	for i, score := range []float64{0.9, 0.8, 0.8, 0.7, 0.3, 0.3, 0.2, 0.1} {
		j.Add(score, i == 0 || i == 2 || i == 5)
	}
	q, ok := j.Quality()
	if !ok || q.Odd != 3 || q.All != 8 || math.Abs(q.AUC-0.8) > 1e-12 || math.Abs(q.AveragePrecision-(1+2.0/3+0.5)/3) > 1e-12 {
		t.Errorf("%+v", q)
	}
	if _, ok := (&Judged{}).Quality(); ok {
		t.Error("nothing has a quality")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("a,b,label\n1,2,0\n", "label")
	f.Add("time,a\n2026-01-02T03:04:05Z,nan\n\"x\ny\",1\n", "")
	f.Fuzz(func(t *testing.T, text, label string) {
		r, err := New(strings.NewReader(text), label)
		if err != nil {
			return
		}
		for {
			row, err := r.Read()
			if err != nil {
				return
			}
			if len(row.Values) != len(r.Features) {
				t.Fatalf("%d values of %d features", len(row.Values), len(r.Features))
			}
		}
	})
}
