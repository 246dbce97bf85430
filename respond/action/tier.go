package action

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// tier is a means to deny that stands above what NetworkPolicies allow, in
// clusters that have it. Like the hold policy it selects the hold label and is
// static: made with the first hold that needs it and removed with the last.
type tier struct {
	name    string
	objects []tierObject
}

// tierObject is one object of a tier; with Namespaced it is each namespace's.
type tierObject struct {
	Resource
	Kind       string
	Namespaced bool
	Name       string
	Spec       object
	// Label is that by which it selects pods.
	Label string
}

// podsWith is the label selector of what has a label.
func podsWith(label string) object {
	return object{"matchExpressions": []object{{"key": label, "operator": "Exists"}}}
}

// tiers are those that are known, in order of preference. They are functions of
// nothing, so that a plan's write can be checked against them to the byte.
func tiers() []tier {
	everyPod, any := object{"namespaces": object{}}, object{}
	cluster := func(version, resource, kind string, spec object) tierObject {
		spec["priority"] = 0
		spec["subject"] = object{"pods": object{"namespaceSelector": any, "podSelector": podsWith(HoldKey)}}
		return tierObject{Resource: Resource{"policy.networking.k8s.io", version, resource}, Kind: kind, Name: HoldPolicyName, Label: HoldKey, Spec: spec}
	}
	deny := func(way string, peers ...object) []object {
		return []object{{"name": "hold", "action": "Deny", way: peers}}
	}
	old := object{"namespaces": object{"namespaceSelector": any}}
	// The kubelet's probes come from the pod's own node: cut off, it would kill
	// the containers and the evidence with them. So what Cilium calls host may
	// come in; it is the one means here that could keep it out.
	endpoints := object{"fromEndpoints": []object{{"matchExpressions": []object{{"key": "k8s:io.kubernetes.pod.namespace", "operator": "Exists"}}}}}
	others := object{"fromEntities": []string{"world", "remote-node", "unmanaged", "init", "ingress", "health"}}
	calico := func(resource, kind, name string, spec object) tierObject {
		return tierObject{Resource: Resource{"crd.projectcalico.org", "v1", resource}, Kind: kind, Name: name, Label: HoldKey, Spec: spec}
	}
	return []tier{
		{"ClusterNetworkPolicy", []tierObject{cluster("v1alpha2", "clusternetworkpolicies", "ClusterNetworkPolicy", object{
			"tier": "Admin", "ingress": deny("from", everyPod), "egress": deny("to", everyPod, object{"networks": []string{"0.0.0.0/0", "::/0"}}),
		})}},
		{"AdminNetworkPolicy", []tierObject{cluster("v1alpha1", "adminnetworkpolicies", "AdminNetworkPolicy", object{
			"ingress": deny("from", old), "egress": deny("to", old),
		})}},
		{"Cilium", []tierObject{{
			Resource: Resource{"cilium.io", "v2", "ciliumnetworkpolicies"}, Kind: "CiliumNetworkPolicy", Namespaced: true, Name: HoldPolicyName, Label: HoldKey,
			Spec: object{"endpointSelector": podsWith(HoldKey), "ingressDeny": []object{endpoints, others}, "egressDeny": []object{{"toEntities": []string{"all"}}}},
		}}},
		{"Calico", []tierObject{
			calico("tiers", "Tier", HoldPolicyName, object{"order": 1}),
			calico("globalnetworkpolicies", "GlobalNetworkPolicy", HoldPolicyName+".deny", object{
				"tier": HoldPolicyName, "order": 1, "selector": "has(" + HoldKey + ")", "types": []string{"Ingress", "Egress"},
				"ingress": []object{{"action": "Deny"}}, "egress": []object{{"action": "Deny"}},
			}),
		}},
	}
}

func (o tierObject) in(namespace string) string {
	if o.Namespaced {
		return namespace
	}
	return ""
}

// create is the write that makes the object.
func (o tierObject) create(namespace string) (event.Write, error) {
	meta := object{"name": o.Name, "labels": object{kube.ManagedByLabel: kube.ManagedBy, "app.kubernetes.io/name": HoldPolicyName}}
	if o.Namespaced {
		meta["namespace"] = namespace
	}
	w := o.write("create", o.in(namespace), o.Name)
	var err error
	w.Body, err = encode(object{"apiVersion": o.Group + "/" + o.Version, "kind": o.Kind, "metadata": meta, "spec": o.Spec})
	return w, err
}

