package kube

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestOurs: a watch is gone by again once it shows what was made, by its UID; after
// any other write it is not for a while.
func TestOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o ours
		there := map[string]types.UID{}
		shown := func(namespace string, want bool, what string) {
			t.Helper()
			got := o.shown(namespace, func(name string, uid types.UID) bool { return there[name] == uid })
			if got != want {
				t.Errorf("%s: shown is %v", what, got)
			}
		}
		write := func(verb, name string) event.Write { return event.Write{Verb: verb, Namespace: "shop", Name: name} }
		shown("shop", true, "nothing written")
		o.note(write("create", "deny"), "", ErrExists)
		shown("shop", true, "one that was there")
		o.note(write("create", "deny"), "u2", nil)
		shown("shop", false, "made, and not shown")
		shown("other", true, "another namespace")
		there["deny"] = "u1"
		shown("shop", false, "another one of that name is shown")
		o.note(write("create", "more"), "u3", nil)
		there["deny"] = "u2"
		shown("shop", false, "one of two is shown")
		there["more"] = "u3"
		shown("shop", true, "both are shown")
		delete(there, "more")
		shown("shop", true, "what was shown once may go")
		for _, c := range []struct {
			what, verb string
			err        error
		}{
			{"deleted", "delete", nil}, {"patched", "patch", nil}, {"no answer came", "create", errors.New("away")},
		} {
			o.note(write(c.verb, "deny"), "u2", c.err)
			<-time.After(lateFor - 1)
			shown("shop", false, c.what+", a moment ago")
			<-time.After(1)
			shown("shop", true, c.what+", a while ago")
		}
		o.note(write("create", "never"), "u4", nil)
		<-time.After(lateFor - 1)
		shown("shop", false, "made and never shown")
		<-time.After(1)
		shown("shop", true, "made and gone before it was shown")
		o.note(event.Write{Verb: "delete", Namespace: "next"}, "", nil)
		if len(o.by) != 1 {
			t.Errorf("%d namespaces are remembered, want one", len(o.by))
		}
	})
}
