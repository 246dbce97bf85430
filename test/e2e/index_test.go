package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/kube/index"
	"github.com/firebreak-io/firebreak/test/wire"
)

// watching starts an index that has just the rights that ingest has.
func watching(t *testing.T, client kubernetes.Interface) *index.Index {
	t.Helper()
	return follow(t, reader(t, client).REST())
}

func follow(t *testing.T, config *rest.Config) *index.Index {
	t.Helper()
	x := index.New(index.Options{Config: config, Discover: 300 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the index is there", func(ctx context.Context) error {
		if !x.Synced() {
			return fmt.Errorf("not synced: %w", x.Healthy(ctx))
		}
		return x.Healthy(ctx)
	})
	return x
}

func TestIndexOwners(t *testing.T) {
	client := admin(t)
	ns, x := namespace(t, client), watching(t, client)
	pod := template()
	create := func(what string, err error) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	webDeployment(t, client, ns, 2)
	set := func(kind string) (metav1.ObjectMeta, *metav1.LabelSelector, corev1.PodTemplateSpec) {
		labels := map[string]string{"app": kind}
		p := *pod.DeepCopy()
		p.Labels = labels
		return metav1.ObjectMeta{Name: kind}, &metav1.LabelSelector{MatchLabels: labels}, p
	}
	meta, sel, tmpl := set("stateful")
	_, err := client.AppsV1().StatefulSets(ns).Create(t.Context(), &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: sel, Template: tmpl}}, metav1.CreateOptions{})
	create("StatefulSet", err)
	meta, sel, tmpl = set("daemon")
	_, err = client.AppsV1().DaemonSets(ns).Create(t.Context(), &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: sel, Template: tmpl}}, metav1.CreateOptions{})
	create("DaemonSet", err)
	meta, _, tmpl = set("job")
	tmpl.Spec.RestartPolicy = corev1.RestartPolicyNever
	job := batchv1.JobSpec{Template: tmpl}
	_, err = client.BatchV1().Jobs(ns).Create(t.Context(), &batchv1.Job{ObjectMeta: meta, Spec: job}, metav1.CreateOptions{})
	create("Job", err)
	meta, _, tmpl = set("cron")
	tmpl.Spec.RestartPolicy = corev1.RestartPolicyNever
	cron, err := client.BatchV1().CronJobs(ns).Create(t.Context(), &batchv1.CronJob{ObjectMeta: meta, Spec: batchv1.CronJobSpec{
		Schedule: "0 0 1 1 *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: tmpl}},
	}}, metav1.CreateOptions{})
	create("CronJob", err)
	// As kubectl create job --from does it.
	_, err = client.BatchV1().Jobs(ns).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "cron-1", OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(cron, batchv1.SchemeGroupVersion.WithKind("CronJob"))}},
		Spec:       cron.Spec.JobTemplate.Spec,
	}, metav1.CreateOptions{})
	create("Job of a CronJob", err)
	node := plane(t).Nodes[1]
	nodeObject, err := client.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
	create("Node", err)
	yes := true
	_, err = client.CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "static-" + node, Labels: map[string]string{"app": "static"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node, UID: nodeObject.UID, Controller: &yes}},
		},
		Spec: corev1.PodSpec{NodeName: node, Containers: pod.Spec.Containers},
	}, metav1.CreateOptions{})
	create("Pod of a Node", err)
	for _, w := range []struct{ app, kind, name string }{
		{"web", "Deployment", "web"}, {"stateful", "StatefulSet", "stateful"}, {"daemon", "DaemonSet", "daemon"},
		{"job", "Job", "job"}, {"cron", "CronJob", "cron"}, {"static", "Node", node},
	} {
		eventually(t, w.kind, func(ctx context.Context) error {
			list, err := client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: "app=" + w.app})
			if err != nil || len(list.Items) == 0 {
				return fmt.Errorf("no pods yet (%w)", err)
			}
			for i := range list.Items {
				if err := known(x, &list.Items[i], w.kind, w.name); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// known says what the index has wrong of a pod.
func known(x *index.Index, pod *corev1.Pod, kind, workload string) error {
	m := x.PodByUID(string(pod.UID))
	if m.Pod == nil {
		return fmt.Errorf("%s is not known by its UID", pod.Name)
	}
	if w := x.Workload(m.Pod); w.Kind != kind || w.Name != workload || w.UID == "" {
		return fmt.Errorf("%s belongs to %+v", pod.Name, w)
	}
	r := m.Pod.Ref()
	if r.Namespace != pod.Namespace || r.Name != pod.Name || r.Node != pod.Spec.NodeName || r.ServiceAccount != pod.Namespace+"/default" || len(r.Labels) != len(pod.Labels) {
		return fmt.Errorf("it is %+v", r)
	}
	if byName := x.PodByName(pod.Namespace, pod.Name, time.Time{}); byName.Pod != m.Pod {
		return fmt.Errorf("%s is not known by its name", pod.Name)
	}
	if len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].ContainerID == "" {
		return fmt.Errorf("%s has no container yet", pod.Name)
	}
	id := containerID(pod.Status.ContainerStatuses[0].ContainerID)
	if c := x.PodByContainer(id); c.Pod != m.Pod || c.Container.Name != "web" || c.Container.Image != "registry.example/web:1" {
		return fmt.Errorf("%s is not known by container %s: %+v", pod.Name, id, c)
	}
	if n, ok := x.Node(pod.Spec.NodeName); !ok || n.UID == "" {
		return fmt.Errorf("node %s is not known", pod.Spec.NodeName)
	}
	return nil
}

// A name is handed on to another pod, and an address, too.
func TestIndexReuse(t *testing.T) {
	t.Parallel()
	client := admin(t)
	ns, x := namespace(t, client), watching(t, client)
	make1 := func() *corev1.Pod {
		p := template()
		_, err := client.CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "one", Labels: web}, Spec: p.Spec}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pod := ready(t, client, ns, "app=web", 1)[0]
		eventually(t, "the pod is known with its container", func(context.Context) error {
			if m := x.PodByContainer(containerID(pod.Status.ContainerStatuses[0].ContainerID)); m.Pod == nil || m.Pod.UID != string(pod.UID) {
				return errors.New("not yet")
			}
			return nil
		})
		return &pod
	}
	first := make1()
	between := time.Now()
	ip := netip.MustParseAddr(first.Status.PodIP)
	if m := x.PodByAddress(ip, time.Time{}); m.Pod == nil || m.Pod.UID != string(first.UID) {
		t.Errorf("%s is %+v", ip, m)
	}
	// Not at once: kwok would delete by the name as well, and perhaps the second.
	if err := client.CoreV1().Pods(ns).Delete(t.Context(), "one", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first is gone", func(context.Context) error {
		if m := x.PodByUID(string(first.UID)); m.Pod == nil || m.Gone.IsZero() {
			return fmt.Errorf("it is %+v", m)
		}
		return nil
	})
	pass(t, 11*time.Second) // past the doubt about clocks, both ways
	second := make1()
	if second.UID == first.UID {
		t.Fatal("the same UID")
	}
	for what, want := range map[time.Time]*corev1.Pod{between: first, time.Now(): second} {
		if m := x.PodByName(ns, "one", what); m.Pod == nil || m.Pod.UID != string(want.UID) {
			t.Errorf("at %s the name is %+v, want %s", what, m, want.UID)
		}
	}
	if m := x.PodByContainer(containerID(first.Status.ContainerStatuses[0].ContainerID)); m.Pod == nil || m.Pod.UID != string(first.UID) || m.Gone.IsZero() {
		t.Errorf("the container of the first is %+v", m)
	}
	if m := x.PodByAddress(ip, between); m.Pod == nil || m.Pod.UID != string(first.UID) {
		t.Errorf("the address was %+v", m)
	}
	if now := netip.MustParseAddr(second.Status.PodIP); now == ip {
		if m := x.PodByAddress(ip, time.Now()); m.Pod == nil || m.Pod.UID != string(second.UID) {
			t.Errorf("the address is %+v", m)
		}
	} else {
		t.Logf("the address was not handed on: %s, then %s", ip, now)
	}
}

