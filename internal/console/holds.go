package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Unclaimed is a hold that the cluster shows and no run is known of. All of it is
// what the object says, which somebody may have made up.
type Unclaimed struct {
	Run, Step, Action string
	Object            event.Ref
	// Until is when it ends by itself; zero is never.
	Until time.Time
	// Broken says why it can't be freed by its run's id; empty is that it can.
	Broken string
	// Says is what its end gives back, Commands how to do that by hand.
	Says, Commands []string
}

type holdsView struct {
	Said *saidView
	Runs []heldView
	Lost []lostView
	// Hidden says that there are others that the person may not see.
	Hidden bool
	// More is how many holds without a record are too many to be shown.
	More      int
	Namespace string
	// First is the address of the first page, if this is another; Next and NextLost
	// of further runs, and of further ones whose record is lost.
	First, Next, NextLost string
}

// heldView is a run with what it holds.
type heldView struct {
	*endView
	Short, State, Playbook, Target, Because string
	Holds                                   []holdView
}

type holdView struct {
	Step, Action, Object, Ends string
	Since                      stamp
	// Says is what the end of the hold gives back, as its object says.
	Says []string
}

// lostView is what the cluster shows of a run that is not known.
type lostView struct {
	Run, Short string
	// Key names it in the page, whatever the run is called.
	Key   string
	Holds []holdView
	// Hidden says that it holds more than the person may see.
	Hidden bool
	// Broken says why it is freed by hand alone, by the Commands; Lacks why this
	// person can't free it.
	Broken, Lacks string
	Commands      []string
}

// holds lists what is held: by runs, and by what is no run any more.
func (c *Console) holds(v *visit) error {
	q := v.r.URL.Query()
	out := holdsView{Namespace: line(strings.TrimSpace(q.Get("namespace")), 63)}
	if q.Get("after") != "" || q.Get("lost") != "" {
		out.First = holdsLink(out.Namespace, "", "")
	}
	var err error
	if out.Said, err = v.freed(q.Get("freed")); err != nil {
		return err
	}
	if err := v.held(&out, q.Get("after")); err != nil {
		return err
	}
	if err := v.unclaimed(&out, q.Get("lost")); err != nil {
		return err
	}
	return v.show(http.StatusOK, "holds", page{Title: "Holds", Here: "holds", Live: "all", Page: out})
}

// holdsLink is the page from another place on.
func holdsLink(namespace, after, lost string) string {
	to := url.Values{}
	for name, value := range map[string]string{"namespace": namespace, "after": after, "lost": lost} {
		if value != "" {
			to.Set(name, value)
		}
	}
	return strings.TrimSuffix(Root+"holds?"+to.Encode(), "?")
}

// held adds the runs that hold something, the newest move first.
func (v *visit) held(out *holdsView, after string) error {
	f := RunFilter{Since: v.console.Now(), Namespace: out.Namespace}
	for _, s := range event.RunStates() {
		if !s.Terminal() {
			f.States = append(f.States, s)
		}
	}
	next := after
	for range maxRounds {
		list, then, err := v.console.House.Runs(v.r.Context(), f, next, perPage)
		if err != nil {
			return err
		}
		for _, r := range list {
			if !slices.ContainsFunc(r.Steps, isHeld) {
				continue
			}
			if err := v.addHeld(out, r); err != nil {
				return err
			}
		}
		if next = then; next == "" || len(out.Runs) >= perPage {
			break
		}
	}
	if next != "" {
		out.Next = holdsLink(out.Namespace, next, "")
	}
	return nil
}

// isHeld says whether a step holds something, or is about to give it back.
func isHeld(s event.Step) bool {
	return s.Until != nil && (s.State == event.StepDone || s.State == event.StepReverting)
}

func (v *visit) addHeld(out *holdsView, r event.Run) error {
	ok, err := v.sight.in(v.r.Context(), "get", "runs", []string{r.Target.Space()})
	if err != nil {
		return err
	}
	if !ok {
		out.Hidden = true
		return nil
	}
	end, err := v.ending(r)
	if err != nil {
		return err
	}
	one := heldView{
		endView: end, Short: short(r.ID), State: word(r.State), Playbook: line(r.Playbook, 63), Target: line(r.Target.String(), 300),
		Because: line(cmp.Or(r.Finding.Title, r.Finding.Rule+r.Finding.Model), 200),
	}
	for i, s := range r.Steps {
		if !isHeld(s) {
			continue
		}
		h := holdView{Step: line(s.Name, 100), Action: line(s.Action, 63), Object: line(r.StepTarget(i).String(), 300), Ends: cmp.Or(holding(s), "it is being given back")}
		if s.Receipt != nil {
			h.Since = at(s.Receipt.Time)
		}
		one.Holds = append(one.Holds, h)
	}
	out.Runs = append(out.Runs, one)
	return nil
}

