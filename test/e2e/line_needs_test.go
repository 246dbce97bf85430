package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/test/controlplane/crd"
	"github.com/firebreak-io/firebreak/test/wait"
)

// needs sees that the kind declares what it uses, and nothing more, and that
// without one of them it says which.
func (c *trial) needs() {
	proved := c.least(func(string) bool { return true })
	for permission := range c.declared() {
		switch why := c.x.rare[permission]; {
		case !proved[permission] && why == "":
			c.t.Errorf("it needs %s, which nothing used", permission)
		case proved[permission] && why != "":
			c.t.Errorf("it used %s, which is said to be rare: %s", permission, why)
		}
	}
	helps := verbs(c.kind.Helps)
	for _, permission := range slices.Sorted(maps.Keys(c.tap.permissions())) {
		if !c.declares(permission) && !helps[permission] {
			c.t.Errorf("it used %s, which it does not need", permission)
		}
	}
}

// TestNeeds goes on where the suite ends: each permission that the usual way of
// a kind does not come by is made necessary by a set-up of its own, and is
// taken away then. What no set-up here makes necessary says why.
//
// Set-ups with kinds of other projects come last: what an action takes for the
// best that a cluster has must not change under the others.
func TestNeeds(t *testing.T) {
	plane(t)
	proved := map[string]map[string]bool{}
	t.Run("kinds of Kubernetes", func(t *testing.T) { tryWays(t, proved, false) })
	t.Run("kinds of others", func(t *testing.T) { tryWays(t, proved, true) })
	for name, x := range fixtures {
		for permission, reason := range x.rare {
			switch why, ok := x.never[permission], proved[name][permission]; {
			case !ok && why == "":
				t.Errorf("%s: no set-up needs %s (%s)", name, permission, reason)
			case ok && why != "":
				t.Errorf("%s: a set-up needs %s, which is said to be impossible: %s", name, permission, why)
			case !ok:
				t.Logf("%s: not proved: %s: %s", name, permission, why)
			}
		}
	}
}

// tryWays tries the set-ups of all kinds with rare permissions, those with the
// kinds of other projects or the others.
func tryWays(t *testing.T, proved map[string]map[string]bool, others bool) {
	var added []string
	for _, k := range action.Kinds() {
		ways := slices.DeleteFunc(slices.Clone(fixtures[k.Name].ways), func(w fixture) bool { return w.others() != others })
		if len(ways) == 0 {
			continue
		}
		for _, w := range ways {
			added = append(added, w.definitions...)
		}
		if proved[k.Name] == nil {
			proved[k.Name] = map[string]bool{}
		}
		mine, rare := proved[k.Name], fixtures[k.Name].rare
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			for _, w := range ways {
				if len(w.definitions) > 0 {
					definitions(t, w.definitions...)
				}
				c := newTrial(t, k, w)
				maps.Copy(mine, c.least(func(permission string) bool { return rare[permission] != "" && !mine[permission] }))
			}
		})
	}
	if !others {
		return
	}
	t.Cleanup(func() { // when all of them are done
		root, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig})
		if err == nil {
			err = crd.Remove(context.WithoutCancel(t.Context()), root, append(added, "networkpolicies.projectcalico.org", "tiers.projectcalico.org")...)
		}
		if err != nil {
			t.Error(err)
		}
	})
}

// others says whether a set-up has kinds of other projects.
func (x fixture) others() bool { return len(x.definitions) > 0 || x.calico }

