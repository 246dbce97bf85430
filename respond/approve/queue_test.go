package approve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// crowd stores n runs that wait, each of a namespace, the graver ones last, and
// gives the namespaces.
func (r *rig) crowd(n int) {
	r.t.Helper()
	for i := range n {
		p := event.SeverityLow
		switch {
		case i == n-1:
			p = event.SeverityCritical
		case i >= n-10:
			p = event.SeverityHigh
		}
		_, err := r.log.Create(r.t.Context(), event.Run{
			ID: event.HashID("crowd", fmt.Sprint(i)), Playbook: "contain", State: event.RunAwaiting, Spec: "text",
			Target: event.PodRef(fmt.Sprint("ns", i%30), fmt.Sprint("p", i)), Incident: event.Incident{Priority: p, Risk: i % 100},
			Steps: []event.Step{{Name: "isolate", Plan: &event.Plan{Summary: "quarantine"}}},
			Approval: &event.Approval{
				State: event.ApprovalOpen, Digest: fmt.Sprint("d", i), Need: 2, Steps: []string{"isolate"}, Reasons: []string{"budget: 10 of 10"},
				Requested: r.now.Add(time.Duration(i) * time.Second), Expires: r.now.Add(time.Hour),
			},
		})
		if err != nil {
			r.t.Fatal(err)
		}
		r.cluster.may[fmt.Sprintf("ann approve playbooks/contain ns%d", i%30)] = true
	}
}

func (r *rig) queue() Queue {
	r.t.Helper()
	status, body := r.call(http.MethodGet, "/v1/approvals", "token-ann", "")
	if status != http.StatusOK {
		r.t.Fatalf("status %d: %s", status, body)
	}
	var q Queue
	if err := json.Unmarshal([]byte(body), &q); err != nil {
		r.t.Fatal(err)
	}
	return q
}

// TestQueue: the hundred gravest questions are asked one by one, and all others
// are one, which a yes or a no answers for just those that were shown.
func TestQueue(t *testing.T) {
	r := newRig(t)
	r.crowd(130)
	q := r.queue()
	if len(q.Questions) != 100 || q.Rest == nil || q.Rest.Count != 30 {
		t.Fatalf("%d questions and %+v", len(q.Questions), q.Rest)
	}
	first := q.Questions[0]
	if first.Priority != event.SeverityCritical || first.Need != 2 || first.Plans[0] != "quarantine" || first.Reasons[0] != "budget: 10 of 10" {
		t.Errorf("the first is %+v", first)
	}
	for i, x := range q.Questions[1:] {
		before := q.Questions[i]
		if x.Priority.Rank() > before.Priority.Rank() || x.Priority == before.Priority && x.Risk > before.Risk {
			t.Fatalf("question %d (%s, %d) comes after one of %s, %d", i+1, x.Priority, x.Risk, before.Priority, before.Risk)
		}
	}
	sum := 0
	for _, n := range q.Rest.Namespaces {
		sum += n
	}
	if q.Rest.Priorities[event.SeverityLow] != 30 || q.Rest.Playbooks["contain"] != 30 || sum != 30 || len(q.Rest.Namespaces) > maxNames+1 {
		t.Errorf("the rest is %+v", q.Rest)
	}

	say := func(token, deed, digest string) (int, string) {
		return r.call(http.MethodPost, "/v1/approvals/rest/"+deed, token, fmt.Sprintf(`{"digest": %q, "reason": "storm"}`, digest))
	}
	for name, bad := range map[string]struct {
		deed, digest string
		status       int
	}{
		"another rest": {"deny", strings.Repeat("0", 64), http.StatusConflict},
		"no digest":    {"deny", "", http.StatusConflict},
		"an undo":      {"undo", q.Rest.Digest, http.StatusNotFound},
	} {
		if status, body := say("token-ann", bad.deed, bad.digest); status != bad.status {
			t.Errorf("%s: status %d: %s", name, status, body)
		}
	}
	if status, body := say("token-bob", "approve", q.Rest.Digest); status != http.StatusAccepted || !strings.Contains(body, `"said":0`) || !strings.Contains(body, "bob may not approve") {
		t.Errorf("somebody without the right: status %d: %s", status, body)
	}
	if n := r.votes(); len(n) != 0 {
		t.Fatalf("%d votes were stored", len(n))
	}
	if status, body := say("token-ann", "deny", q.Rest.Digest); status != http.StatusAccepted || !strings.Contains(body, `"said":30`) {
		t.Fatalf("status %d: %s", status, body)
	}
	votes := r.votes()
	if len(votes) != 30 {
		t.Fatalf("%d votes were stored", len(votes))
	}
	for _, x := range q.Questions {
		if _, ok := votes[x.Run]; ok {
			t.Errorf("run %s was asked by itself, and was answered with the rest", x.Run)
		}
	}
	for run, v := range votes {
		if v.Approve || v.User != "ann" || v.Digest == "" || v.Digest == q.Rest.Digest {
			t.Errorf("run %s got %+v", run, v)
		}
	}
}

// votes are those that were stored, by run.
func (r *rig) votes() map[string]event.Vote {
	r.t.Helper()
	all := map[string]event.Vote{}
	for m, err := range r.bus.LastPerSubject(r.t.Context(), bus.SubjectInput("*")) {
		if err != nil {
			r.t.Fatal(err)
		}
		var in event.Input
		if err := json.Unmarshal(m.Data, &in); err != nil {
			r.t.Fatal(err)
		}
		all[in.Run] = *in.Vote
	}
	return all
}
