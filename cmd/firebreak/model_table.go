package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/table"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/detect/baseline"
)

// tabular are the flags of a table of numbers.
type tabular struct {
	csv, label    string
	contamination float64
	trees, sample int
	explain       bool
}

func (t *tabular) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.csv, "csv", "", "table of numbers instead of events, its first line names the columns; - for stdin")
	f.StringVar(&t.label, "label", table.Label, "column of the table that says what is an anomaly, if there is one")
	f.Float64Var(&t.contamination, "contamination", 0.01, "share of rows that counts as anomalous, of a table without a model")
	f.IntVar(&t.trees, "trees", 100, "trees, of a table without a model")
	f.IntVar(&t.sample, "sample", 256, "rows that a tree is made of, of a table without a model")
}

// rows is a table on its way through a forest.
type rows struct {
	in     *table.Reader
	file   io.Closer
	to     *detect.Table
	engine *detect.Engine // of a model's
}

// open reads the names of the columns, and what was learned of them.
func (m *modelled) open(cmd *cobra.Command, name string) (*rows, error) {
	r := &rows{file: io.NopCloser(nil)}
	from := cmd.InOrStdin()
	if m.csv != "-" {
		file, err := os.Open(m.csv)
		if err != nil {
			return nil, err
		}
		from, r.file = file, file
	}
	var err error
	if r.in, err = table.New(bufio.NewReaderSize(from, 64<<10), m.label); err != nil {
		err = fmt.Errorf("read %s: %w", m.csv, err)
	} else {
		err = m.forest(r, name)
	}
	if err != nil {
		return nil, errors.Join(err, r.file.Close())
	}
	return r, nil
}

// forest is the model's, the one of the file of what was learned, or a new one of
// the columns that there are.
func (m *modelled) forest(r *rows, name string) (err error) {
	data, err := m.learned()
	if err != nil {
		return err
	}
	switch {
	case name != "":
		r.engine, r.to, err = m.ofModel(name, data)
	case data != nil:
		r.to, err = m.ofState(data)
	default:
		r.to, err = m.table(r.in.Features)
	}
	if err != nil {
		return err
	}
	if err := r.in.Want(r.to.Features()); err != nil {
		return fmt.Errorf("read %s: %w", m.csv, err)
	}
	return nil
}

// ofModel is a model's, with what it learned.
func (m *modelled) ofModel(name string, data []byte) (*detect.Engine, *detect.Table, error) {
	rules, err := m.only(name)
	if err != nil {
		return nil, nil, err
	}
	g := detect.NewEngine(rules, detect.EngineOptions{})
	if data != nil {
		if err := g.LoadModel(name, data); err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", m.state, err)
		}
	}
	to, err := g.Table(name)
	return g, to, err
}

// ofState is the one that a file is of.
func (m *modelled) ofState(data []byte) (*detect.Table, error) {
	features, _, err := detect.TableOf(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: of a model's, say its name", m.state, err)
	}
	to, err := m.table(features)
	if err == nil {
		err = to.Load(data)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", m.state, err)
	}
	return to, nil
}

// table is one that knows nothing.
func (m *modelled) table(features []string) (*detect.Table, error) {
	return detect.NewTable(detect.TableOptions{Features: features, Contamination: m.contamination, Forest: detect.ForestSpec{Trees: m.trees, Sample: m.sample}})
}

// each gives all rows with what they are found to be; learn makes them usual,
// after yield.
func (r *rows) each(learn bool, yield func(row *table.Row, s detect.Scored) error) error {
	for {
		row, err := r.in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s, err := r.to.Score(row.Values, row.Time)
		if err != nil {
			return err
		}
		if err := yield(row, s); err != nil {
			return err
		}
		if learn {
			r.to.Learn(row.Values, s, principalOf(row.Entity), row.Time)
		}
	}
}

// principalOf is whose share of the reservoir a row is of.
func principalOf(entity string) uint64 {
	if entity == "" {
		return 0
	}
	return baseline.ValueOf(entity).Hash
}

func (m *modelled) trainTable(cmd *cobra.Command, name string) error {
	r, err := m.open(cmd, name)
	if err != nil {
		return exit{2, err}
	}
	defer r.file.Close()
	before := r.to.Rows()
	if err := r.each(true, func(*table.Row, detect.Scored) error { return nil }); err != nil {
		return exit{2, fmt.Errorf("read %s: %w", m.csv, err)}
	}
	if r.to.Rows() == before {
		return exit{2, fmt.Errorf("read %s: it has no rows", m.csv)}
	}
	data := []byte(nil)
	if r.engine == nil {
		data = r.to.Save()
	} else if data, err = r.engine.SaveModel(name); err != nil {
		return exit{2, err}
	}
	if err := os.WriteFile(m.state, data, 0o600); err != nil {
		return exit{2, err}
	}
	return m.sayTable(cmd.OutOrStdout(), r, name)
}

