package action

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// differs is an ErrDiffers for a target.
func differs(target event.Ref, what []string) error {
	return fmt.Errorf("%s: %w: %s", target, ErrDiffers, strings.Join(what, "; "))
}

// mark writes what marked makes of the object as it is now; false says that
// the step does not hold it.
func mark(ctx context.Context, c Cluster, target event.Ref, marked func() (event.Write, bool, error)) error {
	for range attempts {
		w, held, err := marked()
		if errors.Is(err, ErrGone) || err == nil && !held {
			return nil
		}
		if err != nil {
			return err
		}
		_, _, err = c.Apply(ctx, w, kube.ApplyOptions{})
		if !lost(err) {
			return err
		}
	}
	return conflict(target)
}

// Mark writes the hold's end to the pod.
func (q quarantine) Mark(ctx context.Context, r Request) error {
	return mark(ctx, q.Cluster, r.Target, func() (event.Write, bool, error) {
		pod, err := readPod(ctx, q.Deps, r.Target)
		if err != nil {
			return event.Write{}, false, err
		}
		rec, _, err := parseQuarantine(pod.Annotations)
		if _, mine := rec.Runs[r.Key]; err != nil || !mine {
			return event.Write{}, false, nil // the reconciler sees to it
		}
		rec.Runs = rec.Runs.until(r.Key, r.Until)
		w, err := podPatch(pod, nil, HoldKey, rec)
		return w, true, err
	})
}

// Mark writes the hold's end to the pod.
func (l label) Mark(ctx context.Context, r Request) error {
	return mark(ctx, l.Cluster, r.Target, func() (event.Write, bool, error) {
		pod, err := readPod(ctx, l.Deps, r.Target)
		if err != nil {
			return event.Write{}, false, err
		}
		rec, err := parseLabels(pod.Annotations)
		if err != nil || !rec.holdBy(r.Key) {
			return event.Write{}, false, nil
		}
		for k, hold := range rec {
			if _, mine := hold.Runs[r.Key]; mine {
				hold.Runs = hold.Runs.until(r.Key, r.Until)
				rec[k] = hold
			}
		}
		w, err := podPatch(pod, nil, LabelKey, rec)
		return w, true, err
	})
}
