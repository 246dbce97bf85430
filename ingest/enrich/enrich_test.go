package enrich

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube/index"
)

const webID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func webPod() *index.Pod {
	return &index.Pod{
		Namespace: "shop", Name: "web-1", UID: "uid-1", Node: "node-1", ServiceAccount: "shopper", Labels: map[string]string{"app": "web"},
		Owner: event.Workload{Kind: "ReplicaSet", Name: "web-abc", UID: "rs-uid"}, Addresses: []netip.Addr{netip.MustParseAddr("10.1.2.3")},
		Containers: []index.Container{{Name: "web", Image: "registry/web:1", Digest: "sha256:aa", ID: webID}, {Name: "proxy", Image: "registry/proxy:2", ID: strings.Repeat("f", 64)}},
	}
}

func jobPod() *index.Pod {
	return &index.Pod{
		Namespace: "shop", Name: "job-1", UID: "uid-2", Node: "node-2", ServiceAccount: "default",
		Addresses: []netip.Addr{netip.MustParseAddr("10.1.2.4")}, Containers: []index.Container{{Name: "job", Image: "registry/job:1"}},
	}
}

// whole is what is known of webPod, seen in its container web.
func whole() event.Ref {
	return event.Ref{
		Resource: "pods", Kind: "Pod", Namespace: "shop", Name: "web-1", UID: "uid-1", Node: "node-1", Container: "web", ContainerID: webID[:12],
		Image: "registry/web:1", Digest: "sha256:aa", Workload: event.Workload{Kind: "Deployment", Name: "web", UID: "deployment-uid"},
		Labels: map[string]string{"app": "web"}, ServiceAccount: "shop/shopper",
	}
}

func with(r event.Ref, change func(*event.Ref)) event.Ref {
	change(&r)
	return r
}

