package e2e

import (
	"slices"
	"testing"

	"github.com/firebreak-io/firebreak/respond/action"
)

// TestFenceOfAll: the admission policy of all actions at once, which a playbook
// of each would take, still keeps an administrator to what they make: what is
// protected stays so, and none of them opens what another needs shut.
func TestFenceOfAll(t *testing.T) {
	var names []string
	for _, k := range action.Kinds() {
		names = append(names, k.Name)
	}
	f := newFenced(t, names...)
	f.promote()
	made := f.made()
	deeds := slices.DeleteFunc(f.writes(), func(d deed) bool { return slices.Contains(made, d.method+" "+d.path) })
	f.all(t, deeds, "firebreak:")
}

// made are requests that some action makes, so that they are no test of the
// policy of all of them.
func (f *fenced) made() []string {
	pod, web := "/api/v1/namespaces/"+f.shop+"/pods/plain", "/apis/apps/v1/namespaces/"+f.shop+"/deployments/web"
	return []string{
		"DELETE " + pod, "POST " + pod + "/eviction", "POST " + pod + "/exec?command=sh",
		"PATCH " + web, "DELETE " + web,
	}
}
