package action

import (
	"errors"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// broken are the groups of all means beside plain NetworkPolicy, each with one failure.
func broken(why error) map[string]error {
	all := map[string]error{}
	for _, x := range append(policyMeans(), calicoTiers, requestAuthentications, envoyFilters, envoyConfigs) {
		all[x.Group] = why
	}
	for _, t := range tiers() {
		all[t.objects[0].Group] = why
	}
	return all
}

func unread() []error {
	return []error{
		fmt.Errorf("%w: names are taken", kube.ErrUnserved), fmt.Errorf("%w: 503", kube.ErrUnanswered), kube.ErrForbidden,
	}
}

// Whoever breaks what others brought to the cluster keeps no pod from its hold, nor the
// hold from its end; what could not be read is said.
func TestQuarantineGoesOnWithoutWhatIsBroken(t *testing.T) {
	for _, why := range unread() {
		for _, keep := range []bool{true, false} {
			f, _, r := shop(t)
			f.silent = broken(why)
			f.put(t, "networkpolicies", policy("allow-all", metav1.LabelSelector{}))
			q := quarantine{Deps: Deps{Cluster: f}, cut: !keep}
			p, done := must(t, q, r)
			seen := verified(t, q, r, p, done)
			const want = "not known: ciliumnetworkpolicies.cilium.io were not read: "
			if len(p.Writes) != 2 || !has(p.Notes, want) || !has(seen.Notes, want) || seen.Result != event.ResultPartial {
				t.Errorf("%v: %q\n%+v", why, p.Notes, seen)
			}
			if _, err := q.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
				t.Error("undo:", err)
			}
			if err := Sweep(t.Context(), f, ns); err != nil {
				t.Error("sweep:", err)
			}
		}
	}
}

// A tier whose API breaks once the plan is made is left out, and said; at its end the
// receipt says that it may stay.
func TestQuarantineGoesOnWhenItsTierBreaks(t *testing.T) {
	f, q, r := shop(t)
	f.put(t, "networkpolicies", policy("allow-all", metav1.LabelSelector{}))
	p, err := q.Plan(t.Context(), r)
	if err != nil || len(p.Writes) != 3 {
		t.Fatal(p.Writes, err)
	}
	for _, why := range append(unread(), kube.ErrNotFound) {
		f.before = func(w event.Write) error {
			if w.Resource == "ciliumnetworkpolicies" {
				return why
			}
			return nil
		}
		done, err := q.Do(t.Context(), r, p)
		if err != nil || !has(done.Notes, noTier) {
			t.Errorf("%v: %q, %v", why, done.Notes, err)
		}
	}
	f.before = nil
	done, err := q.Do(t.Context(), r, p)
	if err != nil {
		t.Fatal(err)
	}
	f.silent = broken(kube.ErrUnanswered)
	undone, err := q.Undo(t.Context(), r, done, event.AtEndRestore)
	if err != nil || !has(undone.Notes, "was not looked for, and may stay") {
		t.Errorf("%q, %v", undone.Notes, err)
	}
	f.silent = nil
	if err := Sweep(t.Context(), f, ns); err != nil {
		t.Fatal(err)
	}
	if _, there := f.objects[at("ciliumnetworkpolicies", ns, HoldPolicyName)]; there {
		t.Error("the tier stays once it is answered for again")
	}
}

// A barrier is set by what answers, and its plan says what does not; who asks for just
// that is refused, and never waits for it.
func TestBarrierGoesOnWithoutWhatIsBroken(t *testing.T) {
	for _, why := range unread() {
		f := newFake()
		f.silent = broken(why)
		b := barrier{namespace: ns, only: true, ingress: true, egress: true}
		w, err := b.build(t.Context(), f, meansAuto, "run1/s")
		if err != nil || len(w.objects) != 1 || w.objects[0].Kind != "NetworkPolicy" || !has(w.notes, "not by "+hasCilium) {
			t.Errorf("%v: %+v, %v", why, w, err)
		}
		if _, err := b.build(t.Context(), f, meansCilium, "run1/s"); !errors.Is(err, ErrRefused) {
			t.Errorf("%v by name: %v", why, err)
		}
		f.silent = map[string]error{envoyFilters.Group: why}
		if x, ok, err := first(t.Context(), f, envoyFilters, envoyConfigs); !ok || err != nil || x != envoyConfigs {
			t.Errorf("%v: %v, %v, %v", why, x, ok, err)
		}
	}
}

// What may only be new is waited for.
func TestBarrierWaitsForWhatIsNew(t *testing.T) {
	f, q, r := shop(t)
	f.silent = broken(kube.ErrBusy)
	if _, err := q.Plan(t.Context(), r); !errors.Is(err, kube.ErrBusy) {
		t.Error("quarantine:", err)
	}
	b := barrier{namespace: ns, only: true, ingress: true, egress: true}
	if _, err := b.build(t.Context(), f, meansAuto, "run1/s"); !errors.Is(err, kube.ErrBusy) {
		t.Error("barrier:", err)
	}
}

// What is held of a kind that nobody answers for is not taken for nothing held; of one
// that is not served nothing can be.
func TestHeldElsewhereIsNotForgotten(t *testing.T) {
	f := newFake()
	e := elsewhere{fields: fields{Deps: Deps{Cluster: f}, at: []Resource{envoyFilters}}}
	for _, why := range unread() {
		f.silent = broken(why)
		_, err := e.held(t.Context(), Request{Key: "run1/s"})
		if (err == nil) != errors.Is(why, kube.ErrUnserved) {
			t.Errorf("%v: %v", why, err)
		}
	}
}
