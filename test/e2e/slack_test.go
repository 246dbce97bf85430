package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// talk gives the service a workspace of Slack, in which alice is the cluster's
// alice, and a colleague is nobody in the cluster but oncall by the config.
func (l *loop) talk() {
	space, stop := workspace.New("C0SEC", workspace.Member{ID: "U0ALICE"}, workspace.Member{ID: "U0CAROL"}, workspace.Member{ID: "U0BOB"})
	l.t.Cleanup(stop)
	away := new(atomic.Bool)
	space.Fault = func(_ string, w http.ResponseWriter) bool {
		if !away.Load() {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	l.chat, l.away = space, away
	l.write("slack-token", workspace.Token)
	l.write("slack-secret", workspace.Secret)
	path := filepath.Join(l.dir, "config.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		l.t.Fatal(err)
	}
	l.write("config.yaml", string(text)+fmt.Sprintf(`  slack:
    teams: [%[1]s]
    channel: C0SEC
    api: %[2]q
    token: {file: slack-token}
    signing_secret: {file: slack-secret}
    people:
      - {slack: %[1]s/U0ALICE, user: alice, groups: [oncall]}
      - {slack: %[1]s/U0BOB, user: bob}
      - {slack: %[1]s/U0CAROL, groups: [oncall]}
    rights:
      - {group: oncall, verbs: [approve playbooks], namespaces: [chatted]}
`, workspace.Team, space.URL()))
}

// slack: an alert becomes a card; bob may not, alice and carol do, the pod is
// contained and given back at its time, and the record names them.
func (l *loop) slack() {
	t := l.t
	suspect := stay(t, l.admin, l.shop("chatted", 2))[0]
	before := marks(t, suspect.ObjectMeta)
	if err := l.alert(t.Context(), "Terminal shell in container", "chatted", suspect.Name, containerID(suspect.Status.ContainerStatuses[0].ContainerID)); err != nil {
		t.Fatal(err)
	}
	run := l.process.run(l.token("bob"), "ask-two", suspect.Name, event.RunAwaiting)
	card := l.card(t, suspect.Name, func(m workspace.Message) bool { _, ok := m.Button("approve"); return ok })
	for _, text := range []string{"Needs 2 of group/oncall", "isolate holds for 15s", "quarantine", run.ID} {
		if !strings.Contains(card.Shows(), text) {
			t.Errorf("the card lacks %q: %s", text, card.Shows())
		}
	}
	value, _ := card.Button("approve")
	for _, user := range []string{"U0BOB", "U0ALICE", "U0ALICE", "U0CAROL"} {
		body := workspace.Form(workspace.Press{User: user, Channel: "C0SEC", Action: "approve", Value: value, At: time.Now()}.Payload())
		status, answer, _, err := workspace.Send(http.DefaultClient, l.api+"/slack/interactions", body, workspace.Sign(workspace.Secret, body, time.Now()))
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s (%v)", user, status, answer, err)
		}
		if user == "U0BOB" {
			l.whispered(t, user, "bob may not approve playbooks.firebreak.io ask-two in namespace chatted")
			continue
		}
		if user == "U0ALICE" {
			l.whispered(t, user, "1 of 2")
		}
	}
	run = l.process.run(l.token("bob"), "ask-two", suspect.Name, event.RunHolding, event.RunReverting, event.RunClosed)
	var who []string
	for _, v := range run.Approval.Votes {
		if v.Refused == "" {
			who = append(who, v.User+" from "+v.From)
		}
	}
	if want := []string{"alice from T0001/U0ALICE", "slack:T0001/U0CAROL from T0001/U0CAROL"}; !slices.Equal(who, want) {
		t.Errorf("approved by %q, want %q", who, want)
	}
	run = l.process.run(l.token("bob"), "ask-two", suspect.Name, event.RunClosed)
	if r := run.Steps[0].Receipt; r == nil || run.Steps[0].Undo == nil {
		t.Errorf("step %+v", run.Steps[0])
	}
	if after := marks(t, getPod(t, l.admin, "chatted", suspect.Name).ObjectMeta); after != before {
		t.Errorf("given back as\n%s\nwant\n%s", after, before)
	}
	card = l.card(t, suspect.Name, func(m workspace.Message) bool { return strings.Contains(m.Shows(), "is over") })
	var thread strings.Builder
	if !l.chat.Wait(time.Minute, func() bool {
		thread.Reset()
		for _, m := range l.chat.Thread("C0SEC", card.TS) {
			thread.WriteString(m.Shows())
		}
		return strings.Contains(thread.String(), "run is closed")
	}) {
		t.Errorf("the journal: %s", thread.String())
	}
	for _, text := range []string{"alice approves plan", "slack:T0001/U0CAROL approves plan", "isolate done"} {
		if !strings.Contains(thread.String(), text) {
			t.Errorf("the journal lacks %q: %s", text, thread.String())
		}
	}
	for _, refused := range l.chat.Refused() {
		t.Errorf("Slack refused %s", refused)
	}
}

// card waits for the message about a pod.
func (l *loop) card(t *testing.T, pod string, is func(workspace.Message) bool) (found workspace.Message) {
	t.Helper()
	if !l.chat.Wait(2*time.Minute, func() bool {
		for _, m := range l.chat.Messages("C0SEC") {
			if strings.Contains(m.Shows(), pod) && is(m) {
				found = m
				return true
			}
		}
		return false
	}) {
		t.Fatalf("no such card of %s among %d; refused: %q", pod, len(l.chat.Messages("C0SEC")), l.chat.Refused())
	}
	return found
}

// whispered waits until somebody was told something.
func (l *loop) whispered(t *testing.T, user, text string) {
	t.Helper()
	if !l.chat.Wait(time.Minute, func() bool {
		return slices.ContainsFunc(l.chat.Whispers(user), func(m workspace.Message) bool { return strings.Contains(m.Text, text) })
	}) {
		t.Fatalf("%s was not told %q: %+v", user, text, l.chat.Whispers(user))
	}
}
