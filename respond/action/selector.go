package action

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// selecting is an object that selects pods by their labels.
type selecting struct {
	kind, namespace, name string
	selector              *metav1.LabelSelector
}

func (s selecting) String() string { return s.kind + " " + s.namespace + "/" + s.name }

// matches says whether pods with these labels are selected. A selector that
// can't be read (the API server stores none) counts as selecting.
func (s selecting) matches(set map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(s.selector)
	return err != nil || selector.Matches(labels.Set(set))
}

// keys are the label keys that a pod must have to be selected. Those of NotIn
// and DoesNotExist are none: taking such a label off selects it all the more.
func (s selecting) keys() []string {
	keys := slices.Collect(maps.Keys(s.selector.MatchLabels))
	for _, e := range s.selector.MatchExpressions {
		if e.Operator == metav1.LabelSelectorOpIn || e.Operator == metav1.LabelSelectorOpExists {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

// strip computes which labels to take off a pod so that none of the selectors
// selects it any more, and which still do. Taking a label off can make a
// policy select the pod that did not before (DoesNotExist), so it goes on
// until nothing changes. Labels with Firebreak's prefix are never taken off;
// the hold label counts as set.
func strip(podLabels map[string]string, all []selecting) (keys []string, still []selecting) {
	left := maps.Clone(podLabels)
	if left == nil {
		left = map[string]string{}
	}
	left[HoldKey] = HoldQuarantine
	for changed := true; changed; {
		changed = false
		for _, s := range all {
			if !s.matches(left) {
				continue
			}
			for _, k := range s.keys() {
				if _, ok := left[k]; ok && !strings.HasPrefix(k, event.AnnotationPrefix) {
					delete(left, k)
					keys = append(keys, k)
					changed = true
				}
			}
		}
	}
	for _, s := range all {
		if s.matches(left) {
			still = append(still, s)
		}
	}
	slices.Sort(keys)
	return keys, still
}

// selectors reads all of a pod's namespace that could select it, but for
// Firebreak's own policy.
func selectors(ctx context.Context, c Cluster, pod *corev1.Pod, owner kube.Owner) ([]selecting, error) {
	var all []selecting
	if owner.Selector != nil {
		all = append(all, selecting{kind: owner.Kind, namespace: pod.Namespace, name: owner.Name, selector: owner.Selector})
	}
	services, err := c.Services(ctx, pod.Namespace)
	if err != nil {
		return nil, err
	}
	for _, s := range services {
		// A Service without a selector selects nothing: its endpoints are
		// written by somebody.
		if len(s.Spec.Selector) > 0 {
			all = append(all, selecting{kind: "Service", namespace: s.Namespace, name: s.Name,
				selector: &metav1.LabelSelector{MatchLabels: s.Spec.Selector}})
		}
	}
	policies, err := c.NetworkPolicies(ctx, pod.Namespace)
	if err != nil {
		return nil, err
	}
	for _, p := range policies {
		if p.Name != HoldPolicyName {
			all = append(all, selecting{kind: "NetworkPolicy", namespace: p.Namespace, name: p.Name,
				selector: &p.Spec.PodSelector})
		}
	}
	return all, nil
}

// others says what still selects the pod although it is held, besides policies,
// which are evaluated.
func others(still []selecting) []string {
	var notes []string
	for _, s := range still {
		if s.kind != "NetworkPolicy" {
			notes = append(notes, fmt.Sprintf("still selected by %s", s))
		}
	}
	slices.Sort(notes)
	return notes
}
