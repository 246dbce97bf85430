package action

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// IdentityRef is the reference to an identity as the API server names it: to the
// service account, where it is one, which is an object, else to the user.
func IdentityRef(user string) event.Ref {
	if s := ofUser(user); s.Kind == kindAccount {
		return event.Ref{Resource: serviceAccounts.Resource, Kind: kindAccount, Namespace: s.Namespace, Name: s.Name}
	}
	return event.UserRef(user)
}

// things are the kinds of targets that have no object.
func things() []string {
	return []string{event.ResourceUsers, event.ResourceGroups, event.ResourceAddresses, event.ResourceImages}
}

// ParseTarget reads KIND/NAMESPACE/NAME, or KIND/NAME of what is in no
// namespace, as people write it: pods/shop/web, deployment/shop/web,
// namespaces/shop, users/ann@example.com, addresses/192.0.2.0/24.
func ParseTarget(text string) (event.Ref, error) {
	kind, rest, _ := strings.Cut(text, "/")
	resource, group, spaced, ok := lookTarget(kind)
	if !ok {
		return event.Ref{}, fmt.Errorf("%.80q is no kind of target: %s", kind, strings.Join(append(Resources(), things()...), ", "))
	}
	if !spaced {
		return TargetOf(resource, group, "", rest)
	}
	namespace, name, _ := strings.Cut(rest, "/")
	return TargetOf(resource, group, namespace, name)
}

// TargetOf is a target by its plural name and group, which may be left out. Its
// object is not looked up.
func TargetOf(resource, group, namespace, name string) (event.Ref, error) {
	if group != "" {
		resource += "." + group
	}
	plural, group, spaced, ok := lookTarget(resource)
	ref := event.Ref{Group: group, Resource: plural, Namespace: namespace, Name: name}
	switch {
	case !ok:
		return ref, fmt.Errorf("%.80q is no kind of target: %s", resource, strings.Join(append(Resources(), things()...), ", "))
	case name == "", spaced && namespace == "":
		return ref, fmt.Errorf("%s: give %s", plural, form(plural, spaced))
	case !spaced && namespace != "", spaced && strings.Contains(name, "/"):
		return ref, fmt.Errorf("%s: %s is all", plural, form(plural, spaced))
	case ref.IsPod():
		return event.PodRef(namespace, name), nil
	case ref.IsNode():
		return event.NodeRef(name), nil
	case plural == event.ResourceUsers:
		ref = IdentityRef(name)
	case slices.Contains(things(), plural):
		ref = ref.Thing()
	}
	if ref.Name == "" {
		return ref, fmt.Errorf("%s: %.80q is no name", plural, name)
	}
	return ref, nil
}

func form(plural string, spaced bool) string {
	if spaced {
		return plural + "/NAMESPACE/NAME"
	}
	return plural + "/NAME"
}

// lookTarget finds a kind of target by its plural or singular name, with or
// without its group.
func lookTarget(kind string) (resource, group string, spaced, ok bool) {
	kind = strings.ToLower(kind)
	of := func(plural, group string) bool {
		return slices.Contains([]string{plural, plural + "." + group, singular(plural), singular(plural) + "." + group}, kind)
	}
	for _, x := range append(targetResources(), Resource{"", "v1", "pods"}, nodes) {
		if of(x.Resource, x.Group) {
			return x.Resource, x.Group, x.namespaced(), true
		}
	}
	for _, plural := range things() {
		group := ""
		if plural == event.ResourceAddresses || plural == event.ResourceImages {
			group = event.ThingGroup
		}
		if of(plural, group) {
			return plural, group, false, true
		}
	}
	return "", "", false, false
}

func singular(plural string) string {
	if base, ok := strings.CutSuffix(plural, "sses"); ok {
		return base + "ss"
	}
	return strings.TrimSuffix(plural, "s")
}
