package ingest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/firebreak-io/firebreak/internal/event"
)

// auditOf is an audit event of a patch with the body, in the order of members
// that the API server writes.
func auditOf(id, body string) string {
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":%q,"stage":"ResponseComplete",`+
		`"requestURI":"/api/v1/namespaces/shop/pods/web","verb":"patch","user":{"username":"eve"},"sourceIPs":["10.0.0.1"],`+
		`"objectRef":{"resource":"pods","namespace":"shop","name":"web"},"responseStatus":{"code":200},"requestObject":%s,`+
		`"requestReceivedTimestamp":"2026-01-02T03:04:05Z"}`, id, body)
}

// Whoever sends a request writes its body, and must not hide by it what they
// asked for, nor what others did in the same batch.
func TestBodyOfARequestHidesNothing(t *testing.T) {
	nested := func(n int) string {
		return `{"spec":{"hostPID":true},"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}"
	}
	for name, c := range map[string]struct {
		body string
		gone bool // nothing of the body is left
		tag  string
	}{
		"a name twice":   {body: `{"spec":{"hostPID":false,"hostPID":true}}`, tag: TagDuplicate},
		"no UTF-8":       {body: "{\"spec\":{\"hostPID\":true},\"x\":\"\xff\"}"},
		"half a pair":    {body: `{"spec":{"hostPID":true},"x":"\ud800"}`},
		"deep":           {body: nested(70)},
		"very deep":      {body: nested(9_990)},
		"a long list":    {body: `{"spec":{"hostPID":true},"x":[` + strings.Repeat("1,", 12_000) + `1]}`},
		"a long text":    {body: `{"spec":{"hostPID":true},"x":"` + strings.Repeat("a", 2<<20) + `"}`},
		"escaped text":   {body: `{"spec":{"hostPID":true},"x":"` + strings.Repeat(`\u003c`, 400_000) + `"}`},
		"too many names": {body: `{"a":1` + manyNames(120_000) + `,"spec":{"hostPID":true}}`, gone: true},
	} {
		t.Run(name, func(t *testing.T) {
			batch := `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[` + auditOf("before", "{}") + "," + auditOf("evil", c.body) + "," + auditOf("after", "{}") + "]}"
			for form, decode := range map[string]func() ([]event.Event, []event.Rejected){
				"posted": func() ([]event.Event, []event.Rejected) { return decodeAudits([]byte(batch), Origin{}) },
				"a line": func() ([]event.Event, []event.Rejected) {
					var all []event.Event
					for _, id := range []string{"before", "evil", "after"} {
						body := map[bool]string{true: c.body, false: "{}"}[id == "evil"]
						events, rejects := auditInput().line([]byte(auditOf(id, body)), Origin{})
						if all = append(all, events...); len(rejects) > 0 {
							return nil, rejects
						}
					}
					return all, nil
				},
			} {
				events, rejects := decode()
				if len(events) != 3 || len(rejects) != 0 {
					t.Fatalf("%s: %d events, rejects %v", form, len(events), rejects)
				}
				e := events[1]
				if e.Actor.User != "eve" || e.Verb != "patch" || e.Object.Name != "web" || e.Fields["audit_id"] != "evil" {
					t.Errorf("%s: event is %+v", form, e)
				}
				request, _ := e.Fields["request"].(map[string]any)
				spec, _ := request["spec"].(map[string]any)
				if !slices.Contains(e.Cut, "fields.request") || (spec["hostPID"] == true) == c.gone {
					t.Errorf("%s: cut %v, request spec %v", form, e.Cut, spec)
				}
				if c.tag != "" && !slices.Contains(e.Tags, c.tag) {
					t.Errorf("%s: tags %v, want %s", form, e.Tags, c.tag)
				}
			}
		})
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"n%d":1`, i)
	}
	return b.String()
}

func TestLongPathOrProgramHidesNothing(t *testing.T) {
	long := strings.Repeat(`\u003c`, 200_000)
	plain := auditOf("a", "[]")
	for _, text := range []string{
		strings.Replace(plain, `"requestURI":"`, `"requestURI":"`+long, 1),
		strings.Replace(plain, `"verb"`, `"userAgent":"`+long+`","verb"`, 1),
		strings.Replace(plain, `"code":200`, `"code":422,"message":"`+long+`"`, 1),
	} {
		events, rejects := decodeAudits([]byte(text), Origin{})
		if len(events) != 1 || len(rejects) != 0 || events[0].Object.Name != "web" || slices.Contains(events[0].Cut, "fields.request") {
			t.Errorf("%d events, rejects %.300v", len(events), rejects)
		}
	}
}

