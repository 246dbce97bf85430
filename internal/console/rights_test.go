package console

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// elsewhere adds an incident and a run of namespace bank.
func (r *rig) elsewhere() (incident, run string) {
	in, other := sampleIncident(""), sampleRun("")
	in.ID, in.Subject, in.Runs = strings.Repeat("b", 32), event.PodRef("bank", "ledger-0"), nil
	other.ID, other.Target = strings.Repeat("c", 32), event.PodRef("bank", "ledger-0")
	r.house.incidents[in.ID], r.house.runs[other.ID] = in, []event.Run{other}
	return in.ID, other.ID
}

// TestRights: who may decide in one namespace sees and decides on what is of
// that namespace, who may see all decides on nothing, and eve sees nothing.
func TestRights(t *testing.T) {
	r := newRig(t)
	r.fill("")
	incident, run := r.elsewhere()
	wide := sampleIncident("")
	wide.ID, wide.Subjects = strings.Repeat("d", 32), []event.Ref{event.PodRef("shop", "a"), event.PodRef("bank", "b")}
	node := sampleIncident("")
	node.ID, node.Subject = strings.Repeat("e", 32), event.NodeRef("n1")
	r.house.incidents[wide.ID], r.house.incidents[node.ID] = wide, node
	sue, bob, eve := r.as("sue"), r.as("bob"), r.as("eve")
	for _, c := range []struct {
		who  *browser
		path string
		want int
	}{
		{sue, "incidents/" + incidentID, 200}, {sue, "incidents/" + incident, 403}, {sue, "incidents/" + wide.ID, 200}, {sue, "incidents/" + node.ID, 403},
		{sue, "runs/" + runID, 200}, {sue, "runs/" + run, 403}, {sue, "runs/" + run + "/receipt", 403}, {sue, "findings/" + findingID, 200},
		{sue, "reviews", 403}, {bob, "reviews", 403}, {sue, "runs", 200}, {eve, "runs", 200}, {sue, "models", 403}, {sue, "system", 403}, {sue, "me", 200},
		{bob, "incidents/" + node.ID, 200}, {bob, "runs/" + run, 200}, {bob, "models", 403},
		{eve, "", 200}, {eve, "incidents/" + incidentID, 403}, {eve, "runs/" + runID, 403}, {eve, "findings/" + findingID, 403}, {eve, "approvals", 200}, {eve, "system", 403},
	} {
		if status, text := c.who.get(Root + c.path); status != c.want {
			t.Errorf("%s: status %d, want %d: %.300s", c.path, status, c.want, text)
		}
	}
	if _, text := sue.get(Root); !strings.Contains(text, short(incidentID)) || strings.Contains(text, "ledger-0") || !strings.Contains(text, short(wide.ID)) || !strings.Contains(text, "others that you may not see") {
		t.Errorf("sue's list is %s", text)
	}
	if _, text := sue.get(Root + "approvals"); !strings.Contains(text, "<p>1 waits.") || strings.Contains(text, "ledger-0") {
		t.Errorf("sue's questions are %s", text)
	}
	if _, text := sue.get(Root + "runs"); !strings.Contains(text, short(runID)) || strings.Contains(text, "ledger-0") || !strings.Contains(text, "others that you may not see") {
		t.Errorf("sue's runs are %s", text)
	}
	for _, path := range []string{"", "runs", "approvals"} {
		if _, text := eve.get(Root + path); strings.Contains(text, "web-7d4b9c5f6") {
			t.Errorf("eve sees %s", text)
		}
	}
	// What one may not do has no button, and is said.
	if _, text := bob.get(Root + "runs/" + runID); strings.Contains(text, `class="yes"`) || !strings.Contains(text, "You may not approve the playbook") || !strings.Contains(text, "You may not undo") {
		t.Errorf("bob's run is %s", text)
	}
	// A form that is sent all the same: the desk has the last word, and what one
	// may not see one can't say anything to.
	eve.send(Root+"pause", url.Values{})
	for _, deed := range []string{"approve", "deny", "undo", "extend", "keep"} {
		if status, _ := sue.send(Root+"runs/"+run+"/"+deed, url.Values{"for": {"1h"}}); status != http.StatusForbidden {
			t.Errorf("sue says %s in bank: %d", deed, status)
		}
	}
	for _, what := range []string{"verdict", "close", "acknowledge"} {
		for _, id := range []string{incident, wide.ID} {
			if status, _ := sue.send(Root+"incidents/"+id+"/"+what, url.Values{"verdict": {"true"}}); status != http.StatusForbidden {
				t.Errorf("sue says %s to %s: %d", what, id, status)
			}
		}
	}
	if len(r.house.heard) != 1 {
		t.Errorf("the desk heard %q", r.house.heard)
	}
}

