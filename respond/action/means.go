package action

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// The means by which a barrier is set, as the config names them.
const (
	meansAuto   = "auto"
	meansTier   = "clusternetworkpolicy"
	meansAdmin  = "adminnetworkpolicy"
	meansCilium = "cilium"
	meansCalico = "calico"
	meansPlain  = "networkpolicy"
)

// allMeans are the means in the order in which they are taken.
func allMeans() []string {
	return []string{meansTier, meansAdmin, meansCilium, meansCalico, meansPlain}
}

// wall is a barrier as objects.
type wall struct {
	objects []own
	// notes say what the plan should say; open what is not kept out.
	notes, open []string
}

// build chooses the best means that the cluster has, or the one that is asked
// for, and renders the barrier with it. key is the step's, to leave its own
// policy out of what others' allow.
func (b barrier) build(ctx context.Context, c Cluster, by, key string) (wall, error) {
	have, without, err := served(ctx, c, by)
	if err != nil {
		return wall{}, err
	}
	w, err := b.with(ctx, c, have, key)
	w.notes = append(w.notes, without...)
	return w, err
}

// with is build with what the cluster has.
func (b barrier) with(ctx context.Context, c Cluster, have map[string]bool, key string) (wall, error) {
	switch deny, _ := b.tier(); {
	case have[meansTier] && deny.Kind != "" && !b.ingress:
		return b.byTier(deny), nil
	case have[meansCilium]:
		notes := []string{"by CiliumNetworkPolicy, which denies whatever others allow", noteCiliumAddresses}
		return wall{objects: []own{b.cilium()}, notes: append(notes, b.probesByCilium()...)}, nil
	case have[meansCalico]:
		return wall{objects: []own{b.calico()}, notes: []string{"by a NetworkPolicy of Calico in tier " + calicoTier + " (untested: written by its published API)"}}, nil
	}
	return b.mixed(ctx, c, have, key)
}

const noteCiliumAddresses = "to Cilium pods and nodes of the cluster are no addresses: CIDRs don't bind them"

// probesByCilium says what becomes of the kubelet's probes.
func (b barrier) probesByCilium() []string {
	switch {
	case !b.only || !b.ingress:
		return nil
	case b.cutProbes:
		return []string{"the kubelet's probes are kept out: it restarts containers that have a liveness probe, and what they held in memory is lost"}
	}
	return []string{"stays open: each pod's own node may come in, since the kubelet's probes come from there and without them it restarts the containers"}
}

// probes says the same of all other means, which can't keep them out: the pods'
// own node is let in by every network plugin that keeps to the rules.
func (b barrier) probes(w wall) wall {
	switch {
	case !b.only || !b.ingress:
	case b.cutProbes:
		w.open = append(w.open, "traffic with each pod's own node, the kubelet's probes with it: only Cilium can keep it out")
	default:
		w.notes = append(w.notes, "stays open: traffic with each pod's own node, the kubelet's probes with it")
	}
	return w
}

// byTier is the barrier by ClusterNetworkPolicy alone.
func (b barrier) byTier(o own) wall {
	return wall{objects: []own{o}, notes: []string{
		"by ClusterNetworkPolicy, tier Admin, priority 0, before any NetworkPolicy; whether the network plugin knows it is not known",
	}}
}

// served says which means the cluster has, of those that are asked for. without says
// which it may have, and nobody answers for: those are done without.
func served(ctx context.Context, c Cluster, by string) (have map[string]bool, without []string, err error) {
	resources := map[string]Resource{meansTier: clusterPolicies, meansAdmin: adminPolicies, meansCilium: ciliumPolicies, meansCalico: calicoPolicies}
	have = map[string]bool{meansPlain: by == meansAuto || by == meansPlain}
	var failed []error
	for _, means := range allMeans() {
		x, optional := resources[means]
		if !optional || by != meansAuto && by != means {
			continue
		}
		ok, err := c.Serves(ctx, x.Group, x.Version, x.Resource)
		if ok && means == meansCalico {
			ok, err = hasTier(ctx, c)
		}
		switch what := x.Resource + "." + x.Group; {
		case kube.Unread(err) && by == means:
			return nil, nil, fmt.Errorf("%w: the cluster has no %s that answers: %w", ErrRefused, what, err)
		case kube.Unread(err):
			without = append(without, fmt.Sprintf("not by %s: %v", what, err))
		case err != nil:
			failed = append(failed, err)
		case !ok && by == means:
			return nil, nil, fmt.Errorf("%w: the cluster has no %s", ErrRefused, what)
		}
		have[means] = ok && err == nil
	}
	return have, without, errors.Join(failed...)
}

