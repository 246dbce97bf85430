package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/cases"
	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// tested are the flags of test.
type tested struct {
	selection
	output, run, reach string
	verbose            bool
}

func newTest() *cobra.Command {
	var t tested
	cmd := &cobra.Command{
		Use: "test PATH...", Short: "Test rules and playbooks: events in, findings and plans expected", Args: usage(cobra.MinimumNArgs(1)),
		Long: `Run the tests of rules and playbooks: of a directory all files in it whose names
end in _test.yaml, of one such file itself, of another file the one beside it
(shell.yaml and shell_test.yaml).

A test says events, and what has to be found in them; whatever else the rules
find that lie beside it is a failure. Each case begins with nothing remembered.
detect/rules/README.md says how tests are written.

At the end stands what no test reaches: rules, and the branches of those: the
alternatives of or, unless, exceptions, the steps of sequences; of playbooks the
alternatives of when, steps that are never done, never left out where they have a
condition, and never fail where they say what then.

The exit code is 0 when all tests pass, 1 when one does not, when a rule, a
playbook or a test is wrong, or when --reach is not fulfilled, and 2 when
something can't be read.`,
		Example: `  firebreak test detect/rules
  firebreak test rules/shell.yaml --run 'by night' -v
  firebreak test rules/ --reach rules -o json`,
	}
	cmd.SetFlagErrorFunc(misused)
	f := cmd.Flags()
	f.StringArrayVar(&t.rules, "rules", nil, "file or directory of more rules (repeatable)")
	f.StringArrayVar(&t.playbooks, "playbooks", nil, "file or directory of more playbooks (repeatable)")
	f.BoolVar(&t.noShipped, "no-shipped", false, "leave out the rules and playbooks that come with Firebreak")
	f.StringVarP(&t.output, "output", "o", "text", "text or json")
	f.StringVar(&t.run, "run", "", "only cases whose names match this regular expression")
	f.StringVar(&t.reach, "reach", "none", "what tests have to reach: none, rules or branches")
	f.BoolVarP(&t.verbose, "verbose", "v", false, "show every case, and what is found in it")
	cmd.RunE = func(cmd *cobra.Command, paths []string) error { return t.execute(cmd, paths) }
	return cmd
}

func (t *tested) execute(cmd *cobra.Command, paths []string) error {
	only, err := regexp.Compile(t.run)
	if err != nil {
		return exit{2, fmt.Errorf("--run: %w", err)}
	}
	write, ok := map[string]func(*tested, *cobra.Command, *tests) error{"text": (*tested).text, "json": (*tested).json}[t.output]
	if !ok {
		return exit{2, fmt.Errorf("--output %q is neither text nor json", t.output)}
	}
	if !slices.Contains([]string{"none", "rules", "branches"}, t.reach) {
		return exit{2, fmt.Errorf("--reach %q is none of none, rules, branches", t.reach)}
	}
	all, err := t.load(paths)
	if err != nil {
		return err
	}
	if err := all.run(cmd.Context(), only); err != nil {
		return exit{1, err}
	}
	if err := write(t, cmd, all); err != nil {
		return exit{2, fmt.Errorf("write output: %w", err)}
	}
	if all.failed > 0 || t.reach == "rules" && all.missed("rule") > 0 || t.reach == "branches" && all.missed("") > 0 {
		return exit{code: 1}
	}
	return nil
}

// tests are those of one call.
type tests struct {
	runner  cases.Runner
	files   []*cases.File
	scope   []string // the paths whose rules are to be reached
	results map[*cases.Case]cases.Result
	wrong   map[*cases.Case]error
	// failed counts cases; those that are wrong too.
	passed, failed int
	// filtered says that not all cases were run: then what was reached says
	// nothing.
	filtered bool
	branches []cases.Branch
}

func (t *tested) load(paths []string) (*tests, error) {
	if err := files.Readable(slices.Concat(paths, t.rules, t.playbooks)...); err != nil {
		return nil, exit{2, err}
	}
	names, err := cases.Names(paths)
	if err != nil {
		return nil, exit{2, err}
	}
	if len(names) == 0 {
		return nil, exit{2, errors.New("no file that ends in _test.yaml")}
	}
	a := &tests{results: map[*cases.Case]cases.Result{}, wrong: map[*cases.Case]error{}}
	var dirs []string
	for _, p := range paths {
		dir, scope := beside(p)
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		a.scope = append(a.scope, scope)
	}
	mine, err := files.Rules(slices.Concat(dirs, t.rules), false)
	rules, more := files.Rules(slices.Concat(dirs, t.rules), !t.noShipped)
	own, third := files.Playbooks(slices.Concat(dirs, t.playbooks), false)
	books, fourth := files.Playbooks(slices.Concat(dirs, t.playbooks), !t.noShipped)
	if err == nil {
		err = errors.Join(more, third)
	}
	if err == nil {
		err = fourth
	}
	loaded, wrong := cases.Load(paths)
	if err := errors.Join(err, wrong); err != nil {
		return nil, exit{1, tamed(err)}
	}
	tested := map[string]bool{}
	for _, d := range mine.Detectors() {
		tested[d.Name()] = true
	}
	for _, b := range own {
		tested[b.Name] = true
	}
	a.files = loaded
	a.runner = cases.Runner{Rules: rules, Playbooks: books, Mine: func(name string) bool { return tested[name] }, Reach: cases.NewReach()}
	return a, nil
}

// beside is the directory whose rules a path's tests are for, and what of them
// is to be reached: the directory, or the file that belongs to the test.
func beside(p string) (dir, scope string) {
	if info, err := filepath.Glob(filepath.Join(p, "*")); err == nil && len(info) > 0 {
		return p, p
	}
	dir, scope = filepath.Dir(p), p
	if conf.IsTest(p) {
		ext := filepath.Ext(p)
		scope = p[:len(p)-len("_test")-len(ext)] + ext
	}
	if files.Readable(scope) != nil {
		scope = dir
	}
	return dir, scope
}

// tamed makes text of files harmless for a terminal.
func tamed(err error) error {
	var all []error
	for _, p := range conf.Problems(err) {
		all = append(all, errors.New(telemetry.Tame(p.Error(), 4<<10)))
	}
	return errors.Join(all...)
}

func (a *tests) run(ctx context.Context, only *regexp.Regexp) error {
	for _, f := range a.files {
		for _, c := range f.Cases {
			if !only.MatchString(c.Name) {
				a.filtered = true
				continue
			}
			result, err := a.runner.Run(ctx, c)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			a.results[c] = result
			if err != nil {
				a.wrong[c] = err
			}
			if err != nil || len(result.Problems) > 0 {
				a.failed++
			} else {
				a.passed++
			}
		}
	}
	if !a.filtered {
		a.branches = append(a.runner.Reach.Branches(a.runner.Rules, a.inScope), a.runner.Reach.Books(a.runner.Playbooks, a.inScope)...)
		// Those that come with Firebreak stand in folders rules and playbooks too.
		a.branches = slices.DeleteFunc(a.branches, func(b cases.Branch) bool { return !a.runner.Mine(b.Rule) })
	}
	return nil
}

// inScope says whether the rules of a file are to be reached.
func (a *tests) inScope(file string) bool {
	file = filepath.Clean(file)
	return slices.ContainsFunc(a.scope, func(s string) bool {
		s = filepath.Clean(s)
		return file == s || filepath.Dir(file) == s
	})
}

// missed counts what was not reached, of one kind or of all.
func (a *tests) missed(kind string) int {
	n := 0
	for _, b := range a.branches {
		if !b.Reached && (kind == "" || b.Kind == kind) {
			n++
		}
	}
	return n
}