// What the API server writes itself is read strictly.
func TestNothingButBodiesIsMended(t *testing.T) {
	for _, text := range []string{
		strings.Replace(auditOf("a", "{}"), `"verb":"patch"`, `"verb":"patch","verb":"get"`, 1),
		strings.Replace(auditOf("a", `{"x":1,"x":2}`), `"verb":"patch"`, `"verb":"patch","verb":"get"`, 1),
		strings.Replace(auditOf("a", `{"x":1,"x":2}`), `"username":"eve"`, `"username":"eve","username":"bob"`, 1),
		`{"requestObject":{"x":1,"x":2}}`,
		auditOf("a", `{"x":1,"x":`),
	} {
		if events, rejects := decodeAudits([]byte(text), Origin{}); len(events) != 0 || len(rejects) == 0 {
			t.Errorf("%.200s: %d events, %d rejects", text, len(events), len(rejects))
		}
	}
}

// An event that comes again has the same id, and another body gives another.
func TestMendedEventsKeepTheirIdentity(t *testing.T) {
	id := func(body string) string {
		events, _ := decodeAudits([]byte(auditOf("a", body)), Origin{})
		if len(events) != 1 {
			t.Fatalf("%d events", len(events))
		}
		return events[0].ID
	}
	one, two := id(`{"x":1,"x":2}`), id(`{"x":3,"x":2}`)
	if one != id(`{"x":1,"x":2}`) || one == two {
		t.Errorf("ids %s and %s", one, two)
	}
}

// The secrets of a body that was mended are taken out like all others.
func TestMendedBodiesAreRedacted(t *testing.T) {
	const canary = "c4n4ry-c4n4ry-c4n4ry"
	body := `{"kind":"Secret","data":{"a":"` + canary + `","a":"` + canary + `"},"x":{"env":[{"name":"DB_PASSWORD","value":"` + canary + `"}]}}`
	text := strings.Replace(auditOf("a", body), `"pods"`, `"secrets"`, 1)
	for _, text := range []string{text, auditOf("a", strings.Replace(body, `"kind":"Secret",`, "", 1))} {
		events, _ := decodeAudits([]byte(text), Origin{})
		if len(events) != 1 {
			t.Fatalf("%d events", len(events))
		}
		data, err := encode(&events[0])
		if err != nil || strings.Contains(string(data), `"value":"`+canary) || strings.Contains(text, `"Secret"`) && strings.Contains(string(data), canary) {
			t.Errorf("%v: %s", err, data)
		}
	}
}

// Of a line that is too long for the reader of files the beginning says who
// did what.
func TestCutLineOfAnAuditLog(t *testing.T) {
	text := auditOf("a", `{"spec":{"x":"`+strings.Repeat("a", 1000))
	text = text[:strings.LastIndex(text, "aaa")]
	e, ok := auditInput().cutAudit([]byte(text), Origin{})
	if !ok || e.Actor.User != "eve" || e.Object.Name != "web" || e.Fields["code"] != int64(200) || !slices.Contains(e.Cut, "fields.request") {
		t.Errorf("%v %+v", ok, e)
	}
	if e2, _ := auditInput().cutAudit([]byte(text), Origin{}); e2.ID != e.ID {
		t.Error("another id")
	}
	for _, text := range []string{"", "{", text[:200], "aaaa", `{"requestObject":{"a`} {
		if _, ok := auditInput().cutAudit([]byte(text), Origin{}); ok {
			t.Errorf("%q is an event", text)
		}
	}
}

func TestShallow(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":[[1]]}`:              `{"a":[[1]]}`,
		`{"a":[[[1],"]"]],"b":2}`:  `{"a":[[null,"]"]],"b":2}`,
		`[[[{"x":"]}\""},2],[3]]]`: `[[[null,2],[3]]]`,
		`[[[[[`:                    `[[[null`,
	} {
		if got := string(shallow([]byte(text), 3)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// A file that is replayed gives what was live.
func TestDeepBodyInAFile(t *testing.T) {
	text := auditOf("a", strings.Repeat("[", 100)+strings.Repeat("]", 100)) + "\n" + auditOf("b", "{}") + "\n"
	n := 0
	counts, err := Scan("audit", "x", iotest.HalfReader(bytes.NewReader([]byte(text))), Origin{}, func(Item) error { n++; return nil })
	if err != nil || counts.Events != 2 || counts.Rejects != 0 {
		t.Errorf("%+v, %v", counts, err)
	}
}

func FuzzMendAudit(f *testing.F) {
	f.Add([]byte(auditOf("a", `{"x":1,"x":[[]]}`)), false)
	f.Add([]byte(auditOf("a", `{"x":"`)), true)
	f.Add([]byte(`{"protoPayload":{"request":{"a":1,"a":2}}}`), false)
	f.Fuzz(func(t *testing.T, raw []byte, breaksOff bool) {
		m, ok := mendAudit(raw, breaksOff)
		again, _ := mendAudit(raw, breaksOff)
		if ok && (m.was != again.was || !bytes.Equal(m.raw, again.raw)) {
			t.Error("mended twice it is not the same")
		}
		_, _ = auditInput().cutAudit(raw, Origin{})
		_ = shallow(raw, 3)
	})
}
