package respond

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// lookups is a cluster whose reads can fail.
type lookups struct {
	*cluster
	err error
}

func (l lookups) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	if l.err != nil {
		return nil, l.err
	}
	return l.cluster.Pod(ctx, namespace, name)
}

func (l lookups) Node(_ context.Context, name string) (*corev1.Node, error) {
	if l.err != nil || name != "n1" {
		return nil, errors.Join(l.err, kube.ErrNotFound)
	}
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "uid-n1"}}, nil
}

func (lookups) Owner(context.Context, *corev1.Pod) (kube.Owner, error) {
	return kube.Owner{Top: event.Workload{Kind: "Deployment", Name: "web", UID: "uid-d"}}, nil
}

func (l lookups) Get(_ context.Context, group, version, resource, ns, name string) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	if resource == "namespaces" && ns != "" {
		return nil, kube.ErrNotFound
	}
	o.SetName(name)
	o.SetUID(types.UID("uid-" + name))
	o.SetCreationTimestamp(metav1.NewTime(start.Add(-time.Hour)))
	if name == "new" {
		o.SetCreationTimestamp(metav1.NewTime(start.Add(time.Hour)))
	}
	return o, nil
}

func TestResolve(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	running := func(c *cluster) {
		c.pods["web"].Status.ContainerStatuses = []corev1.ContainerStatus{{
			ContainerID: "containerd://" + id,
			LastTerminationState: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{ContainerID: "containerd://fedcba9876543210"},
			},
		}}
	}
	tests := map[string]struct {
		subject event.Ref
		change  func(*cluster, *event.Finding)
		err     error
		gone    bool
	}{
		"a pod by name":                 {subject: event.PodRef("shop", "web")},
		"by its UID":                    {subject: event.Ref{Resource: "pods", Namespace: "shop", Name: "web", UID: "uid-web"}},
		"a subresource of it":           {subject: event.Ref{Resource: "pods", Subresource: "exec", Namespace: "shop", Name: "web"}},
		"another UID":                   {subject: event.Ref{Resource: "pods", Namespace: "shop", Name: "web", UID: "other"}, gone: true},
		"gone":                          {subject: event.PodRef("shop", "old"), gone: true},
		"made just before the event":    {subject: event.PodRef("shop", "web"), change: made(-time.Second)},
		"made within the skew":          {subject: event.PodRef("shop", "web"), change: made(clockSkew)},
		"made after the event":          {subject: event.PodRef("shop", "web"), change: made(clockSkew + time.Second), gone: true},
		"made after, but the UID is it": {subject: event.Ref{Resource: "pods", Namespace: "shop", Name: "web", UID: "uid-web"}, change: made(time.Hour)},
		"made after it was received, of a source that is ahead": {
			subject: event.PodRef("shop", "web"), gone: true, change: func(c *cluster, f *event.Finding) {
				made(time.Minute)(c, f)
				f.Time = f.Received.Add(time.Hour)
			},
		},
		"the container's id":       {subject: container(id), change: func(c *cluster, _ *event.Finding) { running(c) }},
		"the beginning of the id":  {subject: container(id[:12]), change: func(c *cluster, _ *event.Finding) { running(c) }},
		"the one before":           {subject: container("fedcba987654"), change: func(c *cluster, _ *event.Finding) { running(c) }},
		"another container":        {subject: container("ffffffffffff"), change: func(c *cluster, _ *event.Finding) { running(c) }, gone: true},
		"containers not known yet": {subject: container("ffffffffffff")},
		"another container, but the UID is it": {
			subject: event.Ref{Resource: "pods", Namespace: "shop", Name: "web", UID: "uid-web", ContainerID: "ffffffffffff"},
			change:  func(c *cluster, _ *event.Finding) { running(c) },
		},
		"a node":                      {subject: event.NodeRef("n1")},
		"no such node":                {subject: event.NodeRef("n2"), gone: true},
		"a pod without a namespace":   {subject: event.PodRef("", "web")},
		"a secret":                    {subject: event.Ref{Resource: "secrets", Namespace: "shop", Name: "web"}},
		"a pods resource elsewhere":   {subject: event.Ref{Group: "metrics.k8s.io", Resource: "pods", Namespace: "shop", Name: "web"}},
		"nothing":                     {},
		"an address":                  {subject: event.Ref{Group: event.ThingGroup, Resource: event.ResourceAddresses, Name: "192.0.2.7"}},
		"no address":                  {subject: event.Ref{Group: event.ThingGroup, Resource: event.ResourceAddresses, Name: "x"}, gone: true},
		"a path for a Deployment":     {subject: event.Ref{Group: "apps", Resource: "deployments", Namespace: "shop", Name: "../x"}, gone: true},
		"a path for a binding":        {subject: event.Ref{Group: "rbac.authorization.k8s.io", Resource: "rolebindings", Namespace: "shop", Name: "../x"}, gone: true},
		"a namespace":                 {subject: event.Ref{Resource: "namespaces", Namespace: "shop", Name: "shop"}},
		"a Service":                   {subject: event.Ref{Resource: "services", Namespace: "shop", Name: "web"}},
		"another Service":             {subject: event.Ref{Resource: "services", Namespace: "shop", Name: "web", UID: "other"}, gone: true},
		"a Service made after":        {subject: event.Ref{Resource: "services", Namespace: "shop", Name: "new"}, gone: true},
		"a binding with a colon":      {subject: event.Ref{Group: "rbac.authorization.k8s.io", Resource: "rolebindings", Namespace: "shop", Name: "a:b"}},
		"a path for a name":           {subject: event.PodRef("shop", "../../nodes/n1"), gone: true},
		"a path for a namespace":      {subject: event.PodRef("shop/../..", "web"), gone: true},
		"control characters":          {subject: event.PodRef("shop", "web\x1b[31m\n"), gone: true},
		"a very long name":            {subject: event.PodRef("shop", strings.Repeat("x", 1<<20)), gone: true},
		"no permission":               {subject: event.PodRef("shop", "web"), err: fmt.Errorf("get: %w", kube.ErrForbidden), gone: true},
		"no permission, for the node": {subject: event.NodeRef("n1"), err: fmt.Errorf("get: %w", kube.ErrForbidden), gone: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCluster("web")
			f := event.Finding{Subject: tt.subject, Time: start, Received: start}
			if tt.change != nil {
				tt.change(c, &f)
			}
			got, err := Resolve(t.Context(), lookups{c, tt.err}, f)
			if errors.Is(err, ErrNoTarget) != tt.gone || (err != nil) != tt.gone {
				t.Fatalf("gave %+v, %v; want it gone: %v", got, err, tt.gone)
			}
			if len(fmt.Sprint(err)) > 1<<10 {
				t.Errorf("an error of %d bytes", len(fmt.Sprint(err)))
			}
			switch {
			case tt.gone && tt.subject.UID == "" && got.UID != "":
				t.Errorf("what is not there has UID %s", got.UID)
			case !tt.gone && got.IsPod() && got.Namespace != "" && (got.UID != "uid-web" || got.Workload.UID != "uid-d" || got.Subresource != ""):
				t.Errorf("gave %+v", got)
			case !tt.gone && (got.Resource == "namespaces" || got.Resource == "services" || got.Resource == "rolebindings") && got.UID != "uid-"+got.Name:
				t.Errorf("gave %+v", got)
			case !tt.gone && got.IsThing() && got.UID != event.AddressRef(got.Name).UID:
				t.Errorf("gave %+v", got)
			case !tt.gone && got.IsNode() && got.UID != "uid-n1":
				t.Errorf("gave %+v", got)
			}
		})
	}
}

