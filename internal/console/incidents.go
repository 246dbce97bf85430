package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// perPage is how many incidents a page lists.
const perPage = 50

type incidentsView struct {
	Rows []rowView
	// Of is how many match, Hidden that there are others that the person may not see.
	From, To, Of  int
	Hidden        bool
	Before, After string
	Filter        filterView
}

type filterView struct {
	States, Priorities []choice
	Namespace, Text    string
}

type choice struct {
	Value, Text string
	On          bool
}

type rowView struct {
	ID, Short, Subject, State, Priority, Verdict string
	Risk, Confidence, Count                      int
	Rules                                        []string
	Runs                                         []runLink
	Updated                                      stamp
	// Part says that there is more of it than the person may see.
	Part bool
}

type runLink struct{ ID, Short, Playbook, State, Target string }

func runLinks(list []event.IncidentRun) []runLink {
	var out []runLink
	for _, r := range list {
		out = append(out, runLink{line(r.ID, 64), short(r.ID), line(r.Playbook, 63), word(r.State), line(r.Target, maxName)})
	}
	return out
}

// incidents lists those that the person may see, the gravest first.
func (c *Console) incidents(v *visit) error {
	q := v.r.URL.Query()
	f := filter{state: q.Get("state"), priority: q.Get("priority"), namespace: strings.TrimSpace(q.Get("namespace")), text: strings.TrimSpace(q.Get("text"))}
	all, err := c.list.all(v.r.Context())
	if err != nil {
		return err
	}
	var seen []entry
	out := incidentsView{}
	for _, whole := range all {
		e, ok, err := v.sight.partOf(v.r.Context(), whole)
		switch {
		case err != nil:
			return err
		case !ok: // whether it would be in the list is not said either
			out.Hidden = true
		case f.takes(e):
			seen = append(seen, e)
		}
	}
	n, _ := strconv.Atoi(q.Get("page")) // what is no number is the first page
	n = min(max(n, 1), max((len(seen)+perPage-1)/perPage, 1))
	first, last := (n-1)*perPage, min(n*perPage, len(seen))
	for _, e := range seen[first:last] {
		out.Rows = append(out.Rows, row(e))
	}
	out.From, out.To, out.Of = min(first+1, len(seen)), last, len(seen)
	out.Filter = f.view()
	if n > 1 {
		out.Before = f.link(n - 1)
	}
	if last < len(seen) {
		out.After = f.link(n + 1)
	}
	return v.show(http.StatusOK, "incidents", page{Title: "Incidents", Here: "incidents", Live: "all", Page: out})
}

func row(e entry) rowView {
	return rowView{
		ID: line(e.id, 64), Short: short(e.id), Subject: line(e.subject, maxName), State: word(e.state), Priority: word(e.priority),
		Verdict: verdictWord(e.verdict), Risk: e.risk, Confidence: e.confidence, Count: e.count, Rules: lines(e.rules, 63, 4), Runs: runLinks(e.runs),
		Updated: at(e.updated), Part: e.part,
	}
}

// verdictWord is what people said of an incident.
func verdictWord(verdict string) string {
	return map[string]string{"true": "real", "false": "false alarm"}[verdict]
}

func (f filter) view() filterView {
	out := filterView{Namespace: line(f.namespace, 63), Text: line(f.text, maxName)}
	for _, s := range []choice{{"", "not over", false}, {"open", "open", false}, {"contained", "contained", false}, {"resolved", "resolved", false}, {"false_positive", "false positive", false}, {"all", "all", false}} {
		s.On = s.Value == f.state
		out.States = append(out.States, s)
	}
	out.Priorities = []choice{{"", "any", f.priority == ""}}
	for _, s := range event.Severities() {
		out.Priorities = append(out.Priorities, choice{string(s), word(s), f.priority == string(s)})
	}
	return out
}

func (f filter) link(n int) string {
	q := url.Values{"page": {fmt.Sprint(n)}}
	for name, value := range map[string]string{"state": f.state, "priority": f.priority, "namespace": f.namespace, "text": f.text} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return Root + "?" + q.Encode()
}
