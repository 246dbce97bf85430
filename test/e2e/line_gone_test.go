package e2e

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// gone takes the target away between plan and deed, and then puts another of its
// name there.
func (c *trial) gone() {
	o := c.target()
	r := c.request(o)
	p, err := c.act.Plan(c.ctx(), r)
	c.no(err, "plan")
	c.remove(o)
	c.over(r, p, "gone")
	other := c.another(o.GetName())
	c.over(r, p, "another")
	now := c.read(o.GetName())
	if now.GetUID() != other.GetUID() {
		c.t.Error("the other object of the name was taken away")
	}
	if !c.x.moves {
		c.same("the other object of the name", c.clean(other), c.clean(now))
	}
}

// over sees that a step about an object that is no more has no effect.
func (c *trial) over(r action.Request, p event.Plan, what string) {
	c.t.Helper()
	if _, err := c.act.Plan(c.ctx(), r); !errors.Is(err, action.ErrGone) {
		c.t.Errorf("plan, target %s: %v", what, err)
	}
	around := c.surroundings()
	_, err := c.act.Do(c.ctx(), r, p)
	if !errors.Is(err, action.ErrGone) && !errors.Is(err, action.ErrConflict) && !(err == nil && c.x.fulfilled) {
		c.t.Errorf("do, target %s: %v", what, err)
	}
	if c.kind.Reversible {
		u, err := c.act.Undo(c.ctx(), r, event.Receipt{}, event.AtEndRestore)
		if err != nil || u.Result != event.ResultGone && u.Result != event.ResultUndone {
			c.t.Errorf("undo, target %s: %+v %v", what, u, err)
		}
		c.same("target "+what, around, c.surroundings())
	}
}

// another makes another object of a name that was deleted. What plays the
// kubelets deletes a pod by its name, and may do so once more when the next one
// is there: then that is made again.
func (c *trial) another(name string) *unstructured.Unstructured {
	c.t.Helper()
	eventually(c.t, "another "+name, func(context.Context) error {
		now := c.find(name)
		if now == nil {
			c.x.make(c, name)
			return errors.New("was just made")
		}
		if c.x.ready != nil {
			return c.x.ready(now)
		}
		return nil
	})
	return c.settled(name)
}
