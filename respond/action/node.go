package action

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// nodes as the API has them.
var nodes = Resource{"", "v1", "nodes"}

// The fields of a node that actions change.
var (
	nodeUnschedulable = []string{"spec", "unschedulable"}
	nodeTaints        = []string{"spec", "taints"}
)

// What the admission policy lets through of nodes. Nodes of the control plane
// are nobody's to change, and of the rest only what an action is about.
const (
	admitWorker = "variables.ours && !('node-role.kubernetes.io/control-plane' in variables.oldLabels) && !('node-role.kubernetes.io/master' in variables.oldLabels)"

	// Taints come and go by keys of Firebreak's own prefix, and those that the
	// playbooks set.
	ownTaint    = "(t.key.startsWith('" + event.AnnotationPrefix + "') || t.key in variables.labelKeys)"
	admitTaints = "(!has(object.spec.taints) || object.spec.taints.all(t, " + ownTaint + " || has(oldObject.spec.taints) && t in oldObject.spec.taints))" +
		" && (!has(oldObject.spec.taints) || oldObject.spec.taints.all(t, " + ownTaint + " || has(object.spec.taints) && t in object.spec.taints))"

	admitNodeLabels = "variables.oldLabels.all(k, " + ownLabel + " || k in variables.labelKeys || k in variables.labels)" +
		" && variables.labels.all(k, " + ownLabel + " || k in variables.labelKeys || (k in variables.oldLabels && variables.oldLabels[k] == variables.labels[k]))"
)

// admitNode is an update of a worker in which of its spec only what allowed
// names changes, and of its labels none but Firebreak's own.
func admitNode(allowed string, but ...string) string {
	fixed := []string{"podCIDR", "podCIDRs", "providerID", "configSource", "taints", "unschedulable"}
	var same []string
	for _, f := range fixed {
		if !strings.Contains(" "+strings.Join(but, " ")+" ", " "+f+" ") {
			same = append(same, f)
		}
	}
	return admitWorker + " && " + kube.SameSpec(same...) + " && " + allowed
}

// clusterKey says of a label or taint that the cluster itself goes by it, so
// that it is nobody's to set.
func clusterKey(key string) error {
	domain, _, found := strings.Cut(key, "/")
	if found && (strings.HasSuffix("."+domain, ".kubernetes.io") || strings.HasSuffix("."+domain, ".k8s.io")) {
		return fmt.Errorf("%s: the cluster itself goes by it", key)
	}
	return nil
}

// toNode reads a node as its type.
func toNode(o *unstructured.Unstructured) (*corev1.Node, error) {
	node := &corev1.Node{}
	return node, convert(o, node)
}

// cordoned says that a node takes no new pods, as its fields were set.
func cordoned(_ context.Context, _ Request, _ *unstructured.Unstructured) (event.Result, []string, error) {
	return event.ResultEnforced, nil, nil
}
