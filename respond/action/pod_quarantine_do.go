package action

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// Do makes the policies first, so that the label never stands without them, then
// patches the pod. Nothing is written to the pod when a policy's name is taken
// by somebody else's. A deny tier that it has no right to make, or for which nobody
// answers any more, is left out, and the receipt says so.
func (q quarantine) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	policy, above, patch, err := q.writes(r, p)
	if err != nil {
		return event.Receipt{}, err
	}
	var notes []string
	if there, absent := lookPolicy(ctx, q.Cluster, policy); len(above) > 0 || !there {
		if notes, err = q.ensure(ctx, policy, above, absent); err != nil {
			return event.Receipt{}, err
		}
	}
	version, err := q.hold(ctx, r, patch)
	if err != nil {
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrGone) {
			// The policy may be of no use now.
			err = errors.Join(err, sweep(ctx, q.Cluster, policy.Namespace, false))
		}
		return event.Receipt{}, err
	}
	// The end of another hold may have removed a policy before the pod was held;
	// that it is there now means it stays, or that whoever removes it will see
	// this pod.
	if _, err := q.ensure(ctx, policy, above, false); err != nil {
		return event.Receipt{}, err
	}
	return q.written(ctx, r, version, notes)
}

func (q quarantine) ensure(ctx context.Context, policy event.Write, above []event.Write, absent bool) ([]string, error) {
	if err := ensurePolicy(ctx, q.Cluster, policy, absent); err != nil {
		return nil, err
	}
	err := ensureTier(ctx, q.Cluster, above)
	if kube.Unread(err) || errors.Is(err, kube.ErrNotFound) {
		return []string{noTier + err.Error()}, nil
	}
	return nil, err
}

// noTier begins the note that the deny tier of a plan is missing.
const noTier = "the deny tier could not be made: "

// writes takes the plan apart. The policies must be the static ones to the byte:
// one with another selector could cut off more than the target.
func (q quarantine) writes(r Request, p event.Plan) (policy event.Write, above []event.Write, patch event.Write, err error) {
	if err := checkPlan(podQuarantine, r, p); err != nil {
		return policy, nil, patch, err
	}
	expected, err := holdPolicy(r.Target.Namespace)
	if err != nil {
		return policy, nil, patch, err
	}
	last := len(p.Writes) - 1
	if last < 1 || p.Writes[last].Verb != "patch" || p.Writes[last].Resource != "pods" {
		return policy, nil, patch, refuse(r.Target, "plan is not policies and a patch of the pod")
	}
	policy, above, patch = p.Writes[0], p.Writes[1:last], p.Writes[last]
	body := policy.Body
	policy.Body = expected.Body
	same := policy.Verb == expected.Verb && policy.Group == expected.Group && policy.Resource == expected.Resource &&
		policy.Namespace == expected.Namespace && policy.Name == expected.Name
	if !same || !bytes.Equal(body, expected.Body) || !areTiers(above, r.Target.Namespace, q.cut) {
		return policy, nil, patch, refuse(r.Target, "plan creates another object than the static policies")
	}
	return policy, above, patch, nil
}

// hold sends the patch. When the pod changed since the plan it looks whether
// that was this very patch, sent before a crash. It gives the pod's
// resourceVersion after the patch, if it was this one.
func (q quarantine) hold(ctx context.Context, r Request, patch event.Write) (version string, err error) {
	uid, version, err := q.Cluster.Apply(ctx, patch, kube.ApplyOptions{})
	if err == nil && uid == r.Target.UID {
		return version, nil
	}
	if err != nil && !lost(err) {
		return "", err
	}
	pod, err := readPod(ctx, q.Deps, r.Target)
	if err != nil {
		return "", err
	}
	if !holds(pod, r.Key) {
		return "", conflict(r.Target)
	}
	return "", nil
}

// after is the pod as the API server answered the patch with, or as it is.
func (q quarantine) after(ctx context.Context, target event.Ref, version string) (*corev1.Pod, error) {
	if a, ok := q.Cluster.(answering); ok && version != "" {
		if pod, ok := a.Answered(target.Namespace, target.Name, version); ok && string(pod.UID) == target.UID {
			return pod, nil
		}
	}
	return readPod(ctx, q.Deps, target)
}

// seen is the pod as it was a moment ago if it was held by this step then, which
// is what the API server answered the patch with; else as it is.
func (q quarantine) seen(ctx context.Context, r Request) (*corev1.Pod, error) {
	if a, ok := q.Cluster.(answering); ok {
		if pod, ok := a.Answered(r.Target.Namespace, r.Target.Name, ""); ok && string(pod.UID) == r.Target.UID && holds(pod, r.Key) {
			return pod, nil
		}
	}
	return readPod(ctx, q.Deps, r.Target)
}

// holds says whether the pod is held and key is one of those that hold it.
func holds(pod *corev1.Pod, key string) bool {
	rec, _, err := parseQuarantine(pod.Annotations)
	_, mine := rec.Runs[key]
	_, labelled := pod.Labels[HoldKey]
	return err == nil && mine && labelled
}

// written reads back what was written. How far it holds, [quarantine.Verify]
// finds out.
func (q quarantine) written(ctx context.Context, r Request, version string, notes []string) (event.Receipt, error) {
	pod, err := q.after(ctx, r.Target, version)
	if err != nil {
		return event.Receipt{}, err
	}
	if !holds(pod, r.Key) {
		return event.Receipt{}, fmt.Errorf("%w: the hold was taken off right after it was set", conflict(r.Target))
	}
	rec, _, err := parseQuarantine(pod.Annotations)
	if err != nil {
		return event.Receipt{}, err
	}
	done := receipt(r, event.ResultUnverified, append(notes, quarantineNotes(q.cut)...)...)
	done.Before, err = encode(object{"labels": rec.Labels})
	return done, err
}
