package incident

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// seen is a finding about a pod of a workload, by somebody from somewhere.
func seen(id, pod, workload, user, address string) event.Finding {
	f := event.Finding{
		ID: id, Rule: "rule-" + id, Severity: event.SeverityMedium, Source: event.SourceAudit, Trust: event.TrustAudit, Received: start, Time: start,
		Actor: event.Actor{User: user, Address: address},
	}
	if pod != "" {
		f.Subject = event.PodRef("shop", pod)
		f.Subject.UID = "uid-" + pod
	}
	f.Subject.Workload.UID = workload
	return f
}

func TestGroupJoinsByTheStrongestKey(t *testing.T) {
	var open []event.Incident
	for _, f := range []event.Finding{
		seen("pod", "web-1", "", "", ""), seen("workload", "", "w1", "", ""), seen("actor", "", "", "mallory", ""),
		seen("address", "", "", "", "10.0.0.1"),
	} {
		in, changed := Group(nil, f)
		if in.ID != f.ID || !changed || in.Count != 1 {
			t.Fatalf("a first finding gave %+v", in)
		}
		open = append(open, in)
	}
	onNode := event.Finding{ID: "node", Subject: event.NodeRef("n1"), Received: start}
	in, _ := Group(nil, onNode)
	open = append(open, in)
	tests := map[string]struct {
		f    event.Finding
		want string
	}{
		"pod before all":             {seen("x", "web-1", "w1", "mallory", "10.0.0.1"), "pod"},
		"then the workload":          {seen("x", "web-2", "w1", "mallory", "10.0.0.1"), "workload"},
		"then the actor":             {seen("x", "web-2", "w2", "mallory", "10.0.0.1"), "actor"},
		"then the address":           {seen("x", "web-2", "w2", "eve", "10.0.0.1"), "address"},
		"then the node":              {event.Finding{ID: "x", Subject: event.NodeRef("n1"), Received: start}, "node"},
		"or none":                    {seen("x", "web-2", "w2", "eve", "10.0.0.2"), "x"},
		"nothing shared at all":      {event.Finding{ID: "x", Received: start}, "x"},
		"a pod of another namespace": {event.Finding{ID: "x", Subject: event.Ref{Resource: "pods", Namespace: "dev", Name: "web-1", UID: "uid-web-1"}, Received: start}, "x"},
		"a pod of the name made anew": {event.Finding{
			ID: "x", Subject: event.Ref{Resource: "pods", Namespace: "shop", Name: "web-1", UID: "other"}, Received: start,
		}, "x"},
		"an actor only by audit": {func() event.Finding {
			f := seen("x", "", "", "mallory", "")
			f.Source = event.SourceFalco
			return f
		}(), "x"},
		"the window's end":     {later(seen("x", "web-1", "", "", ""), Window), "pod"},
		"after the window":     {later(seen("x", "web-1", "", "", ""), Window+1), "x"},
		"one that comes late":  {later(seen("x", "web-1", "", "", ""), -5*Window), "pod"},
		"the same one again":   {later(seen("pod", "web-1", "", "", ""), 9*Window), "pod"},
		"the same, else where": {seen("pod", "", "w1", "", ""), "pod"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before := fmt.Sprintf("%+v", open)
			in, changed := Group(open, tt.f)
			if in.ID != tt.want {
				t.Errorf("is in %s, want %s", in.ID, tt.want)
			}
			if again := tt.f.ID == "pod"; changed == again {
				t.Errorf("changed is %v", changed)
			}
			if fmt.Sprintf("%+v", open) != before {
				t.Error("the open incidents were written to")
			}
		})
	}
	open[0].State = event.IncidentResolved
	if in, _ := Group(open, seen("x", "web-1", "", "", "")); in.ID != "x" {
		t.Errorf("a closed incident took %s in", in.ID)
	}
}

func later(f event.Finding, d time.Duration) event.Finding {
	f.Received = f.Received.Add(d)
	return f
}

func TestJoinKeepsTheWorst(t *testing.T) {
	in, _ := Group(nil, seen("a", "web", "", "", ""))
	worse := later(seen("b", "web", "w1", "", ""), time.Minute)
	worse.Severity = event.SeverityCritical
	in, _ = Group([]event.Incident{in}, worse)
	milder := seen("c", "web", "", "", "")
	milder.Severity = event.SeverityInfo
	in, _ = Group([]event.Incident{in}, milder)
	if in.Priority != event.SeverityCritical || in.Count != 3 || !in.Updated.Equal(start.Add(time.Minute)) || !in.Created.Equal(start) {
		t.Errorf("incident is %+v", in)
	}
	if want := []string{"rule-a", "rule-b", "rule-c"}; !slices.Equal(in.Rules, want) {
		t.Errorf("rules are %v", in.Rules)
	}
	if other, _ := Group([]event.Incident{in}, seen("d", "web-2", "w1", "", "")); other.ID != "a" {
		t.Errorf("what a later finding brought does not join: %s", other.ID)
	}
}

