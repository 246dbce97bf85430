package e2e

import (
	"errors"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// lost loses the answer to each write in turn, as a time limit does.
func (c *trial) lost() {
	for n := 1; ; n++ {
		o := c.target()
		before, around := c.clean(o), c.surroundings()
		r := c.request(o)
		p, err := c.act.Plan(c.ctx(), r)
		c.no(err, "plan")
		c.tap.begin(n)
		done, err := c.act.Do(c.ctx(), r, p)
		sent := c.tap.count()
		c.tap.begin(0)
		if sent < n {
			c.no(err, "do")
			if c.kind.Reversible {
				c.undo(r, done)
			}
			return
		}
		if err != nil {
			done, err = c.act.Do(c.ctx(), r, p) // as after a crash
		}
		if c.x.unknown != "" && errors.Is(err, action.ErrRefused) {
			continue
		}
		if err != nil {
			_, done = c.do(r)
		}
		if c.x.held != nil {
			c.has(c.x.held(c, c.read(o.GetName())))
		}
		if !c.kind.Reversible {
			continue
		}
		// The undo's answer is lost as well.
		c.tap.begin(1)
		_, err = c.act.Undo(c.ctx(), r, done, event.AtEndRestore)
		c.tap.begin(0)
		if err != nil {
			c.undo(r, done)
		}
		c.same("undone after a lost answer", before, c.clean(c.read(o.GetName())))
		c.same("undone after a lost answer, around", around, c.surroundings())
	}
}
