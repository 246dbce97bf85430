package slack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/approve"
)

// Right is what a group may do whose people have no user in the cluster.
type Right struct {
	Group string `yaml:"group,required"`
	// Verbs are those of the API group firebreak.io, each with its resource:
	// "approve playbooks", "undo playbooks", "create verdicts", "create silences",
	// "create pauses", "delete pauses", "list incidents", "acknowledge incidents",
	// "break-glass playbooks", "list reviews", "update reviews".
	Verbs []string `yaml:"verbs,required"`
	// Playbooks and Namespaces are those that it is about, of verbs on
	// playbooks; none is all.
	Playbooks  []string `yaml:"playbooks"`
	Namespaces []string `yaml:"namespaces"`
}

// rightVerbs are the verbs that a [Right] can give.
var rightVerbs = []string{
	"approve playbooks", "undo playbooks", "create verdicts", "create silences", "create pauses", "delete pauses", "list incidents",
	"acknowledge incidents", "break-glass playbooks", "list reviews", "update reviews",
}

// rights decide on people: the cluster on those it knows, the config on the
// others, and on them alone. They may be used concurrently.
type rights struct {
	cluster approve.Authority // nil without a cluster
	list    []Right
}

var _ approve.Authority = rights{}

// Allowed is as [approve.Authority] says.
func (r rights) Allowed(ctx context.Context, user kube.User, verb, group, resource, name, namespace string) (bool, string, error) {
	if !strings.HasPrefix(user.Name, unmapped) {
		if r.cluster == nil {
			return false, "there is no cluster that could say so", nil
		}
		return r.cluster.Allowed(ctx, user, verb, group, resource, name, namespace)
	}
	if group != approve.Group {
		return false, "the config gives no rights on " + group, nil
	}
	for _, one := range r.list {
		if slices.Contains(user.Groups, one.Group) && slices.Contains(one.Verbs, verb+" "+resource) &&
			within(one.Playbooks, name) && within(one.Namespaces, namespace) {
			return true, fmt.Sprintf("the config gives it to group %s", one.Group), nil
		}
	}
	return false, "the config gives it to none of their groups", nil
}

func within(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }
