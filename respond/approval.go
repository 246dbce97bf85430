package respond

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// bound is the digest of the plans of the given steps: what people say yes to,
// no more and no less.
func (m move) bound(steps []int) string {
	h := sha256.New()
	for _, i := range steps {
		fmt.Fprintf(h, "%d %s\n", i, m.run.Steps[i].Digest)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// request asks people for the effects of the given steps, unless they are
// asked for just these already. Steps that others decide on are asked for one
// after the other.
func (m move) request(waiting []int) {
	a := m.question(waiting)
	if old := m.run.Approval; old != nil {
		if old.State == event.ApprovalOpen && old.Digest == a.Digest && old.Need >= a.Need {
			return
		}
		a.ID = event.HashID("approval", m.run.ID, old.ID)
	}
	m.run.Approval = &a
}

// question is what people are asked first, of the steps that wait for them:
// those that the same people decide on as on the first one.
func (m move) question(waiting []int) event.Approval {
	policy := m.policy(waiting[0])
	a := event.Approval{
		ID: event.HashID("approval", m.run.ID, ""), By: policy.By, Need: policy.Need,
		Excluded: m.excluded(), Explain: policy.Explain, NoChat: policy.NoChat, Requested: m.now, Expires: m.now.Add(policy.Within), State: event.ApprovalOpen,
	}
	var steps []int
	for _, i := range waiting {
		if !reflect.DeepEqual(m.policy(i), policy) {
			continue
		}
		s := m.run.Steps[i]
		steps, a.Steps = append(steps, i), append(a.Steps, s.Name)
		if s.Asks != "" {
			a.Reasons = append(a.Reasons, s.Name+": "+s.Asks)
		}
		for _, v := range s.Verdicts {
			if v.Decision == event.Ask || v.Need > policy.Need {
				a.Reasons = append(a.Reasons, fmt.Sprintf("%s: %s: %s", s.Name, v.Guard, v.Reason))
			}
			a.Need = max(a.Need, v.Need)
		}
	}
	a.Digest = m.bound(steps)
	return a
}

// policy is who decides on step i, of an incident of this priority.
func (m move) policy(i int) Approve {
	p := m.book.Approve
	if own := m.step(i).Approve; own != nil {
		p = *own
	}
	return p.at(Priority(*m.run))
}

// asked are the places of the steps that an approval is about, as far as they
// wait for it.
func (m move) asked(a event.Approval) []int {
	return slices.DeleteFunc(m.waiting(), func(i int) bool {
		return len(a.Steps) > 0 && !slices.Contains(a.Steps, m.run.Steps[i].Name)
	})
}

// declined takes a no, or no answer. It ends the run's effects, unless all that
// was asked for are steps of which the playbook asks people apart, and that may
// fail.
func (m move) declined(a event.Approval, end event.RunState, reason string) {
	asked := m.asked(a)
	apart := func(i int) bool { s := m.step(i); return s.Approve != nil && s.OnFailure == OnFailureContinue }
	if slices.ContainsFunc(asked, func(i int) bool { return !apart(i) }) || len(asked) == 0 {
		m.stop(end, reason)
		return
	}
	for _, i := range asked {
		m.abandon(i, event.StepDenied, reason)
	}
}

// Asked are the questions that people would be asked of a run in this state if
// it went on in the given mode, in their order.
func Asked(book *Playbook, run event.Run, mode event.Mode, now time.Time) []event.Approval {
	run = clone(run)
	run.Mode, run.Approval = mode, nil
	m := move{book: book, run: &run, now: now}
	var all []event.Approval
	for waiting := m.waiting(); len(waiting) > 0; waiting = m.waiting() {
		a := m.question(waiting)
		all = append(all, a)
		for _, i := range m.asked(a) {
			run.Steps[i].Approved = "asked"
		}
	}
	return all
}

// excluded are the people who may not approve: the identity that the finding
// is about, and who started the run by hand. Who edited the playbook last is
// not among them: it comes from a file, and nothing says who wrote that.
func (m move) excluded() []string {
	var out []string
	for _, u := range []string{m.run.Finding.Actor.User, m.run.Finding.Actor.Impersonated, m.run.Starter} {
		if u != "" && !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

// void takes back an approval: what was approved is not what would be done.
// All effects that have not begun are planned again before people are asked
// again.
func (m move) void(reason string) {
	if m.run.Approval != nil {
		m.run.Approval.State = event.ApprovalVoid
	}
	m.run.Reason, m.run.State = reason, event.RunGuarding
	for i := range m.run.Steps {
		if s := &m.run.Steps[i]; s.State == event.StepPlanned && m.step(i).Effect() {
			s.State, s.Approved, s.Yes, s.BrokenBy, s.AtMost, s.NotBefore = event.StepPending, "", 0, "", 0, nil
		}
	}
}

// person takes in what somebody said. The person was authenticated and
// authorised by the cluster before the input was stored; who was locked out since
// then is not heard.
func (m move) person(in event.Input, denied []event.Identity) {
	// What the desk refused says itself what was tried.
	if in.Kind != event.InputVote && in.Kind != event.InputRefused && locked(denied, in.User, nil) {
		in.Kind, in.Reason = event.InputRefused, string(in.Kind)+" of this run"
	}
	switch in.Kind {
	case event.InputVote:
		if in.Vote != nil {
			m.withdraw(denied)
			m.vote(*in.Vote, denied)
		}
	case event.InputRefused:
		m.note(in)
	case event.InputUndo:
		m.undo(in)
		m.note(in)
	case event.InputExtend, event.InputKeep:
		if m.last(in) {
			m.note(in)
		}
	}
}

// lockedOut is why the vote of somebody does not count whom a run locks out.
const lockedOut = "is locked out"

// locked says whether somebody is among those who are locked out. Who may go on
// with stronger authentication is for who took the word: it does not show here.
func locked(denied []event.Identity, user string, groups []string) bool {
	return slices.ContainsFunc(denied, func(i event.Identity) bool { return i.Extra == "" && i.Is(user, groups, nil) })
}

// withdraw takes back what those said to an open question who were locked out
// since: it may not have been they who said it.
func (m move) withdraw(denied []event.Identity) {
	a := m.run.Approval
	if a == nil || a.State != event.ApprovalOpen {
		return
	}
	for i := range a.Votes {
		if v := &a.Votes[i]; v.Refused == "" && locked(denied, v.User, v.Groups) {
			v.Refused = lockedOut
		}
	}
}

const (
	// maxSaid bounds what is recorded of what people asked for.
	maxSaid = 100
	// maxTriesSaid bounds it for those who are refused, so that they can't fill the
	// record before somebody else undoes the run.
	maxTriesSaid = maxSaid / 2
)

// note records who asked for what, and why.
func (m move) note(in event.Input) {
	if n := len(m.run.Said); n >= maxSaid || in.Kind == event.InputRefused && n >= maxTriesSaid {
		return
	}
	m.run.Said = append(m.run.Said[:len(m.run.Said):len(m.run.Said)], event.Saying{
		Kind: in.Kind, User: in.User, Reason: event.Shorten(in.Reason, event.MaxNote), Until: in.Until, AtEnd: in.AtEnd, Over: in.Over, Time: in.Time,
	})
}

// undo ends all holds, begins nothing more, and marks what is under way.
func (m move) undo(in event.Input) {
	why := "undone by " + in.User
	if m.run.Drill && in.Reason != "" {
		why = event.Shorten(in.User+": "+in.Reason, event.MaxNote)
	}
	m.stop(event.RunClosed, why)
	for i := range m.run.Steps {
		m.run.Steps[i].Over = m.run.Steps[i].Over || in.Over
	}
	m.revertAll(in.AtEnd)
	if a := m.run.Approval; a != nil && a.State == event.ApprovalOpen {
		a.State = event.ApprovalVoid
	}
}

// maxVotes bounds the votes that an approval records, so that no number of
// refused ones makes the record too large to be written.
const maxVotes = 100

// vote records a vote, counts it when it is valid, and says why not when not.
func (m move) vote(v event.Vote, denied []event.Identity) {
	a := m.run.Approval
	if a == nil {
		return
	}
	if v.Refused = m.refused(*a, v); locked(denied, v.User, v.Groups) {
		v.Refused = lockedOut
	}
	// Only the groups that count are recorded: a person can be in hundreds.
	v.Groups = slices.DeleteFunc(slices.Clone(v.Groups), func(g string) bool { return !slices.Contains(a.By, "group/"+g) })
	if len(a.Votes) < maxVotes || v.Refused == "" {
		a.Votes = append(a.Votes, v)
	}
	if v.Refused != "" {
		return
	}
	if !v.Approve {
		a.State = event.ApprovalDenied
		m.declined(*a, event.RunDenied, "denied by "+v.User)
		return
	}
	if v.BreakGlass {
		a.BrokenBy = v.User
	} else if count(*a) < a.Need {
		return
	}
	asked := m.asked(*a)
	if m.bound(asked) != a.Digest {
		// Never so, since every move asks anew; what was not shown is not granted.
		a.State = event.ApprovalVoid
		return
	}
	a.State = event.ApprovalGranted
	for _, i := range asked {
		s := &m.run.Steps[i]
		s.Approved, s.Yes, s.AtMost = s.Digest, count(*a), shortest(*a)
		if v.BreakGlass {
			s.Yes, s.BrokenBy = max(s.Yes, a.Need), v.User // it stands for them
		}
	}
}

// shortest is the shortest hold that somebody said yes to; zero is the
// playbook's.
func shortest(a event.Approval) time.Duration {
	var least time.Duration
	for _, v := range a.Votes {
		if v.Refused == "" && v.Approve && v.Hold > 0 && (least == 0 || v.Hold < least) {
			least = v.Hold
		}
	}
	return least
}

// Uncounted says why a vote on what a run asks would not count as its record stands;
// empty is that it would.
func Uncounted(run event.Run, v event.Vote, now time.Time) string {
	if run.Approval == nil {
		return "the run waits for no approval"
	}
	return move{run: &run, now: now}.refused(*run.Approval, v)
}

// refused says why a vote does not count; empty means that it does.
func (m move) refused(a event.Approval, v event.Vote) string {
	switch {
	case a.State != event.ApprovalOpen:
		return "the approval is already " + a.State
	case v.BreakGlass:
		return m.unbroken(a, v)
	case !m.now.Before(a.Expires):
		return "the approval has expired"
	case v.Digest == "" || v.Digest != a.Digest:
		return "the plan has changed since it was shown"
	case v.User == "":
		return "nobody is named"
	case slices.Contains(a.Excluded, v.User):
		return "who started the run or is named in the finding cannot decide on it"
	case a.Explain && strings.TrimSpace(v.Reason) == "":
		return "a reason has to be given"
	case a.NoChat && v.Approve && v.From != "":
		return "this can't be approved in a chat"
	case !mayApprove(a.By, v):
		return "not among those who may approve: " + strings.Join(a.By, ", ")
	}
	for _, old := range a.Votes {
		if old.Refused == "" && old.User == v.User && old.Approve && v.Approve {
			return "has approved already"
		}
	}
	return ""
}

// unbroken says why somebody can't break the glass. Who they are, who else said
// yes and until when are no reasons; which plan it is about is one, and so are the
// guards, which come after: what is protected or paused stays so.
func (m move) unbroken(a event.Approval, v event.Vote) string {
	switch {
	case v.Digest == "" || v.Digest != a.Digest:
		return "the plan has changed since it was shown"
	case v.User == "":
		return "nobody is named"
	case !v.Approve:
		return "the glass is broken to do something"
	case strings.TrimSpace(v.Reason) == "":
		return "a reason has to be given"
	case a.NoChat && v.From != "":
		return "this can't be approved in a chat"
	}
	return ""
}

func mayApprove(by []string, v event.Vote) bool {
	if len(by) == 0 || slices.Contains(by, "user/"+v.User) {
		return true
	}
	return slices.ContainsFunc(v.Groups, func(g string) bool { return slices.Contains(by, "group/"+g) })
}

func count(a event.Approval) int {
	n := 0
	for _, v := range a.Votes {
		if v.Refused == "" && v.Approve {
			n++
		}
	}
	return n
}
