package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// deployed is a namespace with a Deployment and its Service, and a pod of it.
func (m *imported) deployed() corev1.Pod {
	ns := namespace(m.t, m.admin)
	webService(m.t, m.admin, ns)
	webDeployment(m.t, m.admin, ns, 1)
	return ready(m.t, m.admin, ns, "app=web", 1)[0]
}

// anomaly: no score is ever below -0.5, as the import says; the playbook is
// started by hand.
func (m *imported) anomaly() {
	t, pod := m.t, m.deployed()
	out, err := m.command(m.people[0], "start", "policy-anomaly-score", "--target", "pods/"+pod.Namespace+"/"+pod.Name, "--reason", "it is odd")
	if err != nil {
		t.Fatal(err, out)
	}
	m.people = append(m.people, approver(t, m.admin)) // who started it does not count
	run := m.comes("policy-anomaly-score", pod.Name, event.RunHolding)
	if got, want := m.made(run), []string{"authorizationpolicies", "envoyfilters", "requestauthentications"}; !slices.Equal(got, want) {
		t.Errorf("made %q, want %q%s", got, want, said(run))
	}
	for _, w := range created(run) {
		o, err := m.root.Get(t.Context(), w.Group, w.Version, w.Resource, w.Namespace, w.Name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(o.Object["spec"])
		want := map[string]string{"envoyfilters": `"max_tokens":10`, "authorizationpolicies": `"notValues":["mfa"]`, "requestauthentications": "https://login.example/keys"}[w.Resource]
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s is %s, want %s in it (%v)", w.Resource, text, want, err)
		}
	}
	m.events(pod.Namespace, pod.Name, "SecurityAlert", "alert of severity high")
	m.chatted(pod.Name)
	eventually(t, "the mail", func(context.Context) error {
		if len(m.box.Mails()) == 0 {
			return errors.New("there is none")
		}
		return nil
	})
	text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(m.box.Mails()[0].Text)))
	if mail := string(text); err != nil || !strings.Contains(mail, pod.Name) || !strings.Contains(mail, "alert of severity high") {
		t.Errorf("the mail is %s (%v)", mail, err)
	}
	m.undo(run)
}

