package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	poll "k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-io/firebreak/test/controlplane"
)

// warnings collects what the API server warns of, such as Pod Security and unknown fields.
type warnings struct{ texts []string }

// HandleWarningHeader keeps the text.
func (w *warnings) HandleWarningHeader(_ int, _ string, text string) { w.texts = append(w.texts, text) }

// deployment is a control plane that runs with the shipped audit policy and has deploy/install.yaml
// applied.
type deployment struct {
	cluster *controlplane.Cluster
	client  *kubernetes.Clientset
	dynamic *dynamic.DynamicClient
	mapper  meta.RESTMapper
	warned  *warnings
	objects []*unstructured.Unstructured
}

// TestDeploy applies deploy/install.yaml to a control plane of its own, because the audit policy is a
// flag of the API server.
func TestDeploy(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	t.Run("accepted", d.accepted)
	t.Run("pod is ready", d.podReady)
	t.Run("pod security refuses more", d.podSecurity)
	t.Run("rights are the role's", d.rights)
	t.Run("people", d.people)
	t.Run("audit policy", d.audit)
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	policy, err := filepath.Abs("../../deploy/audit/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := controlplane.Start(t.Context(), controlplane.Options{Nodes: 1, AuditPolicy: policy, Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	d := &deployment{cluster: cluster, warned: &warnings{}}
	config, err := clientcmd.BuildConfigFromFlags("", cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.WarningHandler = -1, d.warned
	d.client, err = kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	d.dynamic, err = dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	d.mapper = mapper(config)
	d.objects = manifests(t, "../../deploy/install.yaml")
	d.provision(t)
	return d
}

// mapper finds the resource of a kind.
func mapper(config *rest.Config) meta.RESTMapper {
	return restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discovery.NewDiscoveryClientForConfigOrDie(rest.CopyConfig(config))))
}

// provision makes a volume such as a cluster's provisioner would.
func (d *deployment) provision(t *testing.T) {
	t.Helper()
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "disk"},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:               corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("20Gi")},
			AccessModes:            []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/nowhere"}},
		},
	}
	if _, err := d.client.CoreV1().PersistentVolumes().Create(t.Context(), volume, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func manifests(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, document := range strings.Split(string(data), "\n---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &o.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	return objects
}

// apply sends an object as `kubectl apply --server-side --validate=strict` does.
func (d *deployment) apply(ctx context.Context, o *unstructured.Unstructured) error {
	kind := o.GroupVersionKind()
	mapping, err := d.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	options := metav1.PatchOptions{FieldManager: "test", FieldValidation: metav1.FieldValidationStrict}
	_, err = d.dynamic.Resource(mapping.Resource).Namespace(o.GetNamespace()).
		Patch(ctx, o.GetName(), "application/apply-patch+yaml", data, options)
	return err
}

// Everything is taken in the order of the file, twice, and the API server warns of nothing.
func (d *deployment) accepted(t *testing.T) {
	for range 2 {
		for _, o := range d.objects {
			if err := d.apply(t.Context(), o); err != nil {
				t.Errorf("apply %s %s: %v", o.GetKind(), o.GetName(), err)
			}
		}
	}
	for _, o := range manifests(t, "../../deploy/audit/networkpolicy.yaml") {
		if err := d.apply(t.Context(), o); err != nil {
			t.Errorf("apply %s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
	if len(d.warned.texts) > 0 {
		t.Errorf("the API server warns: %q", d.warned.texts)
	}
}

// The pod comes up, with the account, its token and the priority.
func (d *deployment) podReady(t *testing.T) {
	var got *appsv1.Deployment
	err := poll.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		var err error
		got, err = d.client.AppsV1().Deployments("firebreak").Get(ctx, "firebreak", metav1.GetOptions{})
		return err == nil && got.Status.AvailableReplicas == 1, err
	})
	if err != nil {
		t.Fatalf("wait for the pod: %v; status %+v", err, got.Status)
	}
	pods, err := d.client.CoreV1().Pods("firebreak").List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=server"})
	if err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != 1 {
		t.Fatalf("%d pods, want 1", len(pods.Items))
	}
	pod := pods.Items[0]
	if pod.Spec.ServiceAccountName != "firebreak" || pod.Spec.Priority == nil || *pod.Spec.Priority != 1_000_000 {
		t.Errorf("service account %q, priority %v", pod.Spec.ServiceAccountName, pod.Spec.Priority)
	}
	if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Projected != nil }) {
		t.Error("the pod has no token: it couldn't reach the API server")
	}
}

// The namespace's profile is enforced: the same pod with one right more is refused.
func (d *deployment) podSecurity(t *testing.T) {
	got, err := d.client.AppsV1().Deployments("firebreak").Get(t.Context(), "firebreak", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, weaken := range map[string]func(*corev1.PodSpec){
		"as it is":             func(*corev1.PodSpec) {},
		"host network":         func(s *corev1.PodSpec) { s.HostNetwork = true },
		"no seccomp":           func(s *corev1.PodSpec) { s.SecurityContext.SeccompProfile = nil },
		"root":                 func(s *corev1.PodSpec) { s.SecurityContext.RunAsNonRoot = nil },
		"capabilities":         func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.Capabilities = nil },
		"privilege escalation": func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil },
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "try", Namespace: "firebreak"}, Spec: *got.Spec.Template.Spec.DeepCopy()}
		weaken(&pod.Spec)
		_, err := d.client.CoreV1().Pods("firebreak").Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		refused := apierrors.IsForbidden(err) && strings.Contains(err.Error(), "PodSecurity")
		if name == "as it is" && err != nil || name != "as it is" && !refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The account may do each thing that its role names, cluster-wide, and nothing else.