// unclaimed adds the runs whose record is lost, by their ids, from one on.
func (v *visit) unclaimed(out *holdsView, after string) error {
	all, more, err := v.console.House.Unclaimed(v.r.Context())
	if err != nil {
		return err
	}
	out.More = more
	last := ""
	slices.SortStableFunc(all, func(a, b Unclaimed) int { return cmp.Compare(a.Run, b.Run) })
	for len(all) > 0 {
		run := all[0].Run
		n := slices.IndexFunc(all, func(u Unclaimed) bool { return u.Run != run })
		if n < 0 {
			n = len(all)
		}
		group := all[:n]
		all = all[n:]
		if run <= after || out.Namespace != "" && !slices.ContainsFunc(group, func(u Unclaimed) bool { return u.Object.Space() == out.Namespace }) {
			continue
		}
		one, err := v.lost(group, more > 0)
		if err != nil {
			return err
		}
		if len(one.Holds) == 0 {
			out.Hidden = true
			continue
		}
		if len(out.Lost) == perPage {
			out.NextLost = holdsLink(out.Namespace, "", last)
			return nil
		}
		out.Lost, last = append(out.Lost, one), run
	}
	return nil
}

// lost is one of them, as the person may see it. Where more is held than is known,
// it may be this one's, anywhere.
func (v *visit) lost(group []Unclaimed, more bool) (lostView, error) {
	run := group[0].Run
	out := lostView{Run: line(run, 64), Short: short(run), Key: event.HashID("lost", run)[:16]}
	spaces := map[string]bool{"": more}
	for _, u := range group {
		space := u.Object.Space()
		spaces[space] = true
		ok, err := v.sight.in(v.r.Context(), "get", "runs", []string{space})
		if err != nil {
			return out, err
		}
		if !ok {
			out.Hidden = true
			continue
		}
		out.Holds = append(out.Holds, newLostHold(u))
		if u.Broken != "" {
			out.Broken = line(u.Broken, maxLine)
			out.Commands = append(out.Commands, lines(u.Commands, 1000, 20)...)
		}
	}
	if out.Hidden {
		out.Lacks = "You can't put it back: it holds more, in namespaces that you may not see."
		return out, nil
	}
	for space, is := range spaces {
		if !is {
			continue
		}
		ok, err := v.console.rights.may(v.r.Context(), v.user, "undo", "playbooks", "", space)
		if err != nil {
			return out, err
		}
		if !ok {
			where := "the whole cluster"
			if space != "" {
				where = "namespace " + line(space, 63)
			}
			out.Lacks = fmt.Sprintf("You may not put it back, says the cluster (undo playbooks.%s in %s).", Group, where)
		}
	}
	return out, nil
}

func newLostHold(u Unclaimed) holdView {
	h := holdView{
		Step: line(u.Step, 100), Action: line(u.Action, 63), Object: line(u.Object.String(), 300), Ends: "never by itself", Says: lines(u.Says, maxLine, 20),
	}
	if !u.Until.IsZero() {
		h.Ends = at(u.Until).Text
	}
	return h
}

// free has what a lost run holds put back.
func (c *Console) free(v *visit) error {
	run := v.r.PathValue("run")
	all, _, err := c.House.Unclaimed(v.r.Context())
	if err != nil {
		return err
	}
	for _, u := range all {
		if u.Run != run {
			continue
		}
		if err := v.needs("get", "runs", u.Object.Space()); err != nil {
			return err
		}
	}
	if err := c.House.Free(v.r.Context(), v.user, run, v.said("reason")); err != nil {
		return err
	}
	return v.go303(Root + "holds?" + url.Values{"freed": {run}}.Encode() + "#said")
}

// freed says what became of a run that the person has had freed, if the address says
// so: its new record shows it. It waits a moment for that, and no longer.
func (v *visit) freed(run string) (*saidView, error) {
	if run == "" {
		return nil, nil
	}
	r, err := v.recorded(run)
	var p Problem
	switch {
	case errors.As(err, &p) && p.Status == http.StatusNotFound:
		return &saidView{Text: "Your word is stored. No responder has taken it in yet."}, nil
	case err != nil:
		return nil, err
	}
	ok, err := v.sight.in(v.r.Context(), "get", "runs", []string{r.Target.Space()})
	if err != nil || !ok {
		return nil, err
	}
	return &saidView{Text: "What it holds is put back, on a record of its own.", Good: true, Run: idView{line(r.ID, 64), short(r.ID)}}, nil
}
