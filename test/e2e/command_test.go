package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/receipt"
)

// commands: containment by hand, from its start to the proof of its record, by
// people whom the cluster gives rights and people whom it does not. The pods
// have no controller.
func (l *loop) commands() {
	t := l.t
	l.makeNamespace("byhand")
	pods := map[string]*corev1.Pod{}
	before := map[string]string{}
	for _, name := range []string{"one", "two", "three"} {
		pods[name] = barePod(t, l.admin, "byhand", name, nil)
		before[name] = marks(t, pods[name].ObjectMeta)
	}
	l.starters("alice")
	alice, bob, mallory := l.token("alice"), l.token("bob"), l.token("mallory")
	none := event.HashID("none")
	l.refused(mallory, [][]string{
		{"mallory may not list runs.firebreak.io", "runs"},
		{"mallory may not get runs.firebreak.io", "receipt", "verify", none},
		{"mallory may not list incidents.firebreak.io", "incidents"},
		{"mallory may not list runs.firebreak.io", "approvals"},
		{"mallory may not get runs.firebreak.io", "receipt", "archive", "2026-01.1"},
		{"mallory may not undo playbooks.firebreak.io", "undo", "--all", "--yes"},
		{"mallory may not start playbooks.firebreak.io", "start", "quarantine-shell", "--target", "pods/byhand/one", "--reason", "x"},
		{"mallory may not list incidents.firebreak.io", "incidents", "show", none},
	})
	l.refused(bob, [][]string{
		{"bob may not start playbooks.firebreak.io quarantine-shell in namespace byhand", "start", "quarantine-shell", "--target", "pods/byhand/one", "--reason", "x"},
		{"there is no such run", "runs", "show", none},
	})
	l.refused(alice, [][]string{
		{"there is no such part of the archive", "receipt", "archive", "2026-01.1"},
		{"the reason has to be said", "start", "quarantine-shell", "--target", "pods/byhand/one"},
		{`"byhand" is no kind of target`, "start", "quarantine-shell", "--target", "byhand/one", "--reason", "x"},
	})

	// Alice contains two pods.
	runs := map[string]event.Run{}
	for _, name := range []string{"one", "two"} {
		var run event.Run
		l.answer(alice, &run, "start", "quarantine-shell", "--target", "pods/byhand/"+name, "--reason", "looks odd", "-o", "json")
		if run.Starter != "alice" || run.Target.UID != string(pods[name].UID) {
			t.Fatalf("started %+v", run)
		}
		runs[name] = l.process.run(bob, "quarantine-shell", name, event.RunHolding)
		if held := getPod(t, l.admin, "byhand", name); held.Labels["firebreak.io/hold"] == "" {
			t.Errorf("labels of %s are %v", name, held.Labels)
		}
	}
	one := runs["one"]
	if said := l.must(bob, "runs", "show", one.ID[:10]); !strings.Contains(said, "started by hand by alice") || !strings.Contains(said, "looks odd") {
		t.Errorf("shown is\n%s", said)
	}

	// The ends of holds are moved by who may.
	l.refused(bob, [][]string{
		{"bob may not undo playbooks.firebreak.io quarantine-shell in namespace byhand", "extend", one.ID, "--for", "3h"},
		{"bob may not undo playbooks.firebreak.io quarantine-shell in namespace byhand", "keep", one.ID},
		{"bob may not undo playbooks.firebreak.io", "undo", "--all", "--yes"},
	})
	l.must(alice, "extend", one.ID, "--for", "3h", "--reason", "still looking")
	extended := l.newest(bob, one.ID)
	if until := isolated(extended).Until; until == nil || time.Until(*until) < 2*time.Hour {
		t.Errorf("extended, it holds until %v", until)
	}
	eventually(t, "the pod shows the new end", func(context.Context) error {
		text := getPod(t, l.admin, "byhand", "one").Annotations["firebreak.io/hold"]
		if end := isolated(extended).Until.UTC().Format("2006-01-02T15:04"); !strings.Contains(text, end) {
			return fmt.Errorf("%s does not show %s", text, end)
		}
		return nil
	})
	l.must(alice, "keep", one.ID, "--reason", "evidence")
	if kept := l.newest(bob, one.ID); !isolated(kept).Kept {
		t.Errorf("kept is %+v", isolated(kept))
	}

	l.waiting(alice, bob, string(pods["three"].UID))
	l.judged(alice, bob, one.Incident.ID)

	// All that stands is undone at once; in this namespace alone.
	if said := l.must(alice, "undo", "--all", "-n", "byhand", "--yes", "--reason", "drill over"); !strings.Contains(said, runs["one"].ID) ||
		!strings.Contains(said, runs["two"].ID) || !strings.Contains(said, "2 runs were told") {
		t.Errorf("undo of all said %s", said)
	}
	for name, run := range map[string]event.Run{"one": runs["one"], "two": runs["two"]} {
		l.process.run(bob, "quarantine-shell", name, event.RunClosed)
		if after := marks(t, getPod(t, l.admin, "byhand", name).ObjectMeta); after != before[name] {
			t.Errorf("after the undo\n%s\nwant\n%s", after, before[name])
		}
		if ended := l.newest(bob, run.ID); !strings.Contains(ended.Reason, "undone by alice") {
			t.Errorf("it ended because: %s", ended.Reason)
		}
	}
	var closed []event.Run
	l.answer(bob, &closed, "runs", "list", "--state", "closed", "-n", "byhand", "--since", "1h", "-o", "json")
	if len(closed) != 2 {
		t.Errorf("%d runs of byhand are closed", len(closed))
	}
	l.proved(bob, one.ID)
}

