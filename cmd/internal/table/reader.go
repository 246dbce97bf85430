// Package table reads tables of numbers, and says how well scores tell apart
// what a table says of its rows.
package table

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// Columns that are no features: when a row was, of whom it is, and what somebody
// says that it is.
const (
	Time   = "time"
	Entity = "entity"
	Label  = "label"
)

const (
	// maxColumns is how many there may be.
	maxColumns = 4096
	// maxLine bounds a line, in bytes.
	maxLine = 1 << 20
)

// Row is one row.
type Row struct {
	// Line is where it stands in the file.
	Line int
	// Values are those of the features; what is missing is NaN.
	Values []float64
	// Time is that of its column, else a second after the row before it.
	Time time.Time
	// Entity is empty without such a column. Labelled says that there is a label,
	// Odd that it is one of an anomaly.
	Entity        string
	Labelled, Odd bool
}

// Reader reads a table: comma-separated values (RFC 4180), whose first line names
// the columns.
type Reader struct {
	// Features are the columns that are features, in their order; after
	// [Reader.Want] those that are wanted.
	Features []string

	csv     *csv.Reader
	columns []int
	special map[string]int
	names   int // columns of the first line
	n       int
	row     Row
}

// start is the time of the first row of a table without times.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// New reads the names of the columns. label is that of the column that says what
// is an anomaly, if there is one.
func New(r io.Reader, label string) (*Reader, error) {
	t := &Reader{csv: csv.NewReader(&lines{r: r}), special: map[string]int{}}
	t.csv.ReuseRecord, t.csv.TrimLeadingSpace = true, true
	names, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty: its first line has to name the columns")
	}
	if err != nil {
		return nil, err
	}
	if len(names) > maxColumns {
		return nil, fmt.Errorf("%d columns are more than %d", len(names), maxColumns)
	}
	if len(names) == 1 && strings.ContainsAny(names[0], ";\t") {
		return nil, fmt.Errorf("line 1 is the one column %q: columns are separated by commas", cut(names[0]))
	}
	t.names = len(names)
	seen := map[string]bool{}
	for i, name := range names {
		name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		switch {
		case name == "":
			return nil, fmt.Errorf("column %d has no name", i+1)
		case seen[name]:
			return nil, fmt.Errorf("column %q is there twice", name)
		case name == label:
			t.special[Label] = i
		case name == Time || name == Entity:
			t.special[name] = i
		default:
			t.Features, t.columns = append(t.Features, strings.Clone(name)), append(t.columns, i)
		}
		seen[strings.Clone(name)] = true
	}
	if len(t.Features) == 0 {
		return nil, errors.New("no column is a feature")
	}
	return t, nil
}

// Want takes of the columns only those of the features, which have to be there,
// in their order.
func (t *Reader) Want(features []string) error {
	var columns []int
	for _, name := range features {
		i := slices.Index(t.Features, name)
		if i < 0 {
			return fmt.Errorf("there is no column %q%s", name, conf.Suggest(name, t.Features))
		}
		columns = append(columns, t.columns[i])
	}
	t.Features, t.columns = slices.Clone(features), columns
	return nil
}

// Read gives the next row, which stands until the next call; io.EOF after the
// last.
func (t *Reader) Read() (*Row, error) {
	record, err := t.csv.Read()
	if errors.Is(err, csv.ErrFieldCount) {
		line, _ := t.csv.FieldPos(0)
		return nil, fmt.Errorf("line %d has %d values, of %d columns", line, len(record), t.names)
	}
	if err != nil {
		return nil, err
	}
	line, _ := t.csv.FieldPos(0)
	t.row = Row{Line: line, Values: t.row.Values[:0], Time: start.Add(time.Duration(t.n) * time.Second)}
	t.n++
	for i, column := range t.columns {
		v, err := number(record[column])
		if err != nil {
			return nil, fmt.Errorf("line %d, column %q: %w", line, t.Features[i], err)
		}
		t.row.Values = append(t.row.Values, v)
	}
	if i, ok := t.special[Time]; ok {
		if t.row.Time, err = time.Parse(time.RFC3339Nano, record[i]); err != nil {
			return nil, fmt.Errorf("line %d, column %q: no time as in 2026-01-31T18:00:00Z", line, Time)
		}
	}
	if i, ok := t.special[Entity]; ok {
		t.row.Entity = record[i]
	}
	if i, ok := t.special[Label]; ok {
		t.row.Labelled, t.row.Odd = true, odd(record[i])
	}
	return &t.row, nil
}

// number reads one; what is missing is NaN.
func number(text string) (float64, error) {
	switch text = strings.TrimSpace(text); strings.ToLower(text) {
	case "", "nan", "na", "null", "?":
		return math.NaN(), nil
	case "true":
		return 1, nil
	case "false":
		return 0, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is no number", cut(text))
	}
	return v, nil
}

// odd reads a label: what is no word for nothing is one of an anomaly.
func odd(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "0", "0.0", "false", "no", "normal", "benign", "-":
		return false
	}
	return true
}

func cut(text string) string {
	if len(text) > 40 {
		return strings.ToValidUTF8(text[:40], "") + "…"
	}
	return text
}

// lines refuses a line that has no end.
type lines struct {
	r io.Reader
	n int
}

// Read counts bytes since the last end of a line.
func (l *lines) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for _, c := range p[:n] {
		if l.n++; c == '\n' {
			l.n = 0
		}
		if l.n > maxLine {
			return 0, fmt.Errorf("a line has more than %d bytes", maxLine)
		}
	}
	return n, err
}