// TestLockedOutIsSaidBefore: whom a run locks out is told so on every page, by which
// run, and finds no form to send; what they may look at they see. Whose vote would not
// count is told why.
func TestLockedOutIsSaidBefore(t *testing.T) {
	r := newRig(t)
	r.fill("")
	locks := strings.Repeat("ab", 16)
	r.house.locked = map[string]string{"ann": locks}
	ann := r.as("ann")
	for _, path := range []string{"", "runs", "runs/" + runID, "approvals", "holds", "reviews", "models", "system", "me", "incidents/" + incidentID} {
		status, text := ann.get(Root + path)
		if status != http.StatusOK || !strings.Contains(text, "<strong>You are locked out</strong> by <a href=\"/console/runs/"+locks+"\"") {
			t.Errorf("%s: %d %s", path, status, text)
		}
		for _, form := range regexp.MustCompile(`<form method="post" action="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			if form[1] != Root+"logout" {
				t.Errorf("%s has a form for %s", path, form[1])
			}
		}
	}
	for path, buttons := range map[string][]string{"runs/" + runID: {"Approve", "Deny", "Undo"}, "approvals": {"Approve", "Deny"}, "holds": {"Undo"}} {
		_, text := ann.get(Root + path)
		for _, b := range buttons {
			if !regexp.MustCompile(`<button type="button" disabled aria-describedby="lacks-[-a-z0-9]+">` + b).MatchString(text) {
				t.Errorf("%s shows no button %s that is disabled", path, b)
			}
		}
		if !strings.Contains(text, "You are locked out by run "+locks) {
			t.Errorf("%s does not say why", path)
		}
	}
	r.house.locked, r.house.uncounted = nil, map[string]string{"ann": "not among those who may approve: group/oncall"}
	if _, text := ann.get(Root + "runs/" + runID); strings.Contains(text, "locked out") || strings.Contains(text, `class="yes"`) ||
		!strings.Contains(text, "Your vote would not count: not among those who may approve: group/oncall.") || !strings.Contains(text, "/undo") {
		t.Errorf("a vote that would not count: %s", text)
	}
}

// TestSay: each form says what it shows, and what the desk refuses is told with
// the reason.
func TestSay(t *testing.T) {
	r := newRig(t)
	r.fill("")
	ann := r.as("ann")
	for _, c := range []struct {
		path   string
		fields url.Values
		want   string
	}{
		{"runs/" + runID + "/approve", url.Values{"digest": {"d"}, "reason": {"r"}, "hold": {"15m"}}, `ann: approve fedcba987654 digest=d reason="r" hold=15m0s at_end= over=false`},
		{"runs/" + runID + "/deny", url.Values{"digest": {"d"}}, `ann: deny fedcba987654 digest=d reason="" hold=0s at_end= over=false`},
		{"runs/" + runID + "/undo", url.Values{"at_end": {"delete"}, "over": {"yes"}}, `ann: undo fedcba987654 digest= reason="" hold=0s at_end=delete over=true`},
		{"runs/" + runID + "/extend", url.Values{"for": {"4h"}}, `ann: extend fedcba987654 digest= reason="" hold=0s at_end= over=false`},
		{"runs/" + runID + "/keep", url.Values{}, `ann: keep fedcba987654 digest= reason="" hold=0s at_end= over=false`},
		{"incidents/" + incidentID + "/verdict", url.Values{"verdict": {"false"}, "reason": {"a drill"}}, `ann: judge 0123456789ab false "a drill"`},
		{"incidents/" + incidentID + "/close", url.Values{"reason": {"done"}}, `ann: close 0123456789ab "done"`},
		{"runs/" + runID + "/break-glass", url.Values{"digest": {"d"}, "reason": {"now"}}, `ann: break-glass fedcba987654 digest=d reason="now" hold=0s at_end= over=false`},
		{"incidents/" + incidentID + "/acknowledge", url.Values{}, `ann: acknowledge 0123456789ab ""`},
		{"reviews/" + strings.Repeat("1", 32) + "/close", url.Values{"note": {"it was right"}}, `ann: close review 111111111111 "it was right"`},
		{"holds/" + lostID + "/free", url.Values{"reason": {"the store is lost"}}, `ann: free 77aa77aa77aa "the store is lost"`},
		{"pause", url.Values{"reason": {"odd"}}, `ann: pause "odd"`},
		{"resume", url.Values{}, `ann: resume`},
	} {
		r.house.heard = nil
		if status, text := ann.send(Root+c.path, c.fields); status != http.StatusOK || len(r.house.heard) != 1 || r.house.heard[0] != c.want {
			t.Errorf("%s: %d, heard %q: %.200s", c.path, status, r.house.heard, text)
		}
	}
	for path, fields := range map[string]url.Values{
		"runs/" + runID + "/approve": {"hold": {"forever"}}, "runs/" + runID + "/extend": {"for": {"25h"}}, "incidents/" + incidentID + "/verdict": {"verdict": {"maybe"}},
	} {
		if status, _ := ann.send(Root+path, fields); status != http.StatusBadRequest {
			t.Errorf("%s with %v: %d", path, fields, status)
		}
	}
	r.house.refuse = Problem{http.StatusConflict, "the plan has changed since it was shown"}
	if status, text := ann.send(Root+"runs/"+runID+"/approve", url.Values{"digest": {"old"}}); status != http.StatusConflict || !strings.Contains(text, "the plan has changed since it was shown") {
		t.Errorf("a void answer: %d %s", status, text)
	}
	r.house.refuse = errors.New("dial tcp 10.9.8.7: refused")
	if status, text := ann.send(Root+"runs/"+runID+"/approve", url.Values{}); status != http.StatusServiceUnavailable || strings.Contains(text, "10.9.8.7") {
		t.Errorf("a fault inside: %d %s", status, text)
	}
}

// TestOutcome: what became of what one said goes by the record.
func TestOutcome(t *testing.T) {
	run := sampleRun("")
	vote := func(approve bool, refused string) event.Run {
		r := run
		a := *run.Approval
		a.Votes = append(a.Votes[:2:2], event.Vote{User: "ann", Approve: approve, Refused: refused})
		r.Approval = &a
		return r
	}
	for _, c := range []struct {
		run  event.Run
		deed string
		at   uint64
		want string
	}{
		{vote(true, ""), "approve", 7, "Your yes counts."},
		{vote(false, ""), "deny", 7, "Your no counts."},
		{vote(true, "has approved already"), "approve", 7, "Your vote does not count: has approved already."},
		{run, "approve", 7, "Your vote does not count: the plan that it was for is not asked about any more."},
		{run, "approve", 8, "Your word (approve) is stored. The run has not taken it in yet."},
		{run, "undo", 7, "The run has taken in what you said: undo."},
	} {
		if got := outcome(c.run, "ann", c.deed, c.at); got == nil || got.Text != c.want {
			t.Errorf("%s: %+v, want %q", c.deed, got, c.want)
		}
	}
	if got := outcome(run, "ann", "<b>", 7); got != nil {
		t.Errorf("a word that the page does not know: %+v", got)
	}
}
