package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
)

// barred: somebody who may all is locked out by a run, once by denying their writes
// and once by taking them out of a binding. Then no word of theirs counts, whichever
// way they say it and on whatever it is, and each refusal says by which run; people
// are told, and it is on that run's record. They may look. Others may all, and once it
// is undone they may again.
func (l *loop) barred() {
	t := l.t
	const ns = "barred"
	l.makeNamespace(ns)
	barePod(t, l.admin, ns, "suspect", nil)
	for role, verb := range map[string]string{
		"firebreak-viewer": "list silences", "firebreak-approver": "start playbooks", "firebreak-break-glass": "break-glass playbooks",
		"firebreak-operator": "create pauses", "firebreak-silencer": "create silences", "firebreak-reviewer": "update models",
		"firebreak-responder": "acknowledge incidents",
	} {
		does, on, _ := strings.Cut(verb, " ")
		l.give("dora", role, "", does, on)
	}
	l.give("alice", "firebreak-approver", "", "start", "playbooks")
	l.give("alice", "firebreak-reviewer", "", "list", "reviews")
	alice, bob, dora, emil := l.token("alice"), l.token("bob"), l.token("dora"), l.token("emil")
	for _, book := range []string{"deny-writes", "unbind-approver"} {
		t.Run(book, func(t *testing.T) {
			l := l.on(t)
			asks := l.begun(alice, "ask-first", "pods/"+ns+"/suspect")
			asks = l.until(bob, asks.ID, event.RunAwaiting)
			locks := l.until(bob, l.begun(alice, book, "users/dora").ID, event.RunHolding)
			says := "dora is locked out by run " + locks.ID
			l.silenced(dora, says, asks, locks)
			l.silencedOnThePage(dora, says, asks)
			l.must(dora, "runs", "show", asks.ID) // they may look
			l.attempts(locks)
			l.must(emil, "approve", asks.ID, "--yes")
			l.until(bob, asks.ID, event.RunHolding)
			l.must(emil, "undo", locks.ID, "--reason", "it was her")
			l.until(bob, locks.ID, event.RunClosed)
			eventually(t, "dora may again", func(context.Context) error {
				if out, err := l.command(dora, "undo", asks.ID, "--reason", "over"); err != nil {
					return fmt.Errorf("%w: %s", err, out)
				}
				return nil
			})
			l.until(bob, asks.ID, event.RunClosed)
		})
	}
}

// silenced: all that can be said is refused on the command line and by HTTP.
func (l *loop) silenced(token, says string, asks, locks event.Run) {
	l.t.Helper()
	finding := event.HashID("finding")
	var all [][]string
	for _, line := range []string{
		"approve " + asks.ID + " --yes", "deny " + asks.ID + " --yes", "break-glass " + asks.ID + " --yes --reason x", "undo " + asks.ID, "undo " + locks.ID,
		"keep " + locks.ID, "extend " + locks.ID, "undo --all --yes", "pause", "resume", "start ask-first --target pods/barred/suspect --reason x",
		"verdict " + finding + " false", "model pin probe", "model unpin probe", "model rollback probe", "model approve probe",
		"incidents ack " + asks.Incident.ID, "incidents close " + asks.Incident.ID, "incidents verdict " + asks.Incident.ID + " false",
		`silence add true --why x`, "readers forget nobody", "playbooks mode ask-first observe",
		"approvals deny " + asks.Approval.Digest, "mode observe",
	} {
		all = append(all, append([]string{says}, strings.Fields(line)...))
	}
	l.refused(token, all)
	if out, _ := l.command(token, "approve", asks.ID, "--yes"); strings.Contains(out, string(event.RunAwaiting)) {
		l.t.Errorf("the plan is shown before the refusal: %s", out)
	}
	for path, body := range map[string]any{
		"runs/" + asks.ID + "/approve": map[string]string{"digest": asks.Approval.Digest}, "runs/" + asks.ID + "/deny": map[string]string{"digest": asks.Approval.Digest},
		"runs/" + locks.ID + "/undo": map[string]string{}, "pause": map[string]string{}, "models/probe/pin": map[string]string{},
		"findings/" + finding + "/verdict": map[string]bool{"true": false},
	} {
		if status, err := l.call(l.t.Context(), http.MethodPost, "/v1/"+path, token, body, nil); status != http.StatusForbidden || !strings.Contains(errorText(err), says) {
			l.t.Errorf("%s answered %d (%v)", path, status, err)
		}
	}
	if now := l.newest(l.token("bob"), asks.ID); now.State != event.RunAwaiting || len(now.Approval.Votes) > 0 {
		l.t.Errorf("it is %s with the votes %+v", now.State, now.Approval.Votes)
	}
}

// silencedOnThePage: the page says so, has no button, and refuses a form that is
// sent all the same.
func (l *loop) silencedOnThePage(token, says string, asks event.Run) {
	t := l.t
	t.Helper()
	at := "/console/runs/" + asks.ID
	v, _, text := l.signIn(token, at)
	if said := "You are locked out by run "; strings.Count(text, said) != 2 || strings.Contains(text, `class="yes"`) {
		t.Errorf("the page of the run: %s", text)
	}
	for path, fields := range map[string]url.Values{
		at + "/approve": {"digest": {asks.Approval.Digest}}, at + "/deny": {"digest": {asks.Approval.Digest}}, at + "/undo": {}, "/console/pause": {},
	} {
		if status, text := v.post(path, fields); status != http.StatusForbidden || !strings.Contains(text, says) {
			t.Errorf("%s answered %d: %s", path, status, text)
		}
	}
}

// attempts: what somebody tried who is locked out is on the record of the run that
// does so, among the alarms, and paged once.
func (l *loop) attempts(locks event.Run) {
	t := l.t
	t.Helper()
	eventually(t, "the attempts are on record", func(context.Context) error {
		tried := map[string]bool{}
		for _, s := range l.newest(l.token("bob"), locks.ID).Said {
			if s.Kind == event.InputRefused && s.User == "dora" {
				tried[s.Reason] = true
			}
		}
		for _, what := range []string{"approve playbooks ask-first in namespace barred", "undo playbooks " + locks.Playbook, "create pauses", "update models probe"} {
			if !tried[what] {
				return fmt.Errorf("%q is not among %v", what, tried)
			}
		}
		return nil
	})
	eventually(t, "people are paged", func(context.Context) error {
		actions, text := l.pager.of(locks.Incident.ID)
		if n := strings.Count(text, "dora is locked out by playbook "+locks.Playbook); n != 1 {
			return fmt.Errorf("%d times: %q %s; all is %+v", n, actions, text, l.pager.all)
		}
		return nil
	})
	var all approve.Reviews
	l.answer(l.token("alice"), &all, "reviews", "-o", "json")
	if !slices.ContainsFunc(all.Alarms, func(a respond.PeopleAlarm) bool { return a.User == "dora" && a.Kind == respond.AlarmLocked }) {
		t.Errorf("the alarms are %+v", all.Alarms)
	}
}
