package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// lockoutHome is where the lockouts of this package's cluster are: the names of
// the policies are the cluster's, so there is one place for all tests.
const lockoutHome = "firebreak"

// lockouts applies the static policies of lockouts, once, and waits until they
// are looked at. It gives the client of an administrator who is no master of
// the system, so that the policies bind him.
func lockouts(t *testing.T) kubernetes.Interface {
	t.Helper()
	client := admin(t)
	ctx := t.Context()
	_, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: lockoutHome}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	manifest, err := kube.LockoutManifest(kube.Account{Namespace: lockoutHome, Name: "firebreak"}, guard.ProtectedNamespaces())
	if err != nil {
		t.Fatal(err)
	}
	k, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Create(ctx, manifest); err != nil && !errors.Is(err, kube.ErrExists) {
		t.Fatal(err)
	}
	eventually(t, "the policies of lockouts", func(ctx context.Context) error {
		for _, of := range []string{kube.LockoutIdentity, kube.LockoutPods} {
			p, err := client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(ctx, kube.LockoutPolicy(of), metav1.GetOptions{})
			if err != nil {
				return err
			}
			if p.Status.TypeChecking == nil {
				return errors.New("is not checked yet")
			}
			for _, w := range p.Status.TypeChecking.ExpressionWarnings {
				t.Errorf("%s: %s: %s", of, w.FieldRef, w.Warning)
			}
		}
		return nil
	})
	return as(t, "ann@example.com")
}

// as is a client of a person who may do everything and is no master.
func as(t *testing.T, user string) kubernetes.Interface {
	t.Helper()
	client, ctx := admin(t), t.Context()
	b := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "person-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: user}},
	}
	made, err := client.RbacV1().ClusterRoleBindings().Create(ctx, b, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	unbind(t, made.Name, client.RbacV1().ClusterRoleBindings().Delete)
	config, err := clientcmd.BuildConfigFromFlags("", plane(t).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 200, 400
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	person, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rights of "+user, func(ctx context.Context) error {
		_, err := person.CoreV1().Secrets("").List(ctx, metav1.ListOptions{Limit: 1})
		return err
	})
	return person
}

// lockout makes one with these data, and gives what takes it away again.
func lockout(t *testing.T, of string, until time.Time, data map[string]string) (remove func()) {
	t.Helper()
	client := admin(t)
	made, err := client.CoreV1().ConfigMaps(lockoutHome).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "firebreak-", Labels: map[string]string{kube.LockoutLabel: of},
			Annotations: map[string]string{action.UntilKey: until.UTC().Format(time.RFC3339)},
		},
		Data: data,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	remove = func() {
		_ = client.CoreV1().ConfigMaps(lockoutHome).Delete(context.WithoutCancel(t.Context()), made.Name, metav1.DeleteOptions{})
	}
	t.Cleanup(remove)
	return remove
}

// trying creates a pod as a dry run.
func trying(ctx context.Context, client kubernetes.Interface, ns string, spec corev1.PodSpec) error {
	if len(spec.Containers) == 0 {
		spec.Containers = []corev1.Container{{Name: "c", Image: "registry.example/web:1"}}
	}
	_, err := client.CoreV1().Pods(ns).Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: spec},
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

func keptOut(err error, text string) error {
	if err == nil || !strings.Contains(err.Error(), text) {
		return errors.New("is not kept out: " + errorText(err))
	}
	return nil
}