func made(after time.Duration) func(*cluster, *event.Finding) {
	return func(c *cluster, f *event.Finding) {
		c.pods["web"].CreationTimestamp = metav1.NewTime(f.Time.Add(after))
	}
}

func container(id string) event.Ref {
	t := event.PodRef("shop", "web")
	t.ContainerID = id
	return t
}

// TestResolveTriesAgain: a cluster that is away is no missing target.
func TestResolveTriesAgain(t *testing.T) {
	f := event.Finding{Subject: event.PodRef("shop", "web"), Time: start, Received: start}
	if _, err := Resolve(t.Context(), lookups{newCluster("web"), errors.New("refused")}, f); err == nil || errors.Is(err, ErrNoTarget) {
		t.Errorf("gave %v", err)
	}
}

// watchful is a cluster that knows pods by a watch, and counts reads.
type watchful struct {
	lookups
	known *corev1.Pod
	reads *int
}

func (w watchful) KnownPod(string, string) (*corev1.Pod, bool) { return w.known, w.known != nil }

func (w watchful) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	*w.reads++
	return w.lookups.Pod(ctx, namespace, name)
}

// TestResolveByWatch: a watch is gone by only where the event names just that pod, by
// its UID or a container: the pod of the name may be another by now.
func TestResolveByWatch(t *testing.T) {
	const id = "0123456789abcdef"
	old := func() *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-old"},
			Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{ContainerID: "containerd://" + id}}},
		}
	}
	uid := func(uid string) event.Ref {
		t := event.PodRef("shop", "web")
		t.UID = uid
		return t
	}
	for name, tt := range map[string]struct {
		subject event.Ref
		known   *corev1.Pod
		uid     string
		reads   int
	}{
		"by its UID":                   {uid("uid-old"), old(), "uid-old", 0},
		"by its container":             {container(id[:12]), old(), "uid-old", 0},
		"by its name alone":            {event.PodRef("shop", "web"), old(), "uid-web", 1},
		"of another UID":               {uid("uid-web"), old(), "uid-web", 1},
		"of another container":         {container("ffffffffffff"), old(), "uid-web", 1},
		"by too little of a container": {container(id[:8]), old(), "uid-web", 1},
		"not known":                    {uid("uid-web"), nil, "uid-web", 1},
	} {
		t.Run(name, func(t *testing.T) {
			reads := 0
			got, err := Resolve(t.Context(), watchful{lookups{newCluster("web"), nil}, tt.known, &reads}, event.Finding{Subject: tt.subject, Time: start, Received: start})
			if err != nil || got.UID != tt.uid || reads != tt.reads {
				t.Errorf("gave %+v, %v after %d reads; want UID %s after %d", got, err, reads, tt.uid, tt.reads)
			}
		})
	}
}

// TestWorkloadAndAccountOfThemselves: a playbook about a pod's workload or account
// may be started on these.
func TestWorkloadAndAccountOfThemselves(t *testing.T) {
	pod := event.PodRef("shop", "web-1")
	pod.Workload, pod.ServiceAccount = event.Workload{Kind: "Deployment", Name: "web", UID: "u"}, "shop/web"
	deployment := event.Ref{Group: "apps", Resource: "deployments", Namespace: "shop", Name: "web", UID: "u"}
	account := event.Ref{Resource: "serviceaccounts", Namespace: "shop", Name: "bot"}
	for _, tt := range []struct {
		of                event.Ref
		workload, account string
	}{
		{pod, "web", "web"},
		{deployment, "web", ""},
		{account, "", "bot"},
		{event.Ref{Resource: "namespaces", Name: "shop"}, "", ""},
		{event.Ref{}, "", ""},
	} {
		if w, a := workloadOf(tt.of), accountOf(tt.of); w.Name != tt.workload || a.Name != tt.account || w.Name != "" && w.UID != "u" {
			t.Errorf("of %s: workload %s, account %s", tt.of, w, a)
		}
	}
}
