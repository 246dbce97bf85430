package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// Drift is what became of a hold while it was to stand. Empty is that it stands.
type Drift struct {
	// Gone says what of it somebody took away: it can be set again as it was.
	Gone string
	// Altered says what somebody made into something else: that is theirs, and
	// people decide.
	Altered string
}

// Watcher is an action whose hold can be looked at while it stands. Every action
// that can be undone is one.
type Watcher interface {
	// Watch reads what the step made or changed by this plan, and says what of it
	// is gone or altered. [ErrGone] says that its target is no more. It writes
	// nothing.
	Watch(ctx context.Context, r Request, p event.Plan) (Drift, error)
}

// worse is the first of both that says something; gone things come before those
// that are altered, for they can be put back.
func (d Drift) worse(o Drift) Drift {
	if d.Gone == "" {
		d.Gone = o.Gone
	}
	if d.Altered == "" {
		d.Altered = o.Altered
	}
	return d
}

// Watch looks at each of the objects.
func (m made) Watch(ctx context.Context, r Request, p event.Plan) (d Drift, err error) {
	for _, w := range p.Writes {
		one, err := watchOwn(ctx, m.Cluster, r.Key, w)
		if err != nil {
			return d, err
		}
		d = d.worse(one)
	}
	return d, nil
}

// watchOwn looks at an object that a step made by this write.
func watchOwn(ctx context.Context, c Cluster, key string, w event.Write) (Drift, error) {
	found, err := c.Get(ctx, w.Group, w.Version, w.Resource, w.Namespace, w.Name)
	switch {
	case errors.Is(err, kube.ErrNotFound):
		return Drift{Gone: fmt.Sprintf("%s %s is gone", w.Resource, w.Name)}, nil
	case err != nil:
		return Drift{}, err
	case !ownedBy(found, key):
		return Drift{Altered: fmt.Sprintf("%s %s is not this step's any more", w.Resource, w.Name)}, nil
	}
	return asMade(w, found.Object)
}

// asMade says where an object is not as a write made it.
func asMade(w event.Write, now object) (Drift, error) {
	var body object
	if err := json.Unmarshal(w.Body, &body); err != nil {
		return Drift{}, fmt.Errorf("decode body of %s %s: %w", w.Resource, w.Name, err)
	}
	delete(body, "metadata")
	if wrong := differing(body, now, ""); len(wrong) > 0 {
		return Drift{Altered: fmt.Sprintf("%s %s is not as it was made: %v", w.Resource, w.Name, wrong)}, nil
	}
	return Drift{}, nil
}

// Watch looks whether the target shows the hold, and the values that were set.
func (f fields) Watch(ctx context.Context, r Request, _ event.Plan) (Drift, error) {
	o, _, err := f.read(ctx, r.Target)
	if err != nil {
		return Drift{}, err
	}
	rec, err := parseFields(o.GetAnnotations())
	if err != nil || !rec.holdBy(r.Key) {
		return Drift{Gone: fmt.Sprintf("%s does not name it any more", r.Target)}, nil
	}
	var wrong []string
	for _, id := range slices.Sorted(maps.Keys(rec)) {
		if _, mine := rec[id].Runs[r.Key]; mine && !rec[id].holdsNow(o.Object) {
			wrong = append(wrong, rec[id].String())
		}
	}
	if len(wrong) > 0 {
		return Drift{Altered: fmt.Sprintf("somebody changed %s of %s", strings.Join(wrong, ", "), r.Target)}, nil
	}
	return Drift{}, nil
}

// Watch looks at each object that was changed. One that is gone needs no hold.
func (e elsewhere) Watch(ctx context.Context, r Request, p event.Plan) (d Drift, err error) {
	for _, ref := range p.Also {
		to := r
		to.Target = ref
		one, err := e.of(nil).Watch(ctx, to, p)
		if errors.Is(err, ErrGone) {
			continue
		}
		if err != nil {
			return d, err
		}
		d = d.worse(one)
	}
	return d, nil
}

