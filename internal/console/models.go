package console

import (
	"fmt"
	"net/http"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

type modelsView struct{ Models []modelView }

type modelView struct {
	Name, Version, State                           string
	Measured, Scores, Found, Held, Helped          uint64
	True, False                                    uint64
	Entities, Groups, Rows, Reservoir, Quarantined int
	Waiting                                        int
	Size, Rate, Budget, NeedP, Moved               string
	Last                                           stamp
	Features, Said                                 []string
}

// models shows how each model fares.
func (c *Console) models(v *visit) error {
	if err := v.needs("list", "models"); err != nil {
		return err
	}
	all, err := c.House.Models(v.r.Context())
	if err != nil {
		return err
	}
	var out modelsView
	for _, m := range all {
		out.Models = append(out.Models, newModelView(m))
	}
	return v.show(http.StatusOK, "models", page{Title: "Models", Here: "models", Page: out})
}

func newModelView(m event.ModelState) modelView {
	b := m.Budget
	out := modelView{
		Name: line(m.Name, 63), Version: short(m.Version), Measured: m.Measured, Scores: b.Scores, Found: b.Found, Held: b.Held, Helped: b.Helped,
		True: b.True, False: b.False, Entities: m.Entities, Groups: m.Groups, Rows: m.Rows, Reservoir: m.Reservoir, Quarantined: m.Quarantined, Waiting: m.Waiting,
		Size: fmt.Sprintf("%.1f MiB", float64(m.Bytes)/(1<<20)), Rate: fmt.Sprintf("%.1f", b.Rate), NeedP: fmt.Sprintf("%.2g", m.NeedP),
		Moved: fmt.Sprintf("%.3f", m.Moved), Last: at(m.Last), Said: lines(m.Said, maxLine, 10), State: "ready",
	}
	switch {
	case m.Anew != nil && m.Anew.Unpinned:
		out.State = "was pinned and learns again: what it was pinned to can't be read. Pin or unpin it"
	case m.Pinned:
		out.State = "pinned: it learns no more"
	case !m.Ready:
		out.State = fmt.Sprintf("learning: %d measurements and %s to go", m.Missing, span(m.MissingTime.Round(time.Second)))
	}
	switch {
	case b.PerDay > 0:
		out.Budget = fmt.Sprintf("%g a day", b.PerDay)
	case b.P > 0:
		out.Budget = fmt.Sprintf("p below %g", b.P)
	case b.Contamination > 0:
		out.Budget = fmt.Sprintf("%g %% of what it sees", 100*b.Contamination)
	default:
		out.Budget = "its threshold alone"
	}
	for i, f := range m.Features {
		if i < 8 {
			out.Features = append(out.Features, fmt.Sprintf("%s (%.0f %%)", line(f.Name, 63), 100*f.Share))
		}
	}
	return out
}
