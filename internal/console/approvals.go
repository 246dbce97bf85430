package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// maxQuestions is how many questions are shown; the command line sums the
// others up.
const maxQuestions = 100

type approvalsView struct {
	Questions []askingView
	More      int
	Hidden    bool
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
	for _, r := range runs {
		ok, err := v.sight.in(v.r.Context(), "get", "runs", []string{r.Target.Space()})
		switch {
		case err != nil:
			return err
		case !ok:
			out.Hidden = true
			continue
		case len(out.Questions) == maxQuestions:
			out.More++
			continue
		}
		one, err := v.asking(r)
		if err != nil {
			return err
		}
		out.Questions = append(out.Questions, one)
	}
	return v.show(http.StatusOK, "approvals", page{Title: fmt.Sprintf("Waiting for approval (%d)", len(out.Questions)+out.More), Here: "approvals", Live: "all", Page: out})
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
		Finding: line(strings.TrimSpace(r.Finding.Rule+r.Finding.Model+" "+r.Finding.Title), 200), Risk: r.Incident.Risk,
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
