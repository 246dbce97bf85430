package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

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
