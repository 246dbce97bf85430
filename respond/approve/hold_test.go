package approve

import (
	"net/http"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// TestFreeOfALostRun: who may list sees the holds without a record, and who may
// undo has them put back; not what is on record, broken, or of other namespaces.
func TestFreeOfALostRun(t *testing.T) {
	r := newRig(t)
	lost, broken, away := event.HashID("lost"), event.HashID("broken"), event.HashID("away")
	list := `[{"run":"` + lost + `","step":"isolate","action":"pod.quarantine","object":{"resource":"pods","namespace":"shop","name":"web"}},
		{"run":"` + r.run.Run.ID + `","step":"isolate","object":{"resource":"pods","namespace":"shop","name":"api"}},
		{"run":"` + broken + `","step":"isolate","broken":"record 7 can't be read","object":{"resource":"pods","namespace":"shop","name":"db"}},
		{"run":"` + away + `","step":"isolate","object":{"resource":"pods","namespace":"bank","name":"web"}}]`
	status, body := r.call(http.MethodGet, "/v1/holds", "token-ann", "")
	if status != http.StatusOK || strings.TrimSpace(body) != "[]" {
		t.Errorf("none are listed as %d %s", status, body)
	}
	if _, err := r.bus.Control().Put(t.Context(), "unclaimed", []byte(list)); err != nil {
		t.Fatal(err)
	}
	r.cluster.may["ann undo playbooks/ shop"] = true
	for _, c := range []struct {
		method, path, token string
		status              int
		want                string
	}{
		{http.MethodGet, "", "token-ann", http.StatusOK, `"name":"web"`},
		{http.MethodGet, "", "token-bob", http.StatusForbidden, "list runs"},
		{http.MethodPost, "/" + lost + "/free", "token-bob", http.StatusForbidden, "undo playbooks"},
		{http.MethodPost, "/" + away + "/free", "token-ann", http.StatusForbidden, "namespace bank"},
		{http.MethodPost, "/" + broken + "/free", "token-ann", http.StatusConflict, "by hand"},
		{http.MethodPost, "/" + r.run.Run.ID + "/free", "token-ann", http.StatusConflict, "it is awaiting_approval: undo it"},
		{http.MethodPost, "/" + event.HashID("none") + "/free", "token-ann", http.StatusNotFound, "no hold"},
		{http.MethodPost, "/x/free", "token-ann", http.StatusNotFound, "no hold"},
		{http.MethodPost, "/" + lost + "/free", "token-ann", http.StatusAccepted, lost},
	} {
		if status, body := r.call(c.method, "/v1/holds"+c.path, c.token, map[string]string{http.MethodPost: `{"reason":"gone"}`}[c.method]); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s as %s: %d %s", c.method, c.path, c.token, status, body)
		}
	}
	m, err := r.bus.Last(t.Context(), bus.SubjectInput(lost))
	if err != nil || !strings.Contains(string(m.Data), `"kind":"free","user":"ann","reason":"gone"`) {
		t.Errorf("stored is %s (%v)", m.Data, err)
	}
	if all, err := respond.NewControl(r.bus, event.ModeAct).Unclaimed(t.Context()); err != nil || len(all) != 4 {
		t.Errorf("%d are there (%v)", len(all), err)
	}

	one := `{"run":"` + lost + `","step":"isolate","object":{"resource":"pods","namespace":"shop","name":"web"}}`
	if _, err := r.bus.Control().Put(t.Context(), "unclaimed", []byte("["+strings.Repeat(one+",", respond.MaxUnclaimed-1)+one+"]")); err != nil {
		t.Fatal(err)
	}
	if status, body := r.call(http.MethodPost, "/v1/holds/"+lost+"/free", "token-ann", `{}`); status != http.StatusForbidden {
		t.Errorf("with more than are shown: %d %s", status, body)
	}
	r.cluster.may["ann undo playbooks/"] = true
	if status, body := r.call(http.MethodPost, "/v1/holds/"+lost+"/free", "token-ann", `{}`); status != http.StatusAccepted {
		t.Errorf("with the right everywhere: %d %s", status, body)
	}
}
