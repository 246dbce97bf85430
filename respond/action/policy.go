package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// HoldPolicyName is the name of the one static policy that denies all traffic
// of the held pods of a namespace. It is made with the first hold, never
// changed, and removed with the last.
const HoldPolicyName = "firebreak-hold"

// holdPolicy is the write that makes the policy of a namespace. Its selector
// is never empty: an empty one would mean every pod.
func holdPolicy(namespace string) (event.Write, error) {
	w := event.Write{
		Verb: "create", Group: networkingv1.GroupName, Version: "v1", Resource: "networkpolicies",
		Namespace: namespace, Name: HoldPolicyName,
	}
	var err error
	w.Body, err = encode(object{
		"apiVersion": "networking.k8s.io/v1",
		"kind":       "NetworkPolicy",
		"metadata": object{
			"name": HoldPolicyName, "namespace": namespace,
			"labels": object{kube.ManagedByLabel: kube.ManagedBy, "app.kubernetes.io/name": HoldPolicyName},
		},
		"spec": object{
			"podSelector": object{"matchExpressions": []object{{"key": HoldKey, "operator": "Exists"}}},
			"policyTypes": []string{"Ingress", "Egress"},
		},
	})
	return w, err
}

// holdNetworkPolicy is the policy as it is going to be.
func holdNetworkPolicy(namespace string) (*networkingv1.NetworkPolicy, error) {
	w, err := holdPolicy(namespace)
	if err != nil {
		return nil, err
	}
	policy := &networkingv1.NetworkPolicy{}
	if err := json.Unmarshal(w.Body, policy); err != nil {
		return nil, fmt.Errorf("decode body of %s/%s: %w", namespace, HoldPolicyName, err)
	}
	return policy, nil
}

// ensurePolicy finds the policy there as it should be, or creates it. One of
// that name that is not ours is [ErrForeign] and left alone. It looks first, unless
// it was absent a moment ago: in a storm of holds in one namespace all but the first
// find it.
func ensurePolicy(ctx context.Context, c Cluster, w event.Write, absent bool) error {
	for range attempts {
		if !absent {
			found, err := c.NetworkPolicy(ctx, w.Namespace, w.Name)
			if err == nil {
				return checkPolicy(found, w)
			}
			if !errors.Is(err, kube.ErrNotFound) {
				return err
			}
		}
		absent = false
		_, _, err := c.Apply(ctx, w, kube.ApplyOptions{})
		if !errors.Is(err, kube.ErrExists) {
			return err
		}
	}
	return fmt.Errorf("create networkpolicies %s/%s: %w", w.Namespace, w.Name, ErrConflict)
}

// watching is a cluster that knows network policies by a watch.
type watching interface {
	KnownPolicies(namespace string) ([]networkingv1.NetworkPolicy, bool)
}

var _ watching = (*kube.Cache)(nil)

// lookPolicy says whether the policy is there as it should be, or absent, by what is
// known of the namespace: it may be a moment old. If it is neither, ensurePolicy says
// what is wrong.
func lookPolicy(ctx context.Context, c Cluster, w event.Write) (there, absent bool) {
	var policies []networkingv1.NetworkPolicy
	known := false
	if k, ok := c.(watching); ok {
		policies, known = k.KnownPolicies(w.Namespace)
	}
	if !known {
		var err error
		if policies, err = c.NetworkPolicies(ctx, w.Namespace); err != nil {
			return false, false
		}
	}
	for i := range policies {
		if policies[i].Name == w.Name {
			return checkPolicy(&policies[i], w) == nil, false
		}
	}
	return false, true
}

func checkPolicy(found *networkingv1.NetworkPolicy, w event.Write) error {
	var expected networkingv1.NetworkPolicy
	if err := json.Unmarshal(w.Body, &expected); err != nil {
		return fmt.Errorf("decode body of %s/%s: %w", w.Namespace, w.Name, err)
	}
	if found.Labels[kube.ManagedByLabel] != kube.ManagedBy || !equality.Semantic.DeepEqual(found.Spec, expected.Spec) {
		return fmt.Errorf("network policy %s/%s %w", w.Namespace, w.Name, ErrForeign)
	}
	return nil
}

// Sweep brings the static policy of a namespace in line with its pods: there
// when one is held, else gone, as are the deny tiers then. A reconciler may call it at any time.
func Sweep(ctx context.Context, c Cluster, namespace string) error {
	if err := sweep(ctx, c, namespace, true); err != nil {
		return err
	}
	_, err := sweepTiers(ctx, c, namespace)
	return err
}

// sweep removes the policy when no pod is held. When one is, it makes the
// policy if ensure says so, or if sweep itself removed it a moment before: a
// pod may have been held between the list and the delete, by a run that saw
// the policy still there.
func sweep(ctx context.Context, c Cluster, namespace string, ensure bool) error {
	for range attempts {
		held, err := c.Pods(ctx, namespace, HoldKey)
		if err != nil {
			return err
		}
		if len(held) > 0 {
			if !ensure {
				return nil
			}
			w, err := holdPolicy(namespace)
			if err != nil {
				return err
			}
			return ensurePolicy(ctx, c, w, false)
		}
		removed, err := removePolicy(ctx, c, namespace)
		if err != nil && !lost(err) {
			return err
		}
		if err == nil && !removed {
			return nil
		}
		ensure = ensure || removed
	}
	return fmt.Errorf("remove network policy %s/%s: %w", namespace, HoldPolicyName, ErrConflict)
}

// removePolicy deletes the policy if it is ours; false says that there was
// nothing to remove.
func removePolicy(ctx context.Context, c Cluster, namespace string) (bool, error) {
	found, err := c.NetworkPolicy(ctx, namespace, HoldPolicyName)
	if errors.Is(err, kube.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if found.Labels[kube.ManagedByLabel] != kube.ManagedBy {
		return false, nil
	}
	_, _, err = c.Apply(ctx, event.Write{
		Verb: "delete", Group: networkingv1.GroupName, Version: "v1", Resource: "networkpolicies",
		Namespace: namespace, Name: HoldPolicyName, UID: string(found.UID), ResourceVersion: found.ResourceVersion,
	}, kube.ApplyOptions{})
	return err == nil, err
}
