package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// fenced is an account with just the role that firebreak rbac prints, behind
// the admission policy that it prints, in a cluster with things to protect.
type fenced struct {
	t      *testing.T
	admin  kubernetes.Interface
	config *rest.Config
	kube   *kube.Client
	root   *kube.Client
	// home is the account's namespace, shop one to act in, marked one that is
	// marked as protected.
	home, shop, marked string
	pods               []corev1.Pod
}

// newFenced is fencedFor with a Deployment and its Service to act on.
func newFenced(t *testing.T, names ...string) *fenced {
	f := fencedFor(t, names...)
	webDeployment(t, f.admin, f.shop, 4)
	webService(t, f.admin, f.shop)
	f.pods = ready(t, f.admin, f.shop, "app=web", 4)
	f.plain()
	return f
}

// fencedFor is an account that may do these actions and no other.
func fencedFor(t *testing.T, names ...string) *fenced {
	f := &fenced{t: t, admin: admin(t)}
	f.home, f.shop, f.marked = namespace(t, f.admin), namespace(t, f.admin), namespace(t, f.admin)
	f.mark()
	account := kube.Account{Namespace: f.home, Name: "firebreak", Role: f.home}
	f.account(account)
	permissions, err := action.Permissions(names...)
	if err != nil {
		t.Fatal(err)
	}
	role, err := kube.RoleManifest(account, append(permissions, kube.IndexPermissions()...))
	if err != nil {
		t.Fatal(err)
	}
	bind(t, f.admin, string(role), account)
	admits, err := action.Admitted(names...)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := kube.AdmissionManifest(kube.Admission{
		To: account, Protected: guard.ProtectedNamespaces(), LabelKeys: []string{"suspect"}, Admits: admits,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.policy(policy)
	return f
}

// plain makes a pod that no controller takes away or replaces, whatever is done
// to the others: the forbidden requests are about it.
func (f *fenced) plain() {
	f.t.Helper()
	web, err := f.admin.AppsV1().Deployments(f.shop).Get(f.t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	f.make(f.shop, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "plain", Labels: map[string]string{"app": "plain"}, Annotations: map[string]string{"note": "n"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: web.Name, UID: web.UID}},
	}})
}

// mark protects a namespace, and puts something into protected ones.
func (f *fenced) mark() {
	ctx := f.t.Context()
	patch := []byte(`{"metadata":{"annotations":{"firebreak.io/protected":"true"}}}`)
	if _, err := f.admin.CoreV1().Namespaces().Patch(ctx, f.marked, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		f.t.Fatal(err)
	}
	for _, ns := range []string{f.marked, "kube-system", f.home} {
		f.make(ns, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "victim-" + f.home, Labels: web}})
	}
	f.make(f.shop, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "critical"}, Spec: corev1.PodSpec{PriorityClassName: "system-cluster-critical"}})
	node, err := f.admin.CoreV1().Nodes().Get(ctx, plane(f.t).Nodes[0], metav1.GetOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	f.make(f.shop, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "static", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID},
	}}})
}

func (f *fenced) make(ns string, pod *corev1.Pod) {
	f.t.Helper()
	pod.Spec.Containers = []corev1.Container{{Name: "c", Image: "registry.example/web:1"}}
	eventually(f.t, "pod "+pod.Name, func(ctx context.Context) error {
		_, err := f.admin.CoreV1().Pods(ns).Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
	f.t.Cleanup(func() {
		zero := int64(0)
		_ = f.admin.CoreV1().Pods(ns).Delete(context.WithoutCancel(f.t.Context()), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &zero})
	})
}

func (f *fenced) account(account kube.Account) {
	ctx := f.t.Context()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account.Name}}
	if _, err := f.admin.CoreV1().ServiceAccounts(f.home).Create(ctx, sa, metav1.CreateOptions{}); err != nil {
		f.t.Fatal(err)
	}
	token, err := f.admin.CoreV1().ServiceAccounts(f.home).CreateToken(ctx, account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", plane(f.t).Kubeconfig)
	if err != nil {
		f.t.Fatal(err)
	}
	f.config = rest.AnonymousClientConfig(config)
	f.config.BearerToken, f.config.QPS, f.config.Burst = token.Status.Token, 200, 400
	if f.kube, err = kube.New(kube.Options{Kubeconfig: plane(f.t).Kubeconfig, Token: token.Status.Token, QPS: 200, Burst: 400}); err != nil {
		f.t.Fatal(err)
	}
}