// isolated is the step that holds.
func isolated(run event.Run) event.Step {
	at := slices.IndexFunc(run.Steps, func(s event.Step) bool { return s.Name == "isolate" })
	if at < 0 {
		return event.Step{}
	}
	return run.Steps[at]
}

// refused runs commands that have to fail; the first of each is what it says.
func (l *loop) refused(token string, all [][]string) {
	l.t.Helper()
	for _, c := range all {
		if out, err := l.command(token, c[1:]...); err == nil || !strings.Contains(out, c[0]) {
			l.t.Errorf("%v said %s (%v), want %s", c[1:], out, err, c[0])
		}
	}
}

func (l *loop) newest(token, id string) event.Run {
	l.t.Helper()
	var run event.Run
	if _, err := l.call(l.t.Context(), http.MethodGet, "/v1/runs/"+id, token, nil, &run); err != nil {
		l.t.Fatal(err)
	}
	return run
}

// starters gives a person the rights to start playbooks and to close incidents.
func (l *loop) starters(user string) {
	group := []string{"firebreak.io"}
	_, err := l.admin.RbacV1().ClusterRoles().Create(l.t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "starter"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: group, Resources: []string{"playbooks"}, ResourceNames: []string{"quarantine-shell", "ask-first"}, Verbs: []string{"start"}},
		{APIGroups: group, Resources: []string{"incidents"}, Verbs: []string{"update"}},
		{APIGroups: group, Resources: []string{"verdicts"}, Verbs: []string{"create"}},
	}}, metav1.CreateOptions{})
	if err == nil {
		_, err = l.admin.RbacV1().ClusterRoleBindings().Create(l.t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "starter"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "starter"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, "the rights of "+user, func(context.Context) error {
		// What is no playbook is refused after the right was looked at.
		out, err := l.command(l.token(user), "incidents", "close", event.HashID("none"))
		if err == nil || strings.Contains(out, "may not") {
			return fmt.Errorf("%s (%w)", out, err)
		}
		return nil
	})
}