// showTable says what was learned of a table.
func (m *modelled) showTable(cmd *cobra.Command, name string) error {
	if m.csv == "" {
		data, err := m.learned()
		if err != nil {
			return exit{2, err}
		}
		to, err := m.ofState(data)
		if err != nil {
			return exit{2, err}
		}
		return m.sayRows(cmd.OutOrStdout(), to)
	}
	r, err := m.open(cmd, name)
	if err != nil {
		return exit{2, err}
	}
	defer r.file.Close()
	return m.sayTable(cmd.OutOrStdout(), r, name)
}

func (m *modelled) sayTable(w io.Writer, r *rows, name string) error {
	if r.engine != nil {
		return m.say(w, r.engine, name)
	}
	return m.sayRows(w, r.to)
}

func (m *modelled) sayRows(w io.Writer, to *detect.Table) error {
	if m.output == "ndjson" {
		return json.NewEncoder(w).Encode(map[string]any{"features": to.Features(), "rows": to.Rows(), "missing": to.Missing()})
	}
	text := fmt.Sprintf("features  %s\nrows      %d learned\n", tame(strings.Join(to.Features(), ", ")), to.Rows())
	if n := to.Missing(); n > 0 {
		text += fmt.Sprintf("missing   %d rows before any is anomalous\n", n)
	}
	_, err := io.WriteString(w, text)
	return err
}

// scoredRow is one row of the output.
type scoredRow struct {
	Type   string `json:"type"`
	Line   int    `json:"line"`
	Entity string `json:"entity,omitempty"`
	detect.Scored
	Label *bool       `json:"label,omitempty"`
	Why   *detect.Why `json:"why,omitempty"`
}

// scoredAll is its last one.
type scoredAll struct {
	Type      string `json:"type"`
	Rows      int    `json:"rows"`
	Anomalous int    `json:"anomalous"`
	// Missing is how many rows have to be learned yet before any is anomalous.
	Missing int `json:"missing,omitempty"`
	*table.Quality
}

func (m *modelled) scoreTable(cmd *cobra.Command, name string) error {
	r, err := m.open(cmd, name)
	if err != nil {
		return exit{2, err}
	}
	defer r.file.Close()
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	enc := json.NewEncoder(out)
	all := scoredAll{Type: "summary"}
	var judged table.Judged
	err = r.each(r.to.Rows() == 0, func(row *table.Row, s detect.Scored) error {
		all.Rows++
		one := scoredRow{Type: "row", Line: row.Line, Entity: row.Entity, Scored: s}
		if row.Labelled {
			one.Label = &row.Odd
			judged.Add(s.Score, row.Odd)
		}
		if s.Anomalous {
			all.Anomalous++
		}
		if m.explain && r.to.Rows() > 1 && (s.Anomalous || m.output == "ndjson") {
			if one.Why, err = r.to.Explain(row.Values); err != nil {
				return err
			}
		}
		if m.output == "ndjson" {
			return enc.Encode(one)
		}
		if s.Anomalous {
			fmt.Fprintf(out, "line %d: score %.3f, p %.3g, decision %.3f%s\n", one.Line, s.Score, s.P, s.Decision, of(one))
			if one.Why != nil {
				fmt.Fprintf(out, "  %s\n", tame(one.Why.Words))
			}
		}
		return nil
	})
	if err != nil {
		return exit{2, errors.Join(fmt.Errorf("read %s: %w", m.csv, err), out.Flush())}
	}
	all.Missing = r.to.Missing()
	if q, ok := judged.Quality(); ok {
		all.Quality = &q
	}
	if m.output == "ndjson" {
		err = enc.Encode(all)
	} else {
		fmt.Fprintf(out, "%d rows, %d of them anomalous", all.Rows, all.Anomalous)
		if q := all.Quality; q != nil {
			fmt.Fprintf(out, "; %d of %d are labelled so: ROC AUC %.4f, average precision %.4f", q.Odd, q.All, q.AUC, q.AveragePrecision)
		}
		if all.Missing > 0 {
			fmt.Fprintf(out, "; none is before %d more are learned", all.Missing)
		}
		fmt.Fprintln(out)
	}
	return errors.Join(err, out.Flush())
}

// of says of whom a row is, and what its label says.
func of(r scoredRow) string {
	text := ""
	if r.Entity != "" {
		text += ", " + tame(r.Entity)
	}
	if r.Label != nil {
		text += map[bool]string{true: ", labelled as an anomaly", false: ", labelled as usual"}[*r.Label]
	}
	return text
}
