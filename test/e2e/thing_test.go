package e2e

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// thingActions are those of thingBooks; the account's role has them too.
func thingActions() []string {
	return []string{"identity.deny", "admission.deny", "function.webhook", "identity.unbind"}
}

// thingGrants are what the parameters of thingBooks need besides.
func thingGrants() []kube.Permission {
	return []kube.Permission{{Group: rbacv1.GroupName, Resource: "clusterroles", Verbs: []string{"bind"}, Names: []string{"firebreak-approver"}, Grave: true}}
}

const thingBooks = `---
apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: deny-writes}
spec:
  when: finding.rule == "none"
  mode: act
  steps: [{name: act, action: identity.deny, undo_after: 1h, at_end: restore}]
---
apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: unbind-approver}
spec:
  when: finding.rule == "none"
  mode: act
  steps: [{name: act, action: identity.unbind, with: {roles: [ClusterRole/firebreak-approver]}, undo_after: 1h, at_end: restore}]
---
apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: keep-out}
spec:
  when: finding.rule == "none"
  mode: act
  steps: [{name: act, action: admission.deny, undo_after: 1h, at_end: restore}]
---
apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: block-at-the-edge}
spec:
  when: finding.rule == "none"
  mode: act
  steps: [{name: act, action: function.webhook, with: {function: edge}, approve: {need: 1, within: 10m}}]
`

