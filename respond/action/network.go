package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Scope is what the network actions have in common: which pods of the target's
// namespace, in which direction, by what means.
type Scope struct {
	// Pods are labels that a pod must have. Without any, all pods of the
	// namespace are meant.
	Pods map[string]string `yaml:"pods" json:"pods,omitempty"`
	// Direction is ingress, egress or both, as the pods see it.
	Direction string `yaml:"direction" json:"direction"`
	// By is what to do it with: auto takes the best that the cluster has.
	By string `yaml:"by" json:"by"`
}

func newScope() Scope { return Scope{Direction: directionBoth, By: meansAuto} }

func (s Scope) check() error {
	for _, k := range slices.Sorted(maps.Keys(s.Pods)) {
		if err := checkLabel(k, s.Pods[k]); err != nil {
			return err
		}
	}
	if !slices.Contains([]string{directionBoth, directionIngress, directionEgress}, s.Direction) {
		return fmt.Errorf("direction %.40q is none of both, ingress, egress", s.Direction)
	}
	if s.By != meansAuto && !slices.Contains(allMeans(), s.By) {
		return fmt.Errorf("by %.40q is none of auto, %s", s.By, shortList(allMeans()))
	}
	return nil
}

// barrier is the scope as a barrier of nothing yet.
func (s Scope) barrier(namespace string) barrier {
	return barrier{
		namespace: namespace, pods: s.Pods,
		ingress: s.Direction != directionEgress, egress: s.Direction != directionIngress,
	}
}

// checkNamespaces says what is wrong with names of namespaces.
func checkNamespaces(names []string) error {
	const most = 100
	if len(names) > most {
		return fmt.Errorf("%d namespaces are more than %d", len(names), most)
	}
	for _, name := range names {
		if problems := content.IsDNS1123Label(name); len(problems) > 0 {
			return fmt.Errorf("namespace %.80q: %s", name, problems[0])
		}
	}
	return nil
}

// network is an action that sets a barrier.
type network struct {
	made
	by string
	of func(namespace string) barrier
}

// newNetwork makes one. of gives the barrier for the target's namespace.
func newNetwork(d Deps, name, by string, of func(namespace string) barrier) network {
	n := network{by: by, of: of}
	n.made = made{Deps: d, action: name, objects: n.objects(d, name), look: n.look(d)}
	return n
}

func (n network) objects(d Deps, name string) func(context.Context, Request) ([]own, string, []string, error) {
	return func(ctx context.Context, r Request) ([]own, string, []string, error) {
		b, w, err := n.wall(ctx, d, r)
		if err != nil {
			return nil, "", nil, err
		}
		summary := fmt.Sprintf("%s: deny %s for the %s", name, b.what(), b.who())
		notes := append(slices.Clone(w.notes), networkNotes...)
		for _, o := range w.open {
			notes = append(notes, "not kept out: "+o)
		}
		return w.objects, summary, notes, nil
	}
}

// networkNotes hold whatever the means.
var networkNotes = []string{
	"open connections may survive until they are closed",
	"pods of the host network are not bound by it",
}

// wall reads the target, and builds its barrier.
func (n network) wall(ctx context.Context, d Deps, r Request) (barrier, wall, error) {
	namespace, err := namespaceOf(ctx, d, r.Target)
	if err != nil {
		return barrier{}, wall{}, err
	}
	b := n.of(namespace)
	w, err := b.build(ctx, d.Cluster, n.by, r.Key)
	if errors.Is(err, ErrRefused) {
		err = fmt.Errorf("%s: %w", r.Target, err)
	}
	if err == nil && !slices.ContainsFunc(w.objects, func(o own) bool { return o.Resource == ciliumPolicies }) {
		w = b.probes(w)
	}
	return b, w, err
}

// look says how far the barrier holds: every policy of the cluster is evaluated
// for the pods that it is for, and what gets through all the same is named. What
// the network plugin makes of it only a drill knows.
func (n network) look(d Deps) func(context.Context, Request, event.Plan) (event.Result, []string, error) {
	return func(ctx context.Context, r Request, p event.Plan) (event.Result, []string, error) {
		var own []*unstructured.Unstructured
		for _, w := range p.Writes {
			found, err := d.Cluster.Get(ctx, w.Group, w.Version, w.Resource, w.Namespace, w.Name)
			if err != nil {
				return "", nil, err
			}
			if why := invalid(found); why != "" {
				return event.ResultVoid, []string{fmt.Sprintf("%s %s is not taken: %s", w.Resource, w.Name, why)}, nil
			}
			own = append(own, found)
		}
		b, w, err := n.wall(ctx, d, r)
		if errors.Is(err, ErrRefused) {
			return event.ResultPartial, []string{err.Error()}, nil
		}
		if err != nil {
			return "", nil, err
		}
		seen, err := b.evaluate(ctx, d.Cluster, own)
		if err != nil {
			return "", nil, err
		}
		result, notes := seen.result(d)
		if len(w.open) > 0 && result != event.ResultVoid {
			result = event.ResultPartial
		}
		return result, append(notes, w.open...), nil
	}
}

// invalid is what a controller says against a policy in its status.
func invalid(o *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		one, _ := c.(map[string]any)
		if (one["type"] == "Valid" || one["type"] == "Accepted") && one["status"] == "False" {
			return cut(fmt.Sprint(one["message"]), maxText)
		}
	}
	return ""
}

// namespaces as targets.
var namespaceResource = Resource{"", "v1", "namespaces"}

// namespaceOf is the namespace that a target is or is in. The target has to be
// what is meant.
func namespaceOf(ctx context.Context, d Deps, target event.Ref) (string, error) {
	if target.Resource == namespaceResource.Resource && target.Group == "" {
		target.Namespace = "" // audit events repeat the name there
		_, err := readObject(ctx, d, namespaceResource, target)
		return target.Name, err
	}
	_, err := readPod(ctx, d, target)
	return target.Namespace, err
}

// networkNeeds are the permissions of an action that sets barriers by these kinds
// of policies, beside plain ones.
func networkNeeds(by ...Resource) []Permission {
	need := []Permission{
		{Resource: "pods", Verbs: []string{"get", "list"}},
		{Resource: "namespaces", Verbs: []string{"get"}},
		{Group: networkingv1.GroupName, Resource: "networkpolicies", Verbs: []string{"get", "list", "create", "patch", "delete"}},
		{Group: calicoTiers.Group, Resource: calicoTiers.Resource, Verbs: []string{"get"}, Names: []string{calicoTier}},
	}
	for _, x := range by {
		need = append(need, Permission{Group: x.Group, Resource: x.Resource, Verbs: []string{"get", "list", "create", "patch", "delete"}})
	}
	return need
}

// policyMeans are the kinds of policies that can set any barrier but one of
// addresses, beside plain ones.
func policyMeans() []Resource {
	return []Resource{clusterPolicies, adminPolicies, ciliumPolicies, calicoPolicies}
}

// addressMeans are those that can keep addresses out. AdminNetworkPolicy knows
// none.
func addressMeans() []Resource { return []Resource{clusterPolicies, ciliumPolicies, calicoPolicies} }
