package approve

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
)

const (
	// maxShown is how many questions are asked one by one; what is over is one
	// question.
	maxShown = 100
	// maxNames is how many namespaces the summary names.
	maxNames = 20
	// others stands for those that it does not name.
	others = "(others)"
)

// Queue is what waits for people, the gravest first.
type Queue struct {
	Questions []Question `json:"questions"`
	// Ends are the holds that stand until somebody says what becomes of them, as
	// many as there are questions at the most; MoreEnds is how many more there are.
	Ends     []HoldEnd `json:"ends,omitempty"`
	MoreEnds int       `json:"more_ends,omitempty"`
	// Rest sums up those that are over; nil is none.
	Rest *Rest `json:"rest,omitempty"`
}

// Question is what one run waits for.
type Question struct {
	Run      string         `json:"run"`
	Playbook string         `json:"playbook"`
	Priority event.Severity `json:"priority"`
	Risk     int            `json:"risk"`
	Target   event.Ref      `json:"target"`
	// Plans are those of the effects in a line each, Reasons why people are asked.
	Plans   []string `json:"plans"`
	Reasons []string `json:"reasons,omitempty"`
	// Need is how many people it takes, Yes how many have said so.
	Need      int       `json:"need"`
	Yes       int       `json:"yes"`
	Digest    string    `json:"digest"`
	Requested time.Time `json:"requested"`
	Expires   time.Time `json:"expires"`
}

// Rest is the question of all that are over: how many there are, and of what.
type Rest struct {
	Count int `json:"count"`
	// Digest names just these questions, each with its plans: an answer to it is
	// one to each of them.
	Digest     string                 `json:"digest"`
	Priorities map[event.Severity]int `json:"priorities"`
	Playbooks  map[string]int         `json:"playbooks"`
	// Namespaces are the twenty with the most of them, and the others.
	Namespaces map[string]int `json:"namespaces"`
	// Oldest is since when the first of them waits, Expires when the first of
	// them is over.
	Oldest  time.Time `json:"oldest"`
	Expires time.Time `json:"expires"`
}

// NewQueue puts the open questions of runs in order.
func NewQueue(runs []event.Run, now time.Time) Queue {
	q, rest := split(runs, now)
	list := Queue{Questions: make([]Question, 0, len(q))}
	for _, r := range q {
		list.Questions = append(list.Questions, question(r))
	}
	if len(rest) > 0 {
		list.Rest = sum(rest)
	}
	return list
}

// split gives those that are asked one by one, and the rest.
func split(runs []event.Run, now time.Time) (shown, rest []event.Run) {
	for _, r := range runs {
		if a := r.Approval; r.State == event.RunAwaiting && a != nil && a.State == event.ApprovalOpen && now.Before(a.Expires) {
			shown = append(shown, r)
		}
	}
	slices.SortFunc(shown, func(a, b event.Run) int {
		return cmp.Or(respond.Graver(a, b), a.Approval.Requested.Compare(b.Approval.Requested), cmp.Compare(a.ID, b.ID))
	})
	n := min(len(shown), maxShown)
	return shown[:n:n], shown[n:]
}

func question(r event.Run) Question {
	a := r.Approval
	q := Question{
		Run: r.ID, Playbook: r.Playbook, Priority: respond.Priority(r), Risk: r.Incident.Risk, Target: r.Target, Reasons: a.Reasons,
		Need: a.Need, Digest: a.Digest, Requested: a.Requested, Expires: a.Expires, Plans: []string{},
	}
	q.Target.Labels = nil
	for _, s := range r.Steps {
		if s.Plan != nil && (len(a.Steps) == 0 || slices.Contains(a.Steps, s.Name)) {
			q.Plans = append(q.Plans, s.Plan.Summary)
		}
	}
	for _, v := range a.Votes {
		if v.Refused == "" && v.Approve {
			q.Yes++
		}
	}
	return q
}

