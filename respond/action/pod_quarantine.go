package action

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const podQuarantine = "pod.quarantine"

func init() {
	register(Kind{
		Name: podQuarantine,
		Doc: "Cuts a pod off and keeps it as evidence: takes away the labels by which its owner, Services and NetworkPolicies " +
			"select it, and denies all its traffic by one static NetworkPolicy. Its controller makes a clean replacement where it can.",
		Class:      Effect,
		Reversible: true,
		Budget:     "pods",
		Deletable:  true,
		Tidies:     []Tidy{{networkingv1.GroupName, "networkpolicies", HoldPolicyName}},
		Targets:    []string{"pods"},
		Config:     func() any { return newQuarantine() },
		Needs:      quarantineNeeds(),
		Helps:      tierPermissions(),
		Admits:     quarantineAdmits(),
		New: func(d Deps, config any) (Action, error) {
			if config == nil {
				config = newQuarantine()
			}
			c, err := params[QuarantineConfig](podQuarantine, config)
			if err != nil {
				return nil, err
			}
			return quarantine{Deps: d, cut: !c.KeepProbes}, nil
		},
	})
}

// quarantineNeeds are the permissions that it takes to quarantine pods.
func quarantineNeeds() []Permission {
	return []Permission{
		{Resource: "pods", Verbs: []string{"get", "list", "patch", "delete"}},
		{Resource: "services", Verbs: []string{"list"}},
		{Group: networkingv1.GroupName, Resource: "networkpolicies", Verbs: []string{"get", "list", "create", "delete"}},
		{Group: "apps", Resource: "replicasets", Verbs: []string{"get"}},
		{Group: "apps", Resource: "statefulsets", Verbs: []string{"get"}},
		{Group: "apps", Resource: "daemonsets", Verbs: []string{"get"}},
		{Group: "batch", Resource: "jobs", Verbs: []string{"get"}},
		{Resource: "replicationcontrollers", Verbs: []string{"get"}},
	}
}

// quarantineAdmits are the writes that quarantining pods makes.
func quarantineAdmits() []Admit {
	return append(tierAdmits(),
		Admit{Resource: "pods", Operation: "UPDATE", Expression: admitHold},
		Admit{Resource: "pods", Operation: "DELETE", Expression: "!variables.system && '" + HoldKey + "' in variables.oldLabels"},
		Admit{Group: networkingv1.GroupName, Resource: "networkpolicies", Operation: "CREATE", Expression: admitPolicy},
		Admit{Group: networkingv1.GroupName, Resource: "networkpolicies", Operation: "DELETE", Expression: "oldObject.metadata.name == '" +
			HoldPolicyName + "' && '" + kube.ManagedByLabel + "' in variables.oldLabels && variables.oldLabels['" + kube.ManagedByLabel + "'] == '" + kube.ManagedBy + "'"},
	)
}

// QuarantineConfig are the parameters of pod.quarantine.
type QuarantineConfig struct {
	// KeepProbes lets the pod's own node in, and the kubelet's probes with it.
	// Without them it restarts containers that have a liveness probe, and what
	// they held in memory is lost. Only Cilium can keep them out; by other means
	// the plan and the receipt say that they stay.
	KeepProbes bool `yaml:"keep_probes" json:"keep_probes"`
}

func newQuarantine() *QuarantineConfig { return &QuarantineConfig{KeepProbes: true} }

type quarantine struct {
	Deps
	// cut keeps the pod's own node out, too.
	cut bool
}

// Plan reads the pod and whatever selects it, and lists its writes: the
// static policy of the namespace (listed also when it is there, so that the
// digest does not depend on it) and one patch of the pod; between them, where
// that policy alone would leak, the static objects of a deny tier.
func (q quarantine) Plan(ctx context.Context, r Request) (event.Plan, error) {
	pod, err := readPod(ctx, q.Deps, r.Target)
	if err != nil {
		return event.Plan{}, err
	}
	if err := quarantinable(r.Target, pod); err != nil {
		return event.Plan{}, err
	}
	owner, err := q.Cluster.Owner(ctx, pod)
	if err != nil {
		return event.Plan{}, err
	}
	all, err := selectors(ctx, q.Cluster, pod, owner)
	if err != nil {
		return event.Plan{}, err
	}
	keys, still := strip(pod.Labels, all)
	var held containment
	if !q.Offline {
		if held, err = q.contain(ctx, q.labelled(pod, keys)); err != nil {
			return event.Plan{}, err
		}
	}
	rec, notes := q.record(pod, r.Key)
	if len(rec.Runs) == 0 && !q.Offline {
		notes = append(notes, ownerNote(owner, pod.Namespace))
	}
	notes = append(notes, others(still)...)
	if !q.Offline {
		notes = append(notes, held.notes()...)
	}
	notes = append(notes, probeNotes(pod, q.cut)...)
	notes = append(notes, quarantineNotes(q.cut)...)
	for _, k := range keys {
		rec.Labels[k] = pod.Labels[k]
	}
	p := event.Plan{Action: podQuarantine, Target: r.Target, Reversible: true, Notes: offlineNotes(q.Deps, notes)}
	p.Summary = summary(r.Target, strippedKeys(pod, rec, keys))
	if p.Before, err = encode(object{"labels": rec.Labels}); err != nil {
		return event.Plan{}, err
	}
	return p, q.plan(&p, r, pod, rec, keys, held)
}