// The watch is lost while pods come and go: what is known of them afterwards
// is right again, and what happened meanwhile is nobody's guess.
func TestIndexInterrupted(t *testing.T) {
	t.Parallel()
	client := admin(t)
	ns := namespace(t, client)
	config := reader(t, client).REST()
	between := wire.New(t, strings.TrimPrefix(config.Host, "https://"), nil)
	config.Host = "https://" + between.Address
	x := follow(t, config)
	webDeployment(t, client, ns, 3)
	before := ready(t, client, ns, "app=web", 3)
	all := func(what string, pods []corev1.Pod) {
		t.Helper()
		eventually(t, what, func(context.Context) error {
			for i := range pods {
				if err := known(x, &pods[i], "Deployment", "web"); err != nil {
					return err
				}
			}
			return nil
		})
	}
	all("all are known", before)
	between.Cut()
	zero := int64(0)
	if err := client.CoreV1().Pods(ns).Delete(t.Context(), before[0].Name, metav1.DeleteOptions{GracePeriodSeconds: &zero}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is replaced", func(ctx context.Context) error {
		if _, err := client.CoreV1().Pods(ns).Get(ctx, before[0].Name, metav1.GetOptions{}); err == nil {
			return errors.New("it is there")
		}
		return nil
	})
	after := ready(t, client, ns, "app=web", 3)
	if m := x.PodByUID(string(before[0].UID)); m.Pod == nil || !m.Gone.IsZero() {
		t.Fatalf("without a connection it is known to be gone: %+v", m)
	}
	eventually(t, "the index says that it is behind", func(ctx context.Context) error {
		if x.Healthy(ctx) == nil {
			return errors.New("it says nothing")
		}
		return nil
	})
	between.Mend()
	all("all are known again", after)
	eventually(t, "the one that went is gone", func(ctx context.Context) error {
		if m := x.PodByUID(string(before[0].UID)); m.Pod == nil || m.Gone.IsZero() {
			return fmt.Errorf("%+v", m)
		}
		return x.Healthy(ctx)
	})
}

