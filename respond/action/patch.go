package action

import (
	"context"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// patchTarget does a plan that is one patch of its target, or nothing. When
// the target changed since the plan, landed says whether that was this very
// patch, sent before a crash; landed is asked again to read the patch back.
func patchTarget(ctx context.Context, d Deps, name, resource string, r Request, p event.Plan, landed func() (bool, error)) (event.Receipt, error) {
	if err := checkPlan(name, r, p); err != nil {
		return event.Receipt{}, err
	}
	if len(p.Writes) == 0 {
		return receipt(r, event.ResultNothing, p.Notes...), nil
	}
	if w := p.Writes[0]; len(p.Writes) != 1 || w.Verb != "patch" || w.Resource != resource {
		return event.Receipt{}, refuse(r.Target, "plan is not one patch of %s", resource)
	}
	_, _, err := d.Cluster.Apply(ctx, p.Writes[0], kube.ApplyOptions{})
	if err != nil && !lost(err) {
		return event.Receipt{}, err
	}
	there, err := landed()
	if err != nil {
		return event.Receipt{}, err
	}
	if !there {
		return event.Receipt{}, conflict(r.Target)
	}
	done := receipt(r, event.ResultApplied, p.Notes...)
	done.Before = p.Before
	return done, nil
}
