package action

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

func bindingOf(t *testing.T, f *fake, x Resource, name, role string, subjects ...any) event.Ref {
	t.Helper()
	r := stored(t, f, x, "Binding", name, object{"roleRef": object{"kind": "ClusterRole", "name": role}, "subjects": subjects})
	return r.Target
}

func account(namespace, name string) object {
	return object{"kind": kindAccount, "namespace": namespace, "name": name}
}

func user(name string) object {
	return object{"kind": kindUser, "apiGroup": "rbac.authorization.k8s.io", "name": name}
}

// TestUnbind: the identity is taken out of all bindings of the named roles,
// others and other roles stay, and it comes back.
func TestUnbind(t *testing.T) {
	f := newFake()
	r := stored(t, f, serviceAccounts, "ServiceAccount", "bot", object{})
	bot := account(ns, "bot")
	refs := []event.Ref{
		bindingOf(t, f, roleBindings, "edit-1", "edit", user("ann"), bot),
		bindingOf(t, f, clusterRoleBindings, "edit-2", "edit", bot),
		bindingOf(t, f, roleBindings, "as-user", "edit", user(accountPrefix+ns+":bot")),
		bindingOf(t, f, roleBindings, "no-namespace", "edit", object{"kind": kindAccount, "name": "bot"}),
	}
	stay := []event.Ref{
		bindingOf(t, f, roleBindings, "view-1", "view", bot),
		bindingOf(t, f, clusterRoleBindings, "system:x", "edit", bot),
		bindingOf(t, f, clusterRoleBindings, "no-namespace", "edit", object{"kind": kindAccount, "name": "bot"}),
		bindingOf(t, f, roleBindings, "other", "edit", account("else", "bot"), user("bot")),
	}
	before := map[string]object{}
	for _, ref := range append(refs, stay...) {
		before[ref.Resource+ref.Name] = plain(t, f, ref)
	}
	a := build(t, identityUnbind, Deps{Cluster: f}, &UnbindConfig{Roles: []string{"ClusterRole/edit"}})
	p, done := must(t, a, r)
	if len(p.Writes) != len(refs) || len(p.Also) != len(refs) || !strings.Contains(strings.Join(p.Notes, ";"), "view-1 gives it ClusterRole/view and stays") {
		t.Error(p)
	}
	if len(p.Denies) != 1 || p.Denies[0] != (event.Identity{User: accountPrefix + ns + ":bot"}) {
		t.Errorf("the plan says that it denies %+v", p.Denies)
	}
	for _, ref := range refs {
		if text := canonical(plain(t, f, ref)["subjects"]); strings.Contains(text, "bot") {
			t.Errorf("%s: %s", ref, text)
		}
	}
	for _, ref := range stay {
		if d := cmp.Diff(before[ref.Resource+ref.Name], plain(t, f, ref)); d != "" {
			t.Error(d)
		}
	}
	again, err := a.Plan(t.Context(), r)
	if err != nil || digest(t, again) != digest(t, p) {
		t.Error("the digest changed", err)
	}
	if _, err := a.Do(t.Context(), r, p); err != nil || len(f.landed) != len(refs) {
		t.Error(err, len(f.landed))
	}
	if seen, err := a.(Verifier).Verify(t.Context(), r, p, done); err != nil || seen.Result != event.ResultApplied {
		t.Error(seen, err)
	}
	if err := a.(Marker).Mark(t.Context(), r); err != nil {
		t.Error(err)
	}
	if _, err := a.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
		t.Fatal(err)
	}
	for _, ref := range refs {
		if d := cmp.Diff(before[ref.Resource+ref.Name], plain(t, f, ref)); d != "" {
			t.Error(d)
		}
	}
}

// Somebody else's change of a binding's subjects stays when the hold ends.
func TestUnbindKeepsOthers(t *testing.T) {
	f := newFake()
	r := stored(t, f, serviceAccounts, "ServiceAccount", "bot", object{})
	ref := bindingOf(t, f, roleBindings, "edit-1", "edit", account(ns, "bot"))
	a := build(t, identityUnbind, Deps{Cluster: f}, &UnbindConfig{Roles: []string{"ClusterRole/edit"}})
	_, done := must(t, a, r)
	now := plain(t, f, ref)
	now["subjects"] = []any{user("eve")}
	f.put(t, "rolebindings", now)
	if _, err := a.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
		t.Fatal(err)
	}
	if text := canonical(plain(t, f, ref)["subjects"]); !strings.Contains(text, "eve") || !strings.Contains(text, "bot") {
		t.Error(text)
	}
}