func TestObject(t *testing.T) {
	pod := event.PodRef("shop", "web-1")
	tests := map[string]struct {
		source event.Source
		in     event.Ref
		want   event.Ref
		tags   []string
		trust  event.Trust // of a Falco alert; the runtime's when 0
	}{
		"falco by the short id": {event.SourceFalco, event.Ref{Resource: "pods", Kind: "Pod", ContainerID: webID[:12]}, whole(), nil, 0},
		"falco by the whole id and the name": {
			event.SourceFalco, with(pod, func(r *event.Ref) { r.ContainerID = webID }), with(whole(), func(r *event.Ref) { r.ContainerID = webID }), nil, 0,
		},
		"falco names another pod than the container's": {
			event.SourceFalco, with(event.PodRef("shop", "job-1"), func(r *event.Ref) { r.ContainerID = webID }),
			with(event.PodRef("shop", "job-1"), func(r *event.Ref) { r.ContainerID = webID }), []string{TagConflict}, event.TrustName,
		},
		"falco names another node than the pod's": {
			event.SourceFalco, event.Ref{Resource: "pods", ContainerID: webID[:12], Node: "node-2"},
			event.Ref{Resource: "pods", ContainerID: webID[:12], Node: "node-2"}, []string{TagConflict}, event.TrustName,
		},
		"falco's ReplicaSet becomes the Deployment above": {
			event.SourceFalco, event.Ref{Resource: "pods", Kind: "Pod", ContainerID: webID[:12], Workload: event.Workload{Kind: "ReplicaSet", Name: "web-abc"}}, whole(), nil, 0,
		},
		"falco names a container that the pod does not run": {
			event.SourceFalco, with(pod, func(r *event.Ref) { r.ContainerID = "aaaaaaaaaaaa" }), with(pod, func(r *event.Ref) { r.ContainerID = "aaaaaaaaaaaa" }), []string{TagMissing}, 0,
		},
		"a pod whose containers are not known yet may run it": {
			event.SourceFalco, with(event.PodRef("shop", "job-1"), func(r *event.Ref) { r.ContainerID = "aaaaaaaaaaaa" }),
			event.Ref{
				Resource: "pods", Kind: "Pod", Namespace: "shop", Name: "job-1", UID: "uid-2", Node: "node-2", ContainerID: "aaaaaaaaaaaa",
				Container: "job", Image: "registry/job:1", ServiceAccount: "shop/default",
			}, []string{TagByName}, 0,
		},
		"a UID that the index does not know, of a name that another has": {
			event.SourceLog, with(pod, func(r *event.Ref) { r.UID = "uid-0" }), with(pod, func(r *event.Ref) { r.UID = "uid-0" }), []string{TagConflict}, 0,
		},
		"a UID that nobody has": {
			event.SourceLog, event.Ref{Resource: "pods", Namespace: "shop", Name: "other", UID: "uid-0"},
			event.Ref{Resource: "pods", Namespace: "shop", Name: "other", UID: "uid-0"}, []string{TagMissing}, 0,
		},
		"a log file's container": {
			event.SourceLog, with(pod, func(r *event.Ref) { r.UID, r.Container = "uid-1", "proxy" }),
			with(whole(), func(r *event.Ref) {
				r.Container, r.ContainerID, r.Image, r.Digest = "proxy", "", "registry/proxy:2", ""
			}), nil, 0,
		},
		"an audited exec": {
			event.SourceAudit, with(pod, func(r *event.Ref) { r.Subresource = "exec" }),
			with(whole(), func(r *event.Ref) {
				r.Subresource, r.Container, r.ContainerID, r.Image, r.Digest = "exec", "", "", "", ""
			}), []string{TagByName}, 0,
		},
		"an audited request for a pod that is not there": {event.SourceAudit, event.PodRef("shop", "no"), event.PodRef("shop", "no"), nil, 0},
		"another resource of the pod's name": {
			event.SourceAudit, event.Ref{Resource: "services", Namespace: "shop", Name: "web-1"}, event.Ref{Resource: "services", Namespace: "shop", Name: "web-1"}, nil, 0,
		},
		"pods of the metrics API": {
			event.SourceAudit, event.Ref{Group: "metrics.k8s.io", Resource: "pods", Namespace: "shop", Name: "web-1"},
			event.Ref{Group: "metrics.k8s.io", Resource: "pods", Namespace: "shop", Name: "web-1"}, nil, 0,
		},
		"a node": {event.SourceAudit, event.NodeRef("node-1"), with(event.NodeRef("node-1"), func(r *event.Ref) { r.UID = "node-uid" }), nil, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			x := &cluster{pods: []*index.Pod{webPod(), jobPod()}}
			out := &kept{}
			e := event.Event{ID: "e", Source: tt.source, Object: tt.in, Trust: event.TrustRuntime}
			for range 2 { // putting again changes nothing
				if err := New(Options{Index: x}).Before(out).Put(t.Context(), []event.Event{e}); err != nil {
					t.Fatal(err)
				}
				e = out.events[len(out.events)-1]
			}
			if diff := cmp.Diff(tt.want, e.Object); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.tags, e.Tags); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			want := tt.trust
			if want == 0 {
				want = event.TrustRuntime
			}
			if e.Trust != want {
				t.Errorf("trust is %s, want %s", e.Trust, want)
			}
			if e.ID != "e" {
				t.Error("the id has changed")
			}
			if known := e.Object.Image != ""; known != (e.Image.Report != "") {
				t.Errorf("image %q, and %+v of it", e.Object.Image, e.Image)
			}
		})
	}
}

