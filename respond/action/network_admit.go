package action

import "github.com/firebreak-io/firebreak/internal/kube"

// What the admission policy lets through of policies. Whatever a policy selects
// it is never without a selector, and never about a protected namespace.
const (
	admitPlain = kube.OwnObject +
		" && has(object.spec.podSelector.matchExpressions)" +
		" && object.spec.podSelector.matchExpressions.exists(e, e.key == '" + HoldKey + "' && e.operator == 'DoesNotExist')"

	// tierNamespaces are the names of the namespaces that a policy of the
	// cluster is about: one, by its name.
	tierNamespaces = "(has(object.spec.subject.pods) ? object.spec.subject.pods.namespaceSelector : object.spec.subject.namespaces)"

	admitTier = kube.OwnObject +
		" && has(" + tierNamespaces + ".matchLabels) && !has(" + tierNamespaces + ".matchExpressions)" +
		" && " + tierNamespaces + ".matchLabels.all(k, k == 'kubernetes.io/metadata.name' && !(" + tierNamespaces + ".matchLabels[k] in variables.protected))" +
		" && size(" + tierNamespaces + ".matchLabels) == 1" +
		" && (!has(object.spec.ingress) || object.spec.ingress.all(r, r.action in ['Deny', 'Pass']))" +
		" && (!has(object.spec.egress) || object.spec.egress.all(r, r.action in ['Deny', 'Pass']))"

	admitCilium = kube.OwnObject +
		" && has(object.spec.enableDefaultDeny) && !has(object.spec.ingress) && !has(object.spec.egress) && !has(object.spec.nodeSelector) && !has(object.specs)"

	admitCalico = kube.OwnObject + " && has(object.spec.tier) && object.spec.tier == '" + calicoTier + "'" +
		" && (!has(object.spec.ingress) || object.spec.ingress.all(r, r.action in ['Deny', 'Pass']))" +
		" && (!has(object.spec.egress) || object.spec.egress.all(r, r.action in ['Deny', 'Pass']))"
)

// networkAdmits are the writes of an action that sets barriers by these kinds of
// policies, beside plain ones.
func networkAdmits(by ...Resource) []Admit {
	all := ownAdmits(plainPolicies, admitPlain)
	create := map[Resource]string{clusterPolicies: admitTier, adminPolicies: admitTier, ciliumPolicies: admitCilium, calicoPolicies: admitCalico}
	for _, x := range by {
		all = append(all, ownAdmits(x, create[x])...)
	}
	return all
}

// ownAdmits are the writes to objects that an action makes for itself: it makes
// them, writes another end of the hold to them, and takes them away.
func ownAdmits(x Resource, create string) []Admit {
	at := func(operation, expression string) Admit {
		return Admit{Group: x.Group, Resource: x.Resource, Operation: operation, Expression: expression}
	}
	return []Admit{at("CREATE", create), at("UPDATE", kube.OwnMarked), at("DELETE", kube.OwnOldObject+" && '"+HeldKey+"' in variables.oldLabels")}
}
