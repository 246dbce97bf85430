package action

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const identityUnbind = "identity.unbind"

var (
	roleBindings        = Resource{"rbac.authorization.k8s.io", "v1", "rolebindings"}
	clusterRoleBindings = Resource{"rbac.authorization.k8s.io", "v1", "clusterrolebindings"}
)

func init() {
	at := []Resource{roleBindings, clusterRoleBindings}
	register(Kind{
		Name: identityUnbind,
		Doc: "Takes an identity out of the RoleBindings and ClusterRoleBindings of the roles that the playbook names; the end of the hold puts it back. " +
			"Whoever changes a binding needs bind on its role, also to take somebody out: the printed role has it for just those roles.",
		Class:      Effect,
		OptIn:      true,
		Reversible: true,
		Holds:      at,
		Fields:     []string{"/subjects", "/metadata/annotations"},
		Config:     func() any { return new(UnbindConfig) },
		Example:    func() any { return &UnbindConfig{Roles: []string{"ClusterRole/edit"}} },
		Check:      func(config any) error { return checked(identityUnbind, config, UnbindConfig.check) },
		Needs:      append(needs(at, "get", "list", "patch"), Permission{Resource: "pods", Verbs: []string{"get"}}, Permission{Resource: "serviceaccounts", Verbs: []string{"get"}}),
		Grants: func(config any) []Permission {
			c, _ := config.(*UnbindConfig)
			return c.grants()
		},
		Admits: admits(at, "UPDATE", func(Resource) string { return admitUnbind }),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[UnbindConfig](identityUnbind, config)
			if err != nil {
				return nil, err
			}
			u := unbind{d, *c}
			return taking{elsewhere{fields{Deps: d, action: identityUnbind, at: at}, u.find}, u}, c.check()
		},
	})
}

// What a binding's update may be: subjects go, or come back that went before.
// The annotation says who went, and no update may write somebody into it who is
// not in the binding then: so nobody can be put in who was not there.
const (
	boundKey = "(s.kind + '/' + (has(s.namespace) ? s.namespace : '') + '/' + s.name)"

	admitUnbind = "variables.ours" +
		" && " + kube.SameLabels +
		" && object.roleRef == oldObject.roleRef && !oldObject.metadata.name.startsWith('system:')" +
		" && (!has(object.subjects) || object.subjects.all(s, has(oldObject.subjects) && s in oldObject.subjects ||" +
		" variables.oldAnnotations.exists(k, k.startsWith('" + unboundPrefix + "') && variables.oldAnnotations[k] == " + boundKey + ")))" +
		" && variables.annotations.all(k, !k.startsWith('" + unboundPrefix + "') || k in variables.oldAnnotations && variables.oldAnnotations[k] == variables.annotations[k]" +
		" || has(oldObject.subjects) && oldObject.subjects.exists(s, " + boundKey + " == variables.annotations[k]))"
)

// unboundPrefix begins the annotations of a binding that say who was taken out
// and may come back: KIND/NAMESPACE/NAME, and a hash of that in the key.
const unboundPrefix = event.AnnotationPrefix + "unbound-"

// UnbindConfig are the parameters of identity.unbind.
type UnbindConfig struct {
	// User is the identity, as the API server names it. Empty is the target, if
	// it is a service account, or the one that the target pod runs as.
	User string `yaml:"user,filled" json:"user,omitempty"`
	// Group is a group instead.
	Group string `yaml:"group,filled" json:"group,omitempty"`
	// Roles are the roles whose bindings may be changed, as ClusterRole/NAME or
	// Role/NAME.
	Roles []string `yaml:"roles" json:"roles"`
}

// maxRoles bounds the roles of one step.
const maxRoles = 64

func (c UnbindConfig) check() error {
	if len(c.Roles) == 0 || len(c.Roles) > maxRoles {
		return fmt.Errorf("%s: %d roles: name 1 to %d, as ClusterRole/edit", identityUnbind, len(c.Roles), maxRoles)
	}
	for _, role := range c.Roles {
		kind, name, _ := strings.Cut(role, "/")
		if kind != "ClusterRole" && kind != "Role" || name == "" || strings.ContainsAny(name, "*/ ") {
			return fmt.Errorf("%s: role %q is not ClusterRole/NAME or Role/NAME", identityUnbind, role)
		}
		if strings.HasPrefix(name, "system:") {
			return fmt.Errorf("%s: role %q is the system's", identityUnbind, role)
		}
	}
	if c.User != "" && c.Group != "" {
		return fmt.Errorf("%s: user or group, not both", identityUnbind)
	}
	return nil
}

// grants are bind on each role by its name.
func (c *UnbindConfig) grants() (all []Permission) {
	if c == nil {
		return nil
	}
	for _, role := range c.Roles {
		kind, name, _ := strings.Cut(role, "/")
		all = append(all, Permission{
			Group: roleBindings.Group, Resource: strings.ToLower(kind) + "s", Verbs: []string{"bind"}, Names: []string{name}, Grave: true,
		})
	}
	return all
}

