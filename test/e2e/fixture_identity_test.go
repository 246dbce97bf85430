package e2e

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

func init() {
	conform(fixture{
		kind: "identity.unmount", at: serviceAccounts, make: makeAccount,
		held: func(_ *trial, o *unstructured.Unstructured) string {
			on, found, _ := unstructured.NestedBool(o.Object, "automountServiceAccountToken")
			return want(fmt.Sprint(on, found), "false true", "automountServiceAccountToken")
		},
		meddle: func(c *trial, name string) {
			c.patch(name, `{"automountServiceAccountToken":true,"metadata":{"labels":{"x":"y"}}}`)
		},
		kept: func(_ *trial, o *unstructured.Unstructured) string {
			on, _, _ := unstructured.NestedBool(o.Object, "automountServiceAccountToken")
			return want(fmt.Sprint(on)+o.GetLabels()["x"], "truey", "automountServiceAccountToken and label")
		},
		rare: nil,
	})
	unbound := fixture{
		kind: "identity.unbind", at: serviceAccounts, make: makeBound, around: []action.Resource{roleBindings},
		held: func(c *trial, o *unstructured.Unstructured) string {
			for _, b := range bindings(c, o.GetName()) {
				if len(b) != 1 || b[0].Name != "ann" {
					return fmt.Sprintf("subjects are %v", b)
				}
			}
			return ""
		},
		meddle: func(c *trial, name string) {
			_, err := c.admin.RbacV1().RoleBindings(c.ns).Patch(c.ctx(), name, types.MergePatchType,
				[]byte(`{"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"eve"}]}`), metav1.PatchOptions{})
			c.no(err, "edit binding")
		},
		kept: func(c *trial, o *unstructured.Unstructured) string {
			b := bindings(c, o.GetName())[0]
			if len(b) != 2 || b[0].Name != "eve" || b[1].Name != o.GetName() {
				return fmt.Sprintf("subjects are %v", b)
			}
			return ""
		},
		rare: map[string]string{"get pods": "only a target that is a pod"},
		// The API server asks for it when a binding is changed.
		unseen: []string{"bind clusterroles." + rbacv1.GroupName},
	}
	pod := unbound
	pod.at, pod.ready, pod.unseen = podResource, podReady, nil
	pod.make = func(c *trial, name string) {
		makeBound(c, name)
		c.create(podResource, true, corev1.Pod{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.PodSpec{ServiceAccountName: name, Containers: []corev1.Container{{Name: "c", Image: "registry.example/web:1"}}},
		})
	}
	unbound.ways = []fixture{pod}
	conform(unbound)
	conform(fixture{
		kind: "identity.revoke", at: serviceAccounts, make: makeRunning, changes: true,
		held: func(c *trial, o *unstructured.Unstructured) string {
			pod, err := c.admin.CoreV1().Pods(c.ns).Get(c.ctx(), o.GetName(), metav1.GetOptions{})
			if err == nil && pod.DeletionTimestamp == nil {
				return "the pod runs still"
			}
			return ""
		},
	})
	keepsOut := func(kind string) fixture {
		return fixture{
			kind: kind, at: serviceAccounts, make: makeAccount, again: true,
			apart: "what it makes is in Firebreak's own namespace, and the guards alone know whom it is about",
			deps: func(c *trial, d *action.Deps) {
				d.Home = "home-of-" + c.ns
				lockouts(c.t)
				makeHome(c, d.Home)
			},
			// The one binding of this cluster reads another namespace.
			result: []event.Result{event.ResultVoid},
			held: func(c *trial, _ *unstructured.Unstructured) string {
				list, err := c.admin.CoreV1().ConfigMaps("home-of-"+c.ns).List(c.ctx(), metav1.ListOptions{LabelSelector: "firebreak.io/lockout"})
				c.no(err, "list lockouts")
				if len(list.Items) == 0 {
					return "there is no lockout"
				}
				return ""
			},
			meddle: func(c *trial, _ string) {
				maps := c.admin.CoreV1().ConfigMaps("home-of-" + c.ns)
				list, err := maps.List(c.ctx(), metav1.ListOptions{LabelSelector: "firebreak.io/lockout"})
				c.no(err, "list lockouts")
				for _, o := range list.Items {
					_, err := maps.Patch(c.ctx(), o.Name, types.MergePatchType, []byte(`{"data":{"x":"y"}}`), metav1.PatchOptions{FieldManager: "somebody"})
					c.no(err, "edit lockout")
				}
			},
			kept: func(*trial, *unstructured.Unstructured) string { return "" },
		}
	}
	deny, out := keepsOut("identity.deny"), keepsOut("admission.deny")
	bare := deny
	bare.at, bare.make, bare.ready = podResource, makePod, podReady
	deny.rare, deny.ways = map[string]string{"get pods": "only a target that is a pod"}, []fixture{bare}
	conform(deny)
	conform(out)
}

