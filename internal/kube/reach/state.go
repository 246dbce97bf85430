package reach

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// State is what was read of a cluster. Nothing in it is changed.
type State struct {
	Pods            []corev1.Pod
	Namespaces      []corev1.Namespace
	Nodes           []corev1.Node
	NetworkPolicies []networkingv1.NetworkPolicy
	// Objects are policies of other groups, see [Kinds].
	Objects []Object
	// Missing says what could not be read, and why.
	Missing []string
}

// Object is a policy of a group that Kubernetes does not ship, as JSON.
type Object struct {
	Group, Version, Kind string
	Namespace, Name      string
	// Body is the whole object.
	Body json.RawMessage
}

func (o Object) id() Policy { return Policy{o.Kind, o.Namespace, o.Name} }

// decode reads the object's spec into v.
func (o Object) decode(v any) error {
	var outer struct {
		Spec json.RawMessage `json:"spec"`
	}
	if err := json.Unmarshal(o.Body, &outer); err != nil {
		return fmt.Errorf("decode %s: %w", o.id(), err)
	}
	if len(outer.Spec) == 0 {
		return nil
	}
	if err := json.Unmarshal(outer.Spec, v); err != nil {
		return fmt.Errorf("decode spec of %s: %w", o.id(), err)
	}
	return nil
}

// Kind is a kind of policy that is read beside NetworkPolicy, and where.
type Kind struct {
	Group, Version, Resource, Kind string
	// Namespaced says that its objects are in namespaces.
	Namespaced bool
}

// Kinds are all that [State.Objects] may hold, in the order in which a cluster
// is asked for them.
func Kinds() []Kind {
	const policy, cilium, calico = "policy.networking.k8s.io", "cilium.io", "crd.projectcalico.org"
	return []Kind{
		{policy, "v1alpha2", "clusternetworkpolicies", "ClusterNetworkPolicy", false},
		{policy, "v1alpha1", "adminnetworkpolicies", "AdminNetworkPolicy", false},
		{policy, "v1alpha1", "baselineadminnetworkpolicies", "BaselineAdminNetworkPolicy", false},
		{cilium, "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy", true},
		{cilium, "v2", "ciliumclusterwidenetworkpolicies", "CiliumClusterwideNetworkPolicy", false},
		{calico, "v1", "tiers", "Tier", false},
		{calico, "v1", "globalnetworkpolicies", "GlobalNetworkPolicy", false},
		{calico, "v1", "networkpolicies", "NetworkPolicy", true},
	}
}
