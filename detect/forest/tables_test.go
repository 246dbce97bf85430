package forest

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// full says that `make bench-forest` runs: everything, with ten seeds, and
// tables of it. Otherwise tests are the same in small.
func full() bool { return os.Getenv("FIREBREAK_BENCH") != "" }

func seeds() uint64 {
	if full() {
		return 10
	}
	return 3
}

// small are the sets that are used when there is little time.
func small(t testing.TB) []*table {
	all := tables(t)
	if full() {
		return all
	}
	var few []*table
	for _, set := range all {
		if set.rows() < 8000 {
			few = append(few, set)
		}
	}
	return few
}

// figures are two medians over seeds: the areas below the ROC curve and the
// average precisions.
type figures struct{ area, precision float64 }

func batch(t testing.TB, set *table, o Options) figures {
	var areas, precisions []float64
	for o.Seed = range seeds() {
		f, err := Fit(set.x, set.dims, o)
		if err != nil {
			t.Fatal(err)
		}
		scores := f.ScoreAll(nil, set.x)
		areas = append(areas, auc(scores, set.anomaly))
		precisions = append(precisions, precision(scores, set.anomaly))
	}
	return figures{median(areas), median(precisions)}
}

// On tables the forest is as good as scikit-learn's: what is run beside it when
// it is there, else what testdata/scikit-learn.txt has of it.
func TestTables(t *testing.T) {
	sets := small(t)
	theirs, from := recorded(t), "recorded"
	wait := func() {}
	if full() {
		if run, end := beside(t, sets); run != nil {
			theirs, from, wait = run, "run beside it", end
		}
	}
	ours := map[string]figures{}
	for _, set := range sets {
		ours[set.name] = batch(t, set, Options{})
	}
	wait()
	t.Logf("%-28s %-16s scikit-learn, %s", "", "this forest", from)
	t.Logf("%-12s %7s %7s  %-7s %-7s  %-7s %s", "table", "rows", "columns", "AUC", "AP", "AUC", "AP")
	for _, own := range []bool{false, true} {
		var a, b figures
		n := 0.0
		for _, set := range sets {
			if set.own() != own {
				continue
			}
			o, s := ours[set.name], theirs[set.name]
			t.Logf("%-12s %7d %7d  %.4f  %.4f   %.4f  %.4f", set.name, set.rows(), set.dims, o.area, o.precision, s.area, s.precision)
			if s.area > 0 {
				n++
				a, b = figures{a.area + o.area, a.precision + o.precision}, figures{b.area + s.area, b.precision + s.precision}
			}
		}
		if n == 0 {
			continue
		}
		t.Logf("%-28s %.4f  %.4f   %.4f  %.4f", "mean", a.area/n, a.precision/n, b.area/n, b.precision/n)
		if a.area/n < b.area/n-0.005 {
			t.Errorf("the mean AUC is %.4f, more than 0.005 below %.4f", a.area/n, b.area/n)
		}
	}
}

// recorded are the figures of scikit-learn that were written down.
func recorded(t testing.TB) map[string]figures {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "scikit-learn.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return parse(b)
}

func parse(b []byte) map[string]figures {
	all := map[string]figures{}
	for line := range bytes.Lines(b) {
		var name string
		var f figures
		if n, _ := fmt.Sscan(string(line), &name, &f.area, &f.precision); n == 3 {
			all[called(name)] = f
		}
	}
	return all
}

// called is the name of a file's set: 34_smtp.npz has smtp.
func called(file string) string {
	name := strings.TrimSuffix(filepath.Base(file), ".npz")
	if number, rest, ok := strings.Cut(name, "_"); ok && strings.Trim(number, "0123456789") == "" {
		return rest
	}
	return name
}

// beside starts scikit-learn over the sets, if there is one, and gives where its
// figures will be after the wait.
func beside(t testing.TB, sets []*table) (map[string]figures, func()) {
	python := ""
	for _, name := range []string{os.Getenv("PYTHON"), "/usr/bin/python3", "python3"} {
		if name != "" && exec.Command(name, "-c", "import sklearn").Run() == nil {
			python = name
			break
		}
	}
	if python == "" {
		t.Log("no python3 with scikit-learn here")
		return nil, nil
	}
	arguments := []string{filepath.Join("testdata", "tables.py"), "10"}
	for _, set := range sets {
		if set.own() {
			set.file = filepath.Join(t.TempDir(), set.name+".npz")
			if err := set.write(set.file); err != nil {
				t.Fatal(err)
			}
		}
		arguments = append(arguments, set.file)
	}
	command := exec.Command(python, arguments...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	figures := map[string]figures{}
	return figures, func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			for name, f := range parse(lines.Bytes()) {
				figures[name] = f
			}
		}
		if err := command.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// Without any file: strangers around a cloud are found, inside and outside of
// its box.
func TestRing(t *testing.T) {
	state := uint64(5)
	set := &table{dims: 6}
	for i := range 3000 {
		row := make([]float64, 6)
		for f := range row {
			row[f] = normal(&state)
		}
		if i%50 == 0 {
			row[i%6], row[(i+1)%6] = 4, -4
		}
		set.x, set.anomaly = append(set.x, row...), append(set.anomaly, i%50 == 0)
	}
	if f := batch(t, set, Options{}); f.area < 0.99 || f.precision < 0.8 {
		t.Errorf("AUC %.4f, AP %.4f", f.area, f.precision)
	}
}