// waiting: who starts a run does not approve it, and it stands in the queue.
func (l *loop) waiting(alice, bob, uid string) {
	t := l.t
	t.Helper()
	var run event.Run
	l.answer(alice, &run, "start", "ask-first", "--target", "pods/byhand/three", "--reason", "looks odd too", "-o", "json")
	if run.Target.UID != uid {
		t.Errorf("started for %+v", run.Target)
	}
	run = l.process.run(bob, "ask-first", "three", event.RunAwaiting)
	if queue := l.must(bob, "approvals"); !strings.Contains(queue, run.ID[:12]) {
		t.Errorf("the queue is\n%s", queue)
	}
	l.refused(bob, [][]string{{"bob may not approve playbooks.firebreak.io ask-first in namespace byhand", "approve", run.ID, "--yes"}})
	if out, err := l.command(alice, "approve", run.ID, "--yes"); err == nil || !strings.Contains(out, "your vote does not count") {
		t.Errorf("who started it approved it: %s (%v)", out, err)
	}
	if held := getPod(t, l.admin, "byhand", "three"); held.Labels["firebreak.io/hold"] != "" {
		t.Errorf("labels of three are %v", held.Labels)
	}
}

// judged: an incident is listed, shown, judged and closed by who may.
func (l *loop) judged(alice, bob, id string) {
	t := l.t
	t.Helper()
	if list := l.must(bob, "incidents"); !strings.Contains(list, id[:12]) {
		t.Errorf("the incidents are\n%s", list)
	}
	if shown := l.must(bob, "incidents", "show", id[:12]); !strings.Contains(shown, "quarantine-shell") || !strings.Contains(shown, "byhand/one") {
		t.Errorf("the incident is\n%s", shown)
	}
	l.refused(bob, [][]string{
		{"bob may not create verdicts.firebreak.io", "incidents", "verdict", id, "true"},
		{"bob may not update incidents.firebreak.io", "incidents", "close", id},
	})
	l.must(alice, "incidents", "verdict", id, "true", "--why", "it was one")
	eventually(t, "the verdict stands in the incident", func(context.Context) error {
		var s struct{ Incident event.Incident }
		if l.answer(bob, &s, "incidents", "show", id, "-o", "json"); s.Incident.Verdict != "true" || s.Incident.VerdictBy != "alice" {
			return fmt.Errorf("it has %q by %q", s.Incident.Verdict, s.Incident.VerdictBy)
		}
		return nil
	})
	l.must(alice, "incidents", "close", id, "--reason", "over")
	eventually(t, "the incident is over", func(context.Context) error {
		var s struct{ Incident event.Incident }
		if l.answer(bob, &s, "incidents", "show", id, "-o", "json"); !s.Incident.State.Over() {
			return fmt.Errorf("it is %s", s.Incident.State)
		}
		return nil
	})
}

// proved: the record of a run proves offline, and not when a byte of it is
// another.
func (l *loop) proved(token, id string) {
	t := l.t
	t.Helper()
	record := l.must(token, "receipt", "export", id)
	file := l.write("receipt.ndjson", record)
	verify := func(want int, args ...string) string {
		t.Helper()
		out, err := l.command("", append([]string{"receipt", "verify"}, args...)...)
		code := 0
		var ended interface{ ExitCode() int }
		if errors.As(err, &ended) {
			code = ended.ExitCode()
		}
		if code != want {
			t.Errorf("verify %v ended with %d: %s", args, code, out)
		}
		return out
	}
	var proof receipt.Proof
	if err := json.Unmarshal([]byte(verify(0, file, "-o", "json")), &proof); err != nil || proof.Run != id || proof.State != event.RunClosed || len(proof.Effects) == 0 {
		t.Errorf("proved is %+v, %v", proof, err)
	}
	verify(0, file, "--head", proof.Head)
	verify(1, file, "--head", strings.Repeat("0", 64))
	changed := strings.Replace(record, `"reason":"undone by alice`, `"reason":"undone by malle`, 1)
	if changed == record || os.WriteFile(file, []byte(changed), 0o600) != nil {
		t.Fatal("the record does not say who undid it")
	}
	verify(1, file)
	if out := l.must(token, "receipt", "verify", id); !strings.Contains(out, proof.Head) {
		t.Errorf("online it proves\n%s", out)
	}
	if out := l.must(token, "receipt", "archive"); !strings.Contains(out, "PART") {
		t.Errorf("the archive is\n%s", out)
	}
}
