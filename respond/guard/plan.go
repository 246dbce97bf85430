package guard

import (
	"context"
	"encoding/json"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "plan",
		Doc:  "A plan lists few and exact writes, conditional ones on the target alone, and no policy that selects everything.",
		New:  func(Options) Guard { return plan{} },
	})
}

// maxWrites is more than any action plans.
const maxWrites = 16

type plan struct{}

func (plan) Judge(_ context.Context, c Check) (event.Decision, string) {
	if !c.acts() {
		return event.Pass, "nothing is written"
	}
	if len(c.Plan.Writes) > maxWrites {
		return event.Deny, fmt.Sprintf("%d writes are more than %d", len(c.Plan.Writes), maxWrites)
	}
	if _, err := c.Plan.Digest(); err != nil {
		return event.Deny, "the plan has no digest: " + err.Error()
	}
	for _, w := range c.Plan.Writes {
		if why := inexact(w, c.Plan.Target); why != "" {
			return event.Deny, fmt.Sprintf("%s %s: %s", w.Verb, w.Resource, why)
		}
	}
	return event.Pass, fmt.Sprintf("%d writes", len(c.Plan.Writes))
}

// inexact says why a write could hit more than the target.
func inexact(w event.Write, t event.Ref) string {
	switch {
	case w.Name == "" || w.Resource == "":
		return "has no name or resource"
	case w.Namespace != t.Namespace:
		return "is in another namespace than the target"
	}
	switch w.Verb {
	case "patch", "delete":
		if w.ResourceVersion == "" || w.UID == "" {
			return "is conditional on nothing"
		}
	case "create":
	default:
		return "is none of create, patch, delete"
	}
	if w.Group == networkingv1.GroupName && w.Resource == "networkpolicies" && w.Verb != "delete" {
		var policy networkingv1.NetworkPolicy
		if err := json.Unmarshal(w.Body, &policy); err != nil {
			return "its body can't be read"
		}
		if s := policy.Spec.PodSelector; len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
			return "an empty selector means every pod"
		}
	}
	return ""
}