type unbind struct {
	Deps
	UnbindConfig
}

// taking is the action, whose plan says whom it is against.
type taking struct {
	elsewhere
	unbind unbind
}

// Plan lists a patch for each binding.
func (u taking) Plan(ctx context.Context, r Request) (event.Plan, error) {
	p, err := u.elsewhere.Plan(ctx, r)
	if err != nil || len(p.Writes) == 0 {
		return p, err
	}
	s, err := u.unbind.subject(ctx, r)
	p.Denies = []event.Identity{s.identity()}
	return p, err
}

// subject is whom the step takes out.
func (u unbind) subject(ctx context.Context, r Request) (subject, error) {
	s := subject{kindGroup, "", u.Group}
	if u.Group == "" && r.Target.IsThing() && r.Target.Resource == event.ResourceGroups {
		s.Name = r.Target.Name
	}
	if s.Name == "" || u.User != "" {
		return identityOf(ctx, u.Deps, r.Target, u.User)
	}
	if strings.HasPrefix(s.Name, "system:") {
		return s, refuse(r.Target, "%s is a group of the system", cut(s.Name, maxText))
	}
	return s, nil
}

// find lists the bindings that name the identity.
func (u unbind) find(ctx context.Context, r Request) ([]found, string, []string, error) {
	s, err := u.subject(ctx, r)
	if err != nil {
		return nil, "", nil, err
	}
	summary := fmt.Sprintf("take %s out of bindings", cut(s.user(), maxText))
	var list []found
	var notes []string
	for _, x := range []Resource{roleBindings, clusterRoleBindings} {
		bindings, err := u.Cluster.List(ctx, x.Group, x.Version, x.Resource, "", "")
		if err != nil {
			return nil, "", nil, err
		}
		for i := range bindings {
			b := &bindings[i]
			named := s.in(b, x)
			if len(named) == 0 && !u.heldHere(b, r.Key) {
				continue
			}
			if role := roleOf(b); !slices.Contains(u.Roles, role) || strings.HasPrefix(b.GetName(), "system:") {
				notes = append(notes, fmt.Sprintf("%s gives it %s and stays: it is none of the roles that the playbook names", x.ref(b), role))
				continue
			}
			list = append(list, found{x, b, u.change(b, named, r.Key)})
		}
	}
	if s.Kind == kindUser {
		notes = append(notes, "what it may do as a member of groups stays")
	}
	return list, fmt.Sprintf("%s: %d", summary, len(list)), notes, nil
}

func roleOf(b *unstructured.Unstructured) string {
	kind, _, _ := unstructured.NestedString(b.Object, "roleRef", "kind")
	name, _, _ := unstructured.NestedString(b.Object, "roleRef", "name")
	return kind + "/" + name
}

// in are the entries of a binding that name the subject. A service account may
// be named as the user that it is, too.
func (s subject) in(b *unstructured.Unstructured, x Resource) (entries []object) {
	list, _, _ := unstructured.NestedSlice(b.Object, "subjects")
	for _, e := range list {
		entry, ok := e.(map[string]any)
		if !ok {
			continue
		}
		kind, _ := entry["kind"].(string)
		name, _ := entry["name"].(string)
		ns, _ := entry["namespace"].(string)
		if ns == "" && kind == kindAccount && x == roleBindings {
			ns = b.GetNamespace()
		}
		at := subject{kind, ns, name}
		if kind != kindAccount {
			at.Namespace = ""
		}
		if at == s || kind == kindUser && s.Kind == kindAccount && name == s.user() {
			entries = append(entries, entry)
		}
	}
	return entries
}

func (u unbind) heldHere(b *unstructured.Unstructured, key string) bool {
	rec, err := parseFields(b.GetAnnotations())
	return err == nil && rec.holdBy(key)
}

// change are the entries to take out: those that are there, and those that the
// step has taken out already.
func (u unbind) change(b *unstructured.Unstructured, named []object, key string) (list []field) {
	for _, entry := range named {
		list = append(list, field{Path: []string{"subjects"}, Op: fieldRemove, Value: entry}, unbound(entry))
	}
	rec, err := parseFields(b.GetAnnotations())
	if err != nil {
		return list
	}
	for _, h := range rec {
		if _, mine := h.Runs[key]; mine && !slices.ContainsFunc(list, func(f field) bool { return f.id() == h.id() }) {
			list = append(list, h.field)
		}
	}
	slices.SortFunc(list, func(a, b field) int { return strings.Compare(a.id(), b.id()) })
	return list
}

// unbound is the annotation by which an entry may come back.
func unbound(entry object) field {
	kind, _ := entry["kind"].(string)
	ns, _ := entry["namespace"].(string)
	name, _ := entry["name"].(string)
	text := kind + "/" + ns + "/" + name
	return field{Path: []string{"metadata", "annotations", unboundPrefix + event.HashID("unbound", text)[:8]}, Value: text}
}