// create applies the admission policy.
func (f *fenced) create(manifest []byte) admissionregistrationv1.ValidatingAdmissionPolicy {
	ctx, api := f.t.Context(), f.admin.AdmissionregistrationV1()
	var policy admissionregistrationv1.ValidatingAdmissionPolicy
	var binding admissionregistrationv1.ValidatingAdmissionPolicyBinding
	documents := strings.Split(string(manifest), "---\n")
	for i, into := range []any{&policy, &binding} {
		if err := yaml.UnmarshalStrict([]byte(documents[i]), into); err != nil {
			f.t.Fatal(err)
		}
	}
	if _, err := api.ValidatingAdmissionPolicies().Create(ctx, &policy, metav1.CreateOptions{}); err != nil {
		f.t.Fatal(err)
	}
	if _, err := api.ValidatingAdmissionPolicyBindings().Create(ctx, &binding, metav1.CreateOptions{}); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		_ = api.ValidatingAdmissionPolicyBindings().Delete(ctx, binding.Name, metav1.DeleteOptions{})
		_ = api.ValidatingAdmissionPolicies().Delete(ctx, policy.Name, metav1.DeleteOptions{})
	})
	return policy
}

// policy applies the admission policy and waits until it is looked at.
func (f *fenced) policy(manifest []byte) {
	policy, api := f.create(manifest), f.admin.AdmissionregistrationV1()
	var last error
	defer func() {
		if last != nil {
			f.t.Log(last)
		}
	}()
	eventually(f.t, "the admission policy", func(ctx context.Context) (err error) {
		defer func() {
			if err == nil || !strings.Contains(err.Error(), "rate limiter") {
				last = err
			}
		}()
		seen, err := api.ValidatingAdmissionPolicies().Get(ctx, policy.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if seen.Status.TypeChecking == nil {
			return errors.New("is not checked yet")
		}
		for _, w := range seen.Status.TypeChecking.ExpressionWarnings {
			f.t.Errorf("%s: %s", w.FieldRef, w.Warning)
		}
		return f.refused(ctx, deed{"PATCH", "/api/v1/namespaces/kube-system/pods/victim-" + f.home, `{"metadata":{"labels":{"firebreak.io/hold":"quarantine"}}}`}, "firebreak:")
	})
}

// deed is one request to the API server, as plain as can be.
type deed struct{ method, path, body string }

// refused sends a request, and gives an error unless it is answered with 403, or
// with 422 by an admission policy, and text in it.
func (f *fenced) refused(ctx context.Context, d deed, text string) error {
	client, err := rest.HTTPClientFor(f.config)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, d.method, f.config.Host+d.path, strings.NewReader(d.body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if d.method == "PATCH" {
		r.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(answer), "orbidden") && text == "":
		return fmt.Errorf("%s %s %s: %s: %.300s", d.method, d.path, d.body, resp.Status, answer)
	case !strings.Contains(string(answer), text):
		return fmt.Errorf("%s %s %s: refused by something else: %s: %.300s", d.method, d.path, d.body, resp.Status, answer)
	}
	return nil
}

// TestFence: of at least 60 requests that Firebreak must not make each is
// refused by the API server, with its exact role and again when somebody has
// made its account an administrator; what its actions need goes through.
func TestFence(t *testing.T) {
	f := newFenced(t, action.Defaults()...)
	t.Run("refused by role and policy", func(t *testing.T) { f.all(t, append(f.writes(), f.reads()...), "") })
	t.Run("needed", f.needed)
	f.promote()
	t.Run("refused by the policy alone", func(t *testing.T) { f.all(t, f.writes(), "firebreak:") })
	t.Run("needed by an administrator", f.needed)
}

func (f *fenced) all(t *testing.T, deeds []deed, text string) {
	n := 0
	for _, d := range deeds {
		if err := f.refused(t.Context(), d, text); err != nil {
			t.Error(err)
			continue
		}
		n++
	}
	t.Logf("%d of %d requests are refused", n, len(deeds))
	if text == "" && len(deeds) < 60 {
		t.Errorf("%d requests are fewer than 60", len(deeds))
	}
}

// promote makes the account an administrator.
func (f *fenced) promote() {
	f.t.Helper()
	b := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: f.home + "-admin"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: f.home, Name: "firebreak"}},
	}
	if _, err := f.admin.RbacV1().ClusterRoleBindings().Create(f.t.Context(), b, metav1.CreateOptions{}); err != nil {
		f.t.Fatal(err)
	}
	unbind(f.t, b.Name, f.admin.RbacV1().ClusterRoleBindings().Delete)
	eventually(f.t, "the rights of an administrator", func(ctx context.Context) error {
		_, err := f.kube.List(ctx, "", "v1", "secrets", f.home, "")
		return err
	})
}

