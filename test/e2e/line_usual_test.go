package e2e

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// usual is what happens when nothing comes in between.
func (c *trial) usual() {
	o := c.target()
	before, around := c.clean(o), c.surroundings()
	r := c.request(o)
	c.tap.begin(0)
	p, err := c.act.Plan(c.ctx(), r)
	c.no(err, "plan")
	// A controller may touch the target meanwhile, so its version says nothing.
	if n := c.tap.count(); n > 0 {
		c.t.Errorf("planning wrote %d times", n)
	}
	c.same("planned", before, c.clean(c.read(o.GetName())))
	if c.x.refused != "" {
		_, err := c.act.Do(c.ctx(), r, p)
		if err == nil || errors.Is(err, kube.ErrForbidden) {
			c.t.Errorf("do, here where %s: %v", c.x.refused, err)
		}
		return
	}
	p, done := c.do(r)
	if done.Key != r.Key {
		c.t.Errorf("receipt's key is %q", done.Key)
	}
	c.verified(r, p, done)
	if c.x.held != nil {
		c.has(c.x.held(c, c.read(o.GetName())))
	}
	c.twice(r, p, o)
	if marker, ok := c.act.(action.Marker); ok && c.kind.Reversible {
		later := r
		later.Until = r.Until.Add(time.Hour)
		c.no(marker.Mark(c.ctx(), later), "mark")
	}
	if !c.kind.Reversible {
		if _, err := c.act.Undo(c.ctx(), r, done, event.AtEndRestore); !errors.Is(err, action.ErrIrreversible) {
			c.t.Errorf("undo of what can't be undone: %v", err)
		}
		return
	}
	for range 2 {
		c.undo(r, done)
	}
	c.same("undone", before, c.clean(c.read(o.GetName())))
	c.same("undone, what is around it", around, c.surroundings())
	if _, err := c.act.Do(c.ctx(), r, p); err == nil {
		if !c.x.again {
			c.t.Error("the plan could be done once more after the undo")
		}
		c.undo(r, done)
	}
}

// twice does the plan again, and sees that nothing changes by it.
func (c *trial) twice(r action.Request, p event.Plan, o *unstructured.Unstructured) {
	now, around := c.find(o.GetName()), c.surroundings()
	_, err := c.act.Do(c.ctx(), r, p)
	c.no(err, "do again")
	after := c.find(o.GetName())
	if (now == nil) != (after == nil) {
		c.t.Error("doing it again changed whether the target is there")
	}
	if !c.x.moves {
		c.same("done again, the target", c.clean(now), c.clean(after))
	}
	c.same("done again", around, c.surroundings())
	again, err := c.act.Plan(c.ctx(), r)
	if errors.Is(err, action.ErrGone) && !c.kind.Reversible {
		return
	}
	c.no(err, "plan again")
	if a, b := c.digest(p), c.digest(again); a != b && !c.x.changes {
		c.t.Errorf("the plan's digest changed once it had landed:\n%s\n%s", p.Summary, again.Summary)
	}
}

// verified sees what Verify finds, and that it finds it again.
func (c *trial) verified(r action.Request, p event.Plan, done event.Receipt) {
	c.t.Helper()
	verifier, ok := c.act.(action.Verifier)
	if !ok {
		if c.kind.Class != action.Notify { // how a message fares stands in its own record
			c.t.Fatal("it does not verify")
		}
		verifier = told{}
	}
	for range 2 {
		seen, err := verifier.Verify(c.ctx(), r, p, done)
		c.no(err, "verify")
		if !slices.Contains(c.x.results(), seen.Result) {
			c.t.Errorf("verified as %s (%v), want one of %v", seen.Result, seen.Notes, c.x.results())
		}
	}
}

// told takes the receipt of a message for what is so.
type told struct{}

// Verify gives the receipt.
func (told) Verify(_ context.Context, _ action.Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	return done, nil
}
