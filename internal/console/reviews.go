package console

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Review is what somebody else has to look at since somebody broke the glass.
type Review struct {
	ID, Run, Incident, Playbook, Title string
	Priority                           event.Severity
	Target                             event.Ref
	Steps                              []string
	// By broke it, Reason is why; Due is until when it has to be reviewed, Late
	// that nobody did and people were paged.
	By, From, Reason string
	Opened, Due      time.Time
	Late             bool
	// ClosedBy found Note; empty is nobody yet.
	Closed         time.Time
	ClosedBy, Note string
}

// Alarm says that somebody seems to approve without looking, or tried to decide while they were locked out.
type Alarm struct {
	User, Text string
	Time       time.Time
}

type reviewsView struct {
	Open, Closed []reviewView
	Alarms       []alarmView
	MayClose     bool
}

type reviewView struct {
	ID, Short, Playbook, Target, Title, Priority, By, From, Reason, ClosedBy, Note string
	Run, Incident                                                                  idView
	Steps                                                                          []string
	Opened, Due, Closed                                                            stamp
	// Left is how much time there is, Late that there is none.
	Left string
	Late bool
	// Own says that it is this person's own glass.
	Own bool
}

type alarmView struct {
	User, Text string
	At         stamp
}

// reviews lists who broke the glass, why, and what others found of it.
func (c *Console) reviews(v *visit) error {
	if err := v.needs("list", "reviews"); err != nil {
		return err
	}
	all, alarms, err := c.House.Reviews(v.r.Context())
	if err != nil {
		return err
	}
	var out reviewsView
	if out.MayClose, err = v.mayDecide("update", "reviews"); err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b Review) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID)) })
	for _, r := range all {
		one := c.newReviewView(r)
		if one.Own = r.By == v.user.Name; r.ClosedBy == "" {
			out.Open = append(out.Open, one)
		} else {
			out.Closed = append(out.Closed, one)
		}
	}
	slices.Reverse(out.Closed) // the newest first
	for _, a := range slices.Backward(alarms) {
		out.Alarms = append(out.Alarms, alarmView{line(a.User, maxName), line(a.Text, maxLine), at(a.Time)})
	}
	return v.show(http.StatusOK, "reviews", page{Title: "Reviews", Here: "reviews", Live: "all", Page: out})
}

func (c *Console) newReviewView(r Review) reviewView {
	out := reviewView{
		ID: line(r.ID, 64), Short: short(r.ID), Playbook: line(r.Playbook, 63), Target: line(r.Target.String(), 300), Title: line(r.Title, 200), Priority: word(r.Priority),
		By: line(r.By, maxName), From: line(r.From, maxName), Reason: line(r.Reason, maxLine), ClosedBy: line(r.ClosedBy, maxName), Note: line(r.Note, maxLine),
		Run: idView{line(r.Run, 64), short(r.Run)}, Incident: idView{line(r.Incident, 64), short(r.Incident)}, Steps: lines(r.Steps, 100, 20),
		Opened: at(r.Opened), Due: at(r.Due), Left: span(r.Due.Sub(c.Now())), Late: r.Late || !c.Now().Before(r.Due),
	}
	if r.ClosedBy != "" {
		out.Closed = at(r.Closed)
	}
	return out
}

// closeReview takes what somebody found when they reviewed a broken glass.
func (c *Console) closeReview(v *visit) error {
	if err := c.House.CloseReview(v.r.Context(), v.user, v.r.PathValue("id"), v.said("note")); err != nil {
		return err
	}
	return v.go303(Root + "reviews")
}