func TestUnbindRefuses(t *testing.T) {
	f := newFake()
	r := stored(t, f, serviceAccounts, "ServiceAccount", "bot", object{})
	for i := range maxElsewhere + 1 {
		bindingOf(t, f, roleBindings, fmt.Sprint("b-", i), "edit", account(ns, "bot"))
	}
	role := []string{"ClusterRole/edit"}
	for name, c := range map[string]*UnbindConfig{
		"too many": {Roles: role}, "the system's user": {Roles: role, User: "system:kube-scheduler"},
		"the system's group": {Roles: role, Group: "system:masters"}, "a protected account": {Roles: role, User: accountPrefix + "kube-system:x"},
		"itself": {Roles: role, User: accountPrefix + "firebreak:firebreak"},
	} {
		if _, err := build(t, identityUnbind, Deps{Cluster: f, Home: "firebreak"}, c).Plan(t.Context(), r); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	k, _ := Lookup(identityUnbind)
	for _, c := range []*UnbindConfig{
		{}, {Roles: []string{"edit"}}, {Roles: []string{"ClusterRole/"}}, {Roles: []string{"ClusterRole/*"}}, {Roles: []string{"ClusterRole/system:node"}},
		{Roles: role, User: "a", Group: "b"},
	} {
		if k.Check(c) == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	if _, err := kube.MergePermissions(k.Grants(&UnbindConfig{Roles: role})); err != nil {
		t.Error(err)
	}
	if _, err := kube.MergePermissions([]Permission{{Group: roleBindings.Group, Resource: "clusterroles", Verbs: []string{"bind"}, Grave: true}}); !errors.Is(err, kube.ErrTooMuch) {
		t.Error("bind on all roles:", err)
	}
}

func TestRevoke(t *testing.T) {
	f := newFake()
	r := stored(t, f, serviceAccounts, "ServiceAccount", "bot", object{"secrets": []any{object{"name": "bot-token"}, object{"name": "other-token"}}})
	secret := func(name, of, uid string) {
		stored(t, f, secrets, "Secret", name, object{"type": tokenSecret, "metadata": object{"annotations": object{tokenOf: of, tokenUID: uid}}})
	}
	secret("bot-token", "bot", r.Target.UID)
	secret("old-token", "bot", "before")
	secret("db-token", "db", r.Target.UID)
	for name, runs := range map[string]string{"web-1": "bot", "db-1": "db"} {
		p := pod(name, nil)
		p.Spec.ServiceAccountName = runs
		f.put(t, "pods", p)
	}
	reads := corev1.EnvVar{Name: "T", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "bot-token"}}}}
	uses := pod("uses", nil)
	uses.Spec.InitContainers = []corev1.Container{{Name: "i", Env: []corev1.EnvVar{reads}}}
	uses.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "db-token"}}}}
	f.put(t, "pods", uses)
	mounts := pod("mounts", nil)
	mounts.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "bot-token"}}}}
	f.put(t, "pods", mounts)
	a := build(t, identityRevoke, Deps{Cluster: f}, &RevokeConfig{Secrets: []string{"bot-token", "old-token", "db-token", "none"}})
	p, done := must(t, a, r)
	var gone []string
	for _, w := range f.landed {
		gone = append(gone, w.Resource+"/"+w.Name)
	}
	if d := cmp.Diff([]string{"secrets/bot-token", "pods/web-1"}, gone); d != "" {
		t.Error(d)
	}
	if len(p.Also) != len(p.Writes) {
		t.Error(p.Also)
	}
	// It may not look for Secrets that the step does not name, and says so.
	if !has(p.Notes, "get secrets --field-selector type="+tokenSecret) || !has(p.Notes, "the account itself names other-token") || has(p.Notes, "names bot-token") {
		t.Error(p.Notes)
	}
	// Who uses what goes is said, and that the API server knows of it a moment later.
	if !has(p.Notes, "Secret bot-token is used by pods mounts, uses") || has(p.Notes, "Secret db-token is used") || !has(p.Notes, "for some seconds more") {
		t.Error(p.Notes)
	}
	if seen, err := a.(Verifier).Verify(t.Context(), r, p, done); err != nil || seen.Result != event.ResultApplied {
		t.Error(seen, err)
	}
	if _, err := a.Do(t.Context(), r, p); err != nil || len(f.landed) != 2 {
		t.Error("again:", err)
	}
	k, _ := Lookup(identityRevoke)
	if _, err := kube.MergePermissions(k.Grants(&RevokeConfig{Secrets: []string{"bot-token"}})); err != nil {
		t.Error(err)
	}
	if _, err := kube.MergePermissions([]Permission{{Resource: "secrets", Verbs: []string{"get"}, Grave: true}}); !errors.Is(err, kube.ErrTooMuch) {
		t.Error("all secrets:", err)
	}
	if k.Check(&RevokeConfig{KeepPods: true}) == nil {
		t.Error("nothing at all is taken")
	}
}