// reads are what RBAC alone forbids.
func (f *fenced) reads() []deed {
	var all []deed
	for _, path := range []string{
		"/api/v1/secrets", "/api/v1/namespaces/" + f.shop + "/secrets", "/api/v1/namespaces/kube-system/secrets/x",
		"/api/v1/configmaps", "/api/v1/namespaces/" + f.home + "/configmaps", "/api/v1/namespaces/" + f.home + "/configmaps/other",
		"/api/v1/namespaces/" + f.shop + "/configmaps/firebreak", "/api/v1/namespaces/" + f.shop + "/pods/" + f.pods[0].Name + "/log",
		"/api/v1/namespaces/" + f.shop + "/pods/" + f.pods[0].Name + "/exec?command=sh", "/api/v1/serviceaccounts",
		"/apis/rbac.authorization.k8s.io/v1/clusterroles", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
		"/api/v1/nodes/" + plane(f.t).Nodes[0] + "/proxy/pods", "/api/v1/namespaces/" + f.shop + "/services/web/proxy/",
		"/apis/apps/v1/deployments", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", "/api/v1/persistentvolumes",
	} {
		all = append(all, deed{"GET", path, ""})
	}
	return all
}

// writes are what the policy forbids, whatever RBAC says.
func (f *fenced) writes() []deed {
	const core, apps = "/api/v1/namespaces/", "/apis/apps/v1/namespaces/"
	pods, nodes := core+f.shop+"/pods", plane(f.t).Nodes
	pod, worker := pods+"/plain", "/api/v1/nodes/"+nodes[len(nodes)-1]
	victim := "victim-" + f.home
	hold := `{"metadata":{"labels":{"app":null,"pod-template-hash":null,"firebreak.io/hold":"quarantine"}}}`
	policy := func(spec, labels string) string {
		return `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"firebreak-hold","labels":` + labels + `},"spec":` + spec + `}`
	}
	const ours, held = `{"app.kubernetes.io/managed-by":"firebreak"}`, `{"podSelector":{"matchExpressions":[{"key":"firebreak.io/hold","operator":"Exists"}]},"policyTypes":["Ingress","Egress"]`
	network := "/apis/networking.k8s.io/v1/namespaces/"
	object := func(version, kind, rest string) string {
		return `{"apiVersion":"` + version + `","kind":"` + kind + `","metadata":{"name":"x"}` + rest + `}`
	}
	newPod := object("v1", "Pod", `,"spec":{"containers":[{"name":"c","image":"evil"}]}`)
	role := `,"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]`
	binding := `,"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"ServiceAccount","name":"firebreak","namespace":"` + f.home + `"}]`
	return []deed{
		// Protected namespaces and pods.
		{"PATCH", core + "kube-system/pods/" + victim, hold},
		{"PATCH", core + f.home + "/pods/" + victim, hold},
		{"PATCH", core + f.marked + "/pods/" + victim, hold},
		{"PATCH", core + "kube-system/pods/" + victim, `{"metadata":{"labels":{"suspect":"yes"}}}`},
		{"PATCH", core + f.marked + "/pods/" + victim, `{"metadata":{"labels":{"suspect":"yes"}}}`},
		{"DELETE", core + "kube-system/pods/" + victim, ""},
		{"DELETE", core + f.home + "/pods/" + victim, ""},
		{"DELETE", core + f.marked + "/pods/" + victim, ""},
		{"POST", network + "kube-system/networkpolicies", policy(held+"}", ours)},
		{"POST", network + f.home + "/networkpolicies", policy(held+"}", ours)},
		{"POST", network + f.marked + "/networkpolicies", policy(held+"}", ours)},
		{"PATCH", pods + "/critical", `{"metadata":{"labels":{"firebreak.io/hold":"quarantine"}}}`},
		{"PATCH", pods + "/static", `{"metadata":{"labels":{"firebreak.io/hold":"quarantine"}}}`},
		{"DELETE", pods + "/critical", ""},
		// Pods: nothing but the hold's labels and ours.
		{"DELETE", pod, ""},
		{"PATCH", pod, `{"metadata":{"labels":{"app":null}}}`},
		{"PATCH", pod, `{"metadata":{"labels":{"app":"db"}}}`},
		{"PATCH", pod, `{"metadata":{"labels":{"other":"x"}}}`},
		{"PATCH", pod, `{"metadata":{"labels":{"firebreak.io/hold":"quarantine","other":"x"}}}`},
		{"PATCH", pod, `{"metadata":{"labels":{"firebreak.io/hold":"quarantine","app":"db"}}}`},
		{"PATCH", pod, `{"metadata":{"labels":{"firebreak.io/hold":"none"}}}`},
		{"PATCH", pod, `{"metadata":{"labels":{"firebreak.io/hold":"quarantine"}},"spec":{"activeDeadlineSeconds":1}}`},
		{"PATCH", pod, `{"spec":{"activeDeadlineSeconds":1}}`},
		{"PATCH", pod, `{"metadata":{"annotations":{"note":null}}}`},
		{"PATCH", pod, `{"metadata":{"annotations":{"x":"y"}}}`},
		{"PATCH", pod, `{"metadata":{"finalizers":["evil/x"]}}`},
		{"PATCH", pod, `{"metadata":{"ownerReferences":null}}`},
		{"PATCH", pod + "/status", `{"status":{"phase":"Failed"}}`},
		{"PATCH", pod + "/ephemeralcontainers", `{"spec":{"ephemeralContainers":[{"name":"e","image":"evil"}]}}`},
		{"POST", pod + "/eviction", `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"plain","namespace":"` + f.shop + `"}}`},
		{"POST", pod + "/exec?command=sh", ""},
		{"POST", pods, newPod},
		{"DELETE", pods, ""},
		// Nodes: nothing but the cordon.
		{"PATCH", "/api/v1/nodes/" + nodes[0], `{"spec":{"unschedulable":true}}`},
		{"PATCH", worker, `{"spec":{"taints":[{"key":"x","effect":"NoExecute"}]}}`},
		{"PATCH", worker, `{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":""}}}`},
		{"PATCH", worker, `{"metadata":{"labels":{"x":"y"}}}`},
		{"PATCH", worker, `{"metadata":{"annotations":{"x":"y"}}}`},
		{"PATCH", worker + "/status", `{"status":{"conditions":[]}}`},
		{"DELETE", worker, ""},
		{"POST", "/api/v1/nodes", object("v1", "Node", "")},
		// Policies: the one that denies what is held, and no other.
		{"POST", network + f.shop + "/networkpolicies", policy(`{"podSelector":{}}`, ours)},
		{"POST", network + f.shop + "/networkpolicies", policy(held+"}", "{}")},
		{"POST", network + f.shop + "/networkpolicies", policy(held+`,"ingress":[{}]}`, ours)},
		{"POST", network + f.shop + "/networkpolicies", policy(held+`,"egress":[{}]}`, ours)},
		{"POST", network + f.shop + "/networkpolicies", policy(`{"podSelector":{"matchLabels":{"app":"web"}}}`, ours)},
		{"POST", network + f.shop + "/networkpolicies", object("networking.k8s.io/v1", "NetworkPolicy", `,"spec":`+held+"}")},
		// Anything else.
		{"POST", core + f.shop + "/secrets", object("v1", "Secret", "")},
		{"POST", core + f.shop + "/configmaps", object("v1", "ConfigMap", "")},
		{"POST", core + f.shop + "/services", object("v1", "Service", `,"spec":{"ports":[{"port":80}]}`)},
		{"PATCH", core + f.shop + "/services/web", `{"spec":{"selector":{"app":"evil"}}}`},
		{"POST", core + f.shop + "/serviceaccounts", object("v1", "ServiceAccount", "")},
		{"POST", core + f.home + "/serviceaccounts/firebreak/token", `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","metadata":{"name":"firebreak"},"spec":{}}`},
		{"POST", core + f.shop + "/events", `{"apiVersion":"v1","kind":"Event","metadata":{"name":"x"},"involvedObject":{"namespace":"` + f.shop + `"}}`},
		{"POST", "/apis/events.k8s.io/v1/namespaces/" + f.shop + "/events", object("events.k8s.io/v1", "Event", `,"eventTime":"2026-01-02T03:04:05.000000Z","action":"a","reason":"r","type":"Normal","reportingController":"kubelet","reportingInstance":"x","regarding":{"kind":"Pod","name":"x","namespace":"`+f.shop+`"}`)},
		{"POST", "/api/v1/namespaces", object("v1", "Namespace", "")},
		{"PATCH", "/api/v1/namespaces/" + f.marked, `{"metadata":{"annotations":{"firebreak.io/protected":null}}}`},
		{"DELETE", "/api/v1/namespaces/" + f.shop, ""},
		{"PATCH", apps + f.shop + "/deployments/web", `{"spec":{"replicas":0}}`},
		{"PATCH", apps + f.shop + "/deployments/web/scale", `{"spec":{"replicas":0}}`},
		{"DELETE", apps + f.shop + "/deployments/web", ""},
		{"POST", apps + f.shop + "/daemonsets", object("apps/v1", "DaemonSet", `,"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"evil"}]}}}`)},
		{"POST", "/apis/batch/v1/namespaces/" + f.shop + "/jobs", object("batch/v1", "Job", `,"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"evil"}]}}}`)},
		{"POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", object("rbac.authorization.k8s.io/v1", "ClusterRole", role)},
		{"POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", binding)},
		{"POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/" + f.shop + "/rolebindings", object("rbac.authorization.k8s.io/v1", "RoleBinding", binding)},
		{"PATCH", "/apis/rbac.authorization.k8s.io/v1/clusterroles/" + f.home, `{"rules":null}`},
		{"POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "")},
		{"POST", "/apis/coordination.k8s.io/v1/namespaces/" + f.shop + "/leases", object("coordination.k8s.io/v1", "Lease", "")},
		{"POST", "/apis/storage.k8s.io/v1/storageclasses", object("storage.k8s.io/v1", "StorageClass", `,"provisioner":"x"`)},
		{"POST", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas", object("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", `,"spec":{"priorityLevelConfiguration":{"name":"exempt"}}`)},
		{"POST", "/apis/policy/v1/namespaces/" + f.shop + "/poddisruptionbudgets", object("policy/v1", "PodDisruptionBudget", `,"spec":{"minAvailable":1}`)},
	}
}

// needed does what the actions and guards do, each of it counted.
func (f *fenced) needed(t *testing.T) {
	ctx, n := t.Context(), 0
	ok := func(what string, err error) {
		t.Helper()
		n++
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	q, l := build(t, "pod.quarantine", f.kube, nil), build(t, "pod.label", f.kube, &action.LabelConfig{Labels: map[string]string{"suspect": "yes"}})
	c, e := build(t, "node.cordon", f.kube, nil), build(t, "notify.event", f.kube, nil)
	run := func(a action.Action, key string, target event.Ref, ends ...event.AtEnd) {
		t.Helper()
		r := action.Request{Key: key, Target: target, Now: time.Now().UTC(), Until: time.Now().Add(time.Hour).UTC()}
		_, done := do(t, a, r)
		n++
		for _, end := range ends {
			_, err := a.Undo(ctx, r, done, end)
			ok("undo "+key, err)
		}
	}
	pods := ready(t, f.admin, f.shop, "app=web", 4)
	ref := func(p corev1.Pod) event.Ref {
		r := event.PodRef(p.Namespace, p.Name)
		r.UID = string(p.UID)
		return r
	}
	run(l, "r1/label", ref(pods[0]), event.AtEndRestore)
	run(q, "r3/isolate", ref(pods[2]))
	run(q, "r4/isolate", ref(pods[2]), event.AtEndRestore) // the other run holds on
	_, err := q.Undo(ctx, action.Request{Key: "r3/isolate", Target: ref(pods[2]), Now: time.Now()}, event.Receipt{}, event.AtEndDelete)
	ok("delete at the end", err)
	nodes := plane(t).Nodes
	node, err := f.kube.Node(ctx, nodes[len(nodes)-1])
	ok("get node", err)
	target := event.NodeRef(node.Name)
	target.UID = string(node.UID)
	run(c, "r5/cordon", target, event.AtEndRestore)
	run(e, "r6/tell-"+f.home+t.Name(), ref(pods[0]))
	run(e, "r7/tell-"+f.home+t.Name(), target)
	victim, err := f.kube.Pod(ctx, "kube-system", "victim-"+f.home)
	ok("get pod", err)
	run(e, "r8/tell-"+f.home+t.Name(), ref(*victim)) // told of, but not touched
	// Last of the acts on pods: when its labels are back the ReplicaSet has one
	// pod too many, and may take away any of them.
	run(q, "r2/isolate", ref(pods[1]), event.AtEndRestore)
	_, err = f.kube.Who(ctx)
	ok("who", err)
	_, err = f.kube.ReviewToken(ctx, f.config.BearerToken)
	ok("review token", err)
	_, _, err = f.kube.Allowed(ctx, kube.User{Name: "ann"}, "approve", "firebreak.io", "playbooks", "x", f.shop)
	ok("may", err)
	_, err = f.kube.Nodes(ctx)
	ok("list nodes", err)
	_, err = f.kube.Backends(ctx)
	ok("list webhooks and APIs", err)
	_, err = f.kube.Namespace(ctx, f.shop)
	ok("get namespace", err)
	_, err = f.kube.Services(ctx, f.shop)
	ok("list services", err)
	_, err = f.kube.NetworkPolicies(ctx, f.shop)
	ok("list policies", err)
	_, err = f.kube.Owner(ctx, &pods[0])
	ok("get owner", err)
	_, err = f.kube.Pods(ctx, "", "")
	ok("list pods", err)
	_, _, err = kube.NewSwitch(f.kube, f.home, kube.ConfigMapName).Paused(ctx)
	ok("get own ConfigMap", err)
	t.Logf("%d needed requests and acts went through", n)
	if n < 20 {
		t.Errorf("%d are fewer than 20", n)
	}
}