// least goes all the way with what the kind declares, and again without each of
// the permissions that this took, if it is one of those that are asked for. It
// gives those whose lack was said.
func (c *trial) least(of func(permission string) bool) map[string]bool {
	c.t.Helper()
	if err := c.once(c.request(c.target())); err != nil && c.x.refused == "" {
		c.t.Fatalf("with all that it needs: %v", err)
	}
	used := c.tap.permissions()
	for _, x := range c.kind.Holds {
		// Policies are listed to see what leaks, too; without that it goes on.
		permission := kube.Permission{Group: x.Group, Resource: x.Resource, Verbs: []string{"list"}}.String()
		if _, shown := c.shown[permission]; !shown && verbs(c.kind.Helps)[permission] {
			delete(used, permission)
		}
	}
	type less struct{ user, permission string }
	var all []less
	declared := c.declared()
	for i, permission := range slices.Sorted(maps.Keys(declared)) {
		unseen := slices.Contains(c.x.unseen, permission)
		if !of(permission) || !used[permission] && !unseen || c.x.rare[permission] != "" && c.x.never[permission] != "" {
			continue
		}
		p := declared[permission]
		user := fmt.Sprintf("%s-%d", c.ns, i)
		c.bound(user, lacking(c.kind.Needs, p.Group, p.Resource, p.Verbs[0]))
		all = append(all, less{user, permission})
	}
	whole, proved := c.tap.user, map[string]bool{}
	defer func() { c.tap.user = whole }()
	for _, l := range all {
		c.known(l.user)
		c.tap.user = l.user
		r := c.request(c.target())
		err := c.once(r)
		c.tap.user = whole
		undone := answered(func() error {
			_, err := c.act.Undo(c.ctx(), r, event.Receipt{}, c.end())
			return err
		})
		if undone != nil && c.kind.Reversible {
			c.t.Errorf("undo after what was forbidden: %v", undone)
		}
		proved[l.permission] = true
		named := slices.Contains(c.x.unseen, l.permission) || strings.Contains(fmt.Sprint(err), l.permission)
		if !errors.Is(err, kube.ErrForbidden) || !named {
			c.t.Errorf("without %s: %v", l.permission, err)
		}
	}
	return proved
}

func (c *trial) end() event.AtEnd { return cmp.Or(c.x.end, event.AtEndRestore) }

// declared are the permissions that the kind needs, by their text: "get pods".
func (c *trial) declared() map[string]kube.Permission {
	all := map[string]kube.Permission{}
	for _, p := range c.kind.Needs {
		for _, verb := range p.Verbs {
			one := kube.Permission{Group: p.Group, Resource: p.Resource, Verbs: []string{verb}}
			all[one.String()] = one
		}
	}
	return all
}

func (c *trial) declares(permission string) bool {
	_, ok := c.declared()[permission]
	return ok
}

func verbs(all []kube.Permission) map[string]bool {
	texts := map[string]bool{}
	for _, p := range all {
		for _, verb := range p.Verbs {
			texts[kube.Permission{Group: p.Group, Resource: p.Resource, Verbs: []string{verb}}.String()] = true
		}
	}
	return texts
}

// once goes all the way, and gives the first error.
func (c *trial) once(r action.Request) error {
	return answered(func() error { return c.way(r) })
}

// answered does something again for as long as the API server can't answer just
// now, as a run does: while one set-up installs its kinds, their group is there
// for a moment before they are, and all actions on networks ask for it.
func answered(do func() error) (err error) {
	wait.Within(wait.Patience, func() bool {
		err = do()
		return !errors.Is(err, kube.ErrBusy)
	})
	return err
}

func (c *trial) way(r action.Request) error {
	p, done, err := c.attempt(r)
	if err != nil {
		return err
	}
	if verifier, ok := c.act.(action.Verifier); ok {
		done, err = verifier.Verify(c.ctx(), r, p, done)
	}
	if err != nil || !c.kind.Reversible {
		return err
	}
	if marker, ok := c.act.(action.Marker); ok {
		r.Until = r.Until.Add(time.Hour)
		if err := marker.Mark(c.ctx(), r); err != nil {
			return err
		}
	}
	if err := c.found(r); err != nil {
		return err
	}
	_, err = c.act.Undo(c.ctx(), r, done, c.end())
	return err
}

// attempt plans and does, and plans again where a controller was faster.
func (c *trial) attempt(r action.Request) (p event.Plan, done event.Receipt, err error) {
	for range 5 {
		if p, err = c.act.Plan(c.ctx(), r); err != nil {
			return p, done, err
		}
		if done, err = c.act.Do(c.ctx(), r, p); !errors.Is(err, action.ErrConflict) {
			return p, done, err
		}
	}
	return p, done, err
}

func lacking(needs []kube.Permission, group, resource, verb string) []kube.Permission {
	var all []kube.Permission
	for _, p := range needs {
		if p.Group == group && p.Resource == resource {
			p.Verbs = slices.DeleteFunc(slices.Clone(p.Verbs), func(v string) bool { return v == verb })
		}
		if len(p.Verbs) > 0 {
			all = append(all, p)
		}
	}
	return all
}
