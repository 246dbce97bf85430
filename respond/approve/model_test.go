package approve

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// A verdict and an order are taken from who may, and nobody else: they decide
// what models find from then on.
func TestVerdictsAndOrders(t *testing.T) {
	r := newRig(t)
	verdict, pin := "/v1/findings/"+event.HashID("f")+"/verdict", "/v1/models/service-traffic/pin"
	for _, right := range []string{"ann create verdicts/", "ann update models/service-traffic", "pat get models/service-traffic", "rose list models/"} {
		r.cluster.may[right] = true
	}
	data, err := json.Marshal(event.Finding{ID: event.HashID("f")})
	if err == nil {
		_, err = r.bus.Create(t.Context(), bus.SubjectFinding(event.HashID("f")), data)
	}
	if err != nil {
		t.Fatal(err)
	}
	long := `{"why":"` + strings.Repeat("x", maxReason+1) + `"}`
	for name, c := range map[string]struct {
		path, token, body string
		status            int
		text              string
	}{
		"no token":                  {verdict, "", `{"true":true}`, 401, "bearer token"},
		"an unknown token":          {verdict, "stolen", `{"true":true}`, 401, "does not know"},
		"an unknown token orders":   {pin, "stolen", "{}", 401, "does not know"},
		"without the right":         {verdict, "token-bob", `{"true":true}`, 403, "bob may not create verdicts.firebreak.io"},
		"an order without":          {pin, "token-pat", "{}", 403, "pat may not update models.firebreak.io service-traffic"},
		"an order to another model": {"/v1/models/api-identity/pin", "token-ann", "{}", 403, "update models.firebreak.io api-identity"},
		"no finding":                {"/v1/findings/" + event.HashID("g") + "/verdict", "token-ann", `{"true":true}`, 404, "no such finding"},
		"no finding's id":           {"/v1/findings/x/verdict", "token-ann", `{"true":true}`, 400, "no id of a finding"},
		"neither":                   {verdict, "token-ann", `{}`, 400, "true or false"},
		"a word":                    {verdict, "token-ann", `{"true":"yes"}`, 400, "can't be read"},
		"somebody else":             {verdict, "token-ann", `{"true":true,"who":"root"}`, 400, "unknown field"},
		"an unknown order":          {"/v1/models/service-traffic/forget", "token-ann", "{}", 400, "pin, unpin, rollback, approve"},
		"a long reason":             {pin, "token-ann", long, 400, "over 1024 bytes"},
	} {
		if status, body := r.call("POST", c.path, c.token, c.body); status != c.status || !strings.Contains(body, c.text) {
			t.Errorf("%s: answered %d %s", name, status, body)
		}
	}
	if all := r.stored(); len(all) != 0 {
		t.Fatalf("stored is %+v", all)
	}
	for path, body := range map[string]string{verdict: `{"true":false,"why":"a drill"}`, pin: `{"why":"quarter's end"}`} {
		if status, answer := r.call("POST", path, "token-ann", body); status != http.StatusAccepted || !strings.Contains(answer, `"sequence"`) {
			t.Errorf("%s answered %d %s", path, status, answer)
		}
	}
	verbs := map[string]event.Event{}
	for _, e := range r.stored() {
		verbs[e.Verb] = e
	}
	if e := verbs[event.VerbVerdict]; e.Source != event.SourceControl || e.Fields["verdict"] != "false" || e.Fields["who"] != "ann" || e.Fields["why"] != "a drill" || e.Fields["finding"] != event.HashID("f") {
		t.Errorf("the verdict is stored as %+v", e)
	}
	if e := verbs[event.VerbModel]; e.Fields["model"] != "service-traffic" || e.Fields["do"] != "pin" || e.Fields["who"] != "ann" {
		t.Errorf("the order is stored as %+v", e)
	}
}

