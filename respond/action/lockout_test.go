package action

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const home = "firebreak"

// installed puts the policy of lockouts and its binding there.
func installed(t *testing.T, f *fake, of string) {
	stored(t, f, policies, "ValidatingAdmissionPolicy", "x", object{})
	for _, x := range []Resource{policies, policyBindings} {
		f.put(t, x.Resource, object{
			"metadata": object{"name": kube.LockoutPolicy(of)},
			"spec": object{
				"paramRef":          object{"namespace": home, "selector": object{"matchLabels": object{kube.LockoutLabel: of}}},
				"validationActions": []any{"Deny"},
			},
		})
	}
}

func lockoutData(t *testing.T, p event.Plan) (object, object) {
	t.Helper()
	if len(p.Writes) != 1 || p.Writes[0].Verb != "create" || p.Writes[0].Resource != "configmaps" || p.Writes[0].Namespace != home {
		t.Fatal(p.Writes)
	}
	body := object{}
	remarshal(t, p.Writes[0].Body, &body)
	data, _ := body["data"].(object)
	return data, body["metadata"].(object)
}

func TestDeny(t *testing.T) {
	f := newFake()
	p := pod("web-1", nil)
	p.Spec.ServiceAccountName = "bot"
	r := podRequest("run1/s", "web-1", f.put(t, "pods", p))
	for name, c := range map[string]struct {
		config *IdentityDenyConfig
		want   object
	}{
		"of the pod":  {&IdentityDenyConfig{}, object{"user": "system:serviceaccount:shop:bot"}},
		"of a group":  {&IdentityDenyConfig{Group: "oidc:contractors"}, object{"group": "oidc:contractors"}},
		"of a person": {&IdentityDenyConfig{User: "eve@example.com"}, object{"user": "eve@example.com"}},
		"unless":      {&IdentityDenyConfig{User: "eve", UnlessExtra: "example.com/amr", UnlessValue: "mfa"}, object{"user": "eve", "extra": "example.com/amr", "value": "mfa"}},
	} {
		a := build(t, identityDeny, Deps{Cluster: f, Home: home}, c.config)
		p, err := a.Plan(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		data, meta := lockoutData(t, p)
		if d := cmp.Diff(c.want, data); d != "" {
			t.Error(name, d)
		}
		var denied event.Identity
		if remarshal(t, c.want, &denied); len(p.Denies) != 1 || p.Denies[0] != denied {
			t.Errorf("%s: the plan says that it denies %+v", name, p.Denies)
		}
		if v, _ := valueAt(meta, []string{"annotations", UntilKey}); v != r.Until.UTC().Format(time.RFC3339) {
			t.Error(v)
		}
		if v, _ := valueAt(meta, []string{"labels", kube.LockoutLabel}); v != kube.LockoutIdentity {
			t.Error(v)
		}
	}
	for _, bad := range []string{"system:admin", accountPrefix + "kube-system:x", accountPrefix + home + ":firebreak", strings.Repeat("x", maxUser+1)} {
		k, _ := Lookup(identityDeny)
		a, err := k.New(Deps{Cluster: f, Home: home}, &IdentityDenyConfig{User: bad})
		if err == nil {
			_, err = a.Plan(t.Context(), r)
		} else {
			err = ErrRefused
		}
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%.40s: %v", bad, err)
		}
	}
	group := event.GroupRef("system:authenticated")
	for _, of := range []struct {
		config *IdentityDenyConfig
		target event.Ref
	}{{&IdentityDenyConfig{Group: "system:masters"}, r.Target}, {&IdentityDenyConfig{}, group}} {
		about := r
		about.Target = of.target
		if _, err := build(t, identityDeny, Deps{Cluster: f, Home: home}, of.config).Plan(t.Context(), about); !errors.Is(err, ErrRefused) {
			t.Errorf("%+v: %v", of.config, err)
		}
	}
	if _, err := build(t, identityDeny, Deps{Cluster: f}, nil).Plan(t.Context(), r); !errors.Is(err, ErrRefused) {
		t.Error("without a namespace of its own:", err)
	}
}

