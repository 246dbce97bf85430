package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// containment is how a pod is going to be held, or is.
type containment struct {
	// tier is what is used beside the hold policy, if that alone leaks.
	tier *tier
	// cut says that the pod's own node is to be kept out; probes is what that is
	// done with, if the cluster has it, and apart the directions in which by all
	// policies it is.
	cut    bool
	probes *tier
	apart  []string
	// ended is the phase of a pod that has run to its end: no policy is about it.
	ended corev1.PodPhase
	// flows are what gets through all the same; doubts what is not known of the
	// policies.
	flows  []reach.Flow
	doubts []string
}

// maxLeaks bounds how many leaks are told one by one.
const maxLeaks = 8

// notes say how far the hold reaches, naming of each leak peer, ports and policy.
func (c containment) notes() []string {
	if c.ended != "" {
		return []string{fmt.Sprintf("the pod has ended (%s): it sends and receives nothing any more, and the hold only keeps it as evidence", c.ended)}
	}
	var notes []string
	if c.tier != nil {
		notes = append(notes, "other policies may let something through that NetworkPolicy can't deny: denied by "+c.tier.name+" too")
	}
	notes = append(notes, c.probeNotes()...)
	for _, f := range c.flows[:min(len(c.flows), maxLeaks)] {
		notes = append(notes, "leaks: "+f.String())
	}
	if n := len(c.flows) - maxLeaks; n > 0 {
		notes = append(notes, fmt.Sprintf("leaks: %d more", n))
	}
	if !c.leaks() {
		notes = append(notes, "held: by all policies nothing gets through, to or from the pod")
	}
	for _, d := range c.doubts {
		notes = append(notes, "not known: "+d)
	}
	return notes
}

// contain finds the means by which the pod, with the labels that it is going to
// have, is held: the hold policy alone if no rule could let anything through,
// else the first deny tier that the cluster has and that leaves least. Who runs
// just now does not decide whether there is a tier: whom another policy allows may
// come a moment later, and a plan made again must be the same plan.
func (q quarantine) contain(ctx context.Context, pod *corev1.Pod) (containment, error) {
	around, err := reach.ReadAround(ctx, q.Cluster, pod)
	if err != nil {
		return containment{}, err
	}
	if around, err = withHold(around, pod); err != nil {
		return containment{}, err
	}
	w := reach.New(around)
	sealed, _, err := w.Sealed(pod.Namespace, pod.Name)
	if errors.Is(err, reach.ErrUnknownPod) {
		return containment{ended: pod.Status.Phase}, nil
	}
	if err != nil {
		return containment{}, err
	}
	var best containment
	if sealed {
		best, err = judged(w, pod)
	} else {
		best, err = q.above(ctx, pod)
	}
	if err != nil || !q.cut {
		return best, err
	}
	return q.keepOut(ctx, best, around, pod)
}

// peers is with how many something gets through. How many flows tell of it says
// little: all pods of the cluster are one, two of them may be two.
func (c containment) peers() int {
	n := 0
	for _, f := range c.flows {
		n += max(f.Peer.Count, 1)
	}
	return n
}

// above looks for a deny tier, where the hold policy alone could leak.
func (q quarantine) above(ctx context.Context, pod *corev1.Pod) (containment, error) {
	all, err := reach.Read(ctx, q.Cluster)
	if err != nil {
		return containment{}, err
	}
	if all, err = withHold(all, pod); err != nil {
		return containment{}, err
	}
	best, err := judged(reach.New(all), pod)
	if err != nil {
		return best, err
	}
	served, err := servedTiers(ctx, q.Cluster)
	if err != nil {
		return best, err
	}
	for i := range served {
		objects, err := served[i].reachObjects(pod.Namespace)
		if err != nil {
			return best, err
		}
		with := all
		with.Objects = append(slices.Clone(all.Objects), objects...)
		next, err := judged(reach.New(with), pod)
		if err != nil {
			return best, err
		}
		if next.tier = &served[i]; best.tier == nil || next.peers() < best.peers() {
			best = next
		}
	}
	return best, nil
}

// judged is what a world says of the pod.
func judged(w *reach.World, pod *corev1.Pod) (containment, error) {
	r, err := w.Report(pod.Namespace, pod.Name)
	if err != nil {
		return containment{}, err
	}
	return containment{flows: r.Flows(), doubts: r.Doubts, apart: r.Apart}, nil
}

