package index

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
)

// realistic is a pod as API servers give them: a web server with a proxy, ten
// labels, and the fields that nobody asks the index for.
func realistic(i int) *corev1.Pod {
	yes := true
	workload := i / 10
	labels := map[string]string{"pod-template-hash": fmt.Sprintf("%010x", workload), "app.kubernetes.io/name": fmt.Sprintf("app-%d", workload)}
	for j := range 8 {
		labels[fmt.Sprintf("example.com/label-%d", j)] = fmt.Sprintf("value-%d", workload%50)
	}
	id := func(n int) string { return fmt.Sprintf("containerd://%08x%04x%052x", i*2654435761%4294967291, n, i) }
	status := func(n int, name string) corev1.ContainerStatus {
		return corev1.ContainerStatus{
			Name: name, ContainerID: id(n), Image: "registry.example/" + name + ":1.2.3",
			ImageID: fmt.Sprintf("registry.example/%s@sha256:%064x", name, workload),
		}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: fmt.Sprintf("team-%d", workload%100), Name: fmt.Sprintf("app-%d-%010x-%05x", workload, workload, i), Labels: labels,
			UID:               types.UID(fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i)),
			CreationTimestamp: metav1.NewTime(time.Unix(1_770_000_000, 0)),
			Annotations:       map[string]string{"kubectl.kubernetes.io/restartedAt": "2026-01-01", "checksum/config": fmt.Sprintf("%064x", i)},
			OwnerReferences:   []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: fmt.Sprintf("app-%d-%010x", workload, workload), UID: types.UID(fmt.Sprintf("%036x", workload)), Controller: &yes}},
		},
		Spec: corev1.PodSpec{
			NodeName: fmt.Sprintf("node-%d", i%300), ServiceAccountName: "default",
			Containers: []corev1.Container{{Name: "web", Image: "registry.example/web:1.2.3"}, {Name: "proxy", Image: "registry.example/proxy:1.2.3"}},
		},
		Status: corev1.PodStatus{
			PodIPs:            []corev1.PodIP{{IP: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()}},
			ContainerStatuses: []corev1.ContainerStatus{status(0, "web"), status(1, "proxy")},
		},
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkIndexMemory says how many bytes a pod takes, of 10,000.
func BenchmarkIndexMemory(b *testing.B) {
	const n = 10_000
	for range b.N {
		before := heap()
		x := New(Options{})
		for i := range n {
			x.pods.put(podOf(realistic(i)), time.Now())
		}
		b.ReportMetric(float64(heap()-before)/n, "B/pod")
		runtime.KeepAlive(x)
	}
}

func BenchmarkIndexLookup(b *testing.B) {
	const n = 10_000
	x := New(Options{})
	for i := range n {
		x.pods.put(podOf(realistic(i)), time.Now())
	}
	ids := make([]string, n)
	for i := range ids {
		ids[i] = bareID(realistic(i).Status.ContainerStatuses[0].ContainerID)
	}
	b.Run("container", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if m := x.PodByContainer(ids[i%n]); m.Pod == nil {
				b.Fatal("not found")
			}
		}
	})
	ip := netip.AddrFrom4([4]byte{10, 0, 1, 1})
	b.Run("address", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if m := x.PodByAddress(ip, time.Time{}); m.Pod == nil {
				b.Fatal("not found")
			}
		}
	})
}

// TestMemory keeps the size of a pod in the index: 10,000 pods in 25 MB.
func TestMemory(t *testing.T) {
	const n = 10_000
	before := heap()
	x := New(Options{})
	for i := range n {
		x.pods.put(podOf(realistic(i)), time.Now())
	}
	perPod := (heap() - before) / n
	t.Logf("%d bytes a pod", perPod)
	if perPod > 2500 {
		t.Errorf("%d bytes a pod", perPod)
	}
	if x.Stats().Pods != n {
		t.Error(x.Stats())
	}
}