// A lockout that no policy reads is void, and says what to install.
func TestLockoutIsVoidWithoutPolicy(t *testing.T) {
	f := newFake()
	r := stored(t, f, serviceAccounts, "ServiceAccount", "bot", object{})
	a := build(t, admissionDeny, Deps{Cluster: f, Home: home}, &KeepOutConfig{Privileged: true})
	p, done := must(t, a, r)
	verify := func() event.Receipt {
		t.Helper()
		seen, err := a.(Verifier).Verify(t.Context(), r, p, done)
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	if seen := verify(); seen.Result != event.ResultVoid || !strings.Contains(strings.Join(seen.Notes, ";"), "firebreak rbac") {
		t.Error(seen)
	}
	installed(t, f, kube.LockoutPods)
	if seen := verify(); seen.Result != event.ResultApplied {
		t.Error(seen)
	}
	for _, change := range []func(spec object){
		func(spec object) { spec["paramRef"].(object)["namespace"] = "else" },
		func(spec object) { spec["paramRef"].(object)["selector"] = object{} },
		func(spec object) { spec["validationActions"] = []any{"Audit"} },
	} {
		installed(t, f, kube.LockoutPods)
		change(f.objects[at(policyBindings.Resource, "", kube.LockoutPolicy(kube.LockoutPods))]["spec"].(object))
		if seen := verify(); seen.Result != event.ResultVoid {
			t.Error(seen)
		}
	}
	if _, err := a.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
		t.Fatal(err)
	}
	if _, there := f.objects[at("configmaps", home, p.Writes[0].Name)]; there {
		t.Error("the lockout is still there")
	}
}

func TestKeepOut(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for name, c := range map[string]struct {
		config KeepOutConfig
		want   object // nil is refused
	}{
		"digest":       {KeepOutConfig{Digest: digest}, object{"digest": digest}},
		"short digest": {KeepOutConfig{Digest: "sha256:aa"}, nil},
		"image":        {KeepOutConfig{Image: "nginx", Namespace: "shop"}, object{"image": "docker.io/library/nginx", "namespace": "shop"}},
		"of a person":  {KeepOutConfig{Image: "ann/x"}, object{"image": "docker.io/ann/x"}},
		"of a host":    {KeepOutConfig{Image: "Registry.Example:5000/a/b"}, object{"image": "registry.example:5000/a/b"}},
		"the hub":      {KeepOutConfig{Image: "index.docker.io/nginx"}, object{"image": "docker.io/library/nginx"}},
		"with a tag":   {KeepOutConfig{Image: "nginx:1"}, nil},
		"with digest":  {KeepOutConfig{Image: "nginx@" + digest}, nil},
		"no image":     {KeepOutConfig{Image: "registry.example/"}, nil},
		"registry":     {KeepOutConfig{Registry: "Registry.example"}, object{"registry": "registry.example"}},
		"no registry":  {KeepOutConfig{Registry: "a/b"}, nil},
		"account":      {KeepOutConfig{ServiceAccount: "shop/bot"}, object{"serviceAccount": "shop/bot"}},
		"no account":   {KeepOutConfig{ServiceAccount: "bot"}, nil},
		"privileged":   {KeepOutConfig{Privileged: true}, object{"privileged": "true"}},
		"nothing":      {KeepOutConfig{Namespace: "shop"}, nil},
		"two":          {KeepOutConfig{Privileged: true, Registry: "a"}, nil},
	} {
		k, _ := Lookup(admissionDeny)
		err := k.Check(&c.config)
		if c.want == nil {
			if err == nil { // then it is the target, and a pod is nothing that is kept out
				_, err = build(t, admissionDeny, Deps{Cluster: newFake(), Home: home}, &c.config).Plan(t.Context(), podRequest("run1/s", "x", "u"))
			}
			if err == nil {
				t.Errorf("%s is taken", name)
			}
			continue
		}
		p, err := build(t, admissionDeny, Deps{Cluster: newFake(), Home: home}, &c.config).Plan(t.Context(), podRequest("run1/s", "x", "u"))
		if err != nil {
			t.Fatal(name, err)
		}
		data, _ := lockoutData(t, p)
		if d := cmp.Diff(c.want, data); d != "" {
			t.Error(name, d)
		}
	}
}
