package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// Holding is one hold, as its object alone tells of it.
type Holding struct {
	// Action is the kind of step, Key its RUN/STEP.
	Action, Key string
	Holder
	// Target is what the step is about; Object is where the hold shows, mostly
	// the same: another for an object that the step made.
	Target, Object event.Ref
	// Loose says that the object has lost the label of this kind of hold.
	Loose bool
	// Back is what its end gives back, by what the object says.
	Back Back

	config any
	// own says that the hold is the object, which the step made.
	own bool
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
// of ours says of itself. What may not be listed everywhere is listed in the
// given namespaces.
func Find(ctx context.Context, c Cluster, namespaces ...string) (Found, error) {
	var found Found
	seen, quarantines := map[string]bool{}, map[string]bool{}
	for _, label := range []string{HoldKey, HeldKey} {
		pods, err := c.Pods(ctx, "", label)
		if err != nil && !errors.Is(err, kube.ErrForbidden) {
			return found, err // who has no right to pods holds none
		}
		for _, p := range pods {
			if _, quarantined := p.Labels[HoldKey]; quarantined {
				quarantines[p.Namespace] = true
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
	for _, x := range held() {
		list, err := listHeld(ctx, c, x, namespaces)
		if err != nil {
			return found, err
		}
		for _, o := range list {
			found.add(x.ref(&o), o.GetLabels(), o.GetAnnotations())
		}
	}
	found.Namespaces = slices.Sorted(maps.Keys(quarantines))
	return found, nil
}

// listHeld lists the objects of a resource that show holds. Who has no right to
// it holds none, nor does a cluster that has no such kind.
func listHeld(ctx context.Context, c Cluster, x Resource, namespaces []string) ([]unstructured.Unstructured, error) {
	var all []unstructured.Unstructured
	for _, ns := range append([]string{""}, namespaces...) {
		list, err := c.List(ctx, x.Group, x.Version, x.Resource, ns, HeldKey+"="+HeldYes)
		switch {
		case err == nil && ns == "":
			return list, nil
		case errors.Is(err, kube.ErrNotFound):
			return nil, nil
		case err != nil && !errors.Is(err, kube.ErrForbidden):
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// held are the resources besides pods and nodes on which holds show.
func held() []Resource {
	var all []Resource
	for _, k := range Kinds() {
		for _, x := range k.Holds {
			if !slices.Contains(all, x) {
				all = append(all, x)
			}
		}
	}
	return all
}

func (f *Found) add(target event.Ref, labels, annotations map[string]string) {
	list, err := HoldingsOf(target, labels, annotations)
	if err != nil {
		f.Broken = append(f.Broken, fmt.Errorf("%s: %w", target, err))
	}
	for _, h := range list {
		// What was made for good, as a Job is, shows whose it is and holds nothing.
		if k, ok := Lookup(h.Action); !ok || k.Reversible {
			f.Holdings = append(f.Holdings, h)
		}
	}
}

// HoldingsOf are the holds that an object's labels and annotations tell of. An annotation
// that can't be read does not hide the others.
func HoldingsOf(target event.Ref, labels, annotations map[string]string) ([]Holding, error) {
	var list []Holding
	var errs []error
	add := func(action, label string, runs Holders, back func(key string) Back, config any) {
		for _, key := range slices.Sorted(maps.Keys(runs)) {
			_, labelled := labels[label]
			list = append(list, Holding{
				Action: action, Key: key, Holder: runs[key], Target: target, Object: target, Loose: !labelled, Back: back(key), config: config,
			})
		}
	}
	quarantine, _, err := parseQuarantine(annotations)
	errs = append(errs, err)
	add(podQuarantine, HoldKey, quarantine.Runs, quarantineBack(target, quarantine), nil)
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
		add(podLabel, HeldKey, Holders{key: holders[key]}, func(key string) Back { return labelsBack(target, rec, slices.Sorted(maps.Keys(by[key]))) }, &LabelConfig{Labels: by[key]})
	}
	held, err := parseFields(annotations)
	errs = append(errs, err)
	steps, fields := Holders{}, map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(held)) {
		for key, h := range held[id].Runs {
			steps[key], fields[key] = h, append(fields[key], id)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(steps)) {
		add(steps[key].Action, HeldKey, Holders{key: steps[key]}, func(key string) Back { return fieldsBack(target, held, fields[key]) }, nil)
	}
	h, ok, err := ownHolding(target, labels, annotations)
	if ok {
		list = append(list, h)
	}
	return list, errors.Join(append(errs, err)...)
}

// ownHolding is the hold that an object is which a step made.
func ownHolding(object event.Ref, labels, annotations map[string]string) (Holding, bool, error) {
	key, ok := annotations[RunKey]
	if !ok || labels[kube.ManagedByLabel] != kube.ManagedBy || !strings.HasPrefix(object.Name, ownPrefix) {
		return Holding{}, false, nil
	}
	h := Holding{Action: annotations[ActionKey], Key: key, Target: event.Ref{UID: annotations[TargetKey]}, Object: object, Back: ownBack(object), own: true}
	if text, ok := annotations[UntilKey]; ok {
		until, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return h, true, fmt.Errorf("annotation %s: %w", UntilKey, err)
		}
		h.Until = until
	}
	return h, true, nil
}

// End ends a hold of which nothing is known but what its object says. What
// others changed since stays.
func End(ctx context.Context, d Deps, h Holding, r Request) (event.Receipt, error) {
	r.Key, r.Target, r.Over = h.Key, h.Object, true
	kind, ok := Lookup(h.Action)
	if !ok {
		return event.Receipt{}, fmt.Errorf("end hold %s: no action %s", h.Key, h.Action)
	}
	if x, ok := resourceOn(kind, h.Object); ok && h.own {
		notes, err := removeOwn(ctx, d.Cluster, r, x, h.Object.Namespace, h.Object.Name)
		return receipt(r, event.ResultUndone, notes...), err
	} else if ok && len(kind.Fields) > 0 {
		return fields{Deps: d, action: h.Action, at: []Resource{x}}.Undo(ctx, r, event.Receipt{}, event.AtEndRestore)
	}
	act, err := kind.New(d, h.config)
	if err != nil {
		return event.Receipt{}, fmt.Errorf("end hold %s: %w", h.Key, err)
	}
	return act.Undo(ctx, r, event.Receipt{}, event.AtEndRestore)
}

// resourceOn is the resource of an object that a kind of action holds.
func resourceOn(kind Kind, o event.Ref) (Resource, bool) {
	core := []Resource{{"", "v1", "pods"}, {"", "v1", "nodes"}}
	for _, x := range append(core, kind.Holds...) {
		if x.Resource == o.Resource && x.Group == o.Group {
			return x, true
		}
	}
	return Resource{}, false
}