func (d *deployment) rights(t *testing.T) {
	role, err := d.client.RbacV1().ClusterRoles().Get(t.Context(), "firebreak", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(role.Rules) == 0 {
		t.Fatal("the role has no rules")
	}
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, res := range rule.Resources {
				for _, verb := range rule.Verbs {
					name := ""
					if len(rule.ResourceNames) > 0 {
						name = rule.ResourceNames[0]
					}
					d.allowed(t, true, service, verb, group, res, name, "shop")
				}
			}
		}
	}
	for _, no := range [][3]string{
		{"list", "", "secrets"}, {"get", "", "secrets"}, {"create", "", "pods"}, {"create", "", "pods/exec"},
		{"get", "", "pods/exec"}, {"create", "", "serviceaccounts/token"}, {"impersonate", "", "users"}, {"delete", "", "namespaces"},
		{"delete", "", "nodes"}, {"create", "rbac.authorization.k8s.io", "clusterroles"}, {"bind", "rbac.authorization.k8s.io", "clusterroles"},
		{"patch", "apps", "deployments"}, {"delete", "apps", "deployments"}, {"approve", "firebreak.io", "playbooks"},
		{"create", "admissionregistration.k8s.io", "validatingadmissionpolicies"}, {"*", "*", "*"},
	} {
		d.allowed(t, false, service, no[0], no[1], no[2], "", "shop")
	}
}

// The service's own account, and a person of the tests.
const service, person = "system:serviceaccount:firebreak:firebreak", "ann"

// Bound in one namespace, the approver's role is for that namespace alone.
func (d *deployment) people(t *testing.T) {
	for _, o := range []string{
		`{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`,
		`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: oncall, namespace: shop},
		  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-approver},
		  subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}]}`,
	} {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(o, "\t", "")), &u.Object); err != nil {
			t.Fatal(err)
		}
		if err := d.apply(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		verb, resource, namespace string
		want                      bool
	}{
		{"approve", "playbooks", "shop", true}, {"undo", "playbooks", "shop", true},
		{"approve", "playbooks", "payments", false}, {"approve", "playbooks", "", false},
		{"create", "pauses", "", false}, {"list", "runs", "", false},
	} {
		d.allowed(t, c.want, person, c.verb, "firebreak.io", c.resource, "contain", c.namespace)
	}
}

