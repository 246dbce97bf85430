package action

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// Class says whether people must be asked before a step in mode ask.
type Class string

// The classes: telling somebody, keeping what can be read without a change to
// the cluster, and changing it.
const (
	Notify Class = "notify"
	Keep   Class = "keep"
	Effect Class = "effect"
)

// Admit is a write that an action makes, for the admission policy.
type Admit = kube.Admit

// Permission is what an action needs of the cluster's RBAC.
type Permission = kube.Permission

// Kind is an entry of the catalogue. Validation, schema, docs and RBAC come
// from it.
type Kind struct {
	// Name is what a playbook says: pod.quarantine.
	Name  string
	Doc   string
	Class Class
	// Reversible says that there is an undo, so that a step holds.
	Reversible bool
	// Deletable says that a hold can end by deleting the target, and that
	// people decide that unless the playbook does.
	Deletable bool
	// Budget is what its effects are counted in while they last: pods or
	// nodes; empty is none beside the rate of all effects.
	Budget string
	// Tidies are objects of its own that Do may take away again although no
	// plan lists that.
	Tidies []Tidy
	// Destroys says that it takes away what could be evidence, for good; Evidence
	// that it keeps some.
	Destroys, Evidence bool
	// OptIn says that its permissions come only with a playbook that uses it:
	// they are worth more than a cluster should grant for nothing.
	OptIn bool
	// Check, if there is one, says what is wrong with parameters as Config gave
	// them.
	Check func(config any) error
	// Targets are the resources that it works on; empty is any target.
	Targets []string
	// Holds are the resources on which its holds show, beside pods and nodes:
	// those of its targets, and of what it makes. They are listed to find holds
	// again, by a label.
	Holds []Resource
	// Fields are JSON pointers to what it changes of its target, with all below,
	// if it is made of fields.
	Fields []string
	// Config makes a pointer to the typed parameters with their defaults, into
	// which the step's with is decoded.
	Config func() any
	// Example, if there is one, gives parameters as a playbook may have them, for
	// guides and tests; without it the defaults will do.
	Example func() any
	// Needs are the permissions that planning, doing and undoing take.
	Needs []Permission
	// Helps are permissions without which it does its work less well, and says so:
	// on kinds that a cluster may not have, or to look further.
	Helps []Permission
	// Grants, if there is one, are permissions that it needs besides for
	// parameters as Config gave them: on objects that they name.
	Grants func(config any) []Permission
	// Admits are the writes that doing and undoing make.
	Admits []Admit
	// New makes the action with parameters as Config gave them. It checks
	// them, and reaches nothing.
	New func(d Deps, config any) (Action, error)
}

// Tidy names an object of Firebreak's own in the target's namespace.
type Tidy struct{ Group, Resource, Name string }

// Allows says whether the action works on this resource.
func (k Kind) Allows(resource string) bool {
	return len(k.Targets) == 0 || slices.Contains(k.Targets, resource)
}

// catalogue is filled by the init function of each action's file.
var catalogue = map[string]Kind{}

func register(k Kind) { catalogue[k.Name] = k }

// Kinds lists the catalogue by name.
func Kinds() []Kind {
	kinds := make([]Kind, 0, len(catalogue))
	for _, k := range catalogue {
		kinds = append(kinds, k)
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return strings.Compare(a.Name, b.Name) })
	return kinds
}

// Defaults are the names of the actions whose permissions need no playbook.
func Defaults() []string {
	var names []string
	for _, k := range Kinds() {
		if !k.OptIn {
			names = append(names, k.Name)
		}
	}
	return names
}

// Keyed are parameters of an action that sets labels or annotations, of which an
// admission policy has to know the keys.
type Keyed interface {
	PolicyKeys() (labels, annotations []string)
}

// Lookup finds a kind by name.
func Lookup(name string) (Kind, bool) {
	k, ok := catalogue[name]
	return k, ok
}

// Permissions are what the named actions need, and what the service needs
// without any. An unknown name is an error.
func Permissions(names ...string) ([]Permission, error) {
	all, effects := kube.BasePermissions(), false
	for _, name := range names {
		k, ok := Lookup(name)
		if !ok {
			return nil, fmt.Errorf("action %q is not in the catalogue", name)
		}
		all = append(append(all, k.Needs...), k.Helps...)
		effects = effects || k.Class == Effect
	}
	if effects {
		all = append(all, kube.GuardPermissions()...)
	}
	return kube.MergePermissions(all)
}

// Admitted are the writes that the named actions make.
func Admitted(names ...string) ([]Admit, error) {
	var all []Admit
	for _, name := range names {
		k, ok := Lookup(name)
		if !ok {
			return nil, fmt.Errorf("action %q is not in the catalogue", name)
		}
		all = append(all, k.Admits...)
	}
	return all, nil
}

// params gives the typed parameters, or the defaults for nil.
func params[T any](kind string, config any) (*T, error) {
	if config == nil {
		return new(T), nil
	}
	p, ok := config.(*T)
	if !ok || p == nil {
		return nil, fmt.Errorf("%s: parameters are %T, not %T", kind, config, p)
	}
	return p, nil
}

// checked checks typed parameters.
func checked[T any](kind string, config any, check func(T) error) error {
	p, err := params[T](kind, config)
	if err != nil {
		return err
	}
	return check(*p)
}
