package cases

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Expected is what has to be found: the name of a rule, or more about it. Every
// finding has to be expected, and every expectation to be met: by one finding
// at least, or as many as Count says.
type Expected struct {
	Rule string `yaml:"rule,required"`
	// Count, if not 0, is how many findings there are; Again, if not 0, how
	// often they came, with those that were only counted.
	Count int    `yaml:"count"`
	Again uint64 `yaml:"again"`
	// At is when it is found, since the case began.
	At       *conf.Duration `yaml:"at"`
	Severity string         `yaml:"severity"`
	// Subject is the object that it is about, as in pods/shop/cart, and Message
	// a part of what it says.
	Subject string `yaml:"subject"`
	Message string `yaml:"message"`
	// Entity is whom a model found, and Features are those that count most in it:
	// each is among the first, of as many as are named here and one more.
	Entity   string   `yaml:"entity"`
	Features []string `yaml:"features"`

	raw conf.Raw
	met int
}

func expected(raw conf.Raw) (*Expected, error) {
	x := &Expected{raw: raw}
	name, err := plain(raw, x)
	if name != "" {
		x.Rule = name
	}
	return x, err
}

// plain is the text that a part is, else it is decoded.
func plain(raw conf.Raw, into any) (string, error) {
	var any any
	if err := raw.Decode(&any); err != nil {
		return "", err
	}
	if text, ok := any.(string); ok {
		return text, nil
	}
	return "", raw.Decode(into)
}

// found is a finding, and when it was found.
type found struct {
	event.Finding
	at    time.Duration
	again uint64
	taken bool
}

// meets says whether a finding is the expected one.
func (x *Expected) meets(f *found) bool {
	return x.Rule == f.Rule+f.Model && (x.At == nil || x.At.Std() == f.at) &&
		(x.Severity == "" || x.Severity == string(f.Severity)) &&
		(x.Subject == "" || x.Subject == f.Subject.String()) &&
		(x.Entity == "" || x.Entity == f.Entity) && len(x.missesFeatures(&f.Finding)) == 0 &&
		strings.Contains(f.Explanation, x.Message) && (x.Again == 0 || x.Again == f.again)
}

// String says what is expected.
func (x *Expected) String() string {
	out := x.Rule
	add := func(format string, value any, has bool) {
		if has {
			out += fmt.Sprintf(format, value)
		}
	}
	add(" at %s", x.At, x.At != nil)
	add(" of severity %s", x.Severity, x.Severity != "")
	add(" about %s", x.Subject, x.Subject != "")
	add(" of %s", x.Entity, x.Entity != "")
	add(" with features %q", x.Features, len(x.Features) > 0)
	add(" that says %q", x.Message, x.Message != "")
	add(" that comes %d times", x.Again, x.Again != 0)
	return out
}

// ExpectedRun is what a playbook has to do: its name, or more about it.
type ExpectedRun struct {
	Playbook string `yaml:"playbook,required"`
	Mode     string `yaml:"mode"`
	Target   string `yaml:"target"`
	// Steps are the verdicts of steps by their names: pass, ask, wait, deny,
	// skipped or failed. Those that are not named don't matter.
	Steps map[string]string `yaml:"steps"`
	// Of a run that is played: State is how it ends, Ends the states in which
	// steps end, and Did what is done in it, in order: names of steps, and "undo
	// NAME".
	// Generation is 2 for the run that a later finding begins when the first is
	// over, and so on; the first if it says nothing.
	State      string            `yaml:"state"`
	Generation int               `yaml:"generation"`
	Ends       map[string]string `yaml:"ends"`
	Did        *[]string         `yaml:"did"`

	raw conf.Raw
	met int
}

func expectedRun(raw conf.Raw) (*ExpectedRun, error) {
	x := &ExpectedRun{raw: raw}
	name, err := plain(raw, x)
	if name != "" {
		x.Playbook = name
	}
	return x, err
}

// misses says what of a run of the playbook is not as expected.
func (x *ExpectedRun) misses(r replay.Run) []string {
	var out []string
	if x.Mode != "" && x.Mode != string(r.Would) {
		out = append(out, fmt.Sprintf("runs in mode %s, want %s", r.Would, x.Mode))
	}
	if x.Target != "" && x.Target != r.Target.String() {
		out = append(out, fmt.Sprintf("runs on %s, want %s", r.Target, x.Target))
	}
	for i, s := range r.Steps {
		want, ok := x.Steps[s.Name]
		if got := r.Verdicts[i]; ok && got.Decision != want {
			out = append(out, strings.TrimSuffix(fmt.Sprintf("step %s: %s, want %s (%s)", s.Name, got.Decision, want, got.Reason), " ()"))
		}
	}
	for name := range x.Steps {
		if !slices.ContainsFunc(r.Steps, func(s event.Step) bool { return s.Name == name }) {
			out = append(out, fmt.Sprintf("has no step %s", name))
		}
	}
	slices.Sort(out)
	return out
}