// logins: failures in the pod's log, and their address is kept out.
func (m *imported) logins() {
	t, pod := m.t, m.deployed()
	dir := filepath.Join(m.dir, "logs", pod.Namespace+"_"+pod.Name+"_"+string(pod.UID), "web")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for n := range 8 {
		fmt.Fprintf(&lines, "%s stdout F Failed password for root from 203.0.113.7 port %d ssh2\n", time.Now().UTC().Format(time.RFC3339Nano), 4000+n)
	}
	if err := os.WriteFile(filepath.Join(dir, "0.log"), []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run := m.comes("policy-failed-auths", pod.Name, event.RunHolding)
	kinds := m.made(run)
	if len(kinds) == 0 || !strings.HasSuffix(kinds[0], "policies") {
		t.Errorf("made %q%s", kinds, said(run))
	}
	for _, w := range created(run) {
		if !strings.Contains(string(w.Body), "203.0.113.7/32") {
			t.Errorf("%s is %s", w.Resource, w.Body)
		}
	}
	m.events(pod.Namespace, pod.Name, "SecurityAlert", "alert of severity medium")
	m.chatted(pod.Name)
	m.undo(run)
}

func (m *imported) escape() {
	t := m.t
	pod := lonely(t, m.admin, namespace(t, m.admin), "breaker")
	before, node := marks(t, pod.ObjectMeta), m.node(pod.Spec.NodeName)
	m.alarm("Detect release_agent File Container Escapes", pod)
	run := m.comes("policy-container-escape", pod.Name, event.RunHolding)
	if got := m.made(run); !slices.Equal(got, []string{"networkpolicies"}) {
		t.Errorf("made %q%s", got, said(run))
	}
	if held := getPod(t, m.admin, pod.Namespace, pod.Name); held.Labels["firebreak.io/hold"] != "quarantine" {
		t.Errorf("labels are %v", held.Labels)
	}
	if held, err := m.admin.CoreV1().Nodes().Get(t.Context(), pod.Spec.NodeName, metav1.GetOptions{}); err != nil || !held.Spec.Unschedulable ||
		!slices.ContainsFunc(held.Spec.Taints, func(x corev1.Taint) bool { return strings.HasPrefix(x.Key, "firebreak.io/") }) {
		t.Errorf("node is %+v (%v)", held.Spec, err)
	}
	m.events(pod.Namespace, pod.Name, "IncidentResponse", "priority critical")
	m.chatted(pod.Name)
	eventually(t, "the webhook", func(context.Context) error {
		if !m.hooks.heard(run.ID) {
			return errors.New("has not heard of the run")
		}
		return nil
	})
	m.undo(run)
	if after := marks(t, getPod(t, m.admin, pod.Namespace, pod.Name).ObjectMeta); after != before {
		t.Errorf("the pod is\n%s\nwas\n%s", after, before)
	}
	m.sameNode(pod.Spec.NodeName, node)
}

func (m *imported) alarm(rule string, pod corev1.Pod) {
	m.t.Helper()
	if err := m.alert(m.t.Context(), rule, pod.Namespace, pod.Name, containerID(pod.Status.ContainerStatuses[0].ContainerID)); err != nil {
		m.t.Fatal(err)
	}
}

// node is what a node says of itself, and its taints.
func (m *imported) node(name string) string {
	m.t.Helper()
	n, err := m.admin.CoreV1().Nodes().Get(m.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	spec, err := json.Marshal(n.Spec)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(spec) + marks(m.t, n.ObjectMeta)
}

// sameNode waits until a node is as it was: its controller takes the taint of a
// cordon away a moment later.
func (m *imported) sameNode(name, before string) {
	m.t.Helper()
	eventually(m.t, "node "+name, func(context.Context) error {
		if now := m.node(name); now != before {
			return fmt.Errorf("is %s, was %s", now, before)
		}
		return nil
	})
}

// talon: each rule holds what its actionner asked for, and gives it back.
func (m *imported) talon() {
	t := m.t
	for _, c := range []struct {
		rule string
		held func(*corev1.Pod, *corev1.Node) bool
		ends event.RunState
	}{
		{"label", func(p *corev1.Pod, _ *corev1.Node) bool { return p.Labels["suspicious"] == "true" }, event.RunHolding},
		{"isolate", func(p *corev1.Pod, _ *corev1.Node) bool {
			return p.Labels["firebreak.io/hold"] == "quarantine"
		}, event.RunHolding},
		{"cordon", func(_ *corev1.Pod, n *corev1.Node) bool { return n.Spec.Unschedulable }, event.RunHolding},
		{"annotate", func(p *corev1.Pod, _ *corev1.Node) bool {
			return p.Annotations["example.com/seen"] == "a ${finding.title} {{.}}"
		}, event.RunHolding},
		{"end", nil, event.RunClosed},
	} {
		pod := lonely(t, m.admin, namespace(t, m.admin), "talon-"+c.rule)
		before, node := marks(t, pod.ObjectMeta), m.node(pod.Spec.NodeName)
		m.alarm("Talon "+c.rule, pod)
		run := m.comes("talon-"+c.rule, pod.Name, c.ends)
		m.made(run)
		if c.held == nil {
			eventually(t, "end of the pod", func(ctx context.Context) error {
				list, err := m.admin.CoreV1().Pods(pod.Namespace).List(ctx, metav1.ListOptions{})
				if err == nil && len(list.Items) > 0 {
					err = errors.New("it is there")
				}
				return err
			})
			continue
		}
		host, err := m.admin.CoreV1().Nodes().Get(t.Context(), pod.Spec.NodeName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if held := getPod(t, m.admin, pod.Namespace, pod.Name); !c.held(held, host) {
			t.Errorf("%s: labels %v, annotations %v, node %+v", c.rule, held.Labels, held.Annotations, host.Spec)
		}
		m.undo(run)
		if after := marks(t, getPod(t, m.admin, pod.Namespace, pod.Name).ObjectMeta); after != before {
			t.Errorf("%s: the pod is\n%s\nwas\n%s", c.rule, after, before)
		}
		m.sameNode(pod.Spec.NodeName, node)
	}
}
