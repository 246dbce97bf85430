package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// askedView is what people were asked, and what they said.
type askedView struct {
	State, Digest string
	Terms         []string
	Need, Yes     int
	Expires       stamp
	Votes         []voteView
}

type voteView struct {
	User, Said, From, Reason, Refused string
	At                                stamp
}

// questionView is an open question with what the person can answer.
type questionView struct {
	askedView
	Run     string
	Full    string
	Explain bool
	Holds   []string
	Left    string
	// Lacks says why this person can't answer; empty is that they can.
	Lacks string
	Times []choice
	// Glass says that this person may break the glass.
	Glass bool
}

// endView is what can be said to a run that goes on.
type endView struct {
	Run            string
	Holds, Differs bool
	Lacks          string
	Times          []choice
}

// saidView is what became of what the person said last.
type saidView struct {
	Text string
	// Good is that it counts.
	Good bool
	// Run is where that shows, if on another page.
	Run idView
}

// holdTimes are what an approval for a shorter time, and a hold that is
// extended, can be for.
var holdTimes = []choice{{"15m", "15 minutes", false}, {"1h", "1 hour", false}, {"4h", "4 hours", false}, {"24h", "24 hours", false}}

func (c *Console) newAskedView(a event.Approval) askedView {
	out := askedView{State: word(a.State), Digest: short(a.Digest), Terms: lines(c.House.Asked(a), maxLine, 40), Need: a.Need, Expires: at(a.Expires)}
	for i, x := range a.Votes {
		if x.Refused == "" && x.Approve {
			out.Yes++
		}
		if i >= 100 {
			continue
		}
		one := voteView{User: line(x.User, maxName), Said: "denies", From: line(x.From, maxName), Reason: line(x.Reason, maxLine), Refused: line(x.Refused, 300), At: at(x.Time)}
		if x.Approve {
			one.Said = "approves"
		}
		if x.BreakGlass {
			one.Said = "breaks the glass"
		}
		out.Votes = append(out.Votes, one)
	}
	return out
}

// question is what a run waits for; nil is nothing.
func (v *visit) question(r event.Run) (*questionView, error) {
	a := r.Approval
	if r.State != event.RunAwaiting || a == nil || a.State != event.ApprovalOpen {
		return nil, nil
	}
	c := v.console
	q := &questionView{
		askedView: c.newAskedView(*a), Run: line(r.ID, 64), Full: line(a.Digest, 128), Explain: a.Explain, Holds: lines(c.House.Holds(r), maxLine, 40),
		Left: span(a.Expires.Sub(c.Now())), Times: holdTimes,
	}
	lacks, err := v.lacks(r, "approve")
	switch {
	case err != nil:
		return nil, err
	case lacks != "":
		q.Lacks = lacks
	case slices.Contains(a.Excluded, v.user.Name):
		q.Lacks = "You started it or are named in the finding: others have to decide."
	case !c.Now().Before(a.Expires):
		q.Lacks = "Its time is over."
	case !slices.ContainsFunc(a.Votes, func(x event.Vote) bool { return x.User == v.user.Name && x.Refused == "" }):
		// Who has said yes already may still say no.
		if why := c.House.Uncounted(r, v.user); why != "" {
			q.Lacks = "Your vote would not count: " + line(why, 300) + "."
		}
	}
	none, err := v.lacks(r, "break-glass")
	q.Glass = err == nil && none == ""
	return q, err
}

// lacks says why a person may not say something to a run.
func (v *visit) lacks(r event.Run, verb string) (string, error) {
	if run := v.locked(); run != "" {
		return lockedText(run), nil
	}
	ok, err := v.console.rights.may(v.r.Context(), v.user, verb, "playbooks", r.Playbook, r.Target.Space())
	if err != nil || ok {
		return "", err
	}
	where := "in the cluster"
	if space := r.Target.Space(); space != "" {
		where = "in namespace " + line(space, 63)
	}
	return fmt.Sprintf("You may not %s the playbook %s %s, says the cluster (%s playbooks.%s).", verb, line(r.Playbook, 63), where, verb, Group), nil
}

// lockedText says why somebody whom a run locks out can't decide.
func lockedText(run string) string {
	return fmt.Sprintf("You are locked out by run %s: nothing you decide counts until that is undone, which somebody else has to say.", line(run, 64))
}