// edge is a function of the operator's, which is told what to block.
func (l *loop) edge() {
	l.blocked = make(chan string, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil {
			select {
			case l.blocked <- string(body):
			default:
			}
		}
	}))
	l.t.Cleanup(server.Close)
	l.write("edge.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	text, err := os.ReadFile(filepath.Join(l.dir, "config.yaml"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.write("config.yaml", string(text)+fmt.Sprintf(`  functions:
    hosts: [%q]
    webhooks: [{name: edge, url: %q, secret: {file: token}, ca: edge.pem, allow_private: true}]
`, strings.TrimPrefix(server.URL, "https://"), server.URL))
}

// things: runs by hand for what has no object: an identity, a group, an image and
// an address. Each has the guards and the approvals of any other run, and what
// it does is seen by whom it is about.
func (l *loop) things() {
	t := l.t
	alice, bob, dora, emil := l.token("alice"), l.token("bob"), l.token("dora"), l.token("emil")
	l.lockouts()
	l.give("alice", "firebreak-approver", "", "start", "playbooks")
	mallory, erin := l.person("mallory"), l.person("erin", "interns")

	l.refused(bob, [][]string{{"bob may not start playbooks.firebreak.io deny-writes", "start", "deny-writes", "--target", "users/mallory", "--reason", "x"}})
	l.refused(alice, [][]string{
		{`"nowhere" is no kind of target`, "start", "deny-writes", "--target", "nowhere/x", "--reason", "x"},
		{`"300.1.2.3" is no name`, "start", "block-at-the-edge", "--target", "addresses/300.1.2.3", "--reason", "x"},
		{"give users/NAME", "start", "deny-writes", "--target", "users/", "--reason", "x"},
		{"give images/NAME", "start", "keep-out", "--target", "images/", "--reason", "x"},
	})
	// What is protected, and what an action can't be about, is refused with a
	// reason, and nothing is made.
	for _, c := range []struct{ book, target, says string }{
		{"deny-writes", "users/system:kube-scheduler", "is an identity of the system"},
		{"deny-writes", "users/" + l.user, "firebreak"},
		{"deny-writes", "groups/system:masters", "is a group of the system"},
		{"deny-writes", "addresses/203.0.113.9", "addresses/203.0.113.9"},
		{"keep-out", "groups/interns", "nothing says what to keep out"},
		{"quarantine-shell", "users/mallory", "refused: target is no"},
	} {
		run := l.begun(alice, c.book, c.target)
		eventually(t, c.book+" of "+c.target+" is refused", func(context.Context) error {
			if run = l.newest(bob, run.ID); !run.State.Terminal() {
				return fmt.Errorf("it is %s: %s", run.State, run.Reason)
			}
			return nil
		})
		s := run.Steps[0]
		if said := fmt.Sprint(run.Reason, s.Error, s.Verdicts); run.State == event.RunClosed || !strings.Contains(said, c.says) || s.Receipt != nil {
			t.Errorf("%s of %s is %s: %s; %+v", c.book, c.target, run.State, run.Reason, s)
		}
	}
	if n := l.lockedOut(); n != 0 {
		t.Errorf("%d lockouts of what was refused", n)
	}

	secret := func(ctx context.Context, c kubernetes.Interface) error {
		_, err := c.CoreV1().Secrets("default").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	image := func(name string) func(ctx context.Context, c kubernetes.Interface) error {
		return func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().Pods("default").Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: corev1.PodSpec{Containers: []corev1.Container{
				{Name: "x", Image: name},
			}}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return err
		}
	}
	for _, c := range []struct {
		book, target string
		denied       kubernetes.Interface
		deed         func(context.Context, kubernetes.Interface) error
		free         kubernetes.Interface
		other        func(context.Context, kubernetes.Interface) error
	}{
		{"deny-writes", "users/mallory", mallory, secret, erin, secret},
		{"deny-writes", "groups/interns", erin, secret, mallory, secret},
		{"keep-out", "images/registry.example/bad:1", mallory, image("registry.example/bad:2"), mallory, image("registry.example/good:1")},
	} {
		run := l.begun(alice, c.book, c.target)
		eventually(t, c.target+" is denied", func(ctx context.Context) error {
			if err := c.deed(ctx, c.denied); err == nil || !strings.Contains(err.Error(), "firebreak") {
				return fmt.Errorf("it is not: %w", cmpError(err))
			}
			return nil
		})
		if err := c.other(t.Context(), c.free); err != nil {
			t.Errorf("%s: somebody else is denied: %v", c.target, err)
		}
		run = l.until(bob, run.ID, event.RunHolding)
		if s := run.Steps[0]; run.Starter != "alice" || run.Target.String() != c.target || s.Receipt == nil || s.Receipt.Result != event.ResultApplied || len(s.Verdicts) == 0 {
			t.Errorf("run is %+v", run)
		}
		l.must(alice, "undo", run.ID, "--reason", "over")
		l.until(bob, run.ID, event.RunClosed)
		eventually(t, c.target+" is free", func(ctx context.Context) error { return c.deed(ctx, c.denied) })
	}
	if n := l.lockedOut(); n != 0 {
		t.Errorf("%d lockouts are left over", n)
	}

	// What can't be undone asks, and not whom it was started by.
	run := l.begun(alice, "block-at-the-edge", "addresses/203.0.113.9")
	run = l.until(bob, run.ID, event.RunAwaiting)
	if out, err := l.command(alice, "approve", run.ID, "--yes"); err == nil || !strings.Contains(out, "your vote does not count") {
		t.Errorf("who started it approved it: %s (%v)", out, err)
	}
	select {
	case body := <-l.blocked:
		t.Errorf("before anybody approved the function was told %s", body)
	default:
	}
	l.must(dora, "approve", run.ID, "--yes")
	l.must(emil, "approve", run.ID, "--yes") // what can't be undone takes two
	l.until(bob, run.ID, event.RunClosed)
	select {
	case body := <-l.blocked:
		if !strings.Contains(body, "203.0.113.9") {
			t.Errorf("the function was told %s", body)
		}
	default:
		t.Error("the function was told nothing")
	}
}

// begun is a run that a person starts by the command.
func (l *loop) begun(token, book, target string) event.Run {
	l.t.Helper()
	var run event.Run
	l.answer(token, &run, "start", book, "--target", target, "--reason", "it looks odd", "-o", "json")
	return run
}

func (l *loop) until(token, id string, state event.RunState) event.Run {
	l.t.Helper()
	var run event.Run
	eventually(l.t, "run is "+string(state), func(context.Context) error {
		if run = l.newest(token, id); run.State != state {
			return fmt.Errorf("it is %s: %s %+v", run.State, run.Reason, run.Steps)
		}
		return nil
	})
	return run
}

// person is a client of somebody who may look at pods and make some.
func (l *loop) person(user string, groups ...string) kubernetes.Interface {
	t := l.t
	config, err := clientcmd.BuildConfigFromFlags("", l.plane.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	client, err := kubernetes.NewForConfig(config)
	if err == nil {
		_, err = l.admin.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "person-" + user}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "intruder"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rights of "+user, func(ctx context.Context) error {
		_, err := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{Limit: 1})
		return err
	})
	return client
}

// lockouts installs the shipped policies that read lockouts.
func (l *loop) lockouts() {
	t := l.t
	manifest, err := kube.LockoutManifest(kube.Account{Namespace: "firebreak", Name: "firebreak"}, guard.ProtectedNamespaces())
	if err != nil {
		t.Fatal(err)
	}
	k, err := kube.New(kube.Options{Kubeconfig: l.plane.Kubeconfig})
	if err == nil {
		err = k.Create(t.Context(), manifest)
	}
	if err != nil && !errors.Is(err, kube.ErrExists) {
		t.Fatal(err)
	}
}

func (l *loop) lockedOut() int {
	l.t.Helper()
	list, err := l.admin.CoreV1().ConfigMaps("firebreak").List(l.t.Context(), metav1.ListOptions{LabelSelector: kube.LockoutLabel})
	if err != nil {
		l.t.Fatal(err)
	}
	return len(list.Items)
}