// An order to a model that there is not, or that changes nothing, is refused: who
// gives it has to know.
func TestOrdersInVain(t *testing.T) {
	r := newRig(t)
	data, err := json.Marshal(Models{Sequence: 7, Models: []event.ModelState{{Name: "free", Ready: true}, {Name: "held", Ready: true, Pinned: true}, {Name: "cold"}, {Name: "lost", Ready: true, Anew: &event.ModelAnew{Unpinned: true}}}})
	if err == nil {
		err = r.bus.Snapshots().Put(t.Context(), bus.SnapshotModels, data)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		model, do string
		status    int
		text      string
	}{
		{"fre", "pin", 404, `there is no model \"fre\"`},
		{"held", "pin", 409, "held is pinned already"},
		{"free", "unpin", 409, "free is not pinned"},
		{"free", "rollback", 409, "free is not pinned"},
		{"free", "pin", 202, "sequence"},
		{"free", "approve", 202, "sequence"},
		{"held", "rollback", 202, "sequence"},
		{"held", "unpin", 202, "sequence"},
		{"held", "approve", 202, "sequence"},
		{"cold", "pin", 409, "pinned now it would never find anything"},
		{"lost", "rollback", 409, "what it was pinned to can't be read"},
		{"lost", "unpin", 202, "sequence"},
		{"lost", "pin", 202, "sequence"},
	} {
		r.cluster.may["ann update models/"+c.model] = true
		if status, body := r.call("POST", "/v1/models/"+c.model+"/"+c.do, "token-ann", "{}"); status != c.status || !strings.Contains(body, c.text) {
			t.Errorf("%s %s: answered %d %s", c.do, c.model, status, body)
		}
	}
	if n := len(r.stored()); n != 7 {
		t.Errorf("%d orders are stored", n)
	}
}

// An order is judged by those before it, too, which detectors have not read yet.
func TestOrdersAtOnce(t *testing.T) {
	r := newRig(t)
	r.cluster.may["ann update models/held"], r.cluster.may["ann update models/lost"] = true, true
	said := func(all Models) {
		t.Helper()
		data, err := json.Marshal(all)
		if err == nil {
			err = r.bus.Snapshots().Put(t.Context(), bus.SnapshotModels, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	order := func(model string, want int, all ...string) {
		t.Helper()
		for _, do := range all {
			if status, body := r.call("POST", "/v1/models/"+model+"/"+do, "token-ann", "{}"); status != want {
				t.Errorf("%s %s: answered %d %s", do, model, status, body)
			}
		}
	}
	models := []event.ModelState{{Name: "held", Ready: true, Pinned: true}, {Name: "lost", Ready: true, Anew: &event.ModelAnew{Unpinned: true}}}
	said(Models{Models: models})
	order("held", 202, "unpin", "pin")
	order("held", 409, "pin")
	order("held", 202, "approve", "rollback", "unpin")
	order("held", 409, "unpin", "rollback")
	order("lost", 202, "unpin")
	order("lost", 409, "unpin")
	order("lost", 202, "pin", "rollback")
	// The detectors have read all of them: their word counts.
	said(Models{Sequence: 1000, Models: models})
	order("held", 409, "pin")
	order("held", 202, "unpin")
}

// Of orders that come at the same time the later one in the stream is kept.
func TestLaterOrderIsKept(t *testing.T) {
	d := Desk{Bus: newRig(t).bus}
	for _, o := range []ordered{{5, true}, {9, false}, {7, true}} {
		if err := d.noteOrdered(t.Context(), "m", o); err != nil {
			t.Fatal(err)
		}
	}
	if last, _, err := d.lastOrdered(t.Context(), "m"); err != nil || last != (ordered{9, false}) {
		t.Errorf("kept is %+v, %v", last, err)
	}
}

// How a model stands is what its detector said last.
func TestModelStates(t *testing.T) {
	r := newRig(t)
	r.cluster.may["pat get models/service-traffic"], r.cluster.may["pat get models/other"], r.cluster.may["rose list models/"] = true, true, true
	if status, body := r.call("GET", "/v1/models", "token-rose", ""); status != 200 || body != `{"sequence":0,"models":[]}`+"\n" {
		t.Errorf("before anything was said it is %d %s", status, body)
	}
	data, err := json.Marshal(Models{Sequence: 7, Models: []event.ModelState{{Name: "service-traffic", Missing: 12, MissingTime: time.Minute}}})
	if err == nil {
		err = r.bus.Snapshots().Put(t.Context(), bus.SnapshotModels, data)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, token string
		status      int
		text        string
	}{
		{"/v1/models", "token-bob", 403, "list models.firebreak.io"},
		{"/v1/models", "token-rose", 200, `"sequence":7`},
		{"/v1/models/service-traffic", "token-rose", 403, "get models.firebreak.io service-traffic"},
		{"/v1/models/service-traffic", "token-pat", 200, `"missing":12,"missing_time":60000000000`},
		{"/v1/models/other", "token-pat", 404, `there is no model \"other\"`},
		{"/v1/models/service-traffic", "", 401, "bearer token"},
	} {
		if status, body := r.call("GET", c.path, c.token, ""); status != c.status || !strings.Contains(body, c.text) {
			t.Errorf("%s as %s: answered %d %s", c.path, c.token, status, body)
		}
	}
}
