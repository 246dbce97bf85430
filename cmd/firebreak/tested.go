package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/cases"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// text shows what failed, and what was not reached.
func (t *tested) text(cmd *cobra.Command, a *tests) error {
	w := cmd.OutOrStdout()
	for _, f := range a.files {
		ran, failed := 0, 0
		for _, c := range f.Cases {
			result, ok := a.results[c]
			if !ok {
				continue
			}
			ran++
			problems := a.problems(c)
			if len(problems) > 0 {
				failed++
				fmt.Fprintf(w, "FAIL  %s:%d: %s\n", f.Name, c.Line(), telemetry.Tame(c.Name, 200))
			} else if t.verbose {
				fmt.Fprintf(w, "ok    %s:%d: %s\n", f.Name, c.Line(), telemetry.Tame(c.Name, 200))
			}
			for _, p := range problems {
				fmt.Fprintf(w, "      %s\n", telemetry.Tame(p, 2<<10))
			}
			if t.verbose {
				showFound(w, result)
			}
		}
		if ran > 0 && failed == 0 && !t.verbose {
			fmt.Fprintf(w, "ok    %s  %s\n", f.Name, count(ran, "case"))
		}
	}
	if !a.filtered {
		a.showReach(w)
	}
	_, err := fmt.Fprintf(w, "%s passed, %d failed\n", count(a.passed, "case"), a.failed)
	return err
}

func showFound(w io.Writer, r cases.Result) {
	for _, f := range r.Findings {
		fmt.Fprintf(w, "      found %s, %s: %s\n", f.Rule+f.Model, f.Severity, telemetry.Tame(f.Explanation, 500))
	}
}

func (a *tests) problems(c *cases.Case) []string {
	if err := a.wrong[c]; err != nil {
		var out []string
		for _, p := range conf.Problems(err) {
			out = append(out, p.Error())
		}
		return out
	}
	return a.results[c].Problems
}

// showReach lists what no test reached.
func (a *tests) showReach(w io.Writer) {
	rules, missed := a.tally()
	if len(a.branches) == 0 {
		return
	}
	if a.missed("") > 0 {
		fmt.Fprintln(w, "\nno test reaches")
	}
	unreached := map[string]bool{}
	for _, b := range a.branches {
		if b.Kind == "rule" && !b.Reached {
			unreached[b.Rule] = true
		}
	}
	for _, b := range a.branches {
		if b.Reached || b.Kind != "rule" && unreached[b.Rule] {
			continue
		}
		what := b.Rule
		if b.Kind != "rule" {
			what += ": " + b.Kind + " " + telemetry.Tame(b.Text, 120)
		}
		fmt.Fprintf(w, "  %s:%d:%d: %s\n", b.File, b.Line, max(b.Column, 1), what)
	}
	if rules == 0 {
		fmt.Fprintf(w, "\nreached %d of %s\n", len(a.branches)-missed, countOf(len(a.branches), "branch", "branches"))
		return
	}
	fmt.Fprintf(w, "\nreached %d of %s and %d of their %s\n", rules-a.missed("rule"), count(rules, "rule"), len(a.branches)-rules-missed, countOf(len(a.branches)-rules, "branch", "branches"))
}

// tally counts the rules, and the branches that were missed.
func (a *tests) tally() (rules, missed int) {
	for _, b := range a.branches {
		switch {
		case b.Kind == "rule":
			rules++
		case !b.Reached:
			missed++
		}
	}
	return rules, missed
}

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

type testedCase struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Name     string   `json:"name"`
	Passed   bool     `json:"passed"`
	Problems []string `json:"problems,omitempty"`
	Found    []string `json:"found,omitempty"`
}

// json writes all cases, and all that can be reached.
func (t *tested) json(cmd *cobra.Command, a *tests) error {
	out := struct {
		Passed   int            `json:"passed"`
		Failed   int            `json:"failed"`
		Cases    []testedCase   `json:"cases"`
		Branches []cases.Branch `json:"branches,omitempty"`
	}{Passed: a.passed, Failed: a.failed, Cases: []testedCase{}, Branches: a.branches}
	for _, f := range a.files {
		for _, c := range f.Cases {
			result, ok := a.results[c]
			if !ok {
				continue
			}
			one := testedCase{File: f.Name, Line: c.Line(), Name: c.Name, Problems: a.problems(c)}
			one.Passed = len(one.Problems) == 0
			for _, f := range result.Findings {
				one.Found = append(one.Found, f.Rule+f.Model)
			}
			out.Cases = append(out.Cases, one)
		}
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