func TestPodOf(t *testing.T) {
	pod := realistic(7)
	pod.Annotations["firebreak.io/logs"] = "web=nginx"
	pod.Annotations[signatureAnnotation] = `{"registry.example/web@sha256:` + fmt.Sprintf("%064x", 0) + `":"pass","registry.example/proxy:1.2.3":"fail","x":3,"y":"skip"}`
	pod.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ContainerID: "containerd://" + fmt.Sprintf("%064x", 99)}
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "busybox"}}}
	p := podOf(pod)
	want := []Container{
		{Name: "web", Image: "registry.example/web:1.2.3", Digest: "sha256:" + fmt.Sprintf("%064x", 0), ID: bareID(realistic(7).Status.ContainerStatuses[0].ContainerID)},
		{Name: "proxy", Image: "registry.example/proxy:1.2.3", Digest: "sha256:" + fmt.Sprintf("%064x", 0), ID: bareID(realistic(7).Status.ContainerStatuses[1].ContainerID)},
		{Name: "web", Image: "registry.example/web:1.2.3", Digest: "sha256:" + fmt.Sprintf("%064x", 0), ID: fmt.Sprintf("%064x", 99)},
		{Name: "debug", Image: "busybox"},
	}
	if diff := cmp.Diff(want, p.Containers); diff != "" {
		t.Error(diff)
	}
	if p.Logs != "web=nginx" || len(p.Labels) != 10 || p.Cut || p.Owner.Kind != "ReplicaSet" || len(p.Addresses) != 1 {
		t.Errorf("%+v", p)
	}
	if s := p.Signature(p.Container("web")); s != event.SignatureVerified {
		t.Errorf("web is %q", s)
	}
	host := realistic(8)
	host.Spec.HostNetwork = true
	if p := podOf(host); p.Addresses != nil {
		t.Errorf("a pod on the host's network has %v of its own", p.Addresses)
	}
	done := realistic(9)
	done.Status.Phase = corev1.PodSucceeded
	if p := podOf(done); p.Ended.IsZero() {
		t.Error("a pod that ended has not")
	}
	many := realistic(10)
	for i := range 100 {
		many.Labels[fmt.Sprint("l", i)] = "v"
	}
	if p := podOf(many); len(p.Labels) != MaxLabels || !p.Cut {
		t.Errorf("%d labels, cut %v", len(p.Labels), p.Cut)
	}
}

func TestSignature(t *testing.T) {
	for note, want := range map[string]event.Signature{
		`{"r/web@sha256:aa":"pass"}`: event.SignatureVerified, `{"r/web@sha256:aa":true}`: event.SignatureVerified,
		`{"r/web@sha256:aa":"fail"}`: event.SignatureFailed, `{"r/web:1":false}`: event.SignatureFailed, `{"r/web:1":"skip"}`: event.SignatureSkipped,
		`{"r/web@sha256:bb":"pass"}`: "", `{"r/web:2":"pass"}`: "", `{`: "", `[]`: "", `{"r/web@sha256:aa":{}}`: "", ``: "",
	} {
		p := &Pod{signatures: signaturesOf(map[string]string{signatureAnnotation: note})}
		if got := p.Signature(&Container{Image: "r/web:1", Digest: "sha256:aa"}); got != want {
			t.Errorf("%s: %q, want %q", note, got, want)
		}
	}
}

func FuzzSignature(f *testing.F) {
	f.Add(`{"r/web@sha256:aa":"pass"}`)
	f.Add(`{"a":true,"b":[1],"":"fail"}`)
	f.Fuzz(func(t *testing.T, note string) {
		all := signaturesOf(map[string]string{signatureAnnotation: note})
		if len(all) > maxSignatures {
			t.Errorf("%d outcomes", len(all))
		}
	})
}

