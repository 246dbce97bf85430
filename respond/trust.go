package respond

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// TrustRules say how a playbook's version earns more trust, and loses it.
type TrustRules struct {
	// After is how long it must have been watched before it may act.
	After conf.Duration `yaml:"after"`
	// Promote is the mode that rules may raise it to, a step at a time, when at
	// least Verdicts were given and Precision of them say that it was right;
	// empty leaves it to people.
	Promote   event.Mode `yaml:"promote"`
	Verdicts  int        `yaml:"verdicts"`
	Precision float64    `yaml:"precision"`
	// Wrong of the last Of runs that people said something of lower it by a
	// step.
	Wrong int `yaml:"wrong"`
	Of    int `yaml:"of"`
}

// DefaultTrustRules are the shipped ones: people raise, rules lower.
func DefaultTrustRules() TrustRules {
	return TrustRules{After: conf.Duration(7 * 24 * time.Hour), Verdicts: 20, Precision: 0.95, Wrong: 3, Of: 10}
}

// Check says what makes no sense, by its key.
func (r TrustRules) Check() error {
	switch {
	case r.After.Std() < time.Hour || r.After.Std() > 90*24*time.Hour:
		return fmt.Errorf("after: %s is not 1h to 90d", r.After.Std())
	case r.Promote != "" && r.Promote != event.ModeAsk && r.Promote != event.ModeAct:
		return fmt.Errorf("promote: %q is neither ask nor act", r.Promote)
	case r.Verdicts < 1 || r.Verdicts > 10_000:
		return fmt.Errorf("verdicts: %d is not 1 to 10000", r.Verdicts)
	case !(r.Precision > 0.5 && r.Precision <= 1):
		return fmt.Errorf("precision: %v is not over 0.5 and 1 at most", r.Precision)
	case r.Of < 1 || r.Of > 1000 || r.Wrong < 1 || r.Wrong > r.Of:
		return fmt.Errorf("wrong: %d of %d makes no share", r.Wrong, r.Of)
	}
	return nil
}

// Standing is how a playbook's version has done so far.
type Standing struct {
	Playbook string `json:"playbook"`
	Version  string `json:"version"`
	// Own is the mode of its text, Mode the one that its next run has, before
	// ceilings.
	Own  event.Mode `json:"own"`
	Mode event.Mode `json:"mode"`
	// Since is its first run, Runs how many there were, Observed how many only
	// planned. Those that people began by hand say nothing of when it should run:
	// they are ByHand and count nowhere else.
	Since    time.Time `json:"since,omitzero"`
	Runs     int       `json:"runs"`
	Observed int       `json:"observed"`
	ByHand   int       `json:"by_hand,omitempty"`
	// Right and Wrong are by the verdicts on the incidents; Approved, Denied and
	// Undone are what people did with its runs.
	Right    int `json:"right"`
	Wrong    int `json:"wrong"`
	Approved int `json:"approved"`
	Denied   int `json:"denied"`
	Undone   int `json:"undone"`
	// Against is how many of the last Judged runs since the last grant people
	// were against.
	Against int    `json:"against"`
	Judged  int    `json:"judged"`
	Grant   *Grant `json:"grant,omitempty"`
}

// Precision is the share of verdicts that say it was right; 0 where there are
// none.
func (s Standing) Precision() float64 {
	if s.Right+s.Wrong == 0 {
		return 0
	}
	return float64(s.Right) / float64(s.Right+s.Wrong)
}

// opinion is what people made of a run: against, for, or nothing yet.
func opinion(run event.Run, verdict string) (against, judged bool) {
	switch {
	case verdict == "true":
		return false, true
	case verdict == "false", denied(run), undone(run):
		return true, true
	}
	return false, run.Approval != nil && run.Approval.State == event.ApprovalGranted
}

func denied(run event.Run) bool {
	return run.Approval != nil && run.Approval.State == event.ApprovalDenied
}

// undoneBy begins the reason of a run that somebody undid.
const undoneBy = "undone by "

func undone(run event.Run) bool {
	return strings.HasPrefix(run.Reason, undoneBy) && slices.ContainsFunc(run.Steps, func(s event.Step) bool { return s.Begun })
}

// Stand says how a playbook has done, by the newest records of its runs and the
// verdicts on incidents by their ids. It is pure.
func Stand(book *Playbook, grant *Grant, runs []event.Run, verdicts map[string]string, rules TrustRules) Standing {
	s := Standing{Playbook: book.Name, Version: book.Version, Own: book.Mode, Mode: book.Mode}
	if grant != nil && grant.Version == book.Version {
		s.Grant, s.Mode = grant, grant.Mode
	}
	var mine []event.Run
	for _, run := range runs {
		switch {
		case run.Playbook != book.Name || run.Version != book.Version:
		case run.Starter != "":
			s.ByHand++
		default:
			mine = append(mine, run)
		}
	}
	slices.SortFunc(mine, func(a, b event.Run) int { return b.Updated.Compare(a.Updated) })
	for _, run := range mine {
		s.Runs++
		if s.Since.IsZero() || run.Created.Before(s.Since) {
			s.Since = run.Created
		}
		verdict := verdicts[run.Incident.ID]
		s.add(run, verdict)
		against, judged := opinion(run, verdict)
		// A step up or down begins a new count: it was about what was before.
		if !judged || s.Judged >= rules.Of || s.Grant != nil && run.Created.Before(s.Grant.Time) {
			continue
		}
		s.Judged++
		if against {
			s.Against++
		}
	}
	return s
}

func (s *Standing) add(run event.Run, verdict string) {
	count := func(n *int, yes bool) {
		if yes {
			*n++
		}
	}
	count(&s.Observed, run.Mode == event.ModeObserve)
	count(&s.Right, verdict == "true")
	count(&s.Wrong, verdict == "false")
	count(&s.Approved, run.Approval != nil && run.Approval.State == event.ApprovalGranted)
	count(&s.Denied, denied(run))
	count(&s.Undone, undone(run))
}

// steps are the modes, the most careful first.
func steps() []event.Mode { return []event.Mode{event.ModeObserve, event.ModeAsk, event.ModeAct} }

// Decide says which mode the rules give a playbook now, and why; the mode that
// it has, when nothing is to change. It is pure.
func (s Standing) Decide(rules TrustRules, now time.Time) (event.Mode, string) {
	at := slices.Index(steps(), s.Mode)
	switch {
	case at > 0 && s.Against >= rules.Wrong:
		return steps()[at-1], fmt.Sprintf("people were against %d of its last %d runs", s.Against, s.Judged)
	case at < 0 || at+1 >= len(steps()) || rules.Promote == "" || slices.Index(steps(), rules.Promote) <= at:
		return s.Mode, ""
	}
	if why := s.Lacks(steps()[at+1], rules, now); why != "" || s.Right+s.Wrong < rules.Verdicts || s.Precision() < rules.Precision {
		return s.Mode, ""
	}
	return steps()[at+1], fmt.Sprintf("%d of %d verdicts say that it was right", s.Right, s.Right+s.Wrong)
}

// Lacks says why a playbook may not be raised to a mode yet; empty is nothing.
func (s Standing) Lacks(mode event.Mode, rules TrustRules, now time.Time) string {
	if mode != event.ModeAct {
		return ""
	}
	switch watched := now.Sub(s.Since); {
	case s.Runs == 0:
		return "it had no run yet"
	case watched < rules.After.Std():
		return fmt.Sprintf("it was watched for %s of %s", watched.Round(time.Minute), rules.After.Std())
	}
	return ""
}
