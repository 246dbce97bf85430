package action

import (
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]string{
		"pods/shop/web-1": "pods/shop/web-1", "pod/shop/web-1": "pods/shop/web-1", "nodes/n1": "nodes/n1", "node/n1": "nodes/n1",
		"deployments/shop/web": "deployments/shop/web", "Deployment/shop/web": "deployments/shop/web", "deployments.apps/shop/web": "deployments/shop/web",
		"ingress/shop/web": "ingresses/shop/web", "cronjobs/shop/r": "cronjobs/shop/r", "httproutes/shop/web": "httproutes/shop/web",
		"namespaces/shop": "namespaces/shop", "rolebindings/shop/edit": "rolebindings/shop/edit", "clusterrolebindings/a:b": "clusterrolebindings/a:b",
		"users/ann@example.com": "users/ann@example.com", "users/system:serviceaccount:shop:web": "serviceaccounts/shop/web",
		"groups/interns": "groups/interns", "addresses/192.0.2.7": "addresses/192.0.2.7", "addresses/192.0.2.7/24": "addresses/192.0.2.0/24",
		"address/::ffff:192.0.2.7": "addresses/192.0.2.7", "images/registry.example:5000/a/b:1": "images/registry.example:5000/a/b:1",
		"addresses.firebreak.io/::1": "addresses/::1",
		// What is none.
		"": "", "pods": "", "pods/shop": "", "pods/shop/a/b": "", "nodes/": "", "nodes/a/b": "nodes/a/b", "secrets/shop/web": "", "deployments.batch/shop/web": "",
		"namespaces/": "", "addresses/nowhere": "", "addresses/fe80::1%eth0": "", "users/\x00": "", "users/" + strings.Repeat("x", 2000): "",
	} {
		ref, err := ParseTarget(text)
		if want == "" {
			if err == nil {
				t.Errorf("%.80q is %s", text, ref)
			}
			continue
		}
		if err != nil || ref.String() != want {
			t.Errorf("%q is %s (%v), want %s", text, ref, err, want)
			continue
		}
		if _, ok := ResourceOf(ref); ok == ref.IsThing() && !ref.IsPod() && !ref.IsNode() {
			t.Errorf("%q is object and thing, or neither: %+v", text, ref)
		}
	}
}

// TestThings: a thing's UID is made of what it is alone.
func TestThings(t *testing.T) {
	seen := map[string]string{}
	for _, ref := range []event.Ref{
		event.UserRef("a"), event.UserRef("b"), event.GroupRef("a"), event.ImageRef("a"), event.AddressRef("192.0.2.1"), event.AddressRef("192.0.2.0/31"),
	} {
		if ref.UID == "" || seen[ref.UID] != "" {
			t.Errorf("%s has the UID of %s", ref, seen[ref.UID])
		}
		seen[ref.UID] = ref.String()
		forged := ref
		forged.UID, forged.Namespace = "u", "shop"
		if again := forged.Thing(); again.UID != ref.UID || again.Namespace != "" {
			t.Errorf("%+v is not %+v", again, ref)
		}
	}
	if d := event.ImageRef("a@sha256:1").Digest; d != "sha256:1" {
		t.Errorf("digest is %q", d)
	}
	if event.PodRef("shop", "a").Thing().Name != "" {
		t.Error("a pod is a thing")
	}
}

// FuzzParseTarget: nothing that people write makes it panic, or a target that
// could be read as another.
func FuzzParseTarget(f *testing.F) {
	f.Add("pods/shop/web")
	f.Add("users/system:serviceaccount:shop:web")
	f.Add("addresses/192.0.2.0/24")
	f.Add("images/a/b@sha256:1")
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := ParseTarget(text)
		if err != nil {
			return
		}
		again, err := TargetOf(ref.Resource, ref.Group, ref.Namespace, ref.Name)
		if err != nil || again.String() != ref.String() || again.UID != ref.UID {
			t.Errorf("%q is %+v, and that is %+v (%v)", text, ref, again, err)
		}
	})
}
