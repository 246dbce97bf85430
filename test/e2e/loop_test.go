package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/test/controlplane"
)

const loopBooks = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: quarantine-shell}
spec:
  when: finding.source == "falco" && target.namespace != "asked"
  mode: act
  steps:
    - {name: isolate, action: pod.quarantine, undo_after: 1h}
    - name: tell
      action: notify.event
      with: {reason: Contained, note: "contained for ${finding.rule}"}
---
apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: ask-first}
spec:
  when: finding.source == "falco" && target.namespace == "asked"
  mode: ask
  approve: {need: 1, within: 10m}
  steps:
    - {name: isolate, action: pod.quarantine}
`

// loop is a control plane whose API server posts its audit events to a
// Firebreak, which acts as its own account.
type loop struct {
	*process
	plane *controlplane.Cluster
	admin kubernetes.Interface
	// user is the Firebreak account's name in the audit log.
	user string
}

func newLoop(t *testing.T) *loop {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a control plane, and builds it if the cache is cold")
	}
	l := &loop{process: prepare(t, "act", loopBooks)}
	plane, err := controlplane.Start(t.Context(), controlplane.Options{
		Nodes: 2, Users: []string{"alice:oncall", "bob", "mallory"}, AuditWebhook: l.webhook(), AuditBackoff: 10 * time.Second, Log: os.Stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	l.plane = plane
	config, err := clientcmd.BuildConfigFromFlags("", plane.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 200, 400
	if l.admin, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	l.account()
	l.people()
	l.start()
	t.Cleanup(l.stop)
	return l
}

// account makes Firebreak's service account with just the role that
// firebreak rbac prints, and its kubeconfig.
func (l *loop) account() {
	t := l.t
	var actions []string
	for _, k := range action.Kinds() {
		actions = append(actions, k.Name)
	}
	permissions, err := action.Permissions(actions...)
	if err != nil {
		t.Fatal(err)
	}
	account := kube.Account{Namespace: "firebreak", Name: "firebreak"}
	manifest, err := kube.RoleManifest(account, permissions)
	if err != nil {
		t.Fatal(err)
	}
	l.user = "system:serviceaccount:firebreak:firebreak"
	l.makeNamespace("firebreak")
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account.Name}}
	if _, err := l.admin.CoreV1().ServiceAccounts("firebreak").Create(t.Context(), sa, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	bind(t, l.admin, string(manifest), account)
	token, err := l.admin.CoreV1().ServiceAccounts("firebreak").CreateToken(t.Context(), account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := clientcmdapi.NewConfig()
	c.Clusters["c"] = &clientcmdapi.Cluster{Server: l.plane.Server, CertificateAuthority: l.plane.CA}
	c.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	c.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	c.CurrentContext = "x"
	if err := clientcmd.WriteToFile(*c, l.dir+"/kubeconfig"); err != nil {
		t.Fatal(err)
	}
}

// people lets the group oncall approve and undo, and bob only look.
func (l *loop) people() {
	role := func(name string, rules ...rbacv1.PolicyRule) {
		_, err := l.admin.RbacV1().ClusterRoles().Create(l.t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}, metav1.CreateOptions{})
		if err != nil {
			l.t.Fatal(err)
		}
	}
	bindTo := func(name string, subject rbacv1.Subject) {
		_, err := l.admin.RbacV1().ClusterRoleBindings().Create(l.t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects: []rbacv1.Subject{subject},
		}, metav1.CreateOptions{})
		if err != nil {
			l.t.Fatal(err)
		}
	}
	group := []string{"firebreak.io"}
	look := rbacv1.PolicyRule{APIGroups: group, Resources: []string{"runs", "incidents"}, Verbs: []string{"get", "list"}}
	role("approver", look, rbacv1.PolicyRule{APIGroups: group, Resources: []string{"playbooks"}, Verbs: []string{"approve", "undo"}})
	role("viewer", look)
	role("intruder", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods", "pods/exec", "secrets"}, Verbs: []string{"get", "list", "create"}})
	bindTo("approver", rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "oncall"})
	bindTo("viewer", rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "bob"})
	bindTo("intruder", rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "mallory"})
}

func (l *loop) makeNamespace(name string) {
	l.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := l.admin.CoreV1().Namespaces().Create(l.t.Context(), ns, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, "default service account of "+name, func(ctx context.Context) error {
		_, err := l.admin.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// shop makes a namespace with a Deployment behind a Service.
func (l *loop) shop(name string, replicas int32) []corev1.Pod {
	l.t.Helper()
	l.makeNamespace(name)
	webService(l.t, l.admin, name)
	webDeployment(l.t, l.admin, name, replicas)
	pods := ready(l.t, l.admin, name, "app=web", int(replicas))
	endpoints(l.t, l.admin, name, names(pods)...)
	return pods
}

func (l *loop) token(user string) string { return l.plane.Users[user].Token }

func TestLoop(t *testing.T) {
	l := newLoop(t)
	t.Run("exec becomes a finding", func(t *testing.T) { l.on(t).exec() })
	t.Run("alert becomes a quarantine that can be undone", func(t *testing.T) { l.on(t).quarantine() })
	t.Run("ask waits for who may approve", func(t *testing.T) { l.on(t).approve() })
	t.Run("killed between storing and acting", func(t *testing.T) { l.on(t).killed() })
	t.Run("fifty alerts at once", func(t *testing.T) { l.on(t).fifty() })
}

// on lets a subtest's failures be its own.
func (l *loop) on(t *testing.T) *loop {
	s := *l.process
	sub := *l
	s.t = t
	sub.process = &s
	t.Cleanup(func() { l.cmd = s.cmd })
	return &sub
}

// exec: a real exec through the API server comes back by the audit webhook.
func (l *loop) exec() {
	t := l.t
	pods := l.shop("execed", 1)
	intruder, err := kube.New(kube.Options{Kubeconfig: l.plane.Users["mallory"].Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	if err := intruder.Exec(t.Context(), kube.ExecRequest{Namespace: "execed", Pod: pods[0].Name, Container: "web", Command: []string{"true"}, Stdout: io.Discard}); err != nil {
		t.Fatal(err)
	}
	key := "pod/execed/" + pods[0].Name + "/" + string(pods[0].UID)
	eventually(t, "incident of the exec", func(ctx context.Context) error {
		var incidents []event.Incident
		if _, err := l.call(ctx, http.MethodGet, "/v1/incidents", l.token("bob"), nil, &incidents); err != nil {
			return err
		}
		for _, in := range incidents {
			if slices.Contains(in.Keys, key) && slices.Contains(in.Keys, "actor/mallory") && slices.Contains(in.Rules, "pod-exec") {
				return nil
			}
		}
		return fmt.Errorf("none of %d incidents: %+v", len(incidents), incidents)
	})
}

// quarantine: labels stripped and saved, a replacement up, the Service without
// the suspect, the policy there; and after the undo all as it was.
func (l *loop) quarantine() {
	t := l.t
	pods := l.shop("shop", 3)
	suspect := pods[0]
	before := marks(t, suspect.ObjectMeta)
	if err := l.alert(t.Context(), "Terminal shell in container", "shop", suspect.Name, containerID(suspect.Status.ContainerStatuses[0].ContainerID)); err != nil {
		t.Fatal(err)
	}
	run := l.process.run(l.token("bob"), "quarantine-shell", suspect.Name, event.RunHolding)
	if r := run.Steps[0].Receipt; r == nil || r.Result != event.ResultUnverified {
		t.Errorf("receipt %+v, want %s", r, event.ResultUnverified)
	}
	held := getPod(t, l.admin, "shop", suspect.Name)
	if held.UID != suspect.UID || held.Labels["app"] != "" || held.Labels["pod-template-hash"] != "" || held.Labels["firebreak.io/hold"] == "" {
		t.Errorf("labels of the suspect are %v", held.Labels)
	}
	if !strings.Contains(held.Annotations["firebreak.io/hold"], run.ID) || !strings.Contains(held.Annotations["firebreak.io/hold"], `"app":"web"`) {
		t.Errorf("annotation is %q", held.Annotations["firebreak.io/hold"])
	}
	others := ready(t, l.admin, "shop", "app=web", 3)
	if slices.Contains(names(others), suspect.Name) {
		t.Error("the suspect still counts")
	}
	endpoints(t, l.admin, "shop", names(others)...)
	policy, err := l.admin.NetworkingV1().NetworkPolicies("shop").Get(t.Context(), "firebreak-hold", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(policy.Spec.PolicyTypes) != 2 || len(policy.Spec.Ingress)+len(policy.Spec.Egress) != 0 || len(policy.Spec.PodSelector.MatchExpressions) != 1 {
		t.Errorf("policy is %+v", policy.Spec)
	}
	l.told("shop", suspect.Name)

	if _, err := l.call(t.Context(), http.MethodPost, "/v1/runs/"+run.ID+"/undo", l.token("alice"), map[string]string{"reason": "false alarm"}, nil); err != nil {
		t.Fatal(err)
	}
	l.process.run(l.token("bob"), "quarantine-shell", suspect.Name, event.RunClosed)
	if after := marks(t, getPod(t, l.admin, "shop", suspect.Name).ObjectMeta); after != before {
		t.Errorf("after the undo\n%s\nwant\n%s", after, before)
	}
	again := ready(t, l.admin, "shop", "app=web", 3)
	if !slices.Contains(names(again), suspect.Name) {
		t.Error("the ReplicaSet did not adopt the pod again")
	}
	endpoints(t, l.admin, "shop", names(again)...)
	eventually(t, "the policy is gone", func(ctx context.Context) error {
		list, err := l.admin.NetworkingV1().NetworkPolicies("shop").List(ctx, metav1.ListOptions{})
		if err != nil || len(list.Items) > 0 {
			return fmt.Errorf("%d policies (%w)", len(list.Items), err)
		}
		return nil
	})
}

// told checks that the pod has its Kubernetes Event.
func (l *loop) told(ns, pod string) {
	l.t.Helper()
	eventually(l.t, "event on "+pod, func(ctx context.Context) error {
		list, err := l.admin.EventsV1().Events(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Regarding.Name == pod && e.Reason == "Contained" {
				return nil
			}
		}
		return errors.New("there is none")
	})
}

// approve: RBAC of the cluster says who may, and nothing happens before.
func (l *loop) approve() {
	t := l.t
	pods := l.shop("asked", 2)
	suspect := pods[0]
	if err := l.alert(t.Context(), "Terminal shell in container", "asked", suspect.Name, containerID(suspect.Status.ContainerStatuses[0].ContainerID)); err != nil {
		t.Fatal(err)
	}
	run := l.process.run(l.token("bob"), "ask-first", suspect.Name, event.RunAwaiting)
	vote := func(token, digest string) int {
		status, _ := l.call(t.Context(), http.MethodPost, "/v1/runs/"+run.ID+"/approve", token, map[string]string{"digest": digest}, nil)
		return status
	}
	for _, tt := range []struct {
		who, token, digest string
		want               int
	}{
		{"nobody", "", run.Approval.Digest, http.StatusUnauthorized},
		{"an unknown token", "no-such-token", run.Approval.Digest, http.StatusUnauthorized},
		{"one without the right", l.token("bob"), run.Approval.Digest, http.StatusForbidden},
		{"another plan", l.token("alice"), "0123", http.StatusConflict},
	} {
		if got := vote(tt.token, tt.digest); got != tt.want {
			t.Errorf("%s: status %d, want %d", tt.who, got, tt.want)
		}
	}
	if pod := getPod(t, l.admin, "asked", suspect.Name); pod.Labels["app"] != "web" {
		t.Fatalf("labels are %v before anybody approved", pod.Labels)
	}
	if got := vote(l.token("alice"), run.Approval.Digest); got != http.StatusAccepted {
		t.Fatalf("alice: status %d", got)
	}
	run = l.process.run(l.token("bob"), "ask-first", suspect.Name, event.RunHolding)
	if v := run.Approval.Votes; len(v) != 1 || v[0].User != "alice" || v[0].Refused != "" {
		t.Errorf("votes are %+v", v)
	}
	if pod := getPod(t, l.admin, "asked", suspect.Name); pod.Labels["app"] != "" {
		t.Errorf("labels are %v", pod.Labels)
	}
}

// killed: the process is killed as soon as the alert is stored, a little later
// each time; after a restart every pod is contained, by one write.
func (l *loop) killed() {
	t := l.t
	const n = 8
	pods := l.shop("killed", n)
	for i, pod := range pods {
		if err := l.alert(t.Context(), "Terminal shell in container", "killed", pod.Name, containerID(pod.Status.ContainerStatuses[0].ContainerID)); err != nil {
			t.Fatal(err)
		}
		pass(t, time.Duration(i)*5*time.Millisecond)
		l.kill()
		l.start()
	}
	for _, pod := range pods {
		l.process.run(l.token("bob"), "quarantine-shell", pod.Name, event.RunHolding)
		if held := getPod(t, l.admin, "killed", pod.Name); held.Labels["app"] != "" || held.UID != pod.UID {
			t.Errorf("%s has labels %v", pod.Name, held.Labels)
		}
	}
	taken, cut := l.patches("killed")
	for _, pod := range pods {
		// A request that the kill cut off is logged as 504, whether it landed or
		// not; all others of the same run are refused with 409 if it did.
		if n := taken[pod.Name]; n > 1 || n == 0 && cut[pod.Name] == 0 {
			t.Errorf("%s was written %d times, and %d requests were cut off", pod.Name, n, cut[pod.Name])
		}
	}
}

func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// patches counts Firebreak's patches of each pod, as the API server's own audit
// log has them: those that were taken, and those whose client was gone before
// the answer.
func (l *loop) patches(namespace string) (taken, cut map[string]int) {
	l.t.Helper()
	f, err := os.Open(l.plane.AuditLog)
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	taken, cut = map[string]int{}, map[string]int{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var e struct {
			Verb, Stage string
			User        struct{ Username string }
			ObjectRef   struct{ Resource, Namespace, Name, Subresource string }
			Response    struct{ Code int } `json:"responseStatus"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // the last line may be half written
		}
		if e.User.Username != l.user || e.Verb != "patch" || e.ObjectRef.Resource != "pods" || e.ObjectRef.Namespace != namespace ||
			e.Stage != "ResponseComplete" {
			continue
		}
		switch {
		case e.Response.Code == http.StatusOK:
			taken[e.ObjectRef.Name]++
		case e.Response.Code >= http.StatusInternalServerError:
			cut[e.ObjectRef.Name]++
		}
	}
	return taken, cut
}

// fifty: as many alerts at the same time, each for a pod of its own.
func (l *loop) fifty() {
	t := l.t
	const n = 50
	pods := l.shop("storm", n)
	began := time.Now()
	failed := make(chan error, n)
	for _, pod := range pods {
		go func() {
			failed <- l.alert(t.Context(), "Terminal shell in container", "storm", pod.Name, containerID(pod.Status.ContainerStatuses[0].ContainerID))
		}()
	}
	for range n {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are held", func(ctx context.Context) error {
		list, err := l.admin.CoreV1().Pods("storm").List(ctx, metav1.ListOptions{LabelSelector: "firebreak.io/hold"})
		if err != nil || len(list.Items) != n {
			return fmt.Errorf("%d of %d (%w)", len(list.Items), n, err)
		}
		return nil
	})
	t.Logf("%d alerts contained %s after the first was sent", n, time.Since(began).Round(time.Millisecond))
}
