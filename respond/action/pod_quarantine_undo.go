package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// Undo takes this step out of those that hold the pod. The last one restores
// the pod as it was or deletes it, then the policy goes if no pod of the
// namespace is held.
func (q quarantine) Undo(ctx context.Context, r Request, done event.Receipt, end event.AtEnd) (event.Receipt, error) {
	if end != event.AtEndRestore && end != event.AtEndDelete && end != "" {
		return event.Receipt{}, refuse(r.Target, "a hold ends by restore or delete, not %q", end)
	}
	result, notes, err := q.leave(ctx, r, done, end == event.AtEndDelete)
	if err != nil {
		return event.Receipt{}, err
	}
	if err := sweep(ctx, q.Cluster, r.Target.Namespace, false); err != nil {
		return event.Receipt{}, err
	}
	left, err := sweepTiers(ctx, q.Cluster, r.Target.Namespace)
	if err != nil {
		return event.Receipt{}, err
	}
	return receipt(r, result, append(notes, left...)...), nil
}

func (q quarantine) leave(ctx context.Context, r Request, done event.Receipt, remove bool) (event.Result, []string, error) {
	for range attempts {
		pod, err := readPod(ctx, q.Deps, r.Target)
		if errors.Is(err, ErrGone) {
			return event.ResultGone, nil, nil
		}
		if err != nil {
			return "", nil, err
		}
		rec, held, notes := heldBy(pod, r.Key, done)
		if !held {
			err := fence(ctx, q.Cluster, r.Key, done, patchOf("pods", &pod.ObjectMeta))
			if lost(err) {
				continue
			}
			return event.ResultUndone, notes, err
		}
		w, more, err := leaving(pod, rec, r, remove)
		if err != nil {
			return "", nil, err
		}
		_, _, err = q.Cluster.Apply(ctx, w, kube.ApplyOptions{})
		if lost(err) {
			continue
		}
		if err == nil && w.Verb == "delete" {
			more, err = q.awaitGone(ctx, r.Target, pod)
		}
		return event.ResultUndone, append(notes, more...), err
	}
	return "", nil, conflict(r.Target)
}

// heldBy gives the hold record to end, and false when there is nothing left
// to do. Whoever may patch the pod may have taken the record off or emptied
// it; then the receipt says what the labels were.
func heldBy(pod *corev1.Pod, key string, done event.Receipt) (rec quarantineRecord, held bool, notes []string) {
	rec, _, err := parseQuarantine(pod.Annotations)
	if _, mine := rec.Runs[key]; err == nil && mine {
		return rec, true, nil
	}
	_, labelled := pod.Labels[HoldKey]
	if !labelled && err == nil || len(rec.Runs) > 0 {
		return rec, false, nil
	}
	if json.Unmarshal(done.Before, &rec) != nil || len(done.Before) == 0 {
		rec = quarantineRecord{}
	}
	rec.Runs = nil
	return rec, true, []string{"somebody changed the pod's hold record: restored from the receipt"}
}

// leaving is the one write by which key stops holding the pod.
func leaving(pod *corev1.Pod, rec quarantineRecord, r Request, remove bool) (event.Write, []string, error) {
	key := r.Key
	if others := rec.Runs.others(key); len(others) > 0 {
		notes := []string{"still held by " + strings.Join(others, ", ")}
		rec.Runs = rec.Runs.without(key)
		var set object
		if _, cut := pod.Labels[ProbesKey]; cut && !rec.Runs.cut() {
			set = object{ProbesKey: nil}
		}
		w, err := podPatch(pod, set, HoldKey, rec)
		return w, notes, err
	}
	if remove {
		w := patchOf("pods", &pod.ObjectMeta)
		w.Verb = "delete"
		return w, nil, nil
	}
	var notes []string
	set := object{HoldKey: nil}
	if _, cut := pod.Labels[ProbesKey]; cut {
		set[ProbesKey] = nil
	}
	for k, v := range rec.Labels {
		now, present := pod.Labels[k]
		switch {
		case !present:
			set[k] = v
		case now != v:
			notes = append(notes, fmt.Sprintf("label %s was set to %q meanwhile and is left; it was %q", k, now, v))
		}
	}
	slices.Sort(notes)
	if len(notes) > 0 && !r.Over {
		return event.Write{}, nil, differs(r.Target, notes)
	}
	w, err := podPatch(pod, set, HoldKey, nil)
	return w, notes, err
}

// awaitGone waits for a deleted pod to stop, as long as it was promised to
// have and a little more: until then the policy must stay, and nobody else
// would remove it soon.
func (q quarantine) awaitGone(ctx context.Context, target event.Ref, pod *corev1.Pod) ([]string, error) {
	const most = time.Minute
	grace := 30 * time.Second
	if s := pod.Spec.TerminationGracePeriodSeconds; s != nil {
		grace = time.Duration(*s) * time.Second
	}
	bounded, cancel := context.WithTimeout(ctx, min(grace+5*time.Second, most))
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := readPod(bounded, q.Deps, target)
		if errors.Is(err, ErrGone) {
			return nil, nil
		}
		if err != nil && bounded.Err() == nil {
			return nil, err
		}
		select {
		case <-bounded.Done():
			return []string{"the pod is deleted but still stopping; its policy stays until it has"}, ctx.Err()
		case <-tick.C:
		}
	}
}
