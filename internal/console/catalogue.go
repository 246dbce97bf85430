package console

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// catalogue are the incidents as lists show them, read at most once a second
// however many look. It may be used concurrently.
type catalogue struct {
	house House
	now   func() time.Time
	// newest is how far the streams are known to be: rows of before are not shown
	// to who was told of something since.
	newest func() position
	mu     sync.Mutex
	rows   []entry
	at     time.Time
	upto   position
}

// entry is an incident as a list shows it.
type entry struct {
	id, subject, verdict string
	state                event.IncidentState
	priority             event.Severity
	risk, confidence     int
	count                int
	rules                []string
	runs                 []event.IncidentRun
	refs                 []event.Ref
	namespaces           []string
	// part says that the person sees only a part of it.
	part             bool
	created, updated time.Time
}

func newCatalogue(h House, now func() time.Time, newest func() position) *catalogue {
	return &catalogue{house: h, now: now, newest: newest}
}

// all are the incidents, those first at which people should look first. Nobody
// changes what it gives.
func (c *catalogue) all(ctx context.Context) ([]entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	upto := c.newest()
	if c.rows != nil && c.upto == upto && c.now().Sub(c.at) < time.Second {
		return c.rows, nil
	}
	at, index, rows := c.now(), map[string]int{}, []entry{}
	for in, err := range c.house.Incidents(ctx) {
		if err != nil {
			return nil, err
		}
		e := entry{
			id: in.ID, subject: cmp.Or(in.Unreadable, in.Subject.String()), verdict: in.Verdict, state: in.State, priority: in.Priority, risk: in.Risk,
			confidence: in.Confidence, count: in.Count, rules: in.Rules, runs: in.Runs, refs: named(in), namespaces: places(in), created: in.Created, updated: in.Updated,
		}
		if i, ok := index[in.ID]; ok { // it was written to meanwhile
			rows[i] = e
			continue
		}
		index[in.ID] = len(rows)
		rows = append(rows, e)
	}
	slices.SortFunc(rows, func(a, b entry) int {
		over := func(e entry) int {
			if e.state.Over() {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(over(a), over(b)), cmp.Compare(b.priority.Rank(), a.priority.Rank()), b.updated.Compare(a.updated), cmp.Compare(a.id, b.id))
	})
	c.rows, c.at, c.upto = rows, at, upto
	return rows, nil
}

// filter is which incidents a list is of. What is empty filters nothing.
type filter struct {
	state, priority, namespace, text string
}

func (f filter) takes(e entry) bool {
	switch {
	case f.state == "" && e.state.Over(), f.state != "" && f.state != "all" && string(e.state) != f.state:
		return false
	case f.priority != "" && string(e.priority) != f.priority:
		return false
	case f.namespace != "" && !slices.Contains(e.namespaces, f.namespace):
		return false
	case f.text == "":
		return true
	}
	for _, s := range append([]string{e.id, e.subject}, e.rules...) {
		if strings.Contains(strings.ToLower(s), strings.ToLower(f.text)) {
			return true
		}
	}
	return false
}

// named are the objects of an incident without their labels: a list needs none.
func named(in event.Incident) []event.Ref {
	refs := subjects(in)
	for i := range refs {
		refs[i].Labels = nil
	}
	return refs
}