// withHold is the state with this pod in the place of the one of its name, and
// with the hold policy, but without any tier of Firebreak's own.
func withHold(s reach.State, pod *corev1.Pod) (reach.State, error) {
	s.Pods = append(slices.DeleteFunc(slices.Clone(s.Pods), func(p corev1.Pod) bool {
		return p.Namespace == pod.Namespace && p.Name == pod.Name
	}), *pod)
	s.Objects = slices.DeleteFunc(slices.Clone(s.Objects), func(o reach.Object) bool { return isHold(o.Name) })
	policy, err := holdNetworkPolicy(pod.Namespace)
	if err != nil {
		return s, err
	}
	return withPolicy(s, policy), nil
}

func isHold(name string) bool {
	return name == HoldPolicyName || name == HoldPolicyName+".deny" || name == ProbesPolicyName
}

// withPolicy is the state with this policy in the place of the one of its name.
func withPolicy(s reach.State, policy *networkingv1.NetworkPolicy) reach.State {
	s.NetworkPolicies = append(slices.DeleteFunc(slices.Clone(s.NetworkPolicies), func(n networkingv1.NetworkPolicy) bool {
		return n.Namespace == policy.Namespace && n.Name == policy.Name
	}), *policy)
	return s
}

// labelled is the pod as it is going to be.
func (q quarantine) labelled(pod *corev1.Pod, without []string) *corev1.Pod {
	next := *pod
	next.Labels = maps.Clone(pod.Labels)
	if next.Labels == nil {
		next.Labels = map[string]string{}
	}
	for _, k := range without {
		delete(next.Labels, k)
	}
	next.Labels[HoldKey] = HoldQuarantine
	if q.cut {
		next.Labels[ProbesKey] = ProbesCut
	}
	return &next
}

// Verify evaluates every policy that selects the pod, as the cluster has them
// now: held, or partial with what leaks, by which policy, with whom and on which
// ports. No packet is tried, so what holds is still unverified, unless a drill
// has lately seen that the cluster enforces policies (enforced) or not (void).
func (q quarantine) Verify(ctx context.Context, r Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	if q.Offline {
		return done, nil
	}
	pod, err := q.seen(ctx, r)
	if errors.Is(err, ErrGone) {
		return changed(done, event.ResultVoid, "the pod is gone"), nil
	}
	if err != nil {
		return done, err
	}
	if _, held := pod.Labels[HoldKey]; !held {
		return changed(done, event.ResultVoid, "the hold was taken off right after it was set"), nil
	}
	found, err := q.live(ctx, pod)
	if err != nil {
		return done, err
	}
	found.cut = q.cut
	result, notes := event.ResultUnverified, found.notes()
	if q.Drill != nil {
		works, known, note := q.Drill.Works()
		notes = append(notes, note)
		if known && works {
			result = event.ResultEnforced
		} else if known {
			return changed(done, event.ResultVoid, notes...), nil
		}
	}
	if found.leaks() {
		result = event.ResultPartial
	}
	return changed(done, result, notes...), nil
}

// live evaluates the policies as they are. The hold policy is read for itself:
// it is a moment old, and the others may be so too.
func (q quarantine) live(ctx context.Context, pod *corev1.Pod) (containment, error) {
	around, err := reach.ReadAround(ctx, q.Cluster, pod)
	if err != nil {
		return containment{}, err
	}
	policy, err := q.Cluster.NetworkPolicy(ctx, pod.Namespace, HoldPolicyName)
	switch {
	case err == nil:
		around = withPolicy(around, policy)
	case !errors.Is(err, kube.ErrNotFound):
		return containment{}, err
	}
	w := reach.New(around)
	sealed, _, err := w.Sealed(pod.Namespace, pod.Name)
	if errors.Is(err, reach.ErrUnknownPod) {
		return containment{ended: pod.Status.Phase}, nil
	}
	if err != nil || sealed {
		found, _ := judged(w, pod)
		return found, err
	}
	all, err := reach.Read(ctx, q.Cluster)
	if err != nil {
		return containment{}, err
	}
	if policy != nil {
		all = withPolicy(all, policy)
	}
	// The lists may be a moment older than the pod.
	all.Pods = append(slices.DeleteFunc(slices.Clone(all.Pods), func(p corev1.Pod) bool { return p.UID == pod.UID }), *pod)
	return judged(reach.New(all), pod)
}
