package respond

import (
	"fmt"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// past is a run of the playbook that ended in some way.
func past(book *Playbook, n int, at time.Time, mode event.Mode, how string) event.Run {
	run := event.Run{
		ID: fmt.Sprint("r", n), Playbook: book.Name, Version: book.Version, Mode: mode, State: event.RunClosed,
		Incident: event.Incident{ID: fmt.Sprint("i", n)}, Created: at, Updated: at, Steps: []event.Step{{Name: "label", Begun: mode != event.ModeObserve}},
	}
	switch how {
	case "denied":
		run.State, run.Approval = event.RunDenied, &event.Approval{State: event.ApprovalDenied}
	case "approved":
		run.Approval = &event.Approval{State: event.ApprovalGranted}
	case "undone":
		run.Reason = undoneBy + "ann"
	}
	return run
}

// TestTrust: how a playbook did is counted by its version, people's no lowers
// it, and verdicts raise it where the rules say so.
func TestTrust(t *testing.T) {
	book := parse(t, actBook)
	rules := DefaultTrustRules()
	rules.Promote, rules.Verdicts = event.ModeAct, 4
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now := start.Add(8 * 24 * time.Hour)
	runs := func(mode event.Mode, hows ...string) (list []event.Run) {
		for i, how := range hows {
			list = append(list, past(book, i, start.Add(time.Duration(i)*time.Hour), mode, how))
		}
		return list
	}
	verdicts := func(list ...string) map[string]string {
		m := map[string]string{}
		for i, v := range list {
			m[fmt.Sprint("i", i)] = v
		}
		return m
	}
	given := func(mode event.Mode, at time.Time) *Grant { return &Grant{Version: book.Version, Mode: mode, Time: at} }
	early := start.Add(-time.Hour)
	old := runs(event.ModeAct, "denied", "denied", "denied")
	for i := range old {
		old[i].Version = "another"
	}
	byHand := runs(event.ModeAct, "undone", "undone", "undone")
	for i := range byHand {
		byHand[i].Starter = "ann"
	}
	for name, tt := range map[string]struct {
		runs     []event.Run
		verdicts map[string]string
		grant    *Grant
		now      time.Time
		want     event.Mode
	}{
		"nothing yet":                                {nil, nil, nil, now, event.ModeAct},
		"two denied":                                 {runs(event.ModeAct, "denied", "", "denied", "approved"), nil, nil, now, event.ModeAct},
		"three denied or undone":                     {runs(event.ModeAct, "denied", "undone", "approved", "denied"), nil, nil, now, event.ModeAsk},
		"three wrong by verdict":                     {runs(event.ModeAct, "", "", ""), verdicts("false", "false", "false"), nil, now, event.ModeAsk},
		"undone after it was right":                  {runs(event.ModeAct, "undone", "undone", "undone"), verdicts("true", "true", "true"), nil, now, event.ModeAct},
		"three long ago, ten good ones since":        {runs(event.ModeAct, "denied", "denied", "denied", "approved", "approved", "approved", "approved", "approved", "approved", "approved", "approved", "approved", "approved"), nil, nil, now, event.ModeAct},
		"of another version":                         {old, nil, nil, now, event.ModeAct},
		"begun by hand, and undone when it was over": {byHand, nil, nil, now, event.ModeAct},
		"lowered once, not again for the same":       {runs(event.ModeAct, "denied", "denied", "denied"), nil, given(event.ModeAsk, now), now, event.ModeAsk},
		"lowered to observe":                         {runs(event.ModeAsk, "denied", "denied", "denied"), nil, given(event.ModeAsk, early), now, event.ModeObserve},
		"observed, and right":                        {runs(event.ModeObserve, "", "", "", ""), verdicts("true", "true", "true", "true"), given(event.ModeObserve, early), now, event.ModeAsk},
		"observed, and right too seldom":             {runs(event.ModeObserve, "", "", "", ""), verdicts("true", "true", "true", "false"), given(event.ModeObserve, early), now, event.ModeObserve},
		"observed, few verdicts":                     {runs(event.ModeObserve, "", "", "", ""), verdicts("true", "true", "true"), given(event.ModeObserve, early), now, event.ModeObserve},
		"asked, and right":                           {runs(event.ModeAsk, "", "", "", ""), verdicts("true", "true", "true", "true"), given(event.ModeAsk, early), now, event.ModeAct},
		"asked, and right, but not watched enough":   {runs(event.ModeAsk, "", "", "", ""), verdicts("true", "true", "true", "true"), given(event.ModeAsk, early), start.Add(24 * time.Hour), event.ModeAsk},
		"a grant to another version":                 {nil, nil, &Grant{Version: "other", Mode: event.ModeObserve}, now, event.ModeAct},
	} {
		t.Run(name, func(t *testing.T) {
			s := Stand(book, tt.grant, tt.runs, tt.verdicts, rules)
			if got, why := s.Decide(rules, tt.now); got != tt.want || got != s.Mode && why == "" {
				t.Errorf("decides %s (%s) of %+v, want %s", got, why, s, tt.want)
			}
		})
	}
	if s := Stand(book, nil, byHand, nil, rules); s.ByHand != 3 || s.Runs != 0 || s.Undone != 0 || !s.Since.IsZero() {
		t.Errorf("of runs by hand: %+v", s)
	}
	rules.Promote = ""
	s := Stand(book, given(event.ModeObserve, early), runs(event.ModeObserve, "", "", "", ""), verdicts("true", "true", "true", "true"), rules)
	if got, _ := s.Decide(rules, now); got != event.ModeObserve || s.Right != 4 || s.Observed != 4 || s.Precision() != 1 {
		t.Errorf("without a rule it is raised to %s: %+v", got, s)
	}
}

// TestUndosLowerAPlaybook lets three people's undos take a playbook from acting
// to asking, in a real responder.
func TestUndosLowerAPlaybook(t *testing.T) {
	r := newRig(t, newCluster("a", "b", "c", "d"), actBook).start()
	for i, pod := range []string{"a", "b", "c"} {
		r.publish(finding("shell", pod, 1))
		r.until("the run holds", func() bool { v, _ := r.cluster.label(pod, "suspect"); return v == "yes" })
		for _, run := range r.runs() {
			if run.Target.Name == pod {
				r.say(event.Input{Run: run.ID, Kind: event.InputUndo, User: "ann"})
			}
		}
		r.until("the run is closed", r.all(i+1, event.RunClosed))
	}
	if err := r.worker.weigh(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.publish(finding("shell", "d", 1))
	r.until("the fourth asks", func() bool {
		for _, run := range r.runs() {
			if run.Target.Name == "d" {
				return run.State == event.RunAwaiting && run.Mode == event.ModeAsk
			}
		}
		return false
	})
	granted, err := r.control.Granted(t.Context())
	if g := granted["mark"]; err != nil || g == nil || g.By != ByRule || g.Mode != event.ModeAsk {
		t.Errorf("granted is %+v, %v", g, err)
	}
}
