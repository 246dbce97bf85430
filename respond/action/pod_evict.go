package action

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const podEvict = "pod.evict"

func init() {
	register(Kind{
		Name: podEvict,
		Doc: "Evicts a pod, which PodDisruptionBudgets may hold back: then it waits for its turn until the step's time is up. " +
			"It never falls back to deleting. Its controller makes another.",
		Class:    Effect,
		OptIn:    true,
		Budget:   "pods",
		Destroys: true,
		Targets:  []string{"pods"},
		Config:   func() any { return new(EvictConfig) },
		Needs: []Permission{
			{Resource: "pods", Verbs: []string{"get"}},
			{Resource: "pods/eviction", Verbs: []string{"create"}},
		},
		Admits: []Admit{{Resource: "pods/eviction", Operation: "CREATE", Expression: "has(object.deleteOptions) && has(object.deleteOptions.preconditions)" +
			" && has(object.deleteOptions.preconditions.uid)"}},
		New: func(d Deps, config any) (Action, error) {
			c, err := params[EvictConfig](podEvict, config)
			if err != nil {
				return nil, err
			}
			return evict{departure{d, podEvict}, c.Grace}, checkGrace(podEvict, c.Grace)
		},
	})
}

// EvictConfig are the parameters of pod.evict.
type EvictConfig struct {
	// Grace is how many seconds the pod has to stop; without it, as many as it
	// asks for itself.
	Grace *int64 `yaml:"grace" json:"grace,omitempty"`
}

// maxGrace is the longest that a pod may be given to stop: an hour.
const maxGrace = 3600

func checkGrace(kind string, grace *int64) error {
	if grace != nil && (*grace < 0 || *grace > maxGrace) {
		return fmt.Errorf("%s: grace is 0 to %d seconds", kind, maxGrace)
	}
	return nil
}

type evict struct {
	departure
	grace *int64
}

// Plan lists the eviction, which is conditional on the pod's UID.
func (e evict) Plan(ctx context.Context, r Request) (event.Plan, error) {
	pod, p, err := e.plan(ctx, r, "evict")
	if err != nil {
		return p, err
	}
	w := event.Write{
		Verb: "create", Version: "v1", Resource: "pods", Subresource: "eviction", Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID),
	}
	body := object{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": object{"name": pod.Name, "namespace": pod.Namespace}}
	if e.grace != nil {
		body["deleteOptions"] = object{"gracePeriodSeconds": *e.grace}
	}
	w.Body, err = encode(body)
	p.Writes = []event.Write{w}
	return p, err
}

// turnEvery is how long an eviction that a budget held back waits for its next
// turn.
const turnEvery = 2 * time.Second

// Do asks for the eviction until a budget lets it through.
func (e evict) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := e.check(r, p, "create", "eviction"); err != nil {
		return event.Receipt{}, err
	}
	tick := time.NewTicker(turnEvery)
	defer tick.Stop()
	for {
		_, _, err := e.Cluster.Apply(ctx, p.Writes[0], kube.ApplyOptions{})
		if !errors.Is(err, kube.ErrBusy) {
			return e.done(ctx, r, p, err)
		}
		select {
		case <-ctx.Done():
			return event.Receipt{}, err
		case <-tick.C:
		}
	}
}

// departure is what evicting and deleting a pod have in common.
type departure struct {
	Deps
	action string
}

func (l departure) plan(ctx context.Context, r Request, verb string) (*corev1.Pod, event.Plan, error) {
	p := event.Plan{Action: l.action, Target: r.Target, Summary: fmt.Sprintf("%s %s", verb, r.Target)}
	pod, err := readPod(ctx, l.Deps, r.Target)
	if err != nil {
		return nil, p, err
	}
	if err := fromTheAPI(r.Target, pod); err != nil {
		return nil, p, err
	}
	lost := "the pod's memory, processes and local files are lost for good"
	switch {
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		lost = fmt.Sprintf("the pod has ended (%s): none of its containers runs any more; its logs and local files are lost for good", pod.Status.Phase)
	case pod.DeletionTimestamp != nil:
		lost = "the pod is stopping already: " + lost
	}
	p.Notes = offlineNotes(l.Deps, []string{lost})
	if len(pod.OwnerReferences) == 0 && !l.Offline {
		p.Notes = append(p.Notes, "bare pod: nothing replaces it")
	}
	return pod, p, nil
}

// fromTheAPI refuses static pods: the kubelet makes them again from a file.
func fromTheAPI(target event.Ref, pod *corev1.Pod) error {
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	for _, o := range pod.OwnerReferences {
		mirror = mirror || o.Kind == "Node"
	}
	if mirror {
		return refuse(target, "static pod: the kubelet runs it from a file of its node")
	}
	return nil
}

func (l departure) check(r Request, p event.Plan, verb, subresource string) error {
	if p.Action != l.action || p.Target.UID != r.Target.UID || p.Target.String() != r.Target.String() || len(p.Writes) != 1 {
		return refuse(r.Target, "plan is for %s of %s", p.Action, p.Target)
	}
	w := p.Writes[0]
	if w.Verb != verb || w.Subresource != subresource || w.Resource != "pods" || w.Group != "" || w.UID != r.Target.UID ||
		w.Name != r.Target.Name || w.Namespace != r.Target.Namespace {
		return refuse(r.Target, "plan writes something else: %s %s %s/%s", w.Verb, w.Resource, w.Namespace, w.Name)
	}
	return nil
}

// done is the receipt of a pod that is to leave: one that is gone, or stops
// already, has what it was to have, whoever did it.
func (l departure) done(ctx context.Context, r Request, p event.Plan, err error) (event.Receipt, error) {
	if err != nil && !lost(err) {
		return event.Receipt{}, err
	}
	pod, again := readPod(ctx, l.Deps, r.Target)
	switch {
	case errors.Is(again, ErrGone):
		return receipt(r, event.ResultApplied, append(p.Notes, "the pod is gone")...), nil
	case again != nil:
		return event.Receipt{}, again
	case pod.DeletionTimestamp != nil:
		return receipt(r, event.ResultApplied, append(p.Notes, "the pod is stopping")...), nil
	case err != nil:
		return event.Receipt{}, conflict(r.Target)
	}
	return receipt(r, event.ResultApplied, p.Notes...), nil
}

// Verify looks whether the pod has stopped, and waits a little for it.
func (l departure) Verify(ctx context.Context, r Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		pod, err := readPod(ctx, l.Deps, r.Target)
		switch {
		case errors.Is(err, ErrGone):
			return changed(done, event.ResultEnforced), nil
		case err != nil:
			return done, err
		case pod.DeletionTimestamp == nil:
			return changed(done, event.ResultVoid, "the pod runs on"), nil
		}
		select {
		case <-bounded.Done():
			return changed(done, event.ResultApplied, "the pod is stopping still"), nil
		case <-tick.C:
		}
	}
}

// Undo gives [ErrIrreversible].
func (departure) Undo(context.Context, Request, event.Receipt, event.AtEnd) (event.Receipt, error) {
	return event.Receipt{}, ErrIrreversible
}
