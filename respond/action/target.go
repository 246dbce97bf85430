package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// attempts bounds the reads and writes again after a conflict.
const attempts = 5

// readPod reads the target and makes sure that it is the pod that is meant,
// not another that took its name.
func readPod(ctx context.Context, d Deps, target event.Ref) (*corev1.Pod, error) {
	if err := named(d, target, "pods"); err != nil {
		return nil, err
	}
	if target.Namespace == "" {
		return nil, refuse(target, "pod without a namespace")
	}
	pod, err := d.Cluster.Pod(ctx, target.Namespace, target.Name)
	if errors.Is(err, kube.ErrNotFound) {
		return nil, gone(target)
	}
	if err != nil {
		return nil, err
	}
	if d.Offline {
		pod.UID, pod.Spec.NodeName = types.UID(target.UID), target.Node
	}
	if string(pod.UID) != target.UID {
		return nil, gone(target)
	}
	return pod, nil
}

// readNode is readPod for nodes.
func readNode(ctx context.Context, d Deps, target event.Ref) (*corev1.Node, error) {
	if err := named(d, target, "nodes"); err != nil {
		return nil, err
	}
	node, err := d.Cluster.Node(ctx, target.Name)
	if errors.Is(err, kube.ErrNotFound) {
		return nil, gone(target)
	}
	if err != nil {
		return nil, err
	}
	if d.Offline {
		node.UID = types.UID(target.UID)
	}
	if string(node.UID) != target.UID {
		return nil, gone(target)
	}
	return node, nil
}

// noteUnseen: a run names its target by UID where one of the name was there when
// the run began.
const noteUnseen = "there was none of this name when the run began (a target needs its UID)"

// named refuses what could select more or other than one object.
func named(d Deps, target event.Ref, resource string) error {
	switch {
	case target.Resource != resource || target.Group != "":
		return refuse(target, "target is not one of %s", resource)
	case target.Name == "":
		return refuse(target, "target without a name")
	case target.UID == "" && !d.Offline:
		return refuse(target, noteUnseen)
	}
	return nil
}

// checkPlan makes sure that a plan is this action's, for this target, and
// that each of its writes to an existing object names the target's UID.
func checkPlan(name string, r Request, p event.Plan) error {
	if p.Action != name || p.Target.UID != r.Target.UID || p.Target.String() != r.Target.String() {
		return refuse(r.Target, "plan is for %s of %s", p.Action, p.Target)
	}
	for _, w := range p.Writes {
		if w.Verb == "patch" && (w.UID != r.Target.UID || w.Name != r.Target.Name || w.Namespace != r.Target.Namespace) {
			return refuse(r.Target, "plan writes to %s %s/%s", w.Resource, w.Namespace, w.Name)
		}
		if w.Verb == "delete" {
			return refuse(r.Target, "plan deletes %s %s/%s", w.Resource, w.Namespace, w.Name)
		}
	}
	return nil
}

// offlineNotes adds the caveat of a plan that no cluster was asked for.
func offlineNotes(d Deps, notes []string) []string {
	if d.Offline {
		return append([]string{noteOffline}, notes...)
	}
	return notes
}

// object is JSON in the making. A nil value deletes the key in a merge patch.
type object = map[string]any

// encode gives the JSON of values that always have one, with sorted keys.
func encode(v any) (json.RawMessage, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return data, nil
}

// lost says that a conditional write met another state than it expected.
func lost(err error) bool {
	return errors.Is(err, kube.ErrConflict) || errors.Is(err, kube.ErrNotFound)
}
