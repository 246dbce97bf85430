package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// maxQuestions is how many questions are shown; the others are summed up.
const maxQuestions = 100

type approvalsView struct {
	Questions []askingView
	// Rest sums up those beyond the first hundred; nil is none.
	Rest   *restView
	Hidden bool
}

// askingView is a run that waits, with its plan in short.
type askingView struct {
	*questionView
	Short, Playbook, Target, Priority, Finding string
	Risk                                       int
	Plans, Lost                                []string
	// Mine is that this person has said yes already.
	Mine bool
}

// approvals lists what waits for people, the gravest first.
func (c *Console) approvals(v *visit) error {
	runs, err := c.House.Waiting(v.r.Context())
	if err != nil {
		return err
	}
	now := c.Now()
	runs = slices.DeleteFunc(runs, func(r event.Run) bool {
		return r.Approval == nil || r.Approval.State != event.ApprovalOpen || !now.Before(r.Approval.Expires)
	})
	slices.SortFunc(runs, func(a, b event.Run) int {
		return cmp.Or(cmp.Compare(priority(b).Rank(), priority(a).Rank()), cmp.Compare(b.Incident.Risk, a.Incident.Risk),
			a.Approval.Requested.Compare(b.Approval.Requested), cmp.Compare(a.ID, b.ID))
	})
	var out approvalsView
	var rest []event.Run
	for _, r := range runs {
		ok, err := v.sight.in(v.r.Context(), "get", "runs", []string{r.Target.Space()})
		switch {
		case err != nil:
			return err
		case !ok:
			out.Hidden = true
			continue
		case len(out.Questions) == maxQuestions:
			rest = append(rest, r)
			continue
		}
		one, err := v.asking(r)
		if err != nil {
			return err
		}
		out.Questions = append(out.Questions, one)
	}
	if len(rest) > 0 {
		out.Rest = c.newRestView(rest)
	}
	return v.show(http.StatusOK, "approvals", page{Title: fmt.Sprintf("Waiting for approval (%d)", len(out.Questions)+len(rest)), Here: "approvals", Live: "all", Page: out})
}

// priority is the incident's; a run without one has its finding's severity.
func priority(r event.Run) event.Severity {
	return cmp.Or(r.Incident.Priority, r.Finding.Severity)
}

func (v *visit) asking(r event.Run) (askingView, error) {
	q, err := v.question(r)
	if err != nil {
		return askingView{}, err
	}
	out := askingView{
		questionView: q, Short: short(r.ID), Playbook: line(r.Playbook, 63), Target: line(r.Target.String(), 300), Priority: word(priority(r)),
		Finding: line(strings.Trim(r.Finding.Rule+r.Finding.Model+": "+r.Finding.Title, ": "), 200), Risk: r.Incident.Risk,
	}
	for _, s := range r.Steps {
		if s.Plan != nil && (len(r.Approval.Steps) == 0 || slices.Contains(r.Approval.Steps, s.Name)) {
			out.Plans = append(out.Plans, line(s.Name, 100)+": "+line(s.Plan.Summary, maxLine))
			out.Lost = append(out.Lost, lines(v.console.House.Lost(s.Plan.Loss), maxLine, 20)...)
		}
	}
	for _, x := range r.Approval.Votes {
		out.Mine = out.Mine || x.User == v.user.Name && x.Refused == "" && x.Approve
	}
	return out, nil
}

// restView sums up questions: how many of which kind there are.
type restView struct {
	Count                             int
	Priorities, Playbooks, Namespaces []string
	// Oldest is since when the first of them waits, Ends when the first is over.
	Oldest stamp
	Ends   string
	Link   string
}

// maxKinds is how many kinds a summary names; the others are one.
const maxKinds = 20

func (c *Console) newRestView(runs []event.Run) *restView {
	priorities, books, spaces := map[string]int{}, map[string]int{}, map[string]int{}
	oldest, ends := runs[0].Approval.Requested, runs[0].Approval.Expires
	for _, r := range runs {
		priorities[word(priority(r))]++
		books[line(r.Playbook, 63)]++
		spaces[cmp.Or(line(r.Target.Space(), 63), "no namespace")]++
		if r.Approval.Requested.Before(oldest) {
			oldest = r.Approval.Requested
		}
		if r.Approval.Expires.Before(ends) {
			ends = r.Approval.Expires
		}
	}
	return &restView{
		Count: len(runs), Priorities: counted(priorities), Playbooks: counted(books), Namespaces: counted(spaces), Oldest: at(oldest), Ends: span(ends.Sub(c.Now())),
		Link: Root + "runs?" + url.Values{"state": {string(event.RunAwaiting)}, "since": {"all"}}.Encode(),
	}
}

// counted says how many there are of each, the most first.
func counted(kinds map[string]int) (out []string) {
	names := slices.SortedFunc(maps.Keys(kinds), func(a, b string) int { return cmp.Or(kinds[b]-kinds[a], cmp.Compare(a, b)) })
	others := 0
	for i, name := range names {
		if i >= maxKinds {
			others += kinds[name]
			continue
		}
		out = append(out, fmt.Sprintf("%d of %s", kinds[name], name))
	}
	if others > 0 {
		out = append(out, fmt.Sprintf("%d of others", others))
	}
	return out
}