// TestIncidentIsBounded: no number of findings, and no text in them, makes an
// incident that can't be stored.
func TestIncidentIsBounded(t *testing.T) {
	in, _ := Group(nil, seen("first", "web", "", "", ""))
	for i := range 3 * maxFindings {
		f := seen(fmt.Sprint(i), "web", "", strings.Repeat("u", 1<<10)+fmt.Sprint(i), strings.Repeat("a", 1<<16)+fmt.Sprint(i))
		in, _ = Group([]event.Incident{in}, f)
	}
	if in.ID != "first" || in.Count != 3*maxFindings+1 || len(in.Findings) > maxFindings || len(in.Keys) > maxKeys || len(in.Rules) > maxKeys {
		t.Errorf("%d of %d findings, %d keys, %d rules", len(in.Findings), in.Count, len(in.Keys), len(in.Rules))
	}
	for _, k := range in.Keys {
		if len(k) > maxKey {
			t.Errorf("a key of %d bytes", len(k))
		}
	}
}

// TestGroupProperty: every finding lands in exactly one incident, the same
// one each time, however often it comes.
func TestGroupProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(t, label) }
		var findings []event.Finding
		for i := range rapid.IntRange(1, 40).Draw(t, "findings") {
			f := seen(fmt.Sprint(i), some("pod", "", "a", "b", "c"), some("workload", "", "w1", "w2"),
				some("user", "", "u1", "u2"), some("address", "", "1", "2"))
			findings = append(findings, later(f, time.Duration(rapid.IntRange(-30, 180).Draw(t, "minutes"))*time.Minute))
		}
		first, where := group(findings)
		again, _ := group(append(findings, findings...))
		if !reflect.DeepEqual(first, again) {
			t.Fatal("the same findings again changed something")
		}
		for _, f := range findings {
			n := 0
			for _, in := range first {
				if slices.Contains(in.Findings, f.ID) {
					n++
				}
			}
			if n != 1 || where[f.ID] == "" {
				t.Fatalf("finding %s is in %d incidents", f.ID, n)
			}
		}
	})
}

// group does what the worker does with findings that come one by one.
func group(findings []event.Finding) (open []event.Incident, where map[string]string) {
	where = map[string]string{}
	for _, f := range findings {
		in, changed := Group(open, f)
		where[f.ID] = in.ID
		if !changed {
			continue
		}
		if i := slices.IndexFunc(open, func(o event.Incident) bool { return o.ID == in.ID }); i >= 0 {
			open[i] = in
		} else {
			open = append(open, in)
		}
	}
	return open, where
}

// TestManyFindingsCountOnce: of an incident with more findings than it lists,
// those that are delivered again are known.
func TestManyFindingsCountOnce(t *testing.T) {
	var open []event.Incident
	const many = maxFindings + 700
	for round := range 2 {
		for i := range many {
			in, changed := Group(open, seen(event.HashID("f", fmt.Sprint(i)), "web-1", "", "", ""))
			if changed != (round == 0) {
				t.Fatalf("round %d: finding %d changed the incident: %v", round, i, changed)
			}
			open = []event.Incident{in}
		}
	}
	if in := open[0]; in.Count != many || len(in.Findings) != maxFindings || len(in.Later) != many-maxFindings || len(in.Brief().Later) != 0 {
		t.Errorf("%d counted, %d listed, %d known beside", in.Count, len(in.Findings), len(in.Later))
	}
}

// TestIncidentsLink: a finding that shares something with two incidents joins
// one of them, and says which other one there is.
func TestIncidentsLink(t *testing.T) {
	a, _ := Group(nil, seen("a", "web-1", "", "", ""))
	b, _ := Group([]event.Incident{a}, seen("b", "", "", "mallory", ""))
	both, _ := Group([]event.Incident{a, b}, seen("c", "web-1", "", "mallory", ""))
	if both.ID != "a" || !slices.Equal(both.Linked, []string{"b"}) || len(a.Linked)+len(b.Linked) > 0 {
		t.Errorf("it is in %s, which links %v", both.ID, both.Linked)
	}
	other, _ := Group([]event.Incident{both, b}, seen("d", "", "", "mallory", ""))
	if other.ID != "a" || other.Count != 3 {
		t.Errorf("the next is in %s: %+v", other.ID, other)
	}
}
