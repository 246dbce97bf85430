// Package cases runs the tests of rules and playbooks: events in, findings and
// runs expected. They stand in files whose names end in _test.yaml, beside what
// they test; detect/rules/README.md says how they are written.
package cases

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// File is a file of tests.
type File struct {
	Name  string
	Cases []*Case
}

// Case is one test: it begins with nothing remembered.
type Case struct {
	Name string `yaml:"name,required"`
	// At is when the case begins, [Begin] if it does not matter.
	At moment `yaml:"at"`
	// Event is one event, Events several, a second apart if they don't say when
	// they happen; see [Case.events]. Files are more of them.
	Event  conf.Raw    `yaml:"event"`
	Events []conf.Raw  `yaml:"events"`
	Files  []eventFile `yaml:"files"`
	// Traffic is events that are made up, for models to learn from. Learn is how
	// long what models find does not matter.
	Traffic []traffic     `yaml:"traffic"`
	Learn   conf.Duration `yaml:"learn"`
	// Findings are given to the playbooks as if they had been found, a second
	// apart or at: so long after the case began.
	Findings []conf.Raw `yaml:"findings"`
	// Cluster are the objects that there are. With them the runs are not only
	// planned but played, on a virtual clock, for two days; During is what people
	// say and what fails meanwhile, Objects what the objects are like at the end:
	// parts of them, where null is for what is not there, or gone: true.
	Cluster *[]conf.Raw `yaml:"cluster"`
	During  []conf.Raw  `yaml:"during"`
	Objects []conf.Raw  `yaml:"objects"`
	// Did is what all runs together do, in order, each as PLAYBOOK/STEP.
	Did *[]string `yaml:"did"`
	// Limits are those of the guards, as in respond.guards of a config, over the
	// shipped ones; with them what is done is counted, from nothing.
	Limits conf.Raw `yaml:"limits"`
	// Repeat has the events come again; {n} in them is how often they came before.
	Repeat repeat `yaml:"repeat"`
	// Find are what has to be found, and nothing else may be; see [Expected].
	Find []conf.Raw `yaml:"find"`
	// Not are rules that must find nothing, of those that come with Firebreak:
	// the others must not anyway.
	Not []string `yaml:"not"`
	// Runs are what playbooks have to do. Without the key it does not matter.
	Runs *[]conf.Raw `yaml:"runs"`

	find   []*Expected
	runs   []*ExpectedRun
	during []happening
	file   string
	at     conf.Raw
}

// Line is where the case begins in its file.
func (c *Case) Line() int { return c.at.Errorf("").Line }

// Begin is when cases begin that don't say so.
var begin = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

type eventFile struct {
	Source string `yaml:"source,required"`
	Path   string `yaml:"path,required"`
}

type repeat struct {
	Times int           `yaml:"times"`
	Every conf.Duration `yaml:"every"`
}

// maxTimes bounds how often events come again.
const maxTimes = 100_000

// moment is a time in YAML.
type moment time.Time

// UnmarshalText reads a time as RFC 3339 writes it.
func (m *moment) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is no time as in 2026-01-31T18:00:00Z", text)
	}
	*m = moment(t.UTC())
	return nil
}

// Decode reads a file of tests. The error joins the problems of all cases.
func Decode(name string, data []byte) (*File, error) {
	var plain struct {
		Cases []conf.Raw `yaml:"cases,required"`
		// Traffic is for cases to be like, by name.
		Traffic map[string]traffic `yaml:"traffic"`
	}
	if err := conf.Decode(name, data, &plain); err != nil {
		return nil, err
	}
	f := &File{Name: name}
	var errs []error
	seen := map[string]bool{}
	for _, raw := range plain.Cases {
		c := &Case{at: raw, file: name}
		if err := raw.Decode(c); err != nil {
			errs = append(errs, err)
			continue
		}
		if seen[c.Name] {
			errs = append(errs, raw.Errorf("there is a case %q before", c.Name))
		}
		seen[c.Name] = true
		for i := range c.Traffic {
			errs = append(errs, c.Traffic[i].like(c, plain.Traffic))
		}
		errs = append(errs, c.check())
		f.Cases = append(f.Cases, c)
	}
	return f, errors.Join(errs...)
}

func (c *Case) check() error {
	var errs []error
	if c.Repeat.Times < 0 || c.Repeat.Times > maxTimes {
		errs = append(errs, c.at.Errorf("repeat.times is 0 to %d", maxTimes))
	}
	if c.Event.IsZero() && len(c.Events)+len(c.Files)+len(c.Findings)+len(c.Traffic) == 0 {
		errs = append(errs, c.at.Errorf("case %q has no event", c.Name))
	}
	errs = append(errs, c.learns())
	for _, raw := range c.Find {
		x, err := expected(raw)
		errs = append(errs, err)
		c.find = append(c.find, x)
	}
	for _, raw := range c.During {
		h, err := happens(raw)
		errs = append(errs, err)
		c.during = append(c.during, h)
	}
	if c.Runs != nil {
		for _, raw := range *c.Runs {
			x, err := expectedRun(raw)
			errs = append(errs, err)
			c.runs = append(c.runs, x)
		}
	}
	return errors.Join(errs...)
}

// Load reads the tests of paths: of a directory all that lie right in it, of a
// file that ends in _test.yaml itself, of another the one beside it, as in
// shell.yaml and shell_test.yaml. The error joins all problems.
func Load(paths []string) ([]*File, error) {
	names, err := Names(paths)
	errs := []error{err}
	var files []*File
	for _, name := range names {
		data, err := read(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		f, err := Decode(name, data)
		errs = append(errs, err)
		if err == nil {
			files = append(files, f)
		}
	}
	return files, errors.Join(errs...)
}

// Names are the files that [Load] reads.
func Names(paths []string) ([]string, error) {
	var names []string
	var errs []error
	for _, p := range paths {
		info, err := os.Stat(p)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("read %s: %w", p, errors.Unwrap(err)))
		case info.IsDir():
			for _, ext := range []string{"yaml", "yml"} {
				more, err := filepath.Glob(filepath.Join(escape(p), "*_test."+ext))
				names, errs = append(names, more...), append(errs, err)
			}
		case conf.IsTest(p):
			names = append(names, p)
		default:
			ext := filepath.Ext(p)
			if beside := p[:len(p)-len(ext)] + "_test" + ext; exists(beside) {
				names = append(names, beside)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), errors.Join(errs...)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// escape takes the meaning from what stands for others in patterns.
func escape(dir string) string {
	var out []byte
	for i := range len(dir) {
		if c := dir[i]; c == '*' || c == '?' || c == '[' || c == '\\' {
			out = append(out, '\\')
		}
		out = append(out, dir[i])
	}
	return string(out)
}

func read(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && info.Size() > conf.MaxFileBytes {
		return nil, &conf.Error{File: name, Msg: fmt.Sprintf("file has %d bytes, more than %d", info.Size(), conf.MaxFileBytes)}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, &conf.Error{File: name, Msg: fmt.Sprintf("can't be read: %v", errors.Unwrap(err))}
	}
	return data, nil
}
