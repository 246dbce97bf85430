package e2e

import (
	"errors"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// foreign edits the target as somebody else while it is held.
func (c *trial) foreign() {
	if c.x.meddle == nil {
		c.t.Fatal("the fixture meddles with nothing")
	}
	o := c.target()
	r := c.request(o)
	_, done := c.do(r)
	c.x.meddle(c, o.GetName())
	_, err := c.act.Undo(c.ctx(), r, done, event.AtEndRestore)
	if err != nil && !errors.Is(err, action.ErrDiffers) {
		c.t.Errorf("undo after an edit: %v", err)
	}
	r.Over = true
	_, err = c.act.Undo(c.ctx(), r, done, event.AtEndRestore)
	c.no(err, "undo by consent")
	c.has(c.x.kept(c, c.read(o.GetName())))
}