func TestGoneAndHost(t *testing.T) {
	x := &cluster{pods: []*index.Pod{webPod()}, gone: map[string]time.Time{"uid-1": time.Now()}}
	events := []event.Event{
		{Source: event.SourceFalco, Object: event.Ref{ContainerID: webID[:12]}},
		{Source: event.SourceFalco, Fields: event.Fields{"evt.hostname": "node-1"}},
		{Source: event.SourceLog, Trust: event.TrustText, Object: event.PodRef("shop", "web-1")},
	}
	if err := New(Options{Index: x}).Before(&kept{}).Put(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if e := events[0]; !slices.Equal(e.Tags, []string{TagGone}) || e.Object.UID != "uid-1" {
		t.Errorf("tags %q, object %+v", e.Tags, e.Object)
	}
	if e := events[1]; e.Object.Node != "node-1" || e.Object.Resource != "" || e.Tags != nil {
		t.Errorf("tags %q, object %+v", e.Tags, e.Object)
	}
	if e := events[2]; e.Trust != event.TrustText {
		t.Errorf("a name in a log has trust %s", e.Trust)
	}
}

func TestRequester(t *testing.T) {
	bound := map[string]any{extraPodName: []any{"web-1"}, extraPodUID: []any{"uid-1"}}
	web := event.Ref{
		Resource: "pods", Kind: "Pod", Namespace: "shop", Name: "web-1", UID: "uid-1", Node: "node-1", ServiceAccount: "shop/shopper",
		Workload: event.Workload{Kind: "Deployment", Name: "web", UID: "deployment-uid"},
	}
	tests := map[string]struct {
		account string
		fields  event.Fields
		want    event.Ref
		tags    []string
	}{
		"the token's pod":                             {"shop/shopper", event.Fields{"user_extra": bound, "source_ips": []any{"192.0.2.1"}}, web, nil},
		"the token's pod is not known":                {"shop/old", event.Fields{"user_extra": map[string]any{extraPodName: []any{"old"}, extraPodUID: []any{"uid-0"}}}, event.Ref{Resource: "pods", Kind: "Pod", Namespace: "shop", Name: "old", UID: "uid-0"}, nil},
		"the address of the connection":               {"", event.Fields{"source_ips": []any{"10.1.2.4", "10.1.2.3"}}, web, nil},
		"only a proxy says where from":                {"", event.Fields{"source_ips": []any{"10.1.2.3", "192.0.2.1"}}, event.Ref{}, nil},
		"one pod's token in another pod":              {"shop/shopper", event.Fields{"user_extra": bound, "source_ips": []any{"10.1.2.4"}}, web, []string{TagElsewhere}},
		"extra of somebody who is no service account": {"", event.Fields{"user_extra": bound}, event.Ref{}, nil},
		"no text where addresses stand":               {"", event.Fields{"source_ips": []any{"x", nil}}, event.Ref{}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			x := &cluster{pods: []*index.Pod{webPod(), jobPod()}}
			events := []event.Event{{Source: event.SourceAudit, Actor: event.Actor{ServiceAccount: tt.account}, Fields: tt.fields}}
			if err := New(Options{Index: x}).Before(&kept{}).Put(t.Context(), events); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, events[0].Actor.Pod); diff != "" {
				t.Errorf("pod (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.tags, events[0].Tags); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("an address in a log accuses nobody", func(t *testing.T) {
		events := []event.Event{{Source: event.SourceLog, Actor: event.Actor{Address: "10.1.2.3"}, Fields: event.Fields{"source_ips": []any{"10.1.2.3"}}}}
		if err := New(Options{Index: &cluster{pods: []*index.Pod{webPod()}}}).Before(&kept{}).Put(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		if events[0].Actor.Pod.Name != "" {
			t.Errorf("it is said to be %s", events[0].Actor.Pod)
		}
	})
}

func alert(id string) event.Event {
	return event.Event{Source: event.SourceFalco, Object: event.Ref{Resource: "pods", ContainerID: id}, Time: time.Now(), Received: time.Now()}
}

func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &cluster{}
		s := New(Options{Index: x, Wait: 2 * time.Second}).Before(&kept{})
		began := time.Now()
		time.AfterFunc(300*time.Millisecond, func() { x.add(jobPod()) })
		time.AfterFunc(700*time.Millisecond, func() { x.add(webPod()) })
		events := []event.Event{alert(webID[:12]), {Source: event.SourceAudit, Object: event.PodRef("shop", "no"), Time: began}}
		if err := s.Put(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 700*time.Millisecond || events[0].Object.UID != "uid-1" || events[0].Tags != nil {
			t.Errorf("after %s: %+v %q", took, events[0].Object, events[0].Tags)
		}
	})
}

// A flood of names that nobody has is waited for a bounded number of times,
// and one of them only once.
func TestWaitsLittleInAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &cluster{}
		s := New(Options{Index: x, Wait: 2 * time.Second}).Before(&kept{})
		put := func(id string) time.Duration {
			began := time.Now()
			events := []event.Event{alert(id)}
			if err := s.Put(t.Context(), events); err != nil {
				t.Error(err)
			}
			if !slices.Equal(events[0].Tags, []string{TagMissing}) {
				t.Errorf("tags are %q", events[0].Tags)
			}
			return time.Since(began)
		}
		if took := put("aaaaaaaaaaaa"); took != 2*time.Second {
			t.Errorf("waited %s", took)
		}
		if took := put("aaaaaaaaaaaa"); took != 0 {
			t.Errorf("waited again for %s", took)
		}
		began := time.Now()
		results := make(chan time.Duration, 1000)
		for i := range 1000 {
			go func() { results <- put(fmt.Sprintf("%012x", i)) }()
		}
		waited := 0
		for range 1000 {
			if <-results > 0 {
				waited++
			}
		}
		if waited > maxWaits || waited == 0 || time.Since(began) > 2*time.Second {
			t.Errorf("%d of 1000 waited, %s in all", waited, time.Since(began))
		}
		old := alert("bbbbbbbbbbbb")
		old.Time = old.Time.Add(-time.Hour)
		began = time.Now()
		if err := s.Put(t.Context(), []event.Event{old}); err != nil || time.Since(began) != 0 {
			t.Errorf("waited %s for what happened an hour ago (%v)", time.Since(began), err)
		}
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := New(Options{Index: &cluster{}, Wait: time.Minute}).Before(&kept{}).Put(ctx, []event.Event{alert("aaaaaaaaaaaa")}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("waited %s", took)
		}
	})
}

