package e2e

import (
	"context"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/test/controlplane"
	"github.com/firebreak-io/firebreak/test/workspace"
)

const loopBooks = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: quarantine-shell}
spec:
  when: finding.source == "falco" && !(target.namespace in ["asked", "chatted", "brief", "paged", "paged-plain"])
  mode: act
  steps:
    - {name: isolate, action: pod.quarantine, undo_after: 1h}
    - name: tell
      action: notify.event
      with: {reason: Contained, note: "contained for ${finding.rule}"}
---
apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: quarantine-briefly}
spec:
  when: finding.source == "falco" && target.namespace == "brief"
  mode: act
  steps:
    - {name: isolate, action: pod.quarantine, undo_after: 10s, at_end: restore}
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
---
apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: ask-two}
spec:
  when: finding.source == "falco" && target.namespace == "chatted"
  mode: ask
  approve: {by: [group/oncall], need: 2, within: 10m}
  steps:
    - {name: isolate, action: pod.quarantine, undo_after: 15s, at_end: restore}
`

// loop is a control plane whose API server posts its audit events to a
// Firebreak, which acts as its own account.
type loop struct {
	*process
	plane *controlplane.Cluster
	admin kubernetes.Interface
	// user is the Firebreak account's name in the audit log.
	user string
	// chat is the workspace in which people decide.
	chat *workspace.Server
	// away says that it answers nobody.
	away *atomic.Bool
	// pager is whom all is routed to.
	pager *pagers
	// blocked is what the operator's function was told.
	blocked chan string
}

func newLoop(t *testing.T) *loop {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a control plane, and builds it if the cache is cold")
	}
	l := &loop{process: prepare(t, "act", loopBooks+pageBook+thingBooks)}
	l.talk()
	l.pagedBy()
	l.edge()
	l.up(l.webhook(l.api), 10*time.Second)
	return l
}

// up starts a control plane that posts its audit events by the kubeconfig, and
// Firebreak.
func (l *loop) up(webhook string, backoff time.Duration) {
	t := l.t
	plane, err := controlplane.Start(t.Context(), controlplane.Options{
		Nodes: 2, Users: []string{"alice:oncall", "dora:oncall", "emil:oncall", "bob", "mallory"}, AuditWebhook: webhook, AuditBackoff: backoff, Log: os.Stderr,
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
}

// account makes Firebreak's service account with just the role that
// firebreak rbac prints, and its kubeconfig.
func (l *loop) account() {
	t := l.t
	actions := append(action.Defaults(), thingActions()...)
	permissions, err := action.Permissions(actions...)
	if err != nil {
		t.Fatal(err)
	}
	account := kube.Account{Namespace: "firebreak", Name: "firebreak"}
	manifest, err := kube.RoleManifest(account, slices.Concat(permissions, kube.IndexPermissions(), thingGrants()))
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

// on lets a subtest's failures be its own.
func (l *loop) on(t *testing.T) *loop {
	s := *l.process
	sub := *l
	s.t = t
	sub.process = &s
	t.Cleanup(func() { l.cmd = s.cmd })
	return &sub
}