// Watch looks whether the pod shows the hold, and the labels that were set.
func (l label) Watch(ctx context.Context, r Request, _ event.Plan) (Drift, error) {
	pod, err := readPod(ctx, l.Deps, r.Target)
	if err != nil {
		return Drift{}, err
	}
	rec, err := parseLabels(pod.Annotations)
	if err != nil || !rec.holdBy(r.Key) {
		return Drift{Gone: fmt.Sprintf("%s does not name it any more", r.Target)}, nil
	}
	for _, k := range slices.Sorted(maps.Keys(rec)) {
		if _, mine := rec[k].Runs[r.Key]; mine && pod.Labels[k] != rec[k].Value {
			return Drift{Altered: fmt.Sprintf("label %s of %s is %q, and was set to %q", k, r.Target, pod.Labels[k], rec[k].Value)}, nil
		}
	}
	return Drift{}, nil
}

// Watch looks at the pod's record and labels, and at the policies that hold it.
// A label by which others select the pod is taken off again: while it is there,
// the quarantine may leak.
func (q quarantine) Watch(ctx context.Context, r Request, p event.Plan) (Drift, error) {
	pod, err := readPod(ctx, q.Deps, r.Target)
	if err != nil {
		return Drift{}, err
	}
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return Drift{}, nil // it sends nothing any more
	}
	rec, _, err := parseQuarantine(pod.Annotations)
	if _, mine := rec.Runs[r.Key]; err != nil || !mine {
		return Drift{Gone: fmt.Sprintf("%s does not name it any more", r.Target)}, nil
	}
	if _, labelled := pod.Labels[HoldKey]; !labelled {
		return Drift{Gone: fmt.Sprintf("%s has lost the label of the hold", r.Target)}, nil
	}
	if rec.Runs[r.Key].Cut && pod.Labels[ProbesKey] != ProbesCut {
		return Drift{Gone: fmt.Sprintf("%s has lost the label by which its own node is kept out", r.Target)}, nil
	}
	for _, k := range slices.Sorted(maps.Keys(rec.Labels)) {
		if _, back := pod.Labels[k]; back {
			return Drift{Gone: fmt.Sprintf("label %s of %s, by which others select it, is back", k, r.Target)}, nil
		}
	}
	return q.watchPolicies(ctx, r, p)
}

// withoutTier says whether the step's receipt says that its tier could not be
// made: nobody took it away then.
func withoutTier(r Request) bool {
	return slices.ContainsFunc(r.Run.Steps, func(s event.Step) bool {
		return r.Run.ID+"/"+s.Name == r.Key && s.Receipt != nil &&
			slices.ContainsFunc(s.Receipt.Notes, func(n string) bool { return strings.HasPrefix(n, noTier) })
	})
}

// watchPolicies looks at the static policies of a plan, those of all tiers.
func (q quarantine) watchPolicies(ctx context.Context, r Request, p event.Plan) (d Drift, err error) {
	for _, w := range p.Writes {
		if w.Verb != "create" || w.Resource != "networkpolicies" && withoutTier(r) {
			continue
		}
		found, err := q.Cluster.Get(ctx, w.Group, w.Version, w.Resource, w.Namespace, w.Name)
		switch {
		case errors.Is(err, kube.ErrForbidden):
			continue // a tier that could not be made either, which the receipt says
		case errors.Is(err, kube.ErrNotFound):
			d = d.worse(Drift{Gone: fmt.Sprintf("%s %s, which holds %s, is gone", w.Resource, w.Name, r.Target)})
			continue
		case err != nil:
			return d, err
		case found.GetLabels()[kube.ManagedByLabel] != kube.ManagedBy:
			d = d.worse(Drift{Altered: fmt.Sprintf("%s %s, which held %s, is not Firebreak's any more", w.Resource, w.Name, r.Target)})
			continue
		}
		one, err := asMade(w, found.Object)
		if err != nil {
			return d, err
		}
		d = d.worse(one)
	}
	return d, nil
}

// Watch looks at the node, and at each pod that was quarantined. One that is gone
// needs no hold.
func (a isolate) Watch(ctx context.Context, r Request, p event.Plan) (Drift, error) {
	node, pods, _, err := parts(r, p)
	if err != nil {
		return Drift{}, err
	}
	var d Drift
	if len(node.Writes) > 0 {
		if d, err = a.node.Watch(ctx, r, node); err != nil {
			return d, err
		}
	}
	for _, pod := range pods {
		one, err := a.quarantine.Watch(ctx, r.of(pod.Target), pod)
		if errors.Is(err, ErrGone) {
			continue
		}
		if err != nil {
			return d, err
		}
		d = d.worse(one)
	}
	return d, nil
}