// ending is what can be said to a run that is not over; nil is nothing.
func (v *visit) ending(r event.Run) (*endView, error) {
	if r.State.Terminal() {
		return nil, nil
	}
	out := &endView{Run: line(r.ID, 64), Times: holdTimes}
	for _, s := range r.Steps {
		out.Holds = out.Holds || s.State == event.StepDone && s.Until != nil
		out.Differs = out.Differs || s.Differs != ""
	}
	var err error
	out.Lacks, err = v.lacks(r, "undo")
	return out, err
}

// say takes what somebody says to a run. What counts the run says: the page
// that the browser is sent to waits for it a moment.
func (c *Console) say(v *visit) error {
	r, err := v.shownRun(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	s := Say{
		Deed: v.r.PathValue("deed"), Digest: v.said("digest"), Reason: v.said("reason"),
		AtEnd: event.AtEnd(v.said("at_end")), Over: v.said("over") == "yes",
	}
	if s.Hold, err = v.duration("hold"); err != nil {
		return err
	}
	if s.Deed == "extend" {
		more, err := v.duration("for")
		if err != nil {
			return err
		}
		s.Until = c.Now().Add(more)
		if more > 23*time.Hour+59*time.Minute {
			s.Until = s.Until.Add(-time.Minute) // the bound is from when it is looked at
		}
	}
	seq, err := c.House.Say(v.r.Context(), v.user, r.ID, s)
	if err != nil {
		return err
	}
	return v.go303(Root + "runs/" + r.ID + "?" + url.Values{"said": {s.Deed}, "at": {strconv.FormatUint(seq, 10)}}.Encode() + "#said")
}

func (v *visit) duration(name string) (time.Duration, error) {
	text := v.said(name)
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > 24*time.Hour {
		return 0, Problem{http.StatusBadRequest, "That is no time of up to 24 hours."}
	}
	return d, nil
}

const (
	// patience is how long a page waits for the run to take in what was said.
	patience = 5 * time.Second
	// lookAgain is how often it looks.
	lookAgain = 100 * time.Millisecond
)

// settled is a run once it has taken in what its person said, if the address
// says so, and what became of that. It waits a moment, and no longer.
func (v *visit) settled(id string) (event.Run, *saidView, error) {
	ctx := v.r.Context()
	r, err := v.console.House.Run(ctx, id)
	q := v.r.URL.Query()
	sequence, bad := strconv.ParseUint(q.Get("at"), 10, 64)
	if err != nil || bad != nil {
		return r, nil, err
	}
	patiently(ctx, func() bool {
		if r.Input >= sequence || r.State.Terminal() {
			return true
		}
		r, err = v.console.House.Run(ctx, id)
		return err != nil || r.Input >= sequence || r.State.Terminal()
	})
	if err != nil {
		return r, nil, err
	}
	return r, outcome(r, v.user.Name, q.Get("said"), sequence), nil
}

// recorded is a run as soon as there is a record of it. It waits a moment for that,
// and no longer.
func (v *visit) recorded(id string) (r event.Run, err error) {
	patiently(v.r.Context(), func() bool {
		r, err = v.console.House.Run(v.r.Context(), id)
		var p Problem
		return !errors.As(err, &p) || p.Status != http.StatusNotFound
	})
	return r, err
}

// patiently looks again and again until done says so, or patience ends.
func patiently(ctx context.Context, done func() bool) {
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !done() && wait.Err() == nil {
		t := time.NewTimer(lookAgain)
		select {
		case <-wait.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// outcome says what became of what somebody said: it goes by the record alone.
func outcome(r event.Run, user, deed string, sequence uint64) *saidView {
	if !slices.Contains([]string{"approve", "deny", "break-glass", "undo", "extend", "keep"}, deed) {
		return nil
	}
	if r.Input < sequence {
		return &saidView{Text: fmt.Sprintf("Your word (%s) is stored. The run has not taken it in yet.", deed)}
	}
	if deed != "approve" && deed != "deny" && deed != "break-glass" {
		return &saidView{Text: fmt.Sprintf("The run has taken in what you said: %s.", deed), Good: true}
	}
	if r.Approval != nil {
		for _, vote := range slices.Backward(r.Approval.Votes) {
			switch {
			case vote.User != user:
			case vote.Refused != "":
				return &saidView{Text: "Your vote does not count: " + line(vote.Refused, 300) + "."}
			case vote.Approve:
				text := "Your yes counts."
				if vote.BreakGlass {
					text = "The glass is broken: your yes stands for all. Somebody else has to review it."
				}
				return &saidView{Text: text, Good: true}
			default:
				return &saidView{Text: "Your no counts.", Good: true}
			}
		}
	}
	return &saidView{Text: "Your vote does not count: the plan that it was for is not asked about any more."}
}
