package kube

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Permission is one rule of a role: verbs on one resource.
type Permission struct {
	// Group is empty for the core group.
	Group    string
	Resource string
	Verbs    []string
	// Names limits it to objects of these names; empty is all.
	Names []string
	// Own limits it to Firebreak's own namespace.
	Own bool
	// Grave says that whoever declares it knows that it is worth as much as the
	// workloads themselves (exec, a node's proxy, deleting secrets, bind). A role
	// holds it only for an action that a playbook uses.
	Grave bool
}

// ConfigMapName is the name of Firebreak's ConfigMap, see [PausedAnnotation].
const ConfigMapName = "firebreak"

// String reads "get,patch pods" or "get leases.coordination.k8s.io (a, b)".
func (p Permission) String() string {
	s := strings.Join(p.Verbs, ",") + " " + p.Resource
	if p.Group != "" {
		s += "." + p.Group
	}
	if len(p.Names) > 0 {
		s += " (" + strings.Join(p.Names, ", ") + ")"
	}
	if p.Own {
		s += " in its own namespace"
	}
	return s
}

// BasePermissions are what the service needs whatever actions are enabled: to
// resolve targets, to look at what guards protect, and to ask the API server
// who an approver is and what he may approve.
func BasePermissions() []Permission {
	return []Permission{
		{Resource: "pods", Verbs: []string{"get"}},
		{Resource: "nodes", Verbs: []string{"get"}},
		{Resource: "namespaces", Verbs: []string{"get"}},
		{Group: "apps", Resource: "replicasets", Verbs: []string{"get"}},
		{Group: "apps", Resource: "statefulsets", Verbs: []string{"get"}},
		{Group: "apps", Resource: "daemonsets", Verbs: []string{"get"}},
		{Group: "batch", Resource: "jobs", Verbs: []string{"get"}},
		{Resource: "replicationcontrollers", Verbs: []string{"get"}},
		{Group: "authentication.k8s.io", Resource: "tokenreviews", Verbs: []string{"create"}},
		{Group: "authorization.k8s.io", Resource: "subjectaccessreviews", Verbs: []string{"create"}},
	}
}

// GuardPermissions are what the guards look at before anything is changed, and
// what plans look at to say what would be lost.
func GuardPermissions() []Permission {
	return []Permission{
		{Resource: "nodes", Verbs: []string{"list", "watch"}},
		{Resource: "pods", Verbs: []string{"list", "watch"}},
		{Resource: "namespaces", Verbs: []string{"list", "watch"}},
		{Resource: "services", Verbs: []string{"list", "watch"}},
		{Group: networking, Resource: "networkpolicies", Verbs: []string{"list", "watch"}},
		{Group: policyGroup, Resource: "poddisruptionbudgets", Verbs: []string{"list", "watch"}},
		{Resource: "configmaps", Verbs: []string{"get"}, Names: []string{ConfigMapName}, Own: true},
		{Group: admission, Resource: "validatingwebhookconfigurations", Verbs: []string{"list", "watch"}},
		{Group: admission, Resource: "mutatingwebhookconfigurations", Verbs: []string{"list", "watch"}},
		{Group: "apiregistration.k8s.io", Resource: "apiservices", Verbs: []string{"list", "watch"}},
	}
}

// IndexPermissions are what package index reads, and what the heartbeat asks
// for: all that ingest needs of a cluster, and nothing that changes it.
func IndexPermissions() []Permission {
	read := []string{"get", "list", "watch"}
	return []Permission{
		{Resource: "pods", Verbs: read},
		{Resource: "nodes", Verbs: read},
		{Group: "apps", Resource: "replicasets", Verbs: read},
		{Group: "batch", Resource: "jobs", Verbs: read},
		{Group: "aquasecurity.github.io", Resource: "vulnerabilityreports", Verbs: read},
	}
}

// ErrTooMuch: a permission that Firebreak never asks for.
var ErrTooMuch = errors.New("permission is never asked for")

// MergePermissions gives one permission for each resource and set of names,
// with verbs and names sorted and without repeats. Wildcards, escalate,
// impersonate and reading secrets are errors: whatever an action declares, the
// role can't hold them. Nor can it hold exec, attach, a proxy or deleting secrets
// unless they are declared as grave, and bind or getting a secret only so and for
// names.
func MergePermissions(all []Permission) ([]Permission, error) {
	merged := map[string]*Permission{}
	for _, p := range all {
		if err := check(p); err != nil {
			return nil, err
		}
		names := sorted(p.Names)
		key := fmt.Sprint(p.Own, "\n") + p.Group + "\n" + p.Resource + "\n" + strings.Join(names, "\n")
		m, ok := merged[key]
		if !ok {
			m = &Permission{Group: p.Group, Resource: p.Resource, Names: names, Own: p.Own}
			merged[key] = m
		}
		m.Verbs = sorted(append(m.Verbs, p.Verbs...))
		m.Grave = m.Grave || p.Grave
	}
	out := make([]Permission, 0, len(merged))
	for _, p := range merged {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b Permission) int {
		return cmp.Or(own(a)-own(b), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Resource, b.Resource), slices.Compare(a.Names, b.Names))
	})
	return out, nil
}

// own sorts what is for Firebreak's own namespace behind the rest.
func own(p Permission) int {
	if p.Own {
		return 1
	}
	return 0
}

func check(p Permission) error {
	if p.Resource == "" || len(p.Verbs) == 0 {
		return fmt.Errorf("permission %q: no resource or no verbs", p)
	}
	bad := strings.ContainsRune(p.Group+p.Resource+strings.Join(p.Names, ""), '*')
	resource, sub, _ := strings.Cut(p.Resource, "/")
	secret := p.Group == "" && resource == "secrets"
	for _, v := range p.Verbs {
		bad = bad || slices.Contains([]string{"*", "escalate", "impersonate"}, v) || v == "bind" && !(p.Grave && len(p.Names) > 0)
		bad = bad || secret && !(p.Grave && (v == "delete" || v == "get" && len(p.Names) > 0))
	}
	bad = bad || p.Group == "" && !p.Grave && (sub == "exec" || sub == "attach" || sub == "proxy")
	if bad {
		return fmt.Errorf("%w: %s", ErrTooMuch, p)
	}
	return nil
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}
