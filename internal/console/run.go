package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

type runView struct {
	ID, State, Reason, Playbook, Version, Mode string
	Target, TargetUID, Starter                 string
	Finding                                    findingLink
	Incident                                   idView
	Risk, Confidence                           int
	Created, Updated                           stamp
	Over                                       bool
	Steps                                      []stepView
	Question                                   *questionView
	Asked                                      *askedView
	Would                                      []askedView
	Brake                                      *endView
	Journal                                    []momentView
	Forgotten                                  int
	Told                                       []string
	Picture                                    *picture
	Said                                       *saidView
}

type findingLink struct{ ID, Name, Title, Severity, Explanation, Actor, Trust string }

type stepView struct {
	Name, Action, State, Target, Error, Hold string
	Tried                                    string
	Plan                                     *planView
	Verdicts                                 []verdictView
	Did, Undone                              *receiptView
}

type planView struct {
	Summary, Digest string
	Reversible      bool
	Writes          []writeView
	Lost, Notes     []string
}

type writeView struct {
	Verb, Object, Condition, Body string
	Diff                          []diffLine
}

type verdictView struct {
	Guard, Decision, Reason string
	Need                    int
}

type receiptView struct {
	Result string
	At     stamp
	Notes  []string
	Output []featureView
}

func (v *visit) shownRun(id string) (event.Run, error) {
	r, err := v.console.House.Run(v.r.Context(), id)
	if err == nil {
		err = v.needs("get", "runs", r.Target.Space())
	}
	return r, err
}

