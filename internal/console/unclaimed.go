package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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
	if run := v.locked(); run != "" {
		out.Lacks = lockedText(run)
		return out, nil
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
