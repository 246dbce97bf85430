package action

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const workloadRollback = "workload.rollback"

func init() {
	at := []Resource{deployments, statefulSets, daemonSets}
	register(Kind{
		Name: workloadRollback,
		Doc: "Puts the pod template of a Deployment, StatefulSet or DaemonSet back to what it was before the last change of it, or to a revision by its number. " +
			"All pods are replaced. The end of the hold puts the newer template back, where nobody changed it since.",
		Class:      Effect,
		OptIn:      true,
		Reversible: true,
		Destroys:   true,
		Targets:    names(at),
		Holds:      at,
		Fields:     []string{"/spec/template"},
		Config:     func() any { return new(RollbackConfig) },
		Check:      func(config any) error { return checked(workloadRollback, config, RollbackConfig.check) },
		Needs: append(needs(at, "get", "list", "patch"),
			Permission{Group: replicaSets.Group, Resource: replicaSets.Resource, Verbs: []string{"list"}},
			Permission{Group: controllerRevisions.Group, Resource: controllerRevisions.Resource, Verbs: []string{"list"}}),
		Admits: admits(at, "UPDATE", func(x Resource) string {
			return admitSpec(specParts(x, "template")...) + " && " + noMorePrivileged()
		}),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[RollbackConfig](workloadRollback, config)
			if err != nil {
				return nil, err
			}
			return fields{Deps: d, action: workloadRollback, at: at, want: rollback{d, *c}.want}, c.check()
		},
	})
}

// noMorePrivileged is CEL that is true when a workload's pod template asks for
// nothing of the node that the one before did not ask for. Which template there
// was before CEL can't see, so that is as much as a policy can hold it to.
func noMorePrivileged() string {
	const spec = ".spec.template.spec"
	more := ""
	for _, f := range []string{"hostNetwork", "hostPID", "hostIPC"} {
		more += fmt.Sprintf("!(has(object%[1]s.%[2]s) && object%[1]s.%[2]s && !(has(oldObject%[1]s.%[2]s) && oldObject%[1]s.%[2]s)) && ", spec, f)
	}
	privileged := func(of string) string {
		const is = "has(c.securityContext) && has(c.securityContext.privileged) && c.securityContext.privileged"
		return fmt.Sprintf("(%[1]s%[2]s.containers.exists(c, %[3]s) || has(%[1]s%[2]s.initContainers) && %[1]s%[2]s.initContainers.exists(c, %[3]s))", of, spec, is)
	}
	path := func(of string) string {
		return fmt.Sprintf("(has(%[1]s%[2]s.volumes) && %[1]s%[2]s.volumes.exists(v, has(v.hostPath)))", of, spec)
	}
	return more + "(!" + privileged("object") + " || " + privileged("oldObject") + ") && (!" + path("object") + " || " + path("oldObject") + ")"
}

// RollbackConfig are the parameters of workload.rollback.
type RollbackConfig struct {
	// Revision is the number of the revision, as kubectl rollout history shows
	// it; 0 is the newest whose template is not the present one.
	Revision int64 `yaml:"revision" json:"revision,omitempty"`
}

func (c RollbackConfig) check() error {
	if c.Revision < 0 {
		return fmt.Errorf("%s: revision %d", workloadRollback, c.Revision)
	}
	return nil
}

type rollback struct {
	Deps
	RollbackConfig
}

// want are the fields by which the templates differ. Once a step holds them they
// are what its record says: which revision is the earlier one has changed then.
func (a rollback) want(ctx context.Context, r Request, o *unstructured.Unstructured) ([]field, string, []string, error) {
	summary := fmt.Sprintf("roll %s back", r.Target)
	rec, err := parseFields(o.GetAnnotations())
	if err == nil {
		if list, holders := rec.heldBy(workloadRollback); len(list) > 0 {
			if others := holders.others(r.Key); len(others) > 0 && a.Revision != 0 {
				return nil, summary, nil, refuse(r.Target, "its template is held by %v", others)
			}
			return list, summary, []string{"it is rolled back already"}, nil
		}
	}
	if a.Offline {
		return nil, summary, []string{"which revisions there are is not known"}, nil
	}
	all, err := revisions(ctx, a.Cluster, r.Target)
	if err != nil {
		return nil, summary, nil, err
	}
	now, _, err := unstructured.NestedMap(o.Object, "spec", "template")
	if err != nil {
		return nil, summary, nil, fmt.Errorf("%s: %w", r.Target, err)
	}
	to, err := earlier(all, now, a.Revision)
	if err != nil {
		return nil, summary, nil, refuse(r.Target, "%v", err)
	}
	list := changes(now, to.template, []string{"spec", "template"})
	notes := []string{"its pods are replaced one after another, by its own strategy: what they hold in memory and in their own files is lost"}
	for _, f := range list {
		notes = append(notes, cut(f.String(), maxText))
	}
	if paused, _, _ := unstructured.NestedBool(o.Object, "spec", "paused"); paused {
		notes = append(notes, "its rollouts are paused: nothing is replaced until they go on")
	}
	return list, fmt.Sprintf("%s to revision %d (%s)", summary, to.number, to.name), notes, nil
}

// heldBy are the fields that steps of one kind of action hold, in the order of
// their ids, and those steps.
func (rec fieldRecord) heldBy(action string) (list []field, holders Holders) {
	holders = Holders{}
	for _, id := range slices.Sorted(maps.Keys(rec)) {
		for key, h := range rec[id].Runs {
			if h.Action == action {
				holders = holders.with(key, h)
			}
		}
		if rec[id].anyOf(action) {
			list = append(list, rec[id].field)
		}
	}
	return list, holders
}

func (h fieldHold) anyOf(action string) bool {
	for _, x := range h.Runs {
		if x.Action == action {
			return true
		}
	}
	return false
}
