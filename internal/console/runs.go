package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// maxRounds is how often a page of runs looks for more that its person may see:
// what it found by then it shows, with a link to go on from there.
const maxRounds = 20

// RunFilter says which runs are asked for. What is zero asks for all.
type RunFilter struct {
	// Since leaves out those that ended before.
	Since               time.Time
	States              []event.RunState
	Playbook, Namespace string
}

type runsView struct {
	Rows []runRow
	// Hidden says that there are others that the person may not see.
	Hidden bool
	// First is the address of the first page, if this is another; Next of the next.
	First, Next string
	Filter      runFilterView
}

type runFilterView struct {
	States, Since       []choice
	Playbook, Namespace string
}

type runRow struct {
	ID, Short, State, Playbook, Target, Rule, Title, Starter string
	Incident                                                 idView
	Created, Updated                                         stamp
}

// sinces are how far back a list can go.
var sinces = []struct {
	choice
	ago time.Duration
}{
	{choice{"24h", "ended within a day", false}, 24 * time.Hour}, {choice{"", "ended within a week", false}, 7 * 24 * time.Hour},
	{choice{"30d", "ended within 30 days", false}, 30 * 24 * time.Hour}, {choice{"90d", "ended within 90 days", false}, 90 * 24 * time.Hour},
	{choice{"all", "whenever they ended", false}, 0},
}

// runs lists those that the person may see: first those that go on or ended
// lately, then the others, each the newest first.
func (c *Console) runs(v *visit) error {
	q := v.r.URL.Query()
	f, shown := c.runFilter(q)
	out := runsView{Filter: shown}
	next := q.Get("after")
	if next != "" {
		out.First = runsLink(q, "")
	}
	for range maxRounds {
		list, then, err := c.House.Runs(v.r.Context(), f, next, perPage-len(out.Rows))
		if err != nil {
			return err
		}
		for _, r := range list {
			ok, err := v.sight.in(v.r.Context(), "get", "runs", []string{r.Target.Space()})
			switch {
			case err != nil:
				return err
			case ok:
				out.Rows = append(out.Rows, newRunRow(r))
			default:
				out.Hidden = true
			}
		}
		if next = then; next == "" || len(out.Rows) >= perPage {
			break
		}
	}
	if next != "" {
		out.Next = runsLink(q, next)
	}
	return v.show(http.StatusOK, "runs", page{Title: "Runs", Here: "runs", Live: "all", Page: out})
}

func (c *Console) runFilter(q url.Values) (f RunFilter, shown runFilterView) {
	f.Playbook, f.Namespace = strings.TrimSpace(q.Get("playbook")), strings.TrimSpace(q.Get("namespace"))
	shown.Playbook, shown.Namespace = line(f.Playbook, 63), line(f.Namespace, 63)
	state := event.RunState(q.Get("state"))
	var going []event.RunState
	shown.States = []choice{{"", "any", state == ""}, {"going", "not over", state == "going"}}
	for _, s := range event.RunStates() {
		if !s.Terminal() {
			going = append(going, s)
		}
		shown.States = append(shown.States, choice{string(s), word(s), s == state})
	}
	switch {
	case state == "going":
		f.States = going
	case slices.Contains(event.RunStates(), state):
		f.States = []event.RunState{state}
	}
	for _, s := range sinces {
		if s.On = s.Value == q.Get("since"); s.On && s.ago > 0 {
			f.Since = c.Now().Add(-s.ago)
		}
		shown.Since = append(shown.Since, s.choice)
	}
	return f, shown
}

// runsLink is the same list from another place on.
func runsLink(q url.Values, after string) string {
	to := url.Values{}
	for _, name := range []string{"state", "playbook", "namespace", "since"} {
		if value := q.Get(name); value != "" {
			to.Set(name, value)
		}
	}
	if after != "" {
		to.Set("after", after)
	}
	return Root + "runs?" + to.Encode()
}

func newRunRow(r event.Run) runRow {
	return runRow{
		ID: line(r.ID, 64), Short: short(r.ID), State: word(r.State), Playbook: line(r.Playbook, 63), Target: line(r.Target.String(), maxName),
		Rule: line(r.Finding.Rule+r.Finding.Model, 63), Title: line(r.Finding.Title, maxName), Starter: line(r.Starter, maxName),
		Incident: idView{line(r.Incident.ID, 64), short(r.Incident.ID)}, Created: at(r.Created), Updated: at(r.Updated),
	}
}
