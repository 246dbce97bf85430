package action

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestKeepers: what marks of Argo CD and Flux say.
func TestKeepers(t *testing.T) {
	managed := func(name string) []any { return []any{object{"manager": name, "operation": "Apply"}} }
	for name, c := range map[string]struct {
		meta object
		want string
	}{
		"nobody":          {object{"labels": object{"app.kubernetes.io/instance": "web"}}, ""},
		"a helm chart":    {object{"labels": object{"app.kubernetes.io/instance": "web", "app.kubernetes.io/managed-by": "Helm"}}, ""},
		"tracking id":     {object{"annotations": object{argoTracking: "web:apps/Deployment:shop/web"}}, "Argo CD application argocd/web"},
		"of a namespace":  {object{"annotations": object{argoTracking: "team_web:apps/Deployment:shop/web"}}, "Argo CD application team/web"},
		"instance label":  {object{"labels": object{argoInstance: "web"}}, "Argo CD application argocd/web"},
		"by its manager":  {object{"labels": object{"app.kubernetes.io/instance": "web"}, "managedFields": managed("argocd-controller")}, "Argo CD application argocd/web"},
		"unnamed":         {object{"managedFields": managed("argocd-controller")}, "Argo CD"},
		"kustomization":   {object{"labels": object{fluxKustomize + "name": "apps", fluxKustomize + "namespace": "flux-system"}}, "Flux kustomization flux-system/apps"},
		"helm release":    {object{"labels": object{fluxHelm + "name": "web", fluxHelm + "namespace": "shop"}}, "Flux helmrelease shop/web"},
		"flux by manager": {object{"managedFields": managed("kustomize-controller")}, "Flux"},
	} {
		f := newFake()
		r := stored(t, f, deployments, "Deployment", "web", object{"metadata": c.meta})
		o, err := f.Get(t.Context(), "apps", "v1", "deployments", ns, "web")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range keepers(o) {
			got = append(got, k.String())
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %v", name, got)
		}
		notes := KeeperNotes(t.Context(), f, event.Plan{Target: r.Target, Writes: []event.Write{deployments.on("patch", o), deployments.on("patch", o)}})
		if len(notes) != len(got) || len(notes) > 0 && !strings.Contains(notes[0], "may undo the change") {
			t.Errorf("%s: notes %q", name, notes)
		}
	}
}

func TestKeeperNotesOfPods(t *testing.T) {
	f := newFake()
	p := pod("web-1", map[string]string{argoInstance: "web"})
	uid := f.put(t, "pods", p)
	found, _ := f.Pod(t.Context(), ns, "web-1")
	if string(found.UID) != uid {
		t.Fatal(found.UID)
	}
	w := patchOf("pods", &found.ObjectMeta)
	w.Verb = "delete"
	if notes := KeeperNotes(t.Context(), f, event.Plan{Writes: []event.Write{w}}); len(notes) != 1 || !strings.Contains(notes[0], "make it again") {
		t.Error(notes)
	}
	w.UID = "another"
	if notes := KeeperNotes(t.Context(), f, event.Plan{Writes: []event.Write{w}}); len(notes) != 0 {
		t.Error("of another object:", notes)
	}
}

// TestGitOpsSuspend: what the target's marks name is suspended, and goes on as
// it was.
func TestGitOpsSuspend(t *testing.T) {
	f := newFake()
	r := stored(t, f, deployments, "Deployment", "web", object{"metadata": object{
		"annotations": object{argoTracking: "web:apps/Deployment:shop/web"},
		"labels":      object{fluxKustomize + "name": "apps", fluxKustomize + "namespace": "flux-system", fluxHelm + "name": "gone", fluxHelm + "namespace": "shop"},
	}})
	app := stored(t, f, applications, "Application", "web", object{
		"metadata": object{"namespace": ArgoNamespace}, "spec": object{"syncPolicy": object{"automated": object{"selfHeal": true}, "retry": object{"limit": 2}}},
	}).Target
	kust := stored(t, f, kustomizations, "Kustomization", "apps", object{"metadata": object{"namespace": "flux-system"}, "spec": object{"prune": true}}).Target
	app.Namespace, kust.Namespace = ArgoNamespace, "flux-system"
	before := []object{plain(t, f, app), plain(t, f, kust)}
	a := build(t, gitopsSuspend, Deps{Cluster: f}, nil)
	p, done := must(t, a, r)
	if v, there := valueAt(plain(t, f, app), []string{"spec", "syncPolicy", "automated"}); there {
		t.Error(v)
	}
	if v, _ := valueAt(plain(t, f, kust), []string{"spec", "suspend"}); v != true {
		t.Error(v)
	}
	if len(p.Also) != 2 || !strings.Contains(strings.Join(p.Notes, ";"), "helmrelease shop/gone, which is said to manage it, is not there") {
		t.Error(p.Notes)
	}
	if _, err := a.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, []object{plain(t, f, app), plain(t, f, kust)}); d != "" {
		t.Error(d)
	}
}
