package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// shared is an incident of shop and bank, with a finding, a run and a moment in
// each, and texts that name bank.
func (r *rig) shared() event.Incident {
	in, theirs := sampleIncident(""), sampleRun("")
	theirs.ID, theirs.Target = strings.Repeat("c", 32), event.PodRef("bank", "ledger-0")
	r.house.runs[theirs.ID] = []event.Run{theirs}
	finding := sampleFinding("")
	finding.ID, finding.Subject, finding.Rule = strings.Repeat("f", 32), event.PodRef("bank", "ledger-0"), "bank-rule"
	r.house.findings[finding.ID] = finding
	in.ID, in.Subject = strings.Repeat("d", 32), event.PodRef("bank", "ledger-0")
	in.Subjects = []event.Ref{in.Subject, event.PodRef("shop", "web-7d4b9c5f6-x2x9p"), event.NodeRef("bank-node")}
	in.Findings, in.Rules, in.Count = []string{findingID, finding.ID, "gone"}, []string{"bank-rule", "container-escape"}, 9
	in.Why, in.Threats, in.Keys, in.Recommended = []string{"ledger-0 is of importance critical"}, []string{"bank-threat"}, []string{"bank-key"}, []string{"bank-book"}
	in.Runs = append(in.Runs, event.IncidentRun{ID: theirs.ID, Playbook: "bank-book", Target: "pods/bank/ledger-0", State: event.RunAwaiting})
	in.Timeline = append(in.Timeline,
		event.Moment{Time: began, What: event.MomentFinding, ID: finding.ID, Text: "bank-rule: ledger-0 did it"},
		event.Moment{Time: began, What: event.MomentRun, ID: theirs.ID, Text: "bank-book on ledger-0"},
		event.Moment{Time: began, What: event.MomentVerdict, By: "bank-person", Text: "we know ledger-0"})
	r.house.incidents[in.ID] = in
	r.house.told = append(r.house.told, event.Delivery{Receiver: "bank-pager", Run: theirs.ID, Incident: in.ID, Updated: began}, event.Delivery{Receiver: "bank-mail", Incident: in.ID, Updated: began})
	return in
}

// TestPart: of an incident that is about other namespaces too somebody sees what
// is of theirs, and how much more there is; nothing else of it shows, by no
// question and no search.
func TestPart(t *testing.T) {
	r := newRig(t)
	r.fill("")
	in := r.shared()
	sue, bob := r.as("sue"), r.as("bob")
	_, whole := bob.get(Root + "incidents/" + in.ID)
	for _, want := range []string{"ledger-0", "bank-rule", "bank-book", "bank-person", "bank-pager", "bank-node"} {
		if !strings.Contains(whole, want) {
			t.Errorf("bob sees no %s", want)
		}
	}
	status, part := sue.get(Root + "incidents/" + in.ID)
	if status != http.StatusOK {
		t.Fatalf("sue: %d %s", status, part)
	}
	for _, want := range []string{
		"web-7d4b9c5f6-x2x9p", "container-escape", "a process left its container", "run is awaiting_approval", "critical", ">87<", "page to pagerduty is retrying",
		"2 of its subjects, 8 of its findings, 1 of its runs and 4 of the moments",
	} {
		if !strings.Contains(part, want) {
			t.Errorf("sue sees no %q:\n%s", want, part)
		}
	}
	_, list := sue.get(Root)
	if !strings.Contains(list, "in part") || !strings.Contains(list, short(in.ID)) {
		t.Errorf("sue's list: %s", list)
	}
	for _, text := range []string{part, list} {
		for _, no := range []string{"ledger-0", "bank", strings.Repeat("c", 12), strings.Repeat("f", 12), `action="/console/incidents/`} {
			if strings.Contains(text, no) {
				t.Errorf("sue sees %q:\n%s", no, text)
			}
		}
	}
	for _, q := range []url.Values{{"text": {"ledger"}}, {"text": {"bank-rule"}}, {"namespace": {"bank"}}} {
		if _, text := sue.get(Root + "?" + q.Encode()); strings.Contains(text, short(in.ID)) {
			t.Errorf("sue finds it by %v", q)
		}
	}
	if _, text := sue.get(Root + "?namespace=shop"); !strings.Contains(text, short(in.ID)) {
		t.Error("sue does not find it by her namespace")
	}
}