// Whatever an event says of its object stays as it was said.
func TestNothingSaidIsOverwritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := func(name string, values ...string) string {
			return rapid.SampledFrom(append(values, "", "other", "\x00", "uid-1")).Draw(t, name)
		}
		e := event.Event{
			ID: "e", Source: rapid.SampledFrom([]event.Source{event.SourceFalco, event.SourceAudit, event.SourceLog}).Draw(t, "source"),
			Trust: event.Trust(rapid.IntRange(0, 3).Draw(t, "trust")),
			Object: event.Ref{
				Resource: word("resource", "pods", "nodes"), Namespace: word("namespace", "shop"), Name: word("name", "web-1", "job-1"), UID: word("uid", "uid-2"),
				Node: word("node", "node-1"), Container: word("container", "web", "proxy"), ContainerID: word("id", webID, webID[:12], "aaaaaaaaaaaa"),
				Image: word("image"), Digest: word("digest"), ServiceAccount: word("account"),
			},
		}
		before := e
		events := []event.Event{e}
		if err := New(Options{Index: &cluster{pods: []*index.Pod{webPod(), jobPod()}}}).Before(&kept{}).Put(context.Background(), events); err != nil {
			t.Fatal(err)
		}
		after := events[0]
		said, got := plain(t, before.Object), plain(t, after.Object)
		for name, v := range said {
			if !cmp.Equal(v, got[name]) {
				t.Fatalf("%s was %v and is %v", name, v, got[name])
			}
		}
		if after.Trust > before.Trust || before.Source != event.SourceFalco && after.Trust != before.Trust {
			t.Fatalf("trust was %s and is %s", before.Trust, after.Trust)
		}
		// All that is said of the object is of one pod.
		if after.Object.UID == "uid-1" && before.Object.UID == "" && (after.Object.Name != "web-1" || after.Object.Namespace != "shop") {
			t.Fatalf("mixed: %+v", after.Object)
		}
	})
}

func plain(t *rapid.T, r event.Ref) (m map[string]any) {
	data, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}
