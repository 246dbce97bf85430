package console

import (
	"net/http"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

type incidentView struct {
	ID, State, Priority, Verdict, VerdictBy  string
	Risk, Confidence, Count                  int
	Severity, Likelihood, Impact, Importance string
	Why, Subjects, Rules, Threats, Playbooks []string
	Evidence                                 []event.Evidence
	Findings                                 []idView
	Linked                                   []idView
	Runs                                     []runLink
	Created, Updated, Closed                 stamp
	Over                                     bool
	Timeline                                 []momentView
	Forgotten, Refuted                       int
	MayJudge, MayClose, MaySeeTo             bool
	// SeenTo is who sees to it.
	SeenTo string
	// Part is how much there is that the person may not see; nil is nothing.
	Part *partView
}

type idView struct{ ID, Short string }

func ids(list []string, most int) []idView {
	var out []idView
	for _, id := range list[:min(len(list), most)] {
		out = append(out, idView{line(id, 64), short(id)})
	}
	return out
}

type momentView struct {
	At   stamp
	What string
	// Run is the id of the run that it is of, Finding of the finding.
	Run, Finding idView
	Text         string
	at           time.Time
}

// maxMoments bounds a timeline; what is over is left out of its beginning, and
// said.
const maxMoments = 500

// shown reads an incident that the person may see the whole of.
func (v *visit) shown(id string) (event.Incident, error) {
	in, err := v.console.House.Incident(v.r.Context(), id)
	if err == nil {
		err = v.needs("list", "incidents", places(in)...)
	}
	return in, err
}

func (c *Console) incident(v *visit) error {
	in, err := c.House.Incident(v.r.Context(), v.r.PathValue("id"))
	if err != nil {
		return err
	}
	in, part, err := v.partly(in)
	if err != nil {
		return err
	}
	out := newIncidentView(in)
	out.Part = part
	if out.Timeline, err = v.timeline(in, part != nil); err != nil {
		return err
	}
	if over := len(out.Timeline) - maxMoments; over > 0 {
		out.Timeline, out.Forgotten = out.Timeline[over:], out.Forgotten+over
	}
	if out.MayJudge, err = v.mayDecide("create", "verdicts"); err != nil {
		return err
	}
	if out.MaySeeTo, err = v.mayDecide("acknowledge", "incidents"); err != nil {
		return err
	}
	if out.MayClose, err = v.mayDecide("update", "incidents"); err != nil {
		return err
	}
	return v.show(http.StatusOK, "incident", page{Title: "Incident " + short(in.ID), Here: "incidents", Live: in.ID, Page: out})
}

func newIncidentView(in event.Incident) incidentView {
	out := incidentView{
		ID: line(in.ID, 64), State: word(in.State), Priority: word(in.Priority), Verdict: verdictWord(in.Verdict), VerdictBy: line(in.VerdictBy, maxName), SeenTo: line(in.AcknowledgedBy, maxName),
		Risk: in.Risk, Confidence: in.Confidence, Count: in.Count, Severity: word(in.Severity), Likelihood: line(in.Likelihood, 20),
		Impact: line(in.Impact, 20), Importance: word(in.Importance), Why: lines(in.Why, maxLine, 40), Rules: lines(in.Rules, 63, 40),
		Threats: lines(in.Threats, 63, 20), Playbooks: lines(in.Recommended, 63, 20), Findings: ids(in.Findings, 20), Linked: ids(in.Linked, 20),
		Runs: runLinks(in.Runs), Created: at(in.Created), Updated: at(in.Updated), Over: in.State.Over(), Forgotten: in.Forgotten, Refuted: len(in.Refuted),
	}
	if !in.Closed.IsZero() {
		out.Closed = at(in.Closed)
	}
	var names []string
	for _, s := range subjects(in) {
		names = append(names, s.String())
	}
	out.Subjects = lines(names, 300, 20)
	for _, e := range in.Evidence {
		out.Evidence = append(out.Evidence, event.Evidence{From: line(e.From, 63), Confidence: e.Confidence})
	}
	return out
}

// timeline is all that happened in an incident, in its runs and with its
// messages to people, in order; of one that is seen in part the messages of the
// runs that are seen.
func (v *visit) timeline(in event.Incident, part bool) ([]momentView, error) {
	ctx, house := v.r.Context(), v.console.House
	var all []momentView
	add := func(t time.Time, m momentView) {
		m.at, m.At = t, at(t)
		all = append(all, m)
	}
	known := map[string]bool{}
	for _, link := range in.Runs {
		before, run := event.Run{}, idView{line(link.ID, 64), short(link.ID)}
		for r, err := range house.History(ctx, link.ID) {
			if err != nil {
				return nil, err
			}
			for _, text := range house.Moves(before, r) {
				add(r.Updated, momentView{What: "run", Run: run, Text: line(text, maxLine)})
			}
			before, known[link.ID] = r, true
		}
	}
	for _, m := range in.Timeline {
		if m.What == event.MomentRun && known[m.ID] {
			continue // its own records say more
		}
		one := momentView{What: line(m.What, 20), Text: line(m.Text, maxLine)}
		if m.By != "" {
			one.Text = line(m.By, maxName) + ": " + one.Text
		}
		if m.What == event.MomentFinding {
			one.Finding = idView{line(m.ID, 64), short(m.ID)}
		}
		add(m.Time, one)
	}
	told, err := house.Deliveries(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	for _, d := range told {
		if part && !known[d.Run] {
			continue
		}
		add(d.Updated, momentView{What: "message", Text: line(house.Told(d), maxLine)})
	}
	slices.SortStableFunc(all, func(a, b momentView) int { return a.at.Compare(b.at) })
	return all, nil
}

// judge takes whether an incident was real.
func (c *Console) judge(v *visit) error {
	in, err := v.shown(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	right := v.said("verdict")
	if right != "true" && right != "false" {
		return Problem{http.StatusBadRequest, "Say whether it was real or a false alarm."}
	}
	if err := c.House.Judge(v.r.Context(), v.user, in.ID, right == "true", v.said("reason")); err != nil {
		return err
	}
	return v.go303(Root + "incidents/" + in.ID)
}

// acknowledge takes that somebody sees to an incident.
func (c *Console) acknowledge(v *visit) error {
	in, err := v.shown(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := c.House.Acknowledge(v.r.Context(), v.user, in.ID, v.said("reason")); err != nil {
		return err
	}
	return v.go303(Root + "incidents/" + in.ID)
}

func (c *Console) closeIncident(v *visit) error {
	in, err := v.shown(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := c.House.Close(v.r.Context(), v.user, in.ID, v.said("reason")); err != nil {
		return err
	}
	return v.go303(Root + "incidents/" + in.ID)
}
