package event

import "slices"

// Identity is whom a step takes rights from: a user, or the members of a group.
type Identity struct {
	User  string `json:"user,omitempty"`
	Group string `json:"group,omitempty"`
	// Extra and Value let those go on whose authenticator gives them this value
	// under this key.
	Extra string `json:"extra,omitempty"`
	Value string `json:"value,omitempty"`
}

// masters is the group of those whom no admission and no RBAC holds back.
const masters = "system:masters"

// Is says whether it is somebody whom the authenticator knows by these. A group is
// never one's who may all by another way: what keeps its members out does not keep
// them out.
func (i Identity) Is(user string, groups []string, extra map[string][]string) bool {
	if i.Extra != "" && slices.Contains(extra[i.Extra], i.Value) {
		return false
	}
	if i.User != "" {
		return i.User == user
	}
	return i.Group != "" && slices.Contains(groups, i.Group) && !slices.Contains(groups, masters)
}

// String is how people call it.
func (i Identity) String() string {
	if i.User != "" {
		return i.User
	}
	return "group " + i.Group
}

// LocksOut are those whom steps of the run take rights from, as long as anything of
// that may stand.
func (r Run) LocksOut() []Identity {
	var all []Identity
	for _, s := range r.Steps {
		if s.Plan == nil || !s.Active() {
			continue
		}
		for _, i := range s.Plan.Denies {
			if !slices.Contains(all, i) {
				all = append(all, i)
			}
		}
	}
	return all
}
