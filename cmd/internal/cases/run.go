package cases

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// Runner runs cases. It is used by one goroutine.
type Runner struct {
	Rules     *detect.RuleSet
	Playbooks []*respond.Playbook
	// Mine says of a rule or playbook whether it is tested: what others find or
	// do matters only where a case names them. Nil is true of all.
	Mine func(name string) bool
	// Reach, if set, notes what is reached.
	Reach *Reach
}

// Result is what became of a case.
type Result struct {
	Case *Case
	// Problems are what is not as expected; none is a case that passes.
	Problems []string
	// Findings are those of all rules.
	Findings []event.Finding
}

// Run runs one case. An error is a mistake in the case itself, with its place.
func (r *Runner) Run(ctx context.Context, c *Case) (Result, error) {
	out := Result{Case: c}
	events, err := c.events()
	if err != nil {
		return out, err
	}
	findings, err := c.found()
	if err != nil {
		return out, err
	}
	if err := r.known(c); err != nil {
		return out, err
	}
	seen := &recorder{begin: c.begins(), trouble: map[string]bool{}}
	o := replay.Options{
		Rules: r.Rules.For(events), Playbooks: r.Playbooks, Ceiling: event.ModeAct, Logger: slog.New(seen),
	}
	if r.Reach != nil && len(c.Traffic) == 0 { // what is made up is too much to tell of
		o.Explained, o.Extent.Matched = r.Reach.note, true
	}
	s := replay.NewSession(o, seen)
	seen.session = s
	for i := range events {
		if err := s.Frame(ctx, uint64(i)+1, events[i:i+1]); err != nil {
			return out, err
		}
	}
	seen.given = true
	for _, f := range findings {
		if err := s.Finding(ctx, f); err != nil {
			return out, err
		}
	}
	seen.given = false
	if err := s.End(ctx); err != nil {
		return out, err
	}
	out.Problems = r.judge(c, seen)
	if r.Reach != nil {
		for _, run := range seen.runs {
			r.Reach.run(r.Playbooks, run.Run)
		}
	}
	if c.Cluster != nil {
		played, err := r.played(ctx, c, append(findings, seen.all()...))
		if err != nil {
			return out, err
		}
		out.Problems = append(out.Problems, played...)
	}
	for _, f := range seen.findings {
		out.Findings = append(out.Findings, f.Finding)
	}
	return out, nil
}

// played plays the runs of findings, and says what is not as expected.
func (r *Runner) played(ctx context.Context, c *Case, findings []event.Finding) ([]string, error) {
	p, err := r.play(ctx, c, findings)
	if err != nil {
		return nil, err
	}
	if r.Reach != nil {
		for _, one := range p.runs {
			r.Reach.run(r.Playbooks, one.run)
		}
	}
	return c.judgePlay(p)
}

// known refuses a case that names what there is not.
func (r *Runner) known(c *Case) error {
	var rules, books []string
	for _, d := range r.Rules.Detectors() {
		rules = append(rules, d.Name())
	}
	for _, b := range r.Playbooks {
		books = append(books, b.Name)
	}
	var errs []error
	for _, x := range c.find {
		if !slices.Contains(rules, x.Rule) {
			errs = append(errs, x.raw.Errorf("there is no rule %q%s", x.Rule, conf.Suggest(x.Rule, rules)))
		}
	}
	for _, name := range c.Not {
		if !slices.Contains(rules, name) {
			errs = append(errs, c.at.Errorf("not: there is no rule %q%s", name, conf.Suggest(name, rules)))
		}
	}
	for _, x := range c.runs {
		i := slices.Index(books, x.Playbook)
		if i < 0 {
			errs = append(errs, x.raw.Errorf("there is no playbook %q%s", x.Playbook, conf.Suggest(x.Playbook, books)))
			continue
		}
		errs = append(errs, x.known(stepsOf(r.Playbooks[i])))
	}
	steps := stepsOf(r.Playbooks...)
	for _, h := range c.during {
		if h.Fail != "" && !slices.Contains(steps, member(h.Fail)) {
			errs = append(errs, h.raw.Errorf("fail: there is no step %q%s", h.Fail, conf.Suggest(h.Fail, steps)))
		}
	}
	return errors.Join(errs...)
}

// judge says what is not as expected.
func (r *Runner) judge(c *Case, seen *recorder) []string {
	var out []string
	seen.findings = slices.DeleteFunc(seen.findings, func(f *found) bool { return f.Model != "" && f.at < c.Learn.Std() })
	for _, x := range c.find {
		x.met = 0
		for _, f := range seen.findings {
			if x.meets(f) {
				x.met++
				f.taken = true
			}
		}
		switch {
		case x.met == 0:
			out = append(out, "not found: "+x.String())
		case x.Count > 0 && x.met != x.Count:
			out = append(out, fmt.Sprintf("found %d times, want %d: %s", x.met, x.Count, x))
		}
	}
	for _, f := range seen.findings {
		name := f.Rule + f.Model
		if f.taken || !r.mine(name) && !slices.Contains(c.Not, name) && !slices.ContainsFunc(c.find, func(x *Expected) bool { return x.Rule == name }) {
			continue
		}
		out = append(out, fmt.Sprintf("not expected: %s at %s, %s, %s: %s", name, f.at, f.Severity, about(f.Finding), f.Explanation))
	}
	if c.Runs != nil {
		out = append(out, r.judgeRuns(c, seen.runs)...)
	}
	for _, f := range seen.findings {
		if strings.Contains(f.Explanation, "${") || strings.Contains(f.Explanation, "{map}") {
			out = append(out, fmt.Sprintf("%s says %q, which is no text for people", f.Rule, f.Explanation))
		}
	}
	return append(out, seen.problems...)
}

func (r *Runner) mine(name string) bool { return r.Mine == nil || r.Mine(name) }

func about(f event.Finding) string {
	if s := f.Subject.String(); s != "" {
		return "about " + s
	}
	return "about nothing"
}

func (r *Runner) judgeRuns(c *Case, runs []replay.Run) []string {
	var out []string
	for _, x := range c.runs {
		x.met = 0
	}
	for _, run := range runs {
		var near []string
		met, named := false, false
		for _, x := range c.runs {
			if x.Playbook != run.Playbook || x.Generation > 1 { // a plan alone has no second one
				continue
			}
			named = true
			if misses := x.misses(run); len(misses) > 0 {
				near = append(near, misses...)
				continue
			}
			x.met++
			met = true
		}
		switch {
		case named && !met:
			out = append(out, fmt.Sprintf("playbook %s %s", run.Playbook, strings.Join(near, "; ")))
		case !named && r.mine(run.Playbook):
			out = append(out, fmt.Sprintf("not expected: playbook %s runs in mode %s on %s", run.Playbook, run.Would, run.Target))
		}
	}
	for _, x := range c.runs {
		if x.met == 0 && !slices.ContainsFunc(runs, func(run replay.Run) bool { return run.Playbook == x.Playbook }) {
			out = append(out, "does not run: playbook "+x.Playbook)
		}
	}
	return out
}
