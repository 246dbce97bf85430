package approve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
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
	r.held(list, 0)
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

	r.held(`[{"run":"`+lost+`","step":"isolate","object":{"resource":"pods","namespace":"shop","name":"web"}}]`, 1)
	if status, body := r.call(http.MethodPost, "/v1/holds/"+lost+"/free", "token-ann", `{}`); status != http.StatusForbidden {
		t.Errorf("with more than are shown: %d %s", status, body)
	}
	r.cluster.may["ann undo playbooks/"] = true
	if status, body := r.call(http.MethodPost, "/v1/holds/"+lost+"/free", "token-ann", `{}`); status != http.StatusAccepted {
		t.Errorf("with the right everywhere: %d %s", status, body)
	}
}

// held stores a list of holds without a record, and how many more there are.
func (r *rig) held(list string, more int) {
	r.t.Helper()
	if err := r.bus.Snapshots().Put(r.t.Context(), "unclaimed", fmt.Appendf(nil, `{"holds":%s,"more":%d}`, list, more)); err != nil {
		r.t.Fatal(err)
	}
}

// TestManyLostHolds: of hundreds of holds without a record all are seen, a page after
// the other, those of a namespace by who may list there; and one is seen and freed by
// who may in its own namespace alone.
func TestManyLostHolds(t *testing.T) {
	r := newRig(t)
	var all respond.Unclaimeds
	for i := range 250 {
		u := respond.Unclaimed{Run: fmt.Sprintf("%032x", i/2), Step: fmt.Sprint("isolate.", i%2), Object: event.PodRef(fmt.Sprint("ns", i/2%5), fmt.Sprint("p", i))}
		if i/2 == 7 && i%2 == 1 {
			u.Object = event.NodeRef("worker")
		}
		all.Holds = append(all.Holds, u)
	}
	list, err := json.Marshal(all.Holds)
	if err != nil {
		t.Fatal(err)
	}
	r.held(string(list), 0)
	for _, right := range []string{"dave list runs/ ns3", "dave get runs/ ns3", "dave undo playbooks/ ns3", "dave get runs/ ns2", "dave undo playbooks/ ns2"} {
		r.cluster.may[right] = true
	}
	r.cluster.users["token-dave"] = kube.User{Name: "dave"}
	for query, want := range map[string]int{"": 250, "limit=100": 250, "limit=1": 250, "limit=125": 250, "namespace=ns3&limit=7": 50, "prefix=" + all.Holds[40].Run: 2, "prefix=f": 0} {
		token := "token-ann"
		if strings.Contains(query, "namespace") {
			token = "token-dave"
		}
		seen, pages := r.pages("/v1/holds?"+query, token)
		if len(seen) != want || len(seen) > 0 && len(seen) != len(slices.Compact(slices.Clone(seen))) {
			t.Errorf("%s: %d are seen on %d pages, want %d", query, len(seen), pages, want)
		}
	}
	own, other, node := all.Holds[6].Run, all.Holds[2].Run, all.Holds[14].Run
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{http.MethodGet, "", http.StatusForbidden, "list runs"},
		{http.MethodGet, "?namespace=ns1", http.StatusForbidden, "in namespace ns1"},
		{http.MethodGet, "?after=!", http.StatusBadRequest, "the page before"},
		{http.MethodGet, "?namespace=ns3&limit=x", http.StatusBadRequest, "no whole number"},
		{http.MethodGet, "/" + own, http.StatusOK, `"isolate.1"`},
		{http.MethodGet, "/" + other, http.StatusForbidden, "get runs.firebreak.io in namespace ns1"},
		{http.MethodGet, "/" + node, http.StatusForbidden, "get runs.firebreak.io"},
		{http.MethodGet, "/" + event.HashID("none"), http.StatusNotFound, "no hold"},
		{http.MethodPost, "/" + own + "/free", http.StatusAccepted, own},
		{http.MethodPost, "/" + other + "/free", http.StatusForbidden, "undo playbooks.firebreak.io in namespace ns1"},
		{http.MethodPost, "/" + node + "/free", http.StatusForbidden, "undo playbooks.firebreak.io"},
	} {
		token := "token-dave"
		if strings.Contains(c.path, "after") {
			token = "token-ann"
		}
		if status, body := r.call(c.method, "/v1/holds"+c.path, token, map[string]string{http.MethodPost: `{}`}[c.method]); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
	}
}

// pages reads a list to its end, and says of how many pages it was.
func (r *rig) pages(path, token string) (seen []string, n int) {
	r.t.Helper()
	for next := ""; n < 1000; n++ {
		req := httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, path+"&after="+next, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		r.api.ServeHTTP(w, req)
		var list []respond.Unclaimed
		if err := json.Unmarshal(w.Body.Bytes(), &list); w.Code != http.StatusOK || err != nil {
			r.t.Fatalf("%s: %d %s (%v)", path, w.Code, w.Body, err)
		}
		for _, u := range list {
			seen = append(seen, u.Place())
		}
		if next = w.Header().Get(NextHeader); next == "" {
			return seen, n + 1
		}
	}
	r.t.Fatal("the list has no end")
	return nil, n
}