func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// TestLockoutOfPods: what a lockout says is kept out, by each of its kinds, and
// nothing else; and it is over at its time although nobody takes it away.
func TestLockoutOfPods(t *testing.T) {
	person := lockouts(t)
	ns := namespace(t, admin(t))
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	image := func(names ...string) (spec corev1.PodSpec) {
		for _, name := range names {
			spec.InitContainers = append(spec.InitContainers, corev1.Container{Name: "i", Image: name})
		}
		spec.Containers = []corev1.Container{{Name: "c", Image: "registry.example/web:1"}}
		return spec
	}
	yes := true
	for name, c := range map[string]struct {
		data      map[string]string
		out, lets []corev1.PodSpec
		text      string
	}{
		"digest": {
			data: map[string]string{"digest": digest}, text: "this image digest",
			out:  []corev1.PodSpec{image("evil@" + digest), image("registry.example/a/b:1@" + digest)},
			lets: []corev1.PodSpec{image("evil:1"), image("evil@sha256:" + strings.Repeat("0", 64))},
		},
		"image": {
			data: map[string]string{"image": "docker.io/library/evil"}, text: "this image is",
			out: []corev1.PodSpec{
				image("evil"), image("evil:1"), image("library/evil"), image("docker.io/evil"), image("index.docker.io/library/evil:2"),
				image("docker.io/library/evil@" + digest), image("DOCKER.io/evil"),
			},
			lets: []corev1.PodSpec{image("evil2"), image("ann/evil"), image("registry.example/evil"), image("registry.example/docker.io/library/evil")},
		},
		"registry": {
			data: map[string]string{"registry": "bad.example"}, text: "this registry",
			out:  []corev1.PodSpec{image("bad.example/x"), image("bad.example:5000/x/y:1"), image("BAD.example/x")},
			lets: []corev1.PodSpec{image("bad.example.org/x"), image("good.example/bad.example/x"), image("x")},
		},
		"account": {
			data: map[string]string{"serviceAccount": ns + "/default"}, text: "this service account",
			out:  []corev1.PodSpec{{}, {ServiceAccountName: "default"}},
			lets: nil,
		},
		"privileged": {
			data: map[string]string{"privileged": "true"}, text: "privileged pods",
			out: []corev1.PodSpec{
				{HostNetwork: true}, {HostPID: true}, {HostIPC: true},
				{Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}},
				{Containers: []corev1.Container{{Name: "c", Image: "x", SecurityContext: &corev1.SecurityContext{Privileged: &yes}}}},
			},
			lets: []corev1.PodSpec{{}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.data["namespace"] = ns
			remove := lockout(t, kube.LockoutPods, time.Now().Add(time.Hour), c.data)
			for i, spec := range c.out {
				eventually(t, "the lockout", func(ctx context.Context) error { return keptOut(trying(ctx, person, ns, spec), c.text) })
				if err := trying(t.Context(), person, "default", spec); err != nil {
					t.Errorf("%d: in another namespace: %v", i, err)
				}
			}
			for i, spec := range c.lets {
				if err := trying(t.Context(), person, ns, spec); err != nil {
					t.Errorf("%d is kept out: %v", i, err)
				}
			}
			remove()
			eventually(t, "the end", func(ctx context.Context) error { return trying(ctx, person, ns, c.out[0]) })
		})
	}
	t.Run("what is there may be changed", func(t *testing.T) {
		pods := person.CoreV1().Pods(ns)
		if _, err := pods.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "old"}, Spec: image("evil:1")}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		lockout(t, kube.LockoutPods, time.Now().Add(time.Hour), map[string]string{"image": "docker.io/library/evil", "namespace": ns})
		eventually(t, "the lockout", func(ctx context.Context) error { return keptOut(trying(ctx, person, ns, image("evil")), "this image") })
		patch := func(body, sub string) error {
			_, err := pods.Patch(t.Context(), "old", "application/strategic-merge-patch+json", []byte(body), metav1.PatchOptions{}, sub)
			return err
		}
		if err := patch(`{"metadata":{"labels":{"a":"b"}}}`, ""); err != nil {
			t.Error(err)
		}
		if err := patch(`{"spec":{"containers":[{"name":"c","image":"registry.example/web:2"}]}}`, ""); err != nil {
			t.Error(err)
		}
		if err := patch(`{"spec":{"containers":[{"name":"c","image":"evil:3"}]}}`, ""); keptOut(err, "this image") != nil {
			t.Error(err)
		}
		if err := patch(`{"spec":{"ephemeralContainers":[{"name":"e","image":"evil:4"}]}}`, "ephemeralcontainers"); keptOut(err, "this image") != nil {
			t.Error(err)
		}
	})
	t.Run("over by itself", func(t *testing.T) {
		// The younger one is seen later: what is true of the elder then is no delay.
		lockout(t, kube.LockoutPods, time.Now().Add(-time.Second), map[string]string{"image": "docker.io/library/past", "namespace": ns})
		lockout(t, kube.LockoutPods, time.Now().Add(time.Hour), map[string]string{"image": "docker.io/library/future", "namespace": ns})
		eventually(t, "the lockout", func(ctx context.Context) error {
			return keptOut(trying(ctx, person, ns, image("future")), "this image")
		})
		if err := trying(t.Context(), person, ns, image("past")); err != nil {
			t.Error(err)
		}
	})
	t.Run("nonsense keeps nobody out", func(t *testing.T) {
		for _, data := range []map[string]string{{}, {"image": "", "namespace": ns}, {"x": "y"}} {
			lockout(t, kube.LockoutPods, time.Now().Add(time.Hour), data)
		}
		lockout(t, kube.LockoutPods, time.Now().Add(time.Hour), map[string]string{"image": "docker.io/library/seen", "namespace": ns})
		eventually(t, "the lockout", func(ctx context.Context) error { return keptOut(trying(ctx, person, ns, image("seen")), "this image") })
		if err := trying(t.Context(), person, ns, image("a", "b/c@"+digest)); err != nil && !strings.Contains(err.Error(), "Duplicate") {
			t.Error(err)
		}
	})
}

