package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "approvers",
		Doc: "Asks where a step takes rights from the last of those who are named to decide, on this playbook or on a question that waits: then it takes somebody who " +
			"breaks the glass, and nothing does it by itself. Whom it leaves is said in the plan.",
		New: func(Options) Guard { return approvers{} },
	})
}

// Approvers are those who are asked of something.
type Approvers struct {
	// Of is what they decide on, for people: playbook contain.
	Of string
	// By are user/NAME and group/NAME; empty is whoever the cluster lets.
	By []string
	// Need is how many of them it takes still.
	Need int
}

// Loss is what becomes of approvers when identities are locked out.
type Loss struct {
	Approvers
	// Out are those of By who are among them, Left the others.
	Out, Left []string
}

// Last says that those who are left are too few for a yes. How many a group has
// nobody knows: one that is left is enough.
func (l Loss) Last() bool {
	if slices.ContainsFunc(l.Left, func(by string) bool { return strings.HasPrefix(by, "group/") }) {
		return false
	}
	return len(l.Left) < max(l.Need, 1)
}

// String is a line for people.
func (l Loss) String() string {
	text := fmt.Sprintf("it locks out %s, who decides on %s", strings.Join(l.Out, ", "), l.Of)
	switch {
	case len(l.Left) == 0:
		return "NOBODY IS LEFT TO APPROVE: " + text + ", and nobody else is named"
	case l.Last():
		return fmt.Sprintf("TOO FEW ARE LEFT TO APPROVE: %s: it takes %d, and left is %s", text, l.Need, strings.Join(l.Left, ", "))
	}
	return text + ": left to decide is " + strings.Join(l.Left, ", ")
}

// Losses are what a plan takes from approvers, those first of whom too few are
// left. In tells the groups in which a user is known to be; of others nobody knows
// here. A user in a group that decides is out, and the group is still left.
func Losses(denies []event.Identity, asked []Approvers, in func(user string) []string) []Loss {
	var last, some []Loss
	for _, a := range asked {
		l := Loss{Approvers: a}
		for _, by := range a.By {
			out, whole := lost(by, denies, in)
			if out != "" {
				l.Out = append(l.Out, out)
			}
			if !whole {
				l.Left = append(l.Left, by)
			}
		}
		switch {
		case len(l.Out) == 0:
		case l.Last():
			last = append(last, l)
		default:
			some = append(some, l)
		}
	}
	return append(last, some...)
}

// lost is whom the identities take of an entry of By; empty is nobody. whole says
// that nobody of the entry is left.
func lost(by string, denies []event.Identity, in func(string) []string) (out string, whole bool) {
	kind, name, _ := strings.Cut(by, "/")
	for _, d := range denies {
		switch {
		case kind == "user" && d.User != "" && d.User == name, kind == "group" && d.Group != "" && d.Group == name:
			return by, true
		case kind == "user" && d.Group != "" && slices.Contains(in(name), d.Group):
			out, whole = fmt.Sprintf("%s (in group/%s)", by, d.Group), true
		case kind == "group" && d.User != "" && slices.Contains(in(d.User), name):
			out = fmt.Sprintf("user/%s (in %s)", d.User, by)
		}
	}
	return out, whole
}

type approvers struct{}

func (approvers) Judge(_ context.Context, c Check) (event.Decision, string) {
	if !c.Effect || len(c.Losses) == 0 {
		return event.Pass, "it takes nothing from who decides"
	}
	if first := c.Losses[0]; first.Last() {
		return event.Ask, first.String()
	}
	return event.Pass, c.Losses[0].String()
}
