package e2e

import (
	"errors"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// late is a worker that stops between plan and deed, and goes on when another
// has undone the step: what it still sends must not land, or what landed says of
// itself whose it is, so that the reconciler ends it.
func (c *trial) late() {
	o := c.target()
	before, around := c.clean(o), c.surroundings()
	r := c.request(o)
	p, err := c.act.Plan(c.ctx(), r)
	c.no(err, "plan")
	_, name, _ := strings.Cut(r.Key, "/")
	r.Run.Steps = []event.Step{{Name: name, Plan: &p}} // as its record says
	c.undo(r, event.Receipt{})                         // nobody knows whether it landed
	_, err = c.act.Do(c.ctx(), r, p)
	switch {
	case err == nil && c.x.again:
		c.orphaned(r)
	case !errors.Is(err, action.ErrConflict):
		c.t.Errorf("do, late: %v", err)
	}
	c.same("undone before it was done", before, c.clean(c.read(o.GetName())))
	c.same("undone before it was done, around", around, c.surroundings())
}

// orphaned finds what a step left as the reconciler does, by what its objects
// say alone, and ends it.
func (c *trial) orphaned(r action.Request) {
	c.t.Helper()
	over := c.tap.look()
	found, err := action.Find(c.ctx(), c.kube)
	over()
	c.no(err, "find holds")
	n := 0
	for _, h := range found.Holdings {
		if h.Key != r.Key {
			continue
		}
		n++
		_, err := action.End(c.ctx(), c.deps, h, r)
		c.no(err, "end orphan")
	}
	if n == 0 {
		c.t.Error("what landed late is not found")
	}
}

// found sees that the hold of a step shows to the reconciler, who must be allowed
// to list whatever it shows on: he takes those who may not for such as hold
// nothing there.
func (c *trial) found(r action.Request) error {
	defer c.tap.look()()
	all, err := action.Find(c.ctx(), c.kube)
	if err != nil {
		return err
	}
	for _, h := range all.Holdings {
		if h.Key == r.Key {
			x := kube.Permission{Group: h.Object.Group, Resource: h.Object.Resource, Verbs: []string{"list"}}
			c.shown[x.String()] = action.Resource{Group: x.Group, Resource: x.Resource}
			c.tap.use(x.String())
		}
	}
	if len(c.shown) == 0 {
		return errors.New("the hold is not found")
	}
	for _, x := range c.shown {
		i := slices.IndexFunc(c.kind.Holds, func(h action.Resource) bool { return h.Group == x.Group && h.Resource == x.Resource })
		if x.Version = "v1"; i >= 0 {
			x = c.kind.Holds[i]
		}
		if _, err := c.kube.List(c.ctx(), x.Group, x.Version, x.Resource, "", action.HeldKey+"="+action.HeldYes); err != nil {
			return err
		}
	}
	return nil
}
