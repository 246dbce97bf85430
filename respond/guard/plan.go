package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "plan",
		Doc:  "A plan lists few and exact writes, to objects that it names and to some of Firebreak's own, and no policy that selects everything.",
		New:  func(Options) Guard { return plan{} },
	})
}

// maxWrites is more than any action plans for one object, and maxAlso than a
// node has pods.
const maxWrites, maxAlso = 16, 512

type plan struct{}

func (plan) Judge(_ context.Context, c Check) (event.Decision, string) {
	if !c.acts() {
		return event.Pass, "nothing is written"
	}
	if n := len(c.Plan.Also); n > maxAlso {
		return event.Deny, fmt.Sprintf("%d other objects are more than %d", n, maxAlso)
	}
	if most := maxWrites + 4*len(c.Plan.Also); len(c.Plan.Writes) > most {
		return event.Deny, fmt.Sprintf("%d writes are more than %d", len(c.Plan.Writes), most)
	}
	if _, err := c.Plan.Digest(); err != nil {
		return event.Deny, "the plan has no digest: " + err.Error()
	}
	for _, w := range c.Plan.Writes {
		if why := inexact(w, c.Plan); why != "" {
			return event.Deny, fmt.Sprintf("%s %s: %s", w.Verb, w.Resource, why)
		}
	}
	return event.Pass, fmt.Sprintf("%d writes", len(c.Plan.Writes))
}

// ownName begins the names of what Firebreak makes.
const ownName = "firebreak-"

// inexact says why a write could hit more than the objects that the plan names.
func inexact(w event.Write, p event.Plan) string {
	if w.Name == "" || w.Resource == "" {
		return "has no name or resource"
	}
	if w.Verb == "post" && w.Resource == "functions" && w.Namespace == "" {
		return "" // a call of a function of the config, by its name
	}
	made := (w.Verb == "create" || w.Verb == "apply") && w.Subresource == ""
	if made && strings.HasPrefix(w.Name, ownName) {
		return empty(w)
	}
	if !w.Dry() && w.Verb == "create" && w.UID != "" {
		return "" // a command in the target, or a request to its kubelet
	}
	if !slices.ContainsFunc(append([]event.Ref{p.Target}, p.Also...), func(t event.Ref) bool { return t.Namespace == w.Namespace }) {
		return "is in another namespace than the target"
	}
	switch w.Verb {
	case "patch", "delete":
		if w.ResourceVersion == "" || w.UID == "" {
			return "is conditional on nothing"
		}
	case "create", "apply":
		if !made && w.UID == "" {
			return "is conditional on nothing"
		}
	default:
		return "is none of create, patch, apply, delete"
	}
	return empty(w)
}

// empty says why a policy would bind every pod.
func empty(w event.Write) string {
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