// allowed asks the API server's authorizer, and once more as long as the answer isn't the one that is
// wanted: RBAC follows its watch a moment behind what was just granted.
func (d *deployment) allowed(t *testing.T, want bool, user, verb, group, res, name, namespace string) {
	t.Helper()
	base, sub, _ := strings.Cut(res, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: verb, Group: group, Resource: base, Subresource: sub, Name: name,
		},
	}}
	if user == service {
		review.Spec.Groups = []string{"system:serviceaccounts", "system:serviceaccounts:firebreak", "system:authenticated"}
	}
	err := poll.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		answer, err := d.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed == want, err
	})
	if poll.Interrupted(err) {
		t.Errorf("%s may %s %s.%s %q in %q: %v, want %v", user, verb, res, group, name, namespace, !want, want)
	} else if err != nil {
		t.Fatal(err)
	}
}

// record is what the test looks at of an audit event.
type record struct {
	Level, Verb string
	User        struct{ Username string }
	ObjectRef   struct{ Resource, Subresource, Namespace, Name string }
	Request     json.RawMessage `json:"requestObject"`
	Response    json.RawMessage `json:"responseObject"`
}

// What the shipped policy has the API server write: secrets and tokens by who and what alone, what an
// intruder does with its body, heartbeats not at all.
func (d *deployment) audit(t *testing.T) {
	ctx := t.Context()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "audited"}, StringData: map[string]string{"password": "hunter2hunter2"}}
	if _, err := d.client.CoreV1().Secrets("firebreak").Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.client.CoreV1().Secrets("firebreak").List(ctx, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	var events map[string]record
	want := map[string]string{
		"create secrets/":               "Metadata",
		"list secrets/":                 "Metadata",
		"patch configmaps/":             "Metadata",
		"patch clusterroles/":           "Request",
		"patch rolebindings/":           "Request",
		"patch networkpolicies/":        "Request",
		"patch deployments/":            "Request",
		"create pods/":                  "Request",
		"patch persistentvolumeclaims/": "Metadata",
		"create subjectaccessreviews/":  "Metadata",
		"patch priorityclasses/":        "Metadata",
		"create pods/binding":           "Metadata",
		"patch serviceaccounts/":        "Request",
		"patch namespaces/":             "Request",
		"create persistentvolumes/":     "Metadata",
		"patch services/":               "Request",
		"patch clusterrolebindings/":    "Request",
	}
	err := poll.PollUntilContextTimeout(ctx, 200*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		events = d.records(t)
		for key := range want {
			if _, ok := events[key]; !ok {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil && !poll.Interrupted(err) {
		t.Fatal(err)
	}
	for key, level := range want {
		if got, ok := events[key]; !ok || got.Level != level {
			t.Errorf("%s: level %q, want %q", key, got.Level, level)
		}
	}
	for key := range events {
		if strings.Contains(key, " leases/") || strings.Contains(key, " events/") {
			t.Errorf("%s is logged: noise", key)
		}
	}
}

// records reads the audit log: the last event of each verb and resource. No event may hold a secret.
func (d *deployment) records(t *testing.T) map[string]record {
	t.Helper()
	file, err := os.Open(d.cluster.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	events := map[string]record{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "hunter2") || strings.Contains(lines.Text(), "aHVudGVyM") {
			t.Fatalf("the audit log holds a secret: %s", lines.Text())
		}
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // the line that is being written
		}
		if r.Level == "Metadata" && (r.Request != nil || r.Response != nil) {
			t.Fatalf("a body at level Metadata: %s", lines.Text())
		}
		events[r.Verb+" "+r.ObjectRef.Resource+"/"+r.ObjectRef.Subresource] = r
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}