func sum(runs []event.Run) *Rest {
	r := &Rest{
		Count: len(runs), Digest: digest(runs), Priorities: map[event.Severity]int{}, Playbooks: map[string]int{},
		Oldest: runs[0].Approval.Requested, Expires: runs[0].Approval.Expires,
	}
	spaces := map[string]int{}
	for _, run := range runs {
		r.Priorities[respond.Priority(run)]++
		r.Playbooks[run.Playbook]++
		spaces[run.Target.Namespace]++
		if run.Approval.Requested.Before(r.Oldest) {
			r.Oldest = run.Approval.Requested
		}
		if run.Approval.Expires.Before(r.Expires) {
			r.Expires = run.Approval.Expires
		}
	}
	r.Namespaces = few(spaces)
	return r
}

// few keeps the largest counts, and sums the others up.
func few(counts map[string]int) map[string]int {
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	kept := map[string]int{}
	for i, name := range names {
		if i < maxNames {
			kept[name] = counts[name]
		} else {
			kept[others] += counts[name]
		}
	}
	return kept
}

// digest names the questions of runs, in any order.
func digest(runs []event.Run) string {
	lines := make([]string, 0, len(runs))
	for _, r := range runs {
		lines = append(lines, r.ID+" "+r.Approval.Digest)
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, line := range lines {
		fmt.Fprintln(h, line)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Waiting reads the runs that wait for people. It reads no others.
func (d Desk) Waiting(ctx context.Context) ([]event.Run, error) {
	records, err := d.Log.Open(ctx, event.RunAwaiting)
	if err != nil {
		return nil, err
	}
	list := make([]event.Run, 0, len(records))
	for _, rec := range records {
		rec.Run.Spec = "" // a thousand of them are no reason to keep as many texts
		list = append(list, rec.Run)
	}
	return list, nil
}

// SaidRest is what became of an answer to the rest.
type SaidRest struct {
	User string `json:"user"`
	// Said is to how many runs it was said, Refused why it was not to others, by
	// the text of the refusal.
	Said    int            `json:"said"`
	Refused map[string]int `json:"refused,omitempty"`
}

// SayRest approves or denies each question of the rest, as the summary of this
// digest showed it. The person needs the right for each of them, and says to
// each what could be said to it alone: no more than that. When the rest is
// another by now it is a [Problem] of status 409, and nothing was said.
func (d Desk) SayRest(ctx context.Context, user kube.User, deed string, body Say) (SaidRest, error) {
	said := SaidRest{User: user.Name}
	if deed != Approve && deed != Deny {
		return said, Problem{http.StatusNotFound, "approve and deny are what can be said to the rest"}
	}
	if err := short("the reason", body.Reason); err != nil {
		return said, err
	}
	runs, err := d.Waiting(ctx)
	if err != nil {
		return said, err
	}
	if err := d.barred(ctx, user, "approve", "playbooks", "", ""); err != nil {
		return said, err
	}
	_, rest := split(runs, d.now())
	if len(rest) == 0 || digest(rest) != body.Digest {
		return said, Problem{http.StatusConflict, "the rest has changed since it was shown"}
	}
	for _, r := range rest {
		body.Digest = r.Approval.Digest
		_, err := d.say(ctx, user, r.ID, deed, body, d.granted)
		var p Problem
		switch {
		case err == nil:
			said.Said++
		case errors.As(err, &p):
			if said.Refused == nil {
				said.Refused = map[string]int{}
			}
			said.Refused[p.Text]++
		default:
			return said, err
		}
	}
	return said, nil
}

// queue answers what waits for people.
func (a *API) queue(c call) error {
	if err := a.allowed(c, "list", "runs", "", ""); err != nil {
		return err
	}
	runs, err := a.desk().Waiting(c.r.Context())
	if err != nil {
		return err
	}
	q := NewQueue(runs, a.now())
	if q.Ends, q.MoreEnds, err = a.desk().ends(c.r.Context()); err != nil {
		return err
	}
	answer(c.w, http.StatusOK, q)
	return nil
}

// sayRest takes an answer to all that are over what is asked one by one.
func (a *API) sayRest(c call) error {
	body, err := read(c)
	if err != nil {
		return err
	}
	said, err := a.desk().SayRest(c.r.Context(), c.user, c.r.PathValue("deed"), body)
	if err != nil {
		return err
	}
	answer(c.w, http.StatusAccepted, said)
	return nil
}
