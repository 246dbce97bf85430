package console

import (
	"net/http"

	"github.com/firebreak-io/firebreak/internal/event"
)

type systemView struct {
	Brake     brakeView
	Budgets   []Budget
	Rates     []course
	Unread    uint64
	Since     stamp
	Playbooks []standingView
	// Seen says what of it the person may see.
	SeesBrake, SeesPlaybooks, SeesRates bool
}

type brakeView struct {
	Paused              bool
	By, Reason, Ceiling string
	Release             []string
	Need                int
	MayPause, MayResume bool
}

type standingView struct {
	Name, Version, Own, Mode                               string
	Runs, Observed, Approved, Denied, Undone, Right, Wrong int
	Since                                                  stamp
}

// system shows the brakes, the budgets, what comes in, and how playbooks fare.
func (c *Console) system(v *visit) error {
	ctx := v.r.Context()
	var out systemView
	for _, one := range []struct {
		into           *bool
		verb, resource string
	}{
		{&out.SeesBrake, "get", "pauses"}, {&out.Brake.MayPause, "create", "pauses"}, {&out.Brake.MayResume, "delete", "pauses"},
		{&out.SeesPlaybooks, "list", "playbooks"}, {&out.SeesRates, "list", "incidents"},
	} {
		ok, err := v.sight.may(ctx, one.verb, one.resource, "")
		if err != nil {
			return err
		}
		*one.into = ok
		if one.verb != "get" && one.verb != "list" && v.locked() != "" {
			*one.into = false
		}
	}
	if !out.SeesBrake && !out.SeesPlaybooks && !out.SeesRates && !out.Brake.MayPause && !out.Brake.MayResume {
		return v.needs("get", "pauses")
	}
	if err := c.brake(v, &out); err != nil {
		return err
	}
	if out.SeesPlaybooks {
		list, err := c.House.Playbooks(ctx)
		if err != nil {
			return err
		}
		for _, s := range list {
			out.Playbooks = append(out.Playbooks, standingView{
				line(s.Playbook, 63), short(s.Version), word(s.Own), word(s.Mode), s.Runs, s.Observed, s.Approved, s.Denied, s.Undone, s.Right, s.Wrong, at(s.Since),
			})
		}
	}
	if out.SeesRates {
		out.Rates, out.Unread = c.flows.rates()
		out.Since = at(c.flows.since())
	}
	return v.show(http.StatusOK, "system", page{Title: "System", Here: "system", Live: "all", Page: out})
}

// brake shows the brakes to who may see, pull or release them.
func (c *Console) brake(v *visit, out *systemView) error {
	if !out.SeesBrake && !out.Brake.MayPause && !out.Brake.MayResume {
		return nil
	}
	out.SeesBrake = true
	b, err := c.House.Brake(v.r.Context())
	if err != nil {
		return err
	}
	out.Brake.Paused, out.Brake.By, out.Brake.Reason = b.Paused, line(b.By, maxName), line(b.Reason, maxLine)
	out.Brake.Release, out.Brake.Need, out.Brake.Ceiling = lines(b.Release, maxName, 10), b.Need, word(b.Ceiling)
	if b.Ceiling == "" {
		out.Brake.Ceiling = word(event.ModeObserve)
	}
	out.Budgets, err = c.House.Budgets(v.r.Context())
	return err
}

func (c *Console) pause(v *visit) error {
	if err := c.House.Pause(v.r.Context(), v.user, v.said("reason")); err != nil {
		return err
	}
	return v.go303(Root + "system")
}

func (c *Console) resume(v *visit) error {
	if err := c.House.Resume(v.r.Context(), v.user); err != nil {
		return err
	}
	return v.go303(Root + "system")
}
