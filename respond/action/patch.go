package action

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// patchTarget does a plan that is one patch of its target, or nothing. When
// the target changed since the plan, landed says whether that was this very
// patch, sent before a crash; landed is asked again to read the patch back.
func patchTarget(ctx context.Context, d Deps, name, resource string, r Request, p event.Plan, landed func() (bool, error)) (event.Receipt, error) {
	if err := checkPlan(name, r, p); err != nil {
		return event.Receipt{}, err
	}
	if len(p.Writes) == 0 {
		return receipt(r, event.ResultNothing, p.Notes...), nil
	}
	if w := p.Writes[0]; len(p.Writes) != 1 || w.Verb != "patch" || w.Resource != resource {
		return event.Receipt{}, refuse(r.Target, "plan is not one patch of %s", resource)
	}
	_, _, err := d.Cluster.Apply(ctx, p.Writes[0], kube.ApplyOptions{})
	if err != nil && !lost(err) {
		return event.Receipt{}, err
	}
	there, err := landed()
	if err != nil {
		return event.Receipt{}, err
	}
	if !there {
		return event.Receipt{}, conflict(r.Target)
	}
	done := receipt(r, event.ResultApplied, p.Notes...)
	done.Before = p.Before
	return done, nil
}

// patchOf is a patch without a body, conditional on the object being as read.
func patchOf(resource string, meta *metav1.ObjectMeta) event.Write {
	return event.Write{
		Verb: "patch", Version: "v1", Resource: resource, Namespace: meta.Namespace, Name: meta.Name,
		UID: string(meta.UID), ResourceVersion: meta.ResourceVersion,
	}
}

// metaPatch is a conditional merge patch of an object's labels, of one
// annotation that holds record as JSON (nil takes it off), and of its spec.
func metaPatch(resource string, of *metav1.ObjectMeta, labels object, annotation string, record any, spec object) (event.Write, error) {
	notes := object{annotation: nil}
	if record != nil {
		text, err := encode(record)
		if err != nil {
			return event.Write{}, err
		}
		notes[annotation] = string(text)
	}
	meta := object{"annotations": notes}
	if len(labels) > 0 {
		meta["labels"] = labels
	}
	body := object{"metadata": meta}
	if spec != nil {
		body["spec"] = spec
	}
	w := patchOf(resource, of)
	var err error
	w.Body, err = encode(body)
	return w, err
}

func podPatch(pod *corev1.Pod, labels object, annotation string, record any) (event.Write, error) {
	return metaPatch("pods", &pod.ObjectMeta, labels, annotation, record, nil)
}
