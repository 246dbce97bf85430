package action

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// usualSeats is how many requests an API server has under way at most where
// nobody says otherwise (--max-requests-inflight and the mutating ones).
const usualSeats = 600

// notes say what the limit is, and what passes it by.
func (a apiRate) notes(ctx context.Context, d Deps, user string) ([]string, error) {
	notes := []string{"it limits how many requests are under way at a time, not how many are sent a minute"}
	shares, err := a.shares(ctx, d)
	if err != nil {
		return nil, err
	}
	seats := int(math.Ceil(usualSeats * float64(a.config.Shares) / float64(shares+a.config.Shares)))
	notes = append(notes, fmt.Sprintf("%d of %d shares: about %d at a time of each API server, where it takes %d", a.config.Shares, shares+a.config.Shares, seats, usualSeats))
	if a.config.Wait == 0 {
		notes = append(notes, "what is more is refused with 429, and clients mostly try again")
	}
	earlier, err := passing(ctx, d.Cluster, user)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(user, serviceAccountPrefix) {
		return append(notes, earlier...), nil
	}
	return append(append(notes, earlier...), "who is in group system:masters is exempt from every limit"), nil
}

// shares are those of all other levels.
func (a apiRate) shares(ctx context.Context, d Deps) (int, error) {
	list, err := d.Cluster.List(ctx, priorityLevels.Group, priorityLevels.Version, priorityLevels.Resource, "", "")
	if err != nil {
		return 0, err
	}
	sum := 0
	for i := range list {
		var level flowcontrolv1.PriorityLevelConfiguration
		if err := convert(&list[i], &level); err != nil {
			return 0, err
		}
		if l := level.Spec.Limited; l != nil && l.NominalConcurrencyShares != nil && level.Labels[kube.ManagedByLabel] != kube.ManagedBy {
			sum += int(*l.NominalConcurrencyShares)
		}
	}
	return sum, nil
}

// passing says which schemas that are asked before ours may take requests of a
// user: those for it by name, and those for groups that it is in.
func passing(ctx context.Context, c Cluster, user string) ([]string, error) {
	list, err := c.List(ctx, flowSchemas.Group, flowSchemas.Version, flowSchemas.Resource, "", "")
	if err != nil {
		return nil, err
	}
	var notes []string
	for i := range list {
		var schema flowcontrolv1.FlowSchema
		if err := convert(&list[i], &schema); err != nil {
			return nil, err
		}
		if schema.Spec.MatchingPrecedence > flowPrecedence || schema.Labels[kube.ManagedByLabel] == kube.ManagedBy {
			continue
		}
		if slices.Contains([]string{"exempt", "probes", "system-leader-election"}, schema.Name) {
			continue
		}
		if slices.ContainsFunc(schema.Spec.Rules, func(r flowcontrolv1.PolicyRulesWithSubjects) bool {
			return slices.ContainsFunc(r.Subjects, about(user))
		}) {
			notes = append(notes, fmt.Sprintf("requests that FlowSchema %s takes (precedence %d) are not limited", schema.Name, schema.Spec.MatchingPrecedence))
		}
	}
	slices.Sort(notes)
	return notes, nil
}

// about says whether a subject is a user, or a group that it is known to be in.
func about(user string) func(flowcontrolv1.Subject) bool {
	account, isAccount := strings.CutPrefix(user, serviceAccountPrefix)
	namespace, name, _ := strings.Cut(account, ":")
	groups := []string{"*", "system:authenticated"}
	if isAccount {
		groups = append(groups, "system:serviceaccounts", "system:serviceaccounts:"+namespace)
	}
	return func(s flowcontrolv1.Subject) bool {
		switch {
		case s.User != nil:
			return s.User.Name == user || s.User.Name == "*"
		case s.Group != nil:
			return slices.Contains(groups, s.Group.Name)
		case s.ServiceAccount != nil:
			return isAccount && s.ServiceAccount.Namespace == namespace && (s.ServiceAccount.Name == name || s.ServiceAccount.Name == "*")
		}
		return false
	}
}

// look waits for the API server to say that the schema leads somewhere.
func (a apiRate) look(d Deps) func(context.Context, Request, event.Plan) (event.Result, []string, error) {
	return func(ctx context.Context, _ Request, p event.Plan) (event.Result, []string, error) {
		if len(p.Writes) == 0 {
			return "", nil, errors.New("the plan has no writes")
		}
		w := p.Writes[len(p.Writes)-1]
		found, err := d.Cluster.Get(ctx, w.Group, w.Version, w.Resource, w.Namespace, w.Name)
		if err != nil {
			return "", nil, err
		}
		var schema flowcontrolv1.FlowSchema
		if err := convert(found, &schema); err != nil {
			return "", nil, err
		}
		for _, c := range schema.Status.Conditions {
			if c.Type == flowcontrolv1.FlowSchemaConditionDangling && c.Status == flowcontrolv1.ConditionTrue {
				return event.ResultVoid, []string{"the API server finds no priority level behind the FlowSchema"}, nil
			}
		}
		return event.ResultApplied, nil, nil
	}
}

// convert reads an object into its type.
func convert(o *unstructured.Unstructured, into any) error {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, into); err != nil {
		return fmt.Errorf("decode %s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return nil
}