// record is the pod's hold record, or a new one; a record that somebody broke
// is begun anew, because the pod's owner must not be able to keep a hold off.
func (q quarantine) record(pod *corev1.Pod, key string) (rec quarantineRecord, notes []string) {
	rec, found, err := parseQuarantine(pod.Annotations)
	if err != nil {
		notes = append(notes, "the pod's hold record can't be read and is replaced")
	}
	if _, held := pod.Labels[HoldKey]; held && (!found || err != nil) {
		notes = append(notes, "the pod has the label "+HoldKey+" without a hold record; the end of the hold takes it off")
	}
	if others := rec.Runs.others(key); len(others) > 0 {
		notes = append(notes, "held already by "+strings.Join(others, ", ")+"; the last one to end restores the pod")
	}
	if rec.Labels == nil {
		rec.Labels = map[string]string{}
	}
	return rec, notes
}

// strippedKeys are the labels that the patch takes off: those that select the
// pod, and those that were saved and are absent. The latter changes nothing,
// and makes the plan of a pod that is held already have the same digest.
func strippedKeys(pod *corev1.Pod, rec quarantineRecord, keys []string) []string {
	all := slices.Clone(keys)
	for k := range rec.Labels {
		if _, present := pod.Labels[k]; !present {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// plan renders the writes into p. The annotation holds the digest
// of the plan, which leaves the annotation out.
func (q quarantine) plan(p *event.Plan, r Request, pod *corev1.Pod, rec quarantineRecord, keys []string, held containment) error {
	policy, err := holdPolicy(pod.Namespace)
	if err != nil {
		return err
	}
	writes := []event.Write{policy}
	for _, t := range held.tiers() {
		more, err := t.writes(pod.Namespace)
		if err != nil {
			return err
		}
		writes = append(writes, more...)
	}
	set := object{HoldKey: HoldQuarantine}
	if q.cut {
		set[ProbesKey] = ProbesCut
	}
	for _, k := range strippedKeys(pod, rec, keys) {
		set[k] = nil
	}
	holder := Holder{Until: r.Until, Cut: q.cut}
	for {
		rec.Runs = rec.Runs.with(r.Key, holder)
		patch, err := podPatch(pod, set, HoldKey, rec)
		if err != nil {
			return err
		}
		p.Writes = append(slices.Clone(writes), patch)
		if holder.Digest != "" {
			return nil
		}
		if holder.Digest, err = p.Digest(); err != nil {
			return err
		}
	}
}

// quarantinable refuses pods that a NetworkPolicy does not bind or that are
// not the API server's to change.
func quarantinable(target event.Ref, pod *corev1.Pod) error {
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return refuse(target, "static pod: the kubelet runs it from a file of its node")
	}
	for _, o := range pod.OwnerReferences {
		if o.Kind == "Node" {
			return refuse(target, "static pod: the kubelet runs it from a file of its node")
		}
	}
	if pod.Spec.HostNetwork {
		return refuse(target, "pod uses the host network, which no NetworkPolicy binds; cordon its node and delete the pod instead")
	}
	return nil
}

func summary(target event.Ref, keys []string) string {
	if len(keys) == 0 {
		return fmt.Sprintf("quarantine %s: deny all traffic", target)
	}
	return fmt.Sprintf("quarantine %s: take off labels %s; deny all traffic", target, strings.Join(keys, ", "))
}

// ownerNote says how the workload fares.
func ownerNote(o kube.Owner, namespace string) string {
	name := fmt.Sprintf("%s %s/%s", o.Kind, namespace, o.Name)
	switch {
	case o.Kind == "":
		return "bare pod: nothing replaces it"
	case o.Selector == nil:
		return name + " is gone or of an unknown kind: labels by which it selects the pod may stay"
	case o.Kind == "StatefulSet":
		return name + " can't replace it, the name is taken: it stays one pod short until the hold ends"
	case o.Kind == "DaemonSet":
		return name + " makes a replacement on the same node; restored, the younger of the two is removed"
	case o.Kind == "Job":
		return name + " makes another pod and starts its work again"
	}
	// It ranks pods by readiness, deletion cost and how many share a node, then
	// by age in powers of two: two hours and three are the same to it.
	return name + " makes a replacement; restored, it takes the pod back and removes one pod, not surely the younger"
}