// run shows a run in full: all that is decided on, and all that was done.
func (c *Console) run(v *visit) error {
	r, said, err := v.settled(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := v.needs("get", "runs", r.Target.Space()); err != nil {
		return err
	}
	out := c.newRunView(r)
	out.Said = said
	if out.Question, err = v.question(r); err != nil {
		return err
	}
	if out.Brake, err = v.ending(r); err != nil {
		return err
	}
	if err := v.journal(r, &out); err != nil {
		return err
	}
	if r.Target.IsPod() && !r.State.Terminal() {
		out.Picture = c.pictures.of(v.r.Context(), r, c.Logger)
	}
	return v.show(http.StatusOK, "run", page{Title: "Run " + short(r.ID), Here: "runs", Live: r.ID, Page: out})
}

func (c *Console) newRunView(r event.Run) runView {
	f := r.Finding
	out := runView{
		ID: line(r.ID, 64), State: word(r.State), Reason: line(r.Reason, maxLine), Playbook: line(r.Playbook, 63), Version: short(r.Version), Mode: word(r.Mode),
		Target: line(r.Target.String(), 300), TargetUID: line(r.Target.UID, 64), Starter: line(r.Starter, maxName),
		Finding: findingLink{
			line(f.ID, 64), line(f.Rule+f.Model, 63), line(f.Title, 200), word(f.Severity), line(f.Explanation, 1000),
			line(strings.Join(strings.Fields(f.Actor.User+" "+f.Actor.Address), " from "), 200), f.Trust.String(),
		},
		Incident: idView{line(r.Incident.ID, 64), short(r.Incident.ID)}, Risk: r.Incident.Risk, Confidence: r.Incident.Confidence,
		Created: at(r.Created), Updated: at(r.Updated), Over: r.State.Terminal(),
	}
	for _, s := range r.Steps {
		out.Steps = append(out.Steps, c.newStepView(s))
	}
	if r.Approval != nil {
		a := c.newAskedView(*r.Approval)
		out.Asked = &a
	}
	for _, a := range r.Would {
		out.Would = append(out.Would, c.newAskedView(a))
	}
	return out
}

func (c *Console) newStepView(s event.Step) stepView {
	out := stepView{Name: line(s.Name, 100), Action: line(s.Action, 63), State: word(s.State), Error: line(s.Error, maxLine), Hold: holding(s)}
	if s.Target != nil {
		out.Target = line(s.Target.String(), 300)
	}
	if s.Attempts > 1 {
		out.Tried = fmt.Sprintf("%d times, of that %d met a target that had changed", s.Attempts, s.Conflicts)
	}
	if s.Plan != nil {
		out.Plan = c.newPlanView(s)
	}
	for _, x := range s.Verdicts {
		out.Verdicts = append(out.Verdicts, verdictView{word(x.Guard), word(x.Decision), line(x.Reason, maxLine), x.Need})
	}
	// Those that stand against the plan come first.
	slices.SortStableFunc(out.Verdicts, func(a, b verdictView) int {
		passes := func(v verdictView) int {
			if v.Decision == string(event.Pass) {
				return 1
			}
			return 0
		}
		return passes(a) - passes(b)
	})
	out.Did, out.Undone = newReceiptView(s.Receipt), newReceiptView(s.Undo)
	return out
}

func (c *Console) newPlanView(s event.Step) *planView {
	p := s.Plan
	out := &planView{
		Summary: line(p.Summary, maxLine), Digest: short(s.Digest), Reversible: p.Reversible, Lost: lines(c.House.Lost(p.Loss), maxLine, 40), Notes: lines(p.Notes, maxLine, 40),
	}
	for i, w := range p.Writes {
		if i == maxWrites {
			out.Notes = append(out.Notes, fmt.Sprintf("%d writes more are not shown: firebreak runs -o json has them", len(p.Writes)-maxWrites))
			break
		}
		out.Writes = append(out.Writes, newWriteView(w))
	}
	return out
}

// maxWrites bounds how many writes of a plan are shown.
const maxWrites = 100

func newWriteView(w event.Write) writeView {
	object := strings.Trim(strings.Join([]string{w.Resource, w.Namespace, w.Name, w.Subresource}, "/"), "/")
	if w.Group != "" {
		object = w.Group + "/" + object
	}
	out := writeView{Verb: word(w.Verb), Object: line(strings.ReplaceAll(object, "//", "/"), 400), Body: block(w.Body), Diff: diff(w)}
	if w.UID != "" {
		out.Condition = "only while its UID is " + line(w.UID, 64)
		if w.ResourceVersion != "" {
			out.Condition += " and nobody has changed it since the plan"
		}
	}
	return out
}

func newReceiptView(r *event.Receipt) *receiptView {
	if r == nil {
		return nil
	}
	out := &receiptView{Result: word(r.Result), At: at(r.Time), Notes: lines(r.Notes, maxLine, 40)}
	var keys []string
	for k := range r.Output {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		if i < 40 {
			out.Output = append(out.Output, featureView{line(k, 63), line(r.Output[k], maxLine)})
		}
	}
	return out
}

// holding says until when a step's effect stands.
func holding(s event.Step) string {
	switch {
	case s.Differs != "":
		return "somebody changed it: " + line(s.Differs, maxLine) + ". It stays so until somebody says keep, extend or undo."
	case s.State != event.StepDone || s.Until == nil:
		return ""
	case s.Kept:
		return "until somebody undoes it"
	case s.EndAsked:
		return "its time is up: until somebody undoes or extends it"
	}
	return "until " + at(*s.Until).Text + ", then " + word(s.AtEnd)
}

// journal adds what happened to a run, and how its messages fared.
func (v *visit) journal(r event.Run, out *runView) error {
	ctx, house := v.r.Context(), v.console.House
	before := event.Run{}
	for rec, err := range house.History(ctx, r.ID) {
		if err != nil {
			return err
		}
		for _, text := range house.Moves(before, rec) {
			out.Journal = append(out.Journal, momentView{At: at(rec.Updated), What: fmt.Sprintf("#%d", rec.Record), Text: line(text, maxLine)})
		}
		before = rec
	}
	if over := len(out.Journal) - maxMoments; over > 0 {
		out.Journal, out.Forgotten = out.Journal[over:], over
	}
	told, err := house.Deliveries(ctx, r.Incident.ID)
	if err != nil {
		return err
	}
	for _, d := range told {
		if d.Run == r.ID {
			out.Told = append(out.Told, line(house.Told(d), maxLine))
		}
	}
	return nil
}

// receipt is the record of a run to the byte, by which anybody can check it.
func (c *Console) receipt(v *visit) error {
	r, err := v.shownRun(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	text, err := c.House.Receipt(v.r.Context(), r.ID)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/x-ndjson")
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+short(r.ID)+`.ndjson"`)
	_, _ = v.w.Write(text) // the client is gone; there is nobody to tell
	return nil
}
