package reach

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// newer is a cluster without policies, which serves kinds of the admin tiers, each in
// some versions.
type newer struct {
	Cluster
	kinds map[string][]string
	// silent is why nobody says which kinds there are, asked how often that was asked.
	silent error
	asked  *int
}

func (newer) NetworkPolicies(context.Context, string) ([]networkingv1.NetworkPolicy, error) {
	return nil, nil
}

func (newer) Namespace(_ context.Context, name string) (*corev1.Namespace, error) {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
}

func (newer) List(context.Context, string, string, string, string, string) ([]unstructured.Unstructured, error) {
	return nil, nil
}

func (n newer) Serves(_ context.Context, group, version, resource string) (bool, error) {
	if n.silent != nil {
		*n.asked++
		return false, n.silent
	}
	return group == "policy.networking.k8s.io" && slices.Contains(n.kinds[resource], version), nil
}

func (n newer) Versions(_ context.Context, group string) (all []string, err error) {
	if group != "policy.networking.k8s.io" {
		return nil, nil
	}
	for _, versions := range n.kinds {
		all = append(all, versions...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Policies of a version that is not known here are not the same as none: who asks
// about a pod is told that they were not read.
func TestKindsOfUnknownVersions(t *testing.T) {
	const unread = "adminnetworkpolicies.policy.networking.k8s.io were not read: the cluster has them as v1beta1, and only v1alpha1 is known here"
	for name, c := range map[string]struct {
		kinds map[string][]string
		want  []string
	}{
		"none":            {},
		"known":           {kinds: map[string][]string{"adminnetworkpolicies": {"v1alpha1"}}},
		"known and newer": {kinds: map[string][]string{"adminnetworkpolicies": {"v1alpha1", "v1beta1"}}},
		"newer alone":     {kinds: map[string][]string{"adminnetworkpolicies": {"v1beta1"}}, want: []string{unread}},
		"one of two newer": {
			kinds: map[string][]string{"adminnetworkpolicies": {"v1beta1"}, "clusternetworkpolicies": {"v1alpha2"}}, want: []string{unread},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u"}}
			s, err := ReadAround(t.Context(), newer{kinds: c.kinds}, pod)
			if err != nil || !slices.Equal(s.Missing, c.want) {
				t.Fatalf("missing %q, %v", s.Missing, err)
			}
			r, err := New(s).Report("shop", "web")
			if err != nil || !slices.Equal(r.Doubts, c.want) {
				t.Errorf("doubts %q, %v", r.Doubts, err)
			}
		})
	}
}

// What others broke is said of every kind, and is no error; what may only be new is one,
// once all kinds were asked for, so that they are waited for together.
func TestKindsThatAreBroken(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u"}}
	for _, why := range []error{kube.ErrUnserved, kube.ErrUnanswered, kube.ErrForbidden} {
		s, err := ReadAround(t.Context(), newer{silent: fmt.Errorf("%w: a reason", why), asked: new(int)}, pod)
		if err != nil || len(s.Missing) < len(Kinds()) || !strings.HasSuffix(s.Missing[0], "a reason") {
			t.Errorf("%v: missing %q, %v", why, s.Missing, err)
		}
	}
	asked := 0
	if _, err := ReadAround(t.Context(), newer{silent: kube.ErrBusy, asked: &asked}, pod); !errors.Is(err, kube.ErrBusy) || asked != len(Kinds()) {
		t.Errorf("%v, after %d of %d kinds", err, asked, len(Kinds()))
	}
}
