package explain

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// Text writes an answer for people. Of the conditions that were not fulfilled
// it shows what decided; all shows every part of every condition. Whatever
// events say is tamed.
func Text(w io.Writer, a Answer, all bool) error {
	t := &writer{all: all}
	if f := a.Finding; f != nil {
		kind := "rule"
		if f.Model != "" {
			kind = "model"
		}
		t.line(0, "finding %s of %s %s, version %s", f.ID, kind, f.Rule+f.Model, version(f.Version))
		t.line(2, "%s, %s: %s", f.Severity, f.Time.UTC().Format(time.RFC3339), f.Explanation)
		if f.Model != "" {
			t.line(2, "score %.3f, p %.3g", f.Score, f.P)
			t.features(f.Features, f.Counterfactual)
		}
		switch a.Now {
		case f.Version:
		case "":
			t.line(2, "there is no %s of that name here", kind)
		default:
			t.line(2, "the %s here is another version, %s: what follows is of that", kind, version(a.Now))
		}
		t.line(2, "of %d events:", len(f.Events))
		t.b.WriteByte('\n')
	}
	for i, x := range a.Events {
		if i > 0 {
			t.b.WriteByte('\n')
		}
		t.event(x)
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

type writer struct {
	b   strings.Builder
	all bool
}

// line writes one line, with nothing in it that could steer a terminal.
func (t *writer) line(indent int, format string, args ...any) {
	one := strings.Join(strings.Fields(telemetry.Tame(fmt.Sprintf(format, args...), 1<<10)), " ")
	t.b.WriteString(strings.Repeat(" ", indent) + one + "\n")
}

// version is short: people compare it with another one.
func version(digest string) string { return digest[:min(len(digest), 12)] }

func (t *writer) event(x Explained) {
	e := x.Event
	t.line(0, "event %s (%s), %d/%d in the stream", e.ID, e.From, x.At.Sequence, x.At.Index)
	t.line(2, "%s: %s", e.Time.UTC().Format(time.RFC3339Nano), about(e))
	switch {
	case !x.Fresh:
		t.line(2, "came before: nothing looks at it again")
		return
	case x.Own:
		t.line(2, "is what Firebreak did itself: nothing looks at it")
		return
	}
	t.line(2, "%d of %d rules were asked, the index passed over the others", x.Rules-x.PassedOver, x.Rules)
	looks := slices.Clone(x.Looks)
	slices.SortStableFunc(looks, func(a, b detect.Look) int { return cmp.Compare(rank(b.Stage), rank(a.Stage)) })
	for _, l := range looks {
		t.b.WriteByte('\n')
		t.look(l)
	}
	t.runs(x)
	if x.Err != nil {
		t.line(2, "error: %v", x.Err)
	}
}

func about(e event.Event) string {
	parts := []string{string(e.Source), e.Class, e.Rule, e.Verb, e.Object.String()}
	if e.Actor.User != "" {
		parts = append(parts, "by "+e.Actor.User)
	}
	if e.Actor.Address != "" {
		parts = append(parts, "from "+e.Actor.Address)
	}
	parts = append(parts, string(e.Outcome))
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

var stages = []detect.Stage{
	detect.StageIndex, detect.StageOff, detect.StageAsked, detect.StageSource, detect.StageWhen, detect.StageUnless, detect.StageException,
	detect.StageSequence, detect.StageWindow, detect.StageWarming, detect.StageMeasured, detect.StageHeld, detect.StageSuppressed, detect.StageSilenced, detect.StageFound,
}

func rank(s detect.Stage) int { return slices.Index(stages, s) }

func (t *writer) look(l detect.Look) {
	reason := l.Reason
	if l.Finding != nil {
		reason = fmt.Sprintf("%s, finding %s: %s", l.Finding.Severity, l.Finding.ID, l.Finding.Explanation)
		if l.Finding.Silence != "" {
			reason += " (silence " + l.Finding.Silence + ")"
		}
	}
	t.line(0, "%s: %s (version %s): %s", l.Stage, l.Rule, version(l.Version), reason)
	for _, st := range l.Steps {
		t.step(st, l)
	}
	if w := l.Window; w != nil {
		t.line(2, "window of %s", group(w.Group))
		for _, n := range w.Numbers {
			t.line(4, "%s = %v", n.Call, n.Value)
		}
		if !w.Late {
			t.condition(2, "having", w.Having)
		}
	}
	if q := l.Sequence; q != nil {
		t.line(2, "sequence of %s: kept events of each step %v, complete: %v", group(q.Group), q.Waiting, q.Complete)
	}
	if k := l.Model; k != nil {
		t.model(k)
	}
	if s := l.Suppressed; s != nil && !s.Until.IsZero() {
		t.line(2, "such findings are counted to %s until %s, so far %d", s.Finding, s.Until.UTC().Format(time.RFC3339), s.Count)
	}
	if l.Error != nil {
		t.line(2, "error: %v", l.Error)
	}
}

func group(all []detect.GroupValue) string {
	if len(all) == 0 {
		return "all events"
	}
	var parts []string
	for _, g := range all {
		parts = append(parts, g.By+" = "+g.Value)
	}
	return strings.Join(parts, ", ")
}

func (t *writer) step(st detect.StepLook, l detect.Look) {
	indent := 2
	if st.Name != "" || len(l.Steps) > 1 {
		t.line(2, "step %s: %v", st.Name, st.Matched)
		indent = 4
	}
	if !st.Selected {
		t.line(indent, "is of another source or class")
		return
	}
	for _, c := range st.When {
		t.condition(indent, "when", c)
	}
	if st.Unless != nil && (t.all || l.Stage != detect.StageWhen) {
		t.condition(indent, "unless", *st.Unless)
	}
	for _, x := range st.Exceptions {
		if t.all || x.Holds {
			t.condition(indent, "exception "+x.Name, x.When)
		}
	}
}

// condition shows the parts of a condition, or those that decided.
func (t *writer) condition(indent int, name string, c conf.Trace) {
	if c.Condition == nil {
		return
	}
	t.line(indent, "%s: %s", name, c.Truth)
	t.part(indent+2, c)
}

func (t *writer) part(indent int, c conf.Trace) {
	if c.Op == "" {
		t.test(indent, c)
		return
	}
	if c.Op != conf.OpAnd {
		label := c.Op
		if c.Op == conf.OpMacro {
			label = c.Text
		}
		t.line(indent, "%s: %s", label, c.Truth)
		indent += 2
	}
	if c.Op == conf.OpMacro && !t.all && c.Truth == conf.False {
		return // it has a name, and can be looked up
	}
	for _, p := range c.Parts {
		// Of what is false the false parts decided, of or's the true ones.
		if !t.all && (c.Op == conf.OpAnd && c.Truth == conf.False && p.Truth != conf.False || c.Op == conf.OpOr && c.Truth == conf.True && p.Truth != conf.True) {
			continue
		}
		t.part(indent, p)
	}
}

func (t *writer) test(indent int, c conf.Trace) {
	var values []string
	for _, r := range c.Values {
		data, err := json.Marshal(bounded(r.Value))
		if err != nil {
			continue
		}
		values = append(values, r.Text+" = "+string(data))
	}
	suffix := ""
	if len(values) > 0 {
		suffix = "  [" + strings.Join(values, ", ") + "]"
	}
	if c.Error != nil {
		suffix += "  error: " + c.Error.Error()
	}
	t.line(indent, "%s %s%s", c.Truth, c.Text, suffix)
}

func (t *writer) runs(x Explained) {
	for _, r := range x.Runs {
		t.line(0, "playbook %s would run in mode %s on %s", r.Playbook, r.Would, r.Target)
		for i, s := range r.Steps {
			t.line(2, "%s %s (%s): %s", r.Verdicts[i].Decision, s.Name, s.Action, r.Verdicts[i].Reason)
		}
	}
}