// hasTier says whether somebody made Calico's tier for Firebreak.
func hasTier(ctx context.Context, c Cluster) (bool, error) {
	_, err := c.Get(ctx, calicoTiers.Group, calicoTiers.Version, calicoTiers.Resource, "", calicoTier)
	if errors.Is(err, kube.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// mixed sets the barrier with what denies in part, and with a plain policy for
// the rest.
func (b barrier) mixed(ctx context.Context, c Cluster, have map[string]bool, key string) (wall, error) {
	var w wall
	rest := b.sides()
	if have[meansTier] && b.egress {
		o, _ := b.toward(directionEgress).tier()
		if b.only {
			o, _ = b.tier()
		}
		w, rest = b.byTier(o), slices.DeleteFunc(rest, func(s string) bool { return s == directionEgress })
	} else if o, ok := b.partTier(have); ok {
		w.objects = append(w.objects, o)
		w.notes = append(w.notes, fmt.Sprintf("by %s before any NetworkPolicy, as far as pods of the cluster go: it knows no addresses", o.Kind))
	}
	if !have[meansPlain] {
		for _, side := range rest {
			w.open = append(w.open, fmt.Sprintf("%s of addresses outside the cluster is not kept out: %s can't", side, w.kinds()))
		}
		return w, w.refuseEmpty(b)
	}
	return b.addPlain(ctx, c, w, rest, key)
}

// partTier is what a tier can do of a barrier that it can't set in whole.
func (b barrier) partTier(have map[string]bool) (own, bool) {
	if have[meansTier] {
		return b.tier()
	}
	if have[meansAdmin] {
		return b.admin()
	}
	return own{}, false
}

func (w wall) kinds() string {
	if len(w.objects) == 0 {
		return "it"
	}
	return w.objects[0].Kind
}

func (w wall) refuseEmpty(b barrier) error {
	if len(w.objects) > 0 {
		return nil
	}
	return fmt.Errorf("%w: %s of %s: %s", ErrRefused, b.what(), b.who(), strings.Join(w.open, "; "))
}

// addPlain adds a NetworkPolicy for the directions that are left, unless it
// would do harm: next to another policy that selects the same pods it would
// allow what that one does not.
func (b barrier) addPlain(ctx context.Context, c Cluster, w wall, sides []string, key string) (wall, error) {
	rest := b
	rest.ingress, rest.egress = slices.Contains(sides, directionIngress), slices.Contains(sides, directionEgress)
	found, err := rest.bindings(ctx, c, OwnName(key, "plain"))
	if err != nil {
		return wall{}, err
	}
	harmed := map[string]bool{}
	for _, x := range found {
		switch {
		case rest.widens():
			harmed[x.side] = true
			w.open = append(w.open, fmt.Sprintf("%s: plain NetworkPolicy can only allow, and one more would allow what is not allowed next to %s", x.side, x))
		case x.allows:
			w.open = append(w.open, fmt.Sprintf("%s leaks through %s", x.side, x))
		}
	}
	rest.ingress, rest.egress = rest.ingress && !harmed[directionIngress], rest.egress && !harmed[directionEgress]
	if rest.ingress || rest.egress {
		w.objects = append(w.objects, rest.plain())
		w.notes = append(w.notes, rest.plainNotes()...)
	}
	slices.Sort(w.open)
	return w, w.refuseEmpty(b)
}

// plainNotes say what a plain policy is.
func (b barrier) plainNotes() []string {
	sides := strings.Join(b.sides(), " and ")
	notes := []string{"by plain NetworkPolicy, which can't deny: any other policy can allow what it leaves out of " + sides}
	if !b.only {
		notes[0] = "by plain NetworkPolicy, which can't deny: it allows the rest of " + sides + ", and any other policy can allow what it leaves out"
		notes = append(notes, "pods of this cluster are not kept out by it, whatever their address; while it stands no other policy can narrow "+sides)
	}
	return notes
}