func TestOwners(t *testing.T) {
	now, yes := time.Now(), true
	o := newOwners(time.Minute, 10)
	rs := &metav1.ObjectMeta{UID: "rs", OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", Name: "web", UID: "d", Controller: &yes}}}
	bare := &metav1.ObjectMeta{UID: "bare"}
	o.put(rs)
	o.put(bare)
	for _, c := range []struct {
		in, want event.Workload
		known    bool
	}{
		{event.Workload{Kind: "ReplicaSet", Name: "web-1", UID: "rs"}, event.Workload{Kind: "Deployment", Name: "web", UID: "d"}, true},
		{event.Workload{Kind: "ReplicaSet", Name: "bare", UID: "bare"}, event.Workload{Kind: "ReplicaSet", Name: "bare", UID: "bare"}, true},
		{event.Workload{Kind: "ReplicaSet", Name: "x", UID: "x"}, event.Workload{}, false},
		{event.Workload{Kind: "DaemonSet", Name: "x", UID: "x"}, event.Workload{Kind: "DaemonSet", Name: "x", UID: "x"}, true},
		{event.Workload{}, event.Workload{}, true},
	} {
		if got, known := o.above(c.in); got != c.want || known != c.known {
			t.Errorf("above %+v is %+v, %v", c.in, got, known)
		}
	}
	// A list without it: known for as long as its pods are, then forgotten.
	o.replace(nil, map[string]bool{"rs": true, "bare": true}, now)
	if _, known := o.above(event.Workload{Kind: "ReplicaSet", UID: "rs"}); !known {
		t.Error("forgotten at once")
	}
	o.prune(now.Add(2 * time.Minute))
	if len(o.tops) != 0 {
		t.Errorf("%v are left", o.tops)
	}
}

func TestNodes(t *testing.T) {
	n := newNodes()
	n.put(nodeOf(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: "1"}, Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
		{Type: corev1.NodeHostName, Address: "host-a"}, {Type: corev1.NodeInternalIP, Address: "10.0.0.1"}, {Type: corev1.NodeInternalIP, Address: "bad"},
	}}}))
	for _, key := range []string{"a", "host-a", "10.0.0.1", "::ffff:10.0.0.1"} {
		if got, ok := n.find(key); !ok || got.UID != "1" {
			t.Errorf("%s is %+v, %v", key, got, ok)
		}
	}
	if _, ok := n.find(""); ok {
		t.Error("nothing is a node")
	}
	n.remove("a")
	if len(n.byName)+len(n.byHost)+len(n.byAddress) != 0 {
		t.Errorf("left: %+v", n)
	}
}

// What a policy of images says at a pod is believed where it says that
// something failed: newer versions of Kyverno let anybody write it.
func TestPolicyOutcomes(t *testing.T) {
	for note, want := range map[string]event.Signature{
		`{"p":{"name":"p","ruleType":"ImageVerify","message":"success","status":"pass"}}`: "",
		`{"p":{"status":"pass"},"q":{"status":"fail","message":"no signature"}}`:          event.SignatureFailed,
		`{"p":{"status":"error"}}`: event.SignatureFailed,
		`{"p":{"status":"skip"}}`:  "",
		`{"p":"fail"}`:             "",
		`{`:                        "",
		`[]`:                       "",
		strings.Repeat("x", 1<<20): "",
	} {
		p := &Pod{signatures: signaturesOf(map[string]string{outcomesAnnotation: note})}
		if got := p.Signature(&Container{Image: "registry.example/web:1"}); got != want {
			t.Errorf("%.80s: %q, want %q", note, got, want)
		}
	}
	// What is said of one image outweighs it.
	p := &Pod{signatures: signaturesOf(map[string]string{
		signatureAnnotation: `{"registry.example/web:1":"pass"}`, outcomesAnnotation: `{"p":{"status":"fail"}}`,
	})}
	if got := p.Signature(&Container{Image: "registry.example/web:1"}); got != event.SignatureVerified {
		t.Errorf("%q", got)
	}
}
