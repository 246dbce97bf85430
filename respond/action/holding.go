package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// Holding is one hold, as its object alone tells of it.
type Holding struct {
	// Action is the kind of step, Key its RUN/STEP.
	Action, Key string
	Holder
	// Target is the object.
	Target event.Ref
	// Loose says that the object has lost the label of this kind of hold.
	Loose bool

	config any
}

// Run and Step are the parts of the key.
func (h Holding) Run() string {
	run, _, _ := strings.Cut(h.Key, "/")
	return run
}

// Step is the name of the step.
func (h Holding) Step() string {
	_, step, _ := strings.Cut(h.Key, "/")
	return step
}

// Found are the holds that the cluster shows, and the objects whose record
// can't be read, which somebody must have broken.
type Found struct {
	Holdings []Holding
	Broken   []error
	// Namespaces are those in which a pod is quarantined.
	Namespaces []string
}

// Find lists the holds that the cluster shows: what every object with a label
// of ours says of itself.
func Find(ctx context.Context, c Cluster) (Found, error) {
	var found Found
	seen, namespaces := map[string]bool{}, map[string]bool{}
	for _, label := range []string{HoldKey, HeldKey} {
		pods, err := c.Pods(ctx, "", label)
		if err != nil {
			return found, err
		}
		for _, p := range pods {
			if _, quarantined := p.Labels[HoldKey]; quarantined {
				namespaces[p.Namespace] = true
			}
			if seen[string(p.UID)] {
				continue
			}
			seen[string(p.UID)] = true
			target := event.PodRef(p.Namespace, p.Name)
			target.UID = string(p.UID)
			found.add(target, p.Labels, p.Annotations)
		}
	}
	nodes, err := c.NodesBy(ctx, HeldKey)
	if err != nil && !errors.Is(err, kube.ErrForbidden) {
		return found, err // who has no right to nodes has cordoned none
	}
	for _, n := range nodes {
		target := event.NodeRef(n.Name)
		target.UID = string(n.UID)
		found.add(target, n.Labels, n.Annotations)
	}
	found.Namespaces = slices.Sorted(maps.Keys(namespaces))
	return found, nil
}

func (f *Found) add(target event.Ref, labels, annotations map[string]string) {
	list, err := HoldingsOf(target, labels, annotations)
	if err != nil {
		f.Broken = append(f.Broken, fmt.Errorf("%s: %w", target, err))
	}
	f.Holdings = append(f.Holdings, list...)
}

// HoldingsOf are the holds that an object's labels and annotations tell of. An annotation
// that can't be read does not hide the others.
func HoldingsOf(target event.Ref, labels, annotations map[string]string) ([]Holding, error) {
	var list []Holding
	var errs []error
	add := func(action, label string, runs Holders, config any) {
		for _, key := range slices.Sorted(maps.Keys(runs)) {
			_, labelled := labels[label]
			list = append(list, Holding{Action: action, Key: key, Holder: runs[key], Target: target, Loose: !labelled, config: config})
		}
	}
	quarantine, _, err := parseQuarantine(annotations)
	errs = append(errs, err)
	add(podQuarantine, HoldKey, quarantine.Runs, nil)
	cordon, err := parseCordonText(annotations)
	errs = append(errs, err)
	add(nodeCordon, HeldKey, cordon.Runs, nil)
	rec, err := parseLabels(annotations)
	errs = append(errs, err)
	by := map[string]map[string]string{}
	holders := Holders{}
	for k, hold := range rec {
		for key, h := range hold.Runs {
			if by[key] == nil {
				by[key] = map[string]string{}
			}
			by[key][k], holders[key] = hold.Value, h
		}
	}
	for _, key := range slices.Sorted(maps.Keys(holders)) {
		add(podLabel, HeldKey, Holders{key: holders[key]}, &LabelConfig{Labels: by[key]})
	}
	return list, errors.Join(errs...)
}

// End ends a hold of which nothing is known but what its object says. What
// others changed since stays.
func End(ctx context.Context, d Deps, h Holding, r Request) (event.Receipt, error) {
	kind, ok := Lookup(h.Action)
	if !ok {
		return event.Receipt{}, fmt.Errorf("end hold %s: no action %s", h.Key, h.Action)
	}
	act, err := kind.New(d, h.config)
	if err != nil {
		return event.Receipt{}, fmt.Errorf("end hold %s: %w", h.Key, err)
	}
	r.Key, r.Target, r.Over = h.Key, h.Target, true
	return act.Undo(ctx, r, event.Receipt{}, event.AtEndRestore)
}
