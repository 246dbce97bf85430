package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/test/command"
)

// operate: the commands that ask a running Firebreak, as people whom the cluster
// knows, with the rights that the cluster gives them.
func (l *loop) operate() {
	t := l.t
	mallory, err := kube.New(kube.Options{Kubeconfig: l.plane.Users["mallory"].Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	enter := func(namespace, pod string) {
		t.Helper()
		err := mallory.Exec(t.Context(), kube.ExecRequest{Namespace: namespace, Pod: pod, Container: "web", Command: []string{"true"}, Stdout: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
	}
	hushed := l.shop("hushed", 1)[0]

	const when = `rule == "pod-exec" and subject.namespace == "hushed"`
	for _, refused := range []struct {
		token string
		args  []string
		says  string
	}{
		{l.token("bob"), []string{"silence", "add", when, "--why", "x"}, "bob may not create silences.firebreak.io"},
		{l.token("bob"), []string{"silence", "list"}, "bob may not list silences.firebreak.io"},
		{l.token("bob"), []string{"readers", "list"}, "bob may not list readers.firebreak.io"},
		{l.token("bob"), []string{"readers", "forget", "detect"}, "bob may not delete readers.firebreak.io"},
		{l.token("bob"), []string{"verdict", event.HashID("x"), "true"}, "bob may not create verdicts.firebreak.io"},
		{l.token("bob"), []string{"explain", event.HashID("x")}, "bob may not get findings.firebreak.io"},
		{l.token("bob"), []string{"replay", "--since", "1h"}, "bob may not list events.firebreak.io"},
		{"no-such-token", []string{"silence", "list"}, "the cluster does not know this token"},
	} {
		if out, err := l.command(refused.token, refused.args...); err == nil || !strings.Contains(out, refused.says) {
			t.Errorf("%v said %s (%v), want %s", refused.args, out, err, refused.says)
		}
	}
	l.operators("alice")

	// What is silenced is found, and disturbs nobody.
	alice := l.token("alice")
	var made struct{ ID, Who string }
	l.answer(alice, &made, "silence", "add", when, "--why", "the shop moves", "--for", "20m", "-o", "json")
	if list := l.must(alice, "silence", "list"); made.Who != "alice" || !strings.Contains(list, made.ID) || !strings.Contains(list, "the shop moves") {
		t.Fatalf("made %+v, listed\n%s", made, list)
	}
	enter("hushed", hushed.Name)
	eventually(t, "the silence has matched", func(context.Context) error {
		var list struct{ Silences []event.Silence }
		out, err := l.command(alice, "silence", "list", "-o", "json")
		if err == nil {
			err = json.Unmarshal([]byte(out), &list)
		}
		if err != nil || len(list.Silences) != 1 || list.Silences[0].Matched == 0 {
			return fmt.Errorf("listed %s (%w)", out, err)
		}
		return nil
	})
	silent := l.finding(alice, hushed.Name)
	if silent.Silence != made.ID {
		t.Errorf("the finding %s has the silence %q, want %s", silent.ID, silent.Silence, made.ID)
	}
	if id := l.incidentOf(hushed.Name); id != "" {
		t.Errorf("incident %s is of what is silenced", id)
	}
	if told := l.must(alice, "explain", silent.ID); !strings.Contains(told, "pod-exec") || !strings.Contains(told, "silenced") || !strings.Contains(told, "mallory") {
		t.Errorf("explained is\n%s", told)
	}

	// Its end is known at once, and holds.
	if said := l.must(alice, "silence", "end", made.ID[:8], "--reason", "moved"); !strings.Contains(said, "ended by alice") {
		t.Errorf("said %s", said)
	}
	if list := l.must(alice, "silence", "list"); strings.Contains(list, made.ID) {
		t.Errorf("listed\n%s", list)
	}
	enter("hushed", hushed.Name)
	eventually(t, "incident of what is silenced no more", func(context.Context) error {
		if l.incidentOf(hushed.Name) == "" {
			return fmt.Errorf("there is none")
		}
		return nil
	})

	if list := l.must(alice, "readers", "list"); !strings.Contains(list, "READ UP TO") || strings.Count(list, "\n") < 2 {
		t.Errorf("readers are\n%s", list)
	}
	if out, err := l.command(alice, "readers", "forget", "nobody"); err == nil {
		t.Errorf("a reader that is nowhere was forgotten: %s", out)
	}
	if said := l.must(alice, "verdict", silent.ID, "true", "--why", "drill"); !strings.Contains(said, "stored") {
		t.Errorf("verdict said %s", said)
	}
}

// operators gives a person the rights that the commands name.
func (l *loop) operators(user string) {
	group := []string{"firebreak.io"}
	_, err := l.admin.RbacV1().ClusterRoles().Create(l.t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "operator"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: group, Resources: []string{"silences", "readers"}, Verbs: []string{"list", "create", "delete"}},
		{APIGroups: group, Resources: []string{"verdicts"}, Verbs: []string{"create"}},
		{APIGroups: group, Resources: []string{"models"}, Verbs: []string{"list"}},
		{APIGroups: group, Resources: []string{"models"}, ResourceNames: []string{"probe"}, Verbs: []string{"get", "update"}},
		{APIGroups: group, Resources: []string{"events"}, Verbs: []string{"list"}},
		{APIGroups: group, Resources: []string{"findings"}, Verbs: []string{"get"}},
	}}, metav1.CreateOptions{})
	if err == nil {
		_, err = l.admin.RbacV1().ClusterRoleBindings().Create(l.t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "operator"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "operator"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, "the rights of "+user, func(context.Context) error {
		_, err := l.command(l.token(user), "silence", "list")
		return err
	})
}

// command runs one of Firebreak's with a person's token, and gives what it said.
func (l *loop) command(token string, args ...string) (string, error) {
	l.t.Helper()
	file := l.write("person.token", token)
	cmd := exec.CommandContext(l.t.Context(), command.Path(l.t), append(args, "--server", l.api, "--token-file", file)...)
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if err != nil {
		return out.String() + said.String(), err
	}
	return out.String(), nil
}

func (l *loop) must(token string, args ...string) string {
	l.t.Helper()
	out, err := l.command(token, args...)
	if err != nil {
		l.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

func (l *loop) answer(token string, into any, args ...string) {
	l.t.Helper()
	out := l.must(token, args...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		l.t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// finding is that of pod-exec on a pod, as a replay of the stored events has it.
func (l *loop) finding(token, pod string) event.Finding {
	l.t.Helper()
	for line := range strings.Lines(l.must(token, "replay", "--since", "1h", "--output", "ndjson")) {
		var f struct {
			Type string
			event.Finding
		}
		if err := json.Unmarshal([]byte(line), &f); err == nil && f.Type == "finding" && f.Rule == "pod-exec" && f.Subject.Name == pod {
			return f.Finding
		}
	}
	l.t.Fatalf("no finding on %s in a replay of the stream", pod)
	return event.Finding{}
}

// incidentOf is the incident of a pod, empty when there is none.
func (l *loop) incidentOf(pod string) string {
	l.t.Helper()
	var all []event.Incident
	if _, err := l.call(l.t.Context(), http.MethodGet, "/v1/incidents", l.token("bob"), nil, &all); err != nil {
		l.t.Fatal(err)
	}
	for _, in := range all {
		if slices.Contains(in.Rules, "pod-exec") && slices.ContainsFunc(in.Keys, func(k string) bool { return strings.Contains(k, "/"+pod+"/") }) {
			return in.ID
		}
	}
	return ""
}
