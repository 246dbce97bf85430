package e2e

import (
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// altering are edits of what a step changed, of kinds whose fixture meddles with
// something beside that.
var altering = map[string]func(c *trial, name string){
	"node.cordon":      func(c *trial, name string) { c.patch(name, `{"spec":{"unschedulable":false}}`) },
	"pod.quarantine":   func(c *trial, name string) { c.patch(name, `{"metadata":{"labels":{"`+action.HoldKey+`":null}}}`) },
	"workload.suspend": func(c *trial, name string) { c.patch(name, `{"spec":{"suspend":false}}`) },
	"workload.pause":   func(c *trial, name string) { c.patch(name, `{"spec":{"paused":false}}`) },
	"identity.unbind": func(c *trial, name string) { // the subject is back
		patch := fmt.Appendf(nil, `{"subjects":[{"kind":"ServiceAccount","name":%q,"namespace":%q}]}`, name, c.ns)
		_, err := c.admin.RbacV1().RoleBindings(c.ns).Patch(c.ctx(), name, types.MergePatchType, patch, metav1.PatchOptions{})
		c.no(err, "edit binding")
	},
	"gitops.suspend": func(c *trial, name string) {
		_, err := c.api(kustomizations, true).Patch(c.ctx(), name, types.MergePatchType, []byte(`{"spec":{"suspend":false}}`), metav1.PatchOptions{})
		c.no(err, "edit Kustomization")
	},
}

// drift takes away and alters, as somebody else, what a step made or changed
// while it holds: the reconciler has to see each, and what is gone is put back by
// the plan that was decided on.
func (c *trial) drift() {
	if !c.kind.Reversible || c.x.refused != "" {
		return
	}
	watcher, ok := c.act.(action.Watcher)
	if !ok {
		c.t.Error("its hold can't be looked at while it stands")
		return
	}
	o := c.target()
	r := c.request(o)
	p, done := c.do(r)
	watch := func() action.Drift {
		c.t.Helper()
		d, err := watcher.Watch(c.ctx(), r, p)
		c.no(err, "look at the hold")
		return d
	}
	steady := func(what string) {
		c.t.Helper()
		if d := watch(); d != (action.Drift{}) {
			c.t.Errorf("%s: %+v", what, d)
		}
	}
	steady("as it was made")
	for _, w := range p.Writes {
		if w.Verb != "create" || w.Namespace == "" && w.Name == action.HoldPolicyName {
			continue // the static objects of the whole cluster are other trials' too
		}
		at := c.all.Resource(schema.GroupVersionResource{Group: w.Group, Version: w.Version, Resource: w.Resource}).Namespace(w.Namespace)
		if err := at.Delete(c.ctx(), w.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			c.no(err, "delete what was made")
		}
		if d := watch(); !strings.Contains(d.Gone, w.Name) {
			c.t.Errorf("%s %s was taken away: %+v", w.Resource, w.Name, d)
		}
		again, err := c.act.Plan(c.ctx(), r)
		c.no(err, "plan again")
		if c.digest(again) != c.digest(p) {
			c.t.Errorf("what would be put back is another deed: %s", again.Summary)
		}
		_, err = c.act.Do(c.ctx(), r, again)
		c.no(err, "put back")
		steady("put back")
	}
	own := slices.DeleteFunc(slices.Clone(p.Writes), func(w event.Write) bool { return w.Verb != "create" || w.Name == action.HoldPolicyName })
	edit := altering[c.kind.Name]
	switch {
	case len(own) > 0:
		c.disown(own[0], "somebody")
	case edit != nil:
		edit(c, o.GetName())
	default:
		c.x.meddle(c, o.GetName())
	}
	if d := watch(); d == (action.Drift{}) {
		c.t.Error("somebody altered it, and nobody sees that")
	} else {
		c.t.Logf("altered: %+v", d)
	}
	if len(own) > 0 {
		c.disown(own[0], kube.ManagedBy)
	}
	r.Over = true
	_, err := c.act.Undo(c.ctx(), r, done, event.AtEndRestore)
	c.no(err, "undo after a drift")
}

// disown says of an object that it is somebody's.
func (c *trial) disown(w event.Write, whose string) {
	c.t.Helper()
	at := c.all.Resource(schema.GroupVersionResource{Group: w.Group, Version: w.Version, Resource: w.Resource}).Namespace(w.Namespace)
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, kube.ManagedByLabel, whose)
	_, err := at.Patch(c.ctx(), w.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	c.no(err, "alter what was made")
}