// TestLockoutOfIdentity: it can write nothing, by no verb, and others can; with
// stronger authentication, if that is the lockout, it can.
func TestLockoutOfIdentity(t *testing.T) {
	lockouts(t)
	ns := namespace(t, admin(t))
	bob, ann := as(t, "bob@example.com"), as(t, "ann@example.com")
	make := func(ctx context.Context, client kubernetes.Interface) error {
		_, err := client.CoreV1().ConfigMaps(ns).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	if _, err := ann.CoreV1().ConfigMaps(ns).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "y"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	remove := lockout(t, kube.LockoutIdentity, time.Now().Add(time.Hour), map[string]string{"user": "bob@example.com"})
	eventually(t, "the lockout", func(ctx context.Context) error { return keptOut(make(ctx, bob), "locked out") })
	for what, err := range map[string]error{
		"patch": func() error {
			_, err := bob.CoreV1().ConfigMaps(ns).Patch(t.Context(), "y", "application/merge-patch+json", []byte(`{"data":{"a":"b"}}`), metav1.PatchOptions{})
			return err
		}(),
		"delete": bob.CoreV1().ConfigMaps(ns).Delete(t.Context(), "y", metav1.DeleteOptions{}),
		"exec":   bob.CoreV1().RESTClient().Post().Namespace(ns).Resource("pods").Name("p").SubResource("exec").Param("command", "sh").Do(t.Context()).Error(),
	} {
		if what == "exec" && apierrors.IsNotFound(err) {
			continue // the pod is looked for first
		}
		if err := keptOut(err, "locked out"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := make(t.Context(), ann); err != nil {
		t.Error(err)
	}
	if _, err := bob.CoreV1().ConfigMaps(ns).Get(t.Context(), "y", metav1.GetOptions{}); err != nil {
		t.Errorf("reads are admitted: %v", err)
	}
	remove()
	eventually(t, "the end", func(ctx context.Context) error { return make(ctx, bob) })

	t.Run("stronger authentication", func(t *testing.T) {
		lockout(t, kube.LockoutIdentity, time.Now().Add(time.Hour), map[string]string{"user": "bob@example.com", "extra": "example.com/amr", "value": "mfa"})
		eventually(t, "the lockout", func(ctx context.Context) error { return keptOut(make(ctx, bob), "stronger") })
		config, err := clientcmd.BuildConfigFromFlags("", plane(t).Kubeconfig)
		if err != nil {
			t.Fatal(err)
		}
		config.Impersonate = rest.ImpersonationConfig{UserName: "bob@example.com", Extra: map[string][]string{"example.com/amr": {"pwd", "mfa"}}}
		strong, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := make(t.Context(), strong); err != nil {
			t.Error(err)
		}
	})
	t.Run("nobody of the system", func(t *testing.T) {
		for _, user := range []string{"system:kube-controller-manager", "system:serviceaccount:kube-system:deployment-controller", "system:serviceaccount:" + lockoutHome + ":firebreak"} {
			lockout(t, kube.LockoutIdentity, time.Now().Add(time.Hour), map[string]string{"user": user})
		}
		lockout(t, kube.LockoutIdentity, time.Now().Add(time.Hour), map[string]string{"user": "eve@example.com"})
		eve := as(t, "eve@example.com")
		eventually(t, "the lockout", func(ctx context.Context) error { return keptOut(make(ctx, eve), "locked out") })
		for _, user := range []string{"system:kube-controller-manager", "system:serviceaccount:kube-system:deployment-controller", "system:serviceaccount:" + lockoutHome + ":firebreak"} {
			if err := make(t.Context(), as(t, user)); err != nil {
				t.Errorf("%s is locked out: %v", user, err)
			}
		}
	})
}
