package action

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

var (
	configMaps     = Resource{"", "v1", "configmaps"}
	policies       = Resource{"admissionregistration.k8s.io", "v1", "validatingadmissionpolicies"}
	policyBindings = Resource{"admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings"}
)

// lockout is an action that makes one ConfigMap in Firebreak's namespace, which
// the shipped policy of its kind reads.
type lockout struct {
	Deps
	action, of string
	// data says what is kept out, a line what it does, and notes.
	data func(ctx context.Context, r Request) (data map[string]string, summary string, notes []string, err error)
}

// admitLockout is CEL that is true of a ConfigMap that locks out.
func admitLockout(of string) []Admit {
	const ours = "'" + kube.ManagedByLabel + "' in %[1]s && %[1]s['" + kube.ManagedByLabel + "'] == '" + kube.ManagedBy + "' && '" +
		kube.LockoutLabel + "' in %[1]s && %[1]s['" + kube.LockoutLabel + "'] == '%[2]s' && request.namespace == variables.home"
	after, before := fmt.Sprintf(ours, "variables.labels", of), fmt.Sprintf(ours, "variables.oldLabels", of)
	until := "'" + UntilKey + "' in variables.annotations && variables.annotations['" + UntilKey + "'].matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$')"
	write := func(operation, expression string) Admit {
		return Admit{Resource: configMaps.Resource, Operation: operation, Expression: expression, Anywhere: true}
	}
	return []Admit{
		// What is made ends within a day, and the guard's hour for the clocks.
		write("CREATE", after+" && object.metadata.name.startsWith('firebreak-') && "+until+
			" && timestamp(variables.annotations['"+UntilKey+"']) <= timestamp(object.metadata.creationTimestamp) + duration('25h')"),
		write("UPDATE", before+" && "+after+" && "+admitSpec("data", "binaryData", "immutable")),
		write("DELETE", before),
	}
}

// needsLockout are the permissions of a kind that locks out.
func needsLockout(of string) []Permission {
	return []Permission{
		{Resource: "configmaps", Verbs: []string{"create", "delete", "get", "list", "patch"}, Own: true},
		{Group: policies.Group, Resource: policies.Resource, Verbs: []string{"get"}, Names: []string{kube.LockoutPolicy(of)}},
		{Group: policies.Group, Resource: policyBindings.Resource, Verbs: []string{"get"}, Names: []string{kube.LockoutPolicy(of)}},
	}
}

func (l lockout) make() Action {
	m := made{Deps: l.Deps, action: l.action, objects: l.objects, look: l.look}
	if l.of == kube.LockoutIdentity {
		return denying{m}
	}
	return m
}

// denying is a lockout of an identity, whose plan says whose.
type denying struct{ made }

// Plan lists the create, and whom it is against by what that says.
func (d denying) Plan(ctx context.Context, r Request) (event.Plan, error) {
	p, err := d.made.Plan(ctx, r)
	if err != nil {
		return p, err
	}
	for _, w := range p.Writes {
		var body struct {
			Data event.Identity `json:"data"` // its keys are those of the lockout's data
		}
		if err := json.Unmarshal(w.Body, &body); err != nil {
			return p, fmt.Errorf("decode body of %s %s: %w", w.Resource, w.Name, err)
		}
		p.Denies = append(p.Denies, body.Data)
	}
	return p, nil
}

func (l lockout) objects(ctx context.Context, r Request) ([]own, string, []string, error) {
	if l.Home == "" && !l.Offline {
		return nil, "", nil, refuse(r.Target, "where Firebreak's own namespace is is not known")
	}
	data, summary, notes, err := l.data(ctx, r)
	if err != nil {
		return nil, summary, nil, err
	}
	body := object{}
	for k, v := range data {
		body[k] = v
	}
	return []own{{
		Resource: configMaps, Kind: "ConfigMap", Namespace: l.Home, Body: object{"data": body},
		Labels: map[string]string{kube.LockoutLabel: l.of},
	}}, summary, notes, nil
}

// look says whether the policy is there that reads the ConfigMap. Whether the
// API server has seen the ConfigMap by now can't be asked: it takes a moment.
func (l lockout) look(ctx context.Context, _ Request, _ event.Plan) (event.Result, []string, error) {
	name := kube.LockoutPolicy(l.of)
	var void []string
	for _, x := range []Resource{policies, policyBindings} {
		o, err := l.Cluster.Get(ctx, x.Group, x.Version, x.Resource, "", name)
		switch {
		case missing(err):
			void = append(void, fmt.Sprintf("%s %s is not installed: firebreak rbac --lockouts prints it", x.Resource, name))
		case err != nil:
			return "", nil, err
		case x == policyBindings:
			if why := unbinding(o, l.Home, l.of); why != "" {
				void = append(void, fmt.Sprintf("%s %s %s", x.Resource, name, why))
			}
		}
	}
	if len(void) > 0 {
		return event.ResultVoid, void, nil
	}
	return event.ResultApplied, []string{"the API server learns of it within a moment"}, nil
}

// unbinding says why a binding does not bind what a lockout keeps out.
func unbinding(o *unstructured.Unstructured, home, of string) string {
	namespace, _, _ := unstructured.NestedString(o.Object, "spec", "paramRef", "namespace")
	label, _, _ := unstructured.NestedString(o.Object, "spec", "paramRef", "selector", "matchLabels", kube.LockoutLabel)
	actions, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "validationActions")
	denies := false
	for _, a := range actions {
		denies = denies || a == "Deny"
	}
	switch {
	case namespace != home:
		return fmt.Sprintf("reads lockouts of namespace %q, not of %s", cut(namespace, maxText), home)
	case label != of:
		return "does not select it"
	case !denies:
		return "does not deny"
	}
	return ""
}
