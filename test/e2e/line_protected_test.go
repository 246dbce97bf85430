package e2e

import (
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// protected marks the namespace, and sees that the API server itself refuses.
func (c *trial) protected() {
	o := c.target()
	patch := []byte(`{"metadata":{"annotations":{"firebreak.io/protected":"true"}}}`)
	_, err := c.admin.CoreV1().Namespaces().Patch(c.ctx(), c.ns, types.MergePatchType, patch, metav1.PatchOptions{})
	c.no(err, "mark namespace")
	if c.x.protect != nil {
		c.x.protect(c, o.GetName())
		o = c.settled(o.GetName())
	}
	for end := time.Now().Add(patience); time.Now().Before(end); { // until the admission policy knows of the mark
		r := c.request(o)
		p, err := c.act.Plan(c.ctx(), r)
		if err == nil {
			_, err = c.act.Do(c.ctx(), r, p)
		}
		switch {
		case errors.Is(err, action.ErrRefused), errors.Is(err, kube.ErrForbidden):
			return
		case errors.Is(err, action.ErrGone), err == nil && !c.kind.Reversible:
			o = c.target()
		case err != nil && !errors.Is(err, action.ErrConflict):
			c.no(err, "do to a protected target")
		}
	}
	c.t.Error("a protected target was not refused")
}
