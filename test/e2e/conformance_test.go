package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// TestConformance ranges over the catalogue: what the contract of actions
// promises is tried with each kind on the real API server, with no more rights
// than it declares and behind the admission policy that is made of it. A kind
// that has no fixture fails.
func TestConformance(t *testing.T) {
	plane(t)
	for _, k := range action.Kinds() {
		if k.Class == action.Notify {
			continue // it changes nothing in the cluster
		}
		t.Run(k.Name, func(t *testing.T) {
			x, ok := fixtures[k.Name]
			if !ok {
				t.Fatalf("%s has no fixture: add one to a fixture_*_test.go", k.Name)
			}
			t.Parallel()
			c := newTrial(t, k, x)
			c.usual()
			c.foreign()
			if !x.apart {
				c.gone()
			}
			c.lost()
			c.needs()
			if !x.apart {
				c.protected()
			}
		})
	}
}

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
	verifier, ok := c.act.(action.Verifier)
	if !ok {
		c.t.Fatal("it does not verify")
	}
	for range 2 {
		seen, err := verifier.Verify(c.ctx(), r, p, done)
		c.no(err, "verify")
		if !slices.Contains(c.x.results(), seen.Result) {
			c.t.Errorf("verified as %s (%v), want one of %v", seen.Result, seen.Notes, c.x.results())
		}
	}
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

// foreign edits the target as somebody else while it is held.
func (c *trial) foreign() {
	if c.x.meddle == nil {
		if c.kind.Reversible {
			c.t.Error("the fixture meddles with nothing")
		}
		return
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

// gone takes the target away between plan and deed, and then puts another of its
// name there.
func (c *trial) gone() {
	o := c.target()
	r := c.request(o)
	p, err := c.act.Plan(c.ctx(), r)
	c.no(err, "plan")
	c.remove(o)
	c.over(r, p, "gone")
	c.x.make(c, o.GetName())
	other := c.settled(o.GetName())
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
		if c.x.refused != "" {
			return
		}
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

// needs sees that the kind declares what it uses, and nothing more, and that
// without one of them it says which.
func (c *trial) needs() {
	used, declared := c.tap.permissions(), map[string]bool{}
	type less struct{ user, permission string }
	var all []less
	for i, p := range c.kind.Needs {
		for j, verb := range p.Verbs {
			permission := kube.Permission{Group: p.Group, Resource: p.Resource, Verbs: []string{verb}}.String()
			if declared[permission] {
				continue
			}
			declared[permission] = true
			if !used[permission] {
				if c.x.rare[permission] == "" {
					c.t.Errorf("it needs %s, which nothing used", permission)
				}
				continue
			}
			if c.x.rare[permission] != "" {
				continue
			}
			user := fmt.Sprintf("%s-%d-%d", c.ns, i, j)
			c.role(user, lacking(c.kind.Needs, p.Group, p.Resource, verb))
			all = append(all, less{user, permission})
		}
	}
	for _, p := range c.kind.Helps {
		for _, verb := range p.Verbs {
			declared[kube.Permission{Group: p.Group, Resource: p.Resource, Verbs: []string{verb}}.String()] = true
		}
	}
	for _, permission := range slices.Sorted(maps.Keys(used)) {
		if !declared[permission] {
			c.t.Errorf("it used %s, which it does not need", permission)
		}
	}
	whole := c.tap.user
	defer func() { c.tap.user = whole }()
	for _, l := range all {
		c.tap.user = l.user
		r := c.request(c.target())
		err := c.once(r)
		c.tap.user = whole
		if _, undone := c.act.Undo(c.ctx(), r, event.Receipt{}, event.AtEndRestore); undone != nil && c.kind.Reversible {
			c.t.Errorf("undo after what was forbidden: %v", undone)
		}
		if !errors.Is(err, kube.ErrForbidden) || !strings.Contains(err.Error(), l.permission) {
			c.t.Errorf("without %s: %v", l.permission, err)
		}
	}
}

// once goes all the way, and gives the first error.
func (c *trial) once(r action.Request) error {
	p, err := c.act.Plan(c.ctx(), r)
	if err != nil {
		return err
	}
	done, err := c.act.Do(c.ctx(), r, p)
	if err != nil {
		return err
	}
	if done, err = c.act.(action.Verifier).Verify(c.ctx(), r, p, done); err != nil || !c.kind.Reversible {
		return err
	}
	if marker, ok := c.act.(action.Marker); ok {
		r.Until = r.Until.Add(time.Hour)
		if err := marker.Mark(c.ctx(), r); err != nil {
			return err
		}
	}
	if _, err = action.Find(c.ctx(), c.kube); err != nil {
		return err
	}
	_, err = c.act.Undo(c.ctx(), r, done, event.AtEndRestore)
	return err
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

// role lets a user do these things, and waits until that is known.
func (c *trial) role(user string, needs []kube.Permission) {
	c.t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "conform-" + user}}
	merged, err := kube.MergePermissions(needs)
	c.no(err, "merge permissions")
	for _, p := range merged {
		role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{p.Group}, Resources: []string{p.Resource}, ResourceNames: p.Names, Verbs: p.Verbs})
	}
	// What the policy forbids to everybody shows that it is looked at.
	role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"resourcequotas"}, Verbs: []string{"create"}})
	_, err = c.admin.RbacV1().ClusterRoles().Create(c.ctx(), role, metav1.CreateOptions{})
	c.no(err, "create role")
	unbind(c.t, role.Name, c.admin.RbacV1().ClusterRoles().Delete)
	_, err = c.admin.RbacV1().ClusterRoleBindings().Create(c.ctx(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}, metav1.CreateOptions{})
	c.no(err, "bind role")
	unbind(c.t, role.Name, c.admin.RbacV1().ClusterRoleBindings().Delete)
	eventually(c.t, "role of "+user, func(ctx context.Context) error {
		review, err := c.admin.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "create", Resource: "resourcequotas", Namespace: c.ns},
		}}, metav1.CreateOptions{})
		if err == nil && !review.Status.Allowed {
			err = errors.New("is not known yet")
		}
		return err
	})
}

// protected marks the namespace, and sees that the API server itself refuses.
func (c *trial) protected() {
	if c.kind.Class == action.Keep || c.x.refused != "" {
		return // what only reads, reads everywhere
	}
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

func cmpError(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}