func makeHome(c *trial, name string) {
	_, err := c.admin.CoreV1().Namespaces().Create(c.ctx(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		c.no(err, "create namespace")
	}
	c.t.Cleanup(func() {
		_ = c.admin.CoreV1().Namespaces().Delete(context.WithoutCancel(c.ctx()), name, metav1.DeleteOptions{})
	})
}

func makeAccount(c *trial, name string) {
	c.create(serviceAccounts, true, corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// makeBound makes an account that two bindings name, after somebody else. Those
// that are there already stay.
func makeBound(c *trial, name string) {
	makeAccount(c, name)
	meta := metav1.ObjectMeta{Name: name}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"}
	subjects := []rbacv1.Subject{
		{APIGroup: rbacv1.GroupName, Kind: "User", Name: "ann"}, {Kind: "ServiceAccount", Namespace: c.ns, Name: name},
	}
	if _, err := c.admin.RbacV1().RoleBindings(c.ns).Get(c.ctx(), name, metav1.GetOptions{}); err == nil {
		return
	}
	c.create(roleBindings, true, rbacv1.RoleBinding{TypeMeta: metav1.TypeMeta{APIVersion: ref.APIGroup + "/v1", Kind: "RoleBinding"}, ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
	c.create(clusterBindings, false, rbacv1.ClusterRoleBinding{TypeMeta: metav1.TypeMeta{APIVersion: ref.APIGroup + "/v1", Kind: "ClusterRoleBinding"}, ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
}

func bindings(c *trial, name string) [][]rbacv1.Subject {
	in, err := c.admin.RbacV1().RoleBindings(c.ns).Get(c.ctx(), name, metav1.GetOptions{})
	c.no(err, "read binding")
	all, err := c.admin.RbacV1().ClusterRoleBindings().Get(c.ctx(), name, metav1.GetOptions{})
	c.no(err, "read binding")
	return [][]rbacv1.Subject{in.Subjects, all.Subjects}
}

// makeRunning makes an account and a pod that runs as it.
func makeRunning(c *trial, name string) {
	makeAccount(c, name)
	eventually(c.t, "pod "+name, func(ctx context.Context) error {
		_, err := c.admin.CoreV1().Pods(c.ns).Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       corev1.PodSpec{ServiceAccountName: name, Containers: []corev1.Container{{Name: "c", Image: "registry.example/web:1"}}},
		}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			err = nil
		}
		return err
	})
	eventually(c.t, "pod "+name+" to run", func(ctx context.Context) error {
		pod, err := c.admin.CoreV1().Pods(c.ns).Get(ctx, name, metav1.GetOptions{})
		if err == nil && pod.Status.Phase != corev1.PodRunning {
			err = errors.New("does not run")
		}
		return err
	})
}

var (
	services       = action.Resource{Version: "v1", Resource: "services"}
	applications   = action.Resource{Group: "argoproj.io", Version: "v1alpha1", Resource: "applications"}
	kustomizations = action.Resource{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}
	helmReleases   = action.Resource{Group: "helm.toolkit.fluxcd.io", Version: "v2", Resource: "helmreleases"}
)

func init() {
	istio := func(plural string) action.Resource {
		return action.Resource{Group: "security.istio.io", Version: "v1", Resource: plural}
	}
	both := []action.Resource{istio("requestauthentications"), istio("authorizationpolicies")}
	made := func(c *trial) int {
		all := 0
		for _, x := range both {
			list, err := c.api(x, true).List(c.ctx(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=firebreak"})
			c.no(err, "list "+x.Resource)
			all += len(list.Items)
		}
		return all
	}
	conform(fixture{
		kind: "service.authenticate", at: services, again: true, around: both,
		make: func(c *trial, name string) {
			c.create(services, true, corev1.Service{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: metav1.ObjectMeta{Name: name},
				Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80}}},
			})
		},
		deps: func(c *trial, _ *action.Deps) {
			definitions(c.t, "requestauthentications.security.istio.io", "authorizationpolicies.security.istio.io")
		},
		held: func(c *trial, _ *unstructured.Unstructured) string {
			if n := made(c); n < 2 {
				return fmt.Sprintf("%d objects of Istio's", n)
			}
			return ""
		},
		meddle: func(c *trial, name string) { c.patch(name, `{"metadata":{"labels":{"x":"y"}}}`) },
		kept:   func(_ *trial, o *unstructured.Unstructured) string { return want(o.GetLabels()["x"], "y", "label") },
	})
	kept := fixture{
		kind: "gitops.suspend", at: cronJobs, around: []action.Resource{applications, kustomizations, helmReleases},
		make: func(c *trial, name string) {
			makeCronJob(c, name)
			c.keep(name)
		},
		deps: func(c *trial, _ *action.Deps) {
			definitions(c.t, "applications.argoproj.io", "kustomizations.kustomize.toolkit.fluxcd.io", "helmreleases.helm.toolkit.fluxcd.io")
		},
		held: func(c *trial, o *unstructured.Unstructured) string {
			app, err := c.api(applications, true).Get(c.ctx(), o.GetName(), metav1.GetOptions{})
			c.no(err, "read Application")
			flux, err := c.api(kustomizations, true).Get(c.ctx(), o.GetName(), metav1.GetOptions{})
			c.no(err, "read Kustomization")
			helm, err := c.api(helmReleases, true).Get(c.ctx(), o.GetName(), metav1.GetOptions{})
			c.no(err, "read HelmRelease")
			_, automated, _ := unstructured.NestedMap(app.Object, "spec", "syncPolicy", "automated")
			suspended, _, _ := unstructured.NestedBool(flux.Object, "spec", "suspend")
			released, _, _ := unstructured.NestedBool(helm.Object, "spec", "suspend")
			return want(fmt.Sprint(automated, suspended, released), "false true true", "automated, suspended, released")
		},
		meddle: func(c *trial, name string) {
			_, err := c.api(kustomizations, true).Patch(c.ctx(), name, types.MergePatchType, []byte(`{"spec":{"prune":false}}`), metav1.PatchOptions{})
			c.no(err, "edit Kustomization")
		},
		kept: func(c *trial, o *unstructured.Unstructured) string {
			flux, err := c.api(kustomizations, true).Get(c.ctx(), o.GetName(), metav1.GetOptions{})
			c.no(err, "read Kustomization")
			prune, _, _ := unstructured.NestedBool(flux.Object, "spec", "prune")
			suspended, _, _ := unstructured.NestedBool(flux.Object, "spec", "suspend")
			return want(fmt.Sprint(prune, suspended), "false false", "prune, suspended")
		},
		rare: func() map[string]string {
			all := rarely("get", "deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps", "jobs.batch")
			all["get pods"] = "only such a target"
			return all
		}(),
	}
	kept.ways = kept.on(deployments, statefulSets, daemonSets, replicaSets, jobResource)
	bare := kept
	bare.at, bare.make, bare.ready = podResource, makePod, podReady
	kept.ways = append(kept.ways, bare)
	for i, w := range kept.ways {
		kept.ways[i].make = func(c *trial, name string) {
			w.make(c, name)
			c.keep(name)
		}
	}
	conform(kept)
}

// keep has the target kept in line by an Application, a Kustomization and a
// HelmRelease.
func (c *trial) keep(name string) {
	c.patch(name, fmt.Sprintf(`{"metadata":{"annotations":{"argocd.argoproj.io/tracking-id":"%[1]s_%[2]s:batch/CronJob:%[1]s/%[2]s"},
		"labels":{"kustomize.toolkit.fluxcd.io/name":"%[2]s","kustomize.toolkit.fluxcd.io/namespace":"%[1]s",
		"helm.toolkit.fluxcd.io/name":"%[2]s","helm.toolkit.fluxcd.io/namespace":"%[1]s"}}}`, c.ns, name))
	if _, err := c.api(applications, true).Get(c.ctx(), name, metav1.GetOptions{}); err == nil {
		return
	}
	meta := map[string]any{"name": name}
	c.create(applications, true, map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": meta,
		"spec": map[string]any{
			"project": "default", "source": map[string]any{"repoURL": "https://git.example/x", "path": "."},
			"destination": map[string]any{"namespace": c.ns, "server": "https://kubernetes.default.svc"},
			"syncPolicy":  map[string]any{"automated": map[string]any{"prune": true, "selfHeal": true}, "retry": map[string]any{"limit": 2}},
		},
	})
	c.create(kustomizations, true, map[string]any{
		"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": meta,
		"spec": map[string]any{"interval": "10m", "prune": true, "sourceRef": map[string]any{"kind": "GitRepository", "name": "x"}},
	})
	c.create(helmReleases, true, map[string]any{
		"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": meta,
		"spec": map[string]any{
			"interval": "10m", "values": map[string]any{"replicas": 2}, "driftDetection": map[string]any{"mode": "enabled"},
			"chart": map[string]any{"spec": map[string]any{"chart": "web", "version": "1.x", "sourceRef": map[string]any{"kind": "HelmRepository", "name": "x"}}},
		},
	})
}
