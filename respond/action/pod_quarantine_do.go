package action

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// Do makes the policy first, so that the label never stands without it, then
// patches the pod. Nothing is written to the pod when the policy's name is
// taken by somebody else's.
func (q quarantine) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	policy, patch, err := q.writes(r, p)
	if err != nil {
		return event.Receipt{}, err
	}
	if err := ensurePolicy(ctx, q.Cluster, policy); err != nil {
		return event.Receipt{}, err
	}
	version, err := q.hold(ctx, r, patch)
	if err != nil {
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrGone) {
			// The policy may be of no use now.
			err = errors.Join(err, sweep(ctx, q.Cluster, policy.Namespace, false))
		}
		return event.Receipt{}, err
	}
	// The end of another hold may have removed the policy between the two
	// writes; that it is there now means it stays, or that whoever removes it
	// will see this pod.
	if err := ensurePolicy(ctx, q.Cluster, policy); err != nil {
		return event.Receipt{}, err
	}
	return q.verify(ctx, r, version)
}

// writes takes the plan apart. The policy must be the static one to the byte:
// one with another selector could cut off more than the target.
func (q quarantine) writes(r Request, p event.Plan) (policy, patch event.Write, err error) {
	if err := checkPlan(podQuarantine, r, p); err != nil {
		return policy, patch, err
	}
	expected, err := holdPolicy(r.Target.Namespace)
	if err != nil {
		return policy, patch, err
	}
	if len(p.Writes) != 2 || p.Writes[1].Verb != "patch" || p.Writes[1].Resource != "pods" {
		return policy, patch, refuse(r.Target, "plan is not a policy and a patch of the pod")
	}
	policy, patch = p.Writes[0], p.Writes[1]
	body := policy.Body
	policy.Body = expected.Body
	same := policy.Verb == expected.Verb && policy.Group == expected.Group && policy.Resource == expected.Resource &&
		policy.Namespace == expected.Namespace && policy.Name == expected.Name
	if !same || !bytes.Equal(body, expected.Body) {
		return policy, patch, refuse(r.Target, "plan creates another object than the static policy")
	}
	return policy, patch, nil
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

// written is the pod as the API server answered the patch with, or as it is.
func (q quarantine) written(ctx context.Context, target event.Ref, version string) (*corev1.Pod, error) {
	if a, ok := q.Cluster.(answering); ok && version != "" {
		if pod, ok := a.Answered(target.Namespace, target.Name, version); ok && string(pod.UID) == target.UID {
			return pod, nil
		}
	}
	return readPod(ctx, q.Deps, target)
}

// holds says whether the pod is held and key is one of those that hold it.
func holds(pod *corev1.Pod, key string) bool {
	rec, _, err := parseQuarantine(pod.Annotations)
	_, mine := rec.Runs[key]
	_, labelled := pod.Labels[HoldKey]
	return err == nil && mine && labelled
}

// verify looks at what was written and says what is known to hold: partial when a policy
// still selects the pod and allows something, else unverified, because no
// packet was tried.
func (q quarantine) verify(ctx context.Context, r Request, version string) (event.Receipt, error) {
	pod, err := q.written(ctx, r.Target, version)
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
	// The owner let go of the pod, or will: only Services and policies count.
	all, err := selectors(ctx, q.Cluster, pod, kube.Owner{})
	if err != nil {
		return event.Receipt{}, err
	}
	all = slices.DeleteFunc(all, func(s selecting) bool { return !s.matches(pod.Labels) })
	result, notes := event.ResultUnverified, leaks(all)
	if len(notes) > 0 {
		result = event.ResultPartial
	}
	done := receipt(r, result, append(notes, quarantineNotes...)...)
	done.Before, err = encode(object{"labels": rec.Labels})
	return done, err
}

// Verify is part of Do: what was found there stands.
func (q quarantine) Verify(_ context.Context, _ Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	return done, nil
}