// VulnerabilityReports may come after the index, and go again.
func TestIndexReports(t *testing.T) {
	client := admin(t)
	ns, x := namespace(t, client), watching(t, client)
	webDeployment(t, client, ns, 1)
	pod := ready(t, client, ns, "app=web", 1)[0]
	config, err := clientcmd.BuildConfigFromFlags("", plane(t).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	crds := d.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	const crd = "vulnerabilityreports.aquasecurity.github.io"
	_, err = crds.Create(t.Context(), object(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"`+crd+`"},
		"spec":{"group":"aquasecurity.github.io","scope":"Namespaced","names":{"kind":"VulnerabilityReport","plural":"vulnerabilityreports","singular":"vulnerabilityreport"},
		"versions":[{"name":"v1alpha1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	owner := pod.OwnerReferences[0]
	report := object(fmt.Sprintf(`{"apiVersion":"aquasecurity.github.io/v1alpha1","kind":"VulnerabilityReport","metadata":{"name":"replicaset-web","namespace":%q,
		"labels":{"trivy-operator.container.name":"web","trivy-operator.resource.kind":%q,"trivy-operator.resource.name":%q}},
		"report":{"artifact":{"repository":"web","tag":"1"},"summary":{"criticalCount":2,"highCount":7,"mediumCount":0,"lowCount":1,"unknownCount":0},
		"vulnerabilities":[{"severity":"CRITICAL","score":9.8},{"severity":"HIGH","score":7}]}}`, ns, owner.Kind, owner.Name))
	api := d.Resource(schema.GroupVersionResource{Group: "aquasecurity.github.io", Version: "v1alpha1", Resource: "vulnerabilityreports"}).Namespace(ns)
	eventually(t, "a report is made", func(ctx context.Context) error {
		_, err := api.Create(ctx, report, metav1.CreateOptions{})
		return err
	})
	image := func() event.Image {
		m := x.PodByUID(string(pod.UID))
		if m.Pod == nil {
			return event.Image{}
		}
		return x.Image(m.Pod, m.Pod.Container("web"))
	}
	want := event.Image{Report: "replicaset-web", Vulnerabilities: event.Vulnerabilities{Critical: 2, High: 7, Low: 1, Score: 9.8}}
	eventually(t, "the report is known", func(ctx context.Context) error {
		if got := image(); got != want {
			return fmt.Errorf("%+v (%w)", got, x.Healthy(ctx))
		}
		return nil
	})
	if err := crds.Delete(t.Context(), crd, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the report is gone, and the index well", func(ctx context.Context) error {
		if got := image(); got != (event.Image{}) {
			return fmt.Errorf("%+v", got)
		}
		return x.Healthy(ctx)
	})
}

// reader is a client with the rights of ingest, and no others.
func reader(t *testing.T, client kubernetes.Interface) *kube.Client {
	t.Helper()
	ns := namespace(t, client)
	account := kube.Account{Namespace: ns, Name: "default", Role: "ingest-" + ns}
	manifest, err := kube.RoleManifest(account, kube.IndexPermissions())
	if err != nil {
		t.Fatal(err)
	}
	bind(t, client, string(manifest), account)
	token, err := client.CoreV1().ServiceAccounts(ns).CreateToken(t.Context(), account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig, Token: token.Status.Token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func object(text string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON([]byte(text)); err != nil {
		panic(err)
	}
	return u
}
