package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// The shapes of the JSON.
type (
	answerView struct {
		Finding *event.Finding `json:"finding,omitempty"`
		// Version is that of the finding's rule here.
		Version string      `json:"version,omitempty"`
		Events  []eventView `json:"events"`
	}
	eventView struct {
		Event   event.Event   `json:"event"`
		Address event.Address `json:"address"`
		// Fresh is false of one that came before, Own true of what Firebreak did.
		Fresh      bool       `json:"fresh"`
		Own        bool       `json:"own,omitempty"`
		Rules      []lookView `json:"rules"`
		PassedOver int        `json:"passed_over"`
		Runs       []runView  `json:"runs,omitempty"`
		Error      string     `json:"error,omitempty"`
	}
	lookView struct {
		Rule       string          `json:"rule"`
		Version    string          `json:"version"`
		Stage      detect.Stage    `json:"stage"`
		Reason     string          `json:"reason,omitempty"`
		Steps      []stepView      `json:"steps,omitempty"`
		Window     *windowView     `json:"window,omitempty"`
		Sequence   *sequenceView   `json:"sequence,omitempty"`
		Suppressed *suppressedView `json:"suppressed,omitempty"`
		Model      *modelView      `json:"model,omitempty"`
		Finding    *event.Finding  `json:"finding,omitempty"`
		Error      string          `json:"error,omitempty"`
	}
	stepView struct {
		Name       string          `json:"name,omitempty"`
		Selected   bool            `json:"selected"`
		Matched    bool            `json:"matched"`
		When       []conditionView `json:"when,omitempty"`
		Unless     *conditionView  `json:"unless,omitempty"`
		Exceptions []exceptionView `json:"exceptions,omitempty"`
	}
	exceptionView struct {
		Name   string        `json:"name"`
		Reason string        `json:"reason"`
		Until  time.Time     `json:"until,omitzero"`
		Holds  bool          `json:"holds"`
		When   conditionView `json:"when"`
	}
	conditionView struct {
		Op     string          `json:"op,omitempty"`
		Text   string          `json:"text"`
		At     string          `json:"at,omitempty"`
		Truth  conf.Truth      `json:"truth"`
		Error  string          `json:"error,omitempty"`
		Values []valueView     `json:"values,omitempty"`
		Parts  []conditionView `json:"parts,omitempty"`
	}
	valueView struct {
		Text  string `json:"text"`
		Value any    `json:"value"`
	}
	groupView struct {
		By    string `json:"by"`
		Value string `json:"value"`
	}
	windowView struct {
		Group   []groupView   `json:"group,omitempty"`
		Late    bool          `json:"late,omitempty"`
		Numbers []valueView   `json:"numbers,omitempty"`
		Having  conditionView `json:"having"`
	}
	sequenceView struct {
		Group    []groupView `json:"group,omitempty"`
		Waiting  []int       `json:"waiting"`
		Complete bool        `json:"complete"`
		Awaited  int         `json:"awaited,omitempty"`
	}
	suppressedView struct {
		Finding string    `json:"finding"`
		Count   uint64    `json:"count"`
		Until   time.Time `json:"until,omitzero"`
	}
	runView struct {
		Playbook string     `json:"playbook"`
		Mode     event.Mode `json:"mode"`
		Target   string     `json:"target"`
		Steps    []planView `json:"steps"`
	}
	planView struct {
		Name    string `json:"name"`
		Action  string `json:"action"`
		Verdict string `json:"verdict"`
		Reason  string `json:"reason,omitempty"`
	}
)

// JSON writes an answer as one object.
func JSON(w io.Writer, a Answer) error {
	out := answerView{Finding: a.Finding, Version: a.Now, Events: []eventView{}}
	for _, x := range a.Events {
		v := eventView{
			Event: x.Event, Address: x.At, Fresh: x.Fresh, Own: x.Own, Rules: []lookView{}, PassedOver: x.PassedOver, Error: text(x.Err),
		}
		for _, l := range x.Looks {
			v.Rules = append(v.Rules, viewLook(l))
		}
		for _, r := range x.Runs {
			v.Runs = append(v.Runs, viewRun(r))
		}
		out.Events = append(out.Events, v)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func viewLook(l detect.Look) lookView {
	v := lookView{Rule: l.Rule, Version: l.Version, Stage: l.Stage, Reason: l.Reason, Finding: l.Finding, Model: viewModel(l.Model), Error: text(l.Error)}
	for _, st := range l.Steps {
		one := stepView{Name: st.Name, Selected: st.Selected, Matched: st.Matched}
		for _, t := range st.When {
			one.When = append(one.When, viewCondition(t))
		}
		if st.Unless != nil {
			u := viewCondition(*st.Unless)
			one.Unless = &u
		}
		for _, x := range st.Exceptions {
			one.Exceptions = append(one.Exceptions, exceptionView{x.Name, x.Reason, x.Until, x.Holds, viewCondition(x.When)})
		}
		v.Steps = append(v.Steps, one)
	}
	if w := l.Window; w != nil {
		v.Window = &windowView{Group: viewGroup(w.Group), Late: w.Late, Having: viewCondition(w.Having)}
		for _, n := range w.Numbers {
			v.Window.Numbers = append(v.Window.Numbers, valueView{n.Call, n.Value})
		}
	}
	if q := l.Sequence; q != nil {
		v.Sequence = &sequenceView{viewGroup(q.Group), q.Waiting, q.Complete, q.Awaited}
	}
	if s := l.Suppressed; s != nil {
		v.Suppressed = &suppressedView{s.Finding, s.Count, s.Until}
	}
	return v
}

func viewGroup(all []detect.GroupValue) []groupView {
	var out []groupView
	for _, g := range all {
		out = append(out, groupView{g.By, short(g.Value)})
	}
	return out
}

func viewCondition(t conf.Trace) conditionView {
	v := conditionView{Truth: t.Truth, Error: text(t.Error)}
	if t.Condition == nil {
		return v
	}
	v.Op, v.Text = t.Op, t.Text
	if t.File != "" {
		v.At = fmt.Sprintf("%s:%d:%d", t.File, t.Line, t.Column)
	}
	for _, r := range t.Values {
		v.Values = append(v.Values, valueView{r.Text, bounded(r.Value)})
	}
	for _, p := range t.Parts {
		v.Parts = append(v.Parts, viewCondition(p))
	}
	return v
}

func viewRun(r replay.Run) runView {
	v := runView{Playbook: r.Playbook, Mode: r.Would, Target: r.Target.String()}
	for i, s := range r.Steps {
		v.Steps = append(v.Steps, planView{s.Name, s.Action, r.Verdicts[i].Decision, r.Verdicts[i].Reason})
	}
	return v
}

// maxValue bounds a value that is shown, in bytes.
const maxValue = 400

// bounded is a value, or the beginning of its JSON where that is long.
func bounded(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	if len(data) > maxValue {
		return short(string(data))
	}
	return json.RawMessage(data)
}

func short(s string) string {
	if len(s) <= maxValue {
		return s
	}
	cut := []rune(s[:maxValue])
	return string(cut[:len(cut)-1]) + "…"
}
