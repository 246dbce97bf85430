package ingest

import (
	"strings"
	"testing"
)

// A line that is longer than an event may be gives, when a file is replayed,
// the event that the reader of files makes of it: its beginning says who did
// what.
func TestScanLargeAudit(t *testing.T) {
	large := `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"big","stage":"ResponseComplete",` +
		`"requestURI":"/api/v1/namespaces/shop/configmaps","verb":"create","user":{"username":"eve"},"objectRef":{"resource":"configmaps","namespace":"shop","name":"x"},` +
		`"responseStatus":{"code":201},"requestObject":{"data":"` + strings.Repeat("x", 3<<20) + `"},"requestReceivedTimestamp":"2026-01-02T03:04:05.000000Z"}`
	file := oneAudit + "\n" + large + "\n" + strings.Replace(oneAudit, `"1"`, `"2"`, 1) + "\n"
	counts, items := scanAll(t, "audit", "audit.log", []byte(file))
	if counts.Lines != 3 || counts.Begun != 3 || counts.Rejects != 0 || len(items) != 3 {
		t.Fatalf("%+v, %d items", counts, len(items))
	}
	e := items[1].Event
	if e == nil || e.Actor.User != "eve" || e.Verb != "create" || e.Object.Name != "x" || len(e.Cut) == 0 || items[1].Line != 2 {
		t.Fatalf("%+v", e)
	}
	live, ok := auditInput().cutAudit([]byte(large)[:maxAuditLine], Origin{})
	if !ok || live.ID != e.ID {
		t.Errorf("the reader of files gives it the id %s, replay %s", live.ID, e.ID)
	}
	// What is no audit event is rejected as before, and takes nothing along.
	counts, _ = scanAll(t, "audit", "audit.log", []byte(`{"x":"`+strings.Repeat("x", 3<<20)+"\"}\n"+oneAudit+"\n"))
	if counts.Rejects != 1 || counts.Begun != 1 {
		t.Errorf("%+v", counts)
	}
}
