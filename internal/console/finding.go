package console

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

type findingView struct {
	ID, Name, Title, Severity, Explanation, Subject, Actor, Entity, Trust string
	Model                                                                 bool
	Score, P                                                              string
	Count                                                                 uint64
	Features                                                              []featureView
	Counterfactual, Attack, Events                                        []string
	Time, Received                                                        stamp
}

type featureView struct{ Name, Text string }

// finding shows why a rule or a model said so. It needs the right to get
// findings in the namespace of its subject.
func (c *Console) finding(v *visit) error {
	f, n, err := c.House.Finding(v.r.Context(), v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := v.needs("get", "findings", f.Subject.Space()); err != nil {
		return err
	}
	out := findingView{
		ID: line(f.ID, 64), Name: line(f.Rule+f.Model, 63), Title: line(f.Title, 200), Severity: word(f.Severity), Explanation: line(f.Explanation, 2000),
		Subject: line(f.Subject.String(), 300), Actor: line(strings.Join(strings.Fields(f.Actor.User+" "+f.Actor.Address), " from "), 200),
		Entity: line(f.Entity, 300), Trust: f.Trust.String(), Model: f.Model != "", Score: fmt.Sprintf("%.3f", f.Score), P: fmt.Sprintf("%.2g", f.P), Count: n,
		Counterfactual: lines(f.Counterfactual, 63, 20), Attack: lines(f.Attack, 20, 20), Time: at(f.Time), Received: at(f.Received),
	}
	for i, x := range f.Features {
		if i < 20 {
			out.Features = append(out.Features, featureView{line(x.Name, 63), measured(x)})
		}
	}
	for i, a := range f.Events {
		if i < 20 {
			out.Events = append(out.Events, line(fmt.Sprint(a), maxName))
		}
	}
	return v.show(http.StatusOK, "finding", page{Title: "Finding " + short(f.ID), Here: "incidents", Page: out})
}

// measured is a feature in words.
func measured(f event.Feature) string {
	number := func(x *float64) string {
		if x == nil {
			return "unknown"
		}
		return fmt.Sprintf("%.4g", *x)
	}
	out := f.Name
	switch {
	case f.Text != "":
		out += " is " + f.Text
	case f.Value != nil:
		out += " is " + number(f.Value)
	default:
		out += " is missing"
	}
	if f.Direction != "" {
		out += ", " + f.Direction
	}
	switch {
	case f.Low != nil || f.High != nil:
		out += fmt.Sprintf(" (usual %s to %s)", number(f.Low), number(f.High))
	case f.Usual != "" && f.Peers:
		out += " (usual of its peers: " + f.Usual + ")"
	case f.Usual != "":
		out += " (usual " + f.Usual + ")"
	}
	return line(fmt.Sprintf("%s; counts %.2f", out, f.Contribution), maxLine)
}