// writes are those that make a tier.
func (t tier) writes(namespace string) ([]event.Write, error) {
	var list []event.Write
	for _, o := range t.objects {
		w, err := o.create(namespace)
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, nil
}

// reachObjects are the tier's objects as package reach takes them.
func (t tier) reachObjects(namespace string) ([]reach.Object, error) {
	list, err := t.writes(namespace)
	var out []reach.Object
	for i, w := range list {
		out = append(out, reach.Object{Group: w.Group, Version: w.Version, Kind: t.objects[i].Kind, Namespace: w.Namespace, Name: w.Name, Body: w.Body})
	}
	return out, err
}

// servedTiers are those that the cluster has. One for which nobody answers is none: it
// is said with the policies that could not be read.
func servedTiers(ctx context.Context, c Cluster) ([]tier, error) {
	var list []tier
	for _, t := range tiers() {
		o := t.objects[0]
		served, err := c.Serves(ctx, o.Group, o.Version, o.Resource.Resource)
		if err != nil && !kube.Unread(err) {
			return nil, err
		}
		if served {
			list = append(list, t)
		}
	}
	return list, nil
}

// everyTier are the tiers, and what keeps a pod's own node out.
func everyTier() []tier { return append(tiers(), probesTier()) }

// areTiers says whether these writes are none or those of one tier, and with cut
// those that keep a pod's own node out or not, to the byte: one with another
// selector could cut off more than the target.
func areTiers(list []event.Write, namespace string, cut bool) bool {
	if cut && len(list) > 0 && list[len(list)-1].Name == ProbesPolicyName {
		if !isTier(list[len(list)-1:], namespace, []tier{probesTier()}) {
			return false
		}
		list = list[:len(list)-1]
	}
	return len(list) == 0 || isTier(list, namespace, tiers())
}

func isTier(list []event.Write, namespace string, of []tier) bool {
	same := func(a, b event.Write) bool {
		return a.Verb == b.Verb && a.Group == b.Group && a.Version == b.Version && a.Resource == b.Resource && a.Subresource == b.Subresource &&
			a.Namespace == b.Namespace && a.Name == b.Name && bytes.Equal(a.Body, b.Body)
	}
	return slices.ContainsFunc(of, func(t tier) bool {
		expected, err := t.writes(namespace)
		return err == nil && slices.EqualFunc(list, expected, same)
	})
}

// ensureTier finds each object as it should be, or makes it. A missing right is
// [kube.ErrForbidden], an object that is not ours [ErrForeign].
func ensureTier(ctx context.Context, c Cluster, list []event.Write) error {
	for _, w := range list {
		if err := ensureObject(ctx, c, w); err != nil {
			return err
		}
	}
	return nil
}

func ensureObject(ctx context.Context, c Cluster, w event.Write) error {
	for range attempts {
		found, err := c.Get(ctx, w.Group, w.Version, w.Resource, w.Namespace, w.Name)
		if err == nil {
			var made object
			if err := json.Unmarshal(w.Body, &made); err != nil {
				return fmt.Errorf("decode body of %s: %w", w.Name, err)
			}
			if found.GetLabels()[kube.ManagedByLabel] != kube.ManagedBy || len(differing(made["spec"], found.Object["spec"], "")) > 0 {
				return fmt.Errorf("%s %s %w", w.Resource, w.Name, ErrForeign)
			}
			return nil
		}
		if !errors.Is(err, kube.ErrNotFound) {
			return err
		}
		if _, _, err = c.Apply(ctx, w, kube.ApplyOptions{}); !errors.Is(err, kube.ErrExists) {
			return err
		}
	}
	return fmt.Errorf("create %s %s: %w", w.Resource, w.Name, ErrConflict)
}

// sweepTiers removes the objects of every tier that nothing held needs any more,
// those of a namespace and the cluster's. Who may not look has made none. Where nobody
// answers they may stay, which is said: they are about held pods alone, and looked for
// again with the next hold that ends in the namespace.
func sweepTiers(ctx context.Context, c Cluster, namespace string) (notes []string, err error) {
	held := map[[2]string]bool{}
	for _, t := range everyTier() {
		for _, o := range slices.Backward(t.objects) {
			served, err := c.Serves(ctx, o.Group, o.Version, o.Resource.Resource)
			if kube.Unread(err) {
				notes = append(notes, unswept(o, err)...)
				continue
			}
			if err != nil {
				return notes, err
			}
			if !served {
				continue
			}
			at := [2]string{o.in(namespace), o.Label}
			if _, known := held[at]; !known {
				pods, err := c.Pods(ctx, o.in(namespace), o.Label)
				if err != nil {
					return notes, err
				}
				held[at] = len(pods) > 0
			}
			if held[at] {
				continue
			}
			err = sweepObject(ctx, c, o, namespace)
			if kube.Unread(err) {
				notes = append(notes, unswept(o, err)...)
			} else if err != nil {
				return notes, err
			}
		}
	}
	return notes, nil
}

// unswept says that an object may stay. What is not served has none.
func unswept(o tierObject, err error) []string {
	if !errors.Is(err, kube.ErrUnanswered) {
		return nil
	}
	return []string{fmt.Sprintf("%s %s was not looked for, and may stay: %v", o.Kind, o.Name, err)}
}

// sweepObject deletes one object, and makes it again if a pod was held between
// the look and the delete by a run that saw it still there.
func sweepObject(ctx context.Context, c Cluster, o tierObject, namespace string) error {
	in := o.in(namespace)
	found, err := c.Get(ctx, o.Group, o.Version, o.Resource.Resource, in, o.Name)
	if errors.Is(err, kube.ErrNotFound) || err == nil && found.GetLabels()[kube.ManagedByLabel] != kube.ManagedBy {
		return nil
	}
	if err != nil {
		return err
	}
	if _, _, err := c.Apply(ctx, o.on("delete", found), kube.ApplyOptions{}); err != nil {
		if lost(err) {
			return nil // the next sweep looks again
		}
		return err
	}
	pods, err := c.Pods(ctx, in, o.Label)
	if err != nil || len(pods) == 0 {
		return err
	}
	w, err := o.create(namespace)
	if err != nil {
		return err
	}
	return ensureObject(ctx, c, w)
}

// tierPermissions are what the tiers take, and what looks at the policies that
// could open a hold.
func tierPermissions() []Permission {
	verbs := map[[2]string][]string{}
	for _, k := range reach.Kinds() {
		verbs[[2]string{k.Group, k.Resource}] = []string{"list"}
	}
	for _, t := range tiers() {
		for _, o := range t.objects {
			verbs[[2]string{o.Group, o.Resource.Resource}] = []string{"create", "delete", "get", "list"}
		}
	}
	list := []Permission{
		{Resource: "namespaces", Verbs: []string{"get", "list"}},
		{Resource: "nodes", Verbs: []string{"list"}},
	}
	keys := slices.SortedFunc(maps.Keys(verbs), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		list = append(list, Permission{Group: k[0], Resource: k[1], Verbs: verbs[k]})
	}
	return list
}

// tierAdmits are the writes to tiers, as narrow as their shape lets CEL say it:
// they are about held pods, and only deny.
func tierAdmits() []Admit {
	selects := func(at string) string {
		return "has(" + at + ".matchExpressions) && " + at + ".matchExpressions.exists(e, e.key in ['" + HoldKey + "', '" + ProbesKey + "'] && e.operator == 'Exists')"
	}
	denies := func(way string) string {
		return "has(object.spec." + way + ") && object.spec." + way + ".all(r, r.action == 'Deny')"
	}
	cluster := "has(object.spec.subject.pods) && " + selects("object.spec.subject.pods.podSelector") + " && " + denies("ingress") + " && " + denies("egress")
	shape := map[string]string{
		"clusternetworkpolicies": cluster, "adminnetworkpolicies": cluster,
		"ciliumnetworkpolicies": "!has(object.specs) && has(object.spec.endpointSelector) && " + selects("object.spec.endpointSelector") +
			" && !has(object.spec.ingress) && !has(object.spec.egress) && !has(object.spec.nodeSelector)",
		"globalnetworkpolicies": "has(object.spec.selector) && object.spec.selector == 'has(" + HoldKey + ")' && " + denies("ingress") + " && " + denies("egress"),
		"tiers":                 "true",
	}
	var list []Admit
	for _, t := range everyTier() {
		for _, o := range t.objects {
			list = append(list,
				Admit{Group: o.Group, Resource: o.Resource.Resource, Operation: "CREATE", Expression: "object.metadata.name == '" + o.Name + "' && " + kube.OwnObject + " && " + shape[o.Resource.Resource]},
				Admit{Group: o.Group, Resource: o.Resource.Resource, Operation: "DELETE", Expression: "oldObject.metadata.name == '" + o.Name + "' && " + kube.OwnOldObject})
		}
	}
	return list
}
