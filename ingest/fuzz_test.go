package ingest

import (
	"strings"
	"testing"
)

// fuzzDecode holds for any bytes: no panic, something comes out of all that is
// not an empty list, the same comes out twice, and no event is out of bounds.
func fuzzDecode(f *testing.F, kind string) {
	k, _ := Lookup(kind)
	for _, seed := range []string{
		oneAlert, oneAudit, "", "[]", "{}", "null", "[" + oneAlert + ",{}]", `{"items":[` + oneAudit + `]}`, `{"rule":"r","time":{"seconds":1,"nanos":2}}`,
		`{"rule":"r","output_fields":{"a":18446744073709551616,"b":null,"c":{"d":[1.5]}}}`, `{"rule":"r","rule":"s"}`, strings.Repeat("[", 100),
		`{"kind":"Event","verb":"create","objectRef":{"resource":"secrets"},"requestObject":{"data":{"a":"b"}}}`,
		`{"category":"kube-audit","properties":{"log":"{}"}}`, "{\"rule\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		events, rejects := k.Decode(data, Origin{From: "fuzz"})
		for i := range events {
			checkEvent(t, &events[i])
		}
		for _, r := range rejects {
			if r.Reason == "" || r.From != "fuzz" || r.Source != k.Source {
				t.Errorf("reject %+v", r)
			}
		}
		again, same := k.Decode(data, Origin{From: "fuzz"})
		if len(again) != len(events) || len(same) != len(rejects) || len(events) > 0 && again[0].ID != events[0].ID {
			t.Error("not the same twice")
		}
	})
}

func FuzzFalco(f *testing.F) { fuzzDecode(f, "falco") }

func FuzzAudit(f *testing.F) { fuzzDecode(f, "audit") }

func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		oneAlert + "\n" + oneAudit, "[\n" + oneAlert + ",\n" + oneAlert + "\n]", "{\n\"rule\":\n\"r\"}\n\nx\n", "{\"rule\":\n{\"rule\":\"r\"}\n",
		"2026-01-02T03:04:05Z stdout P a\n2026-01-02T03:04:05Z stderr P a\n\nx", `{"log":"a"}` + "\n" + `{"log":"b\n"}`, "\xef\xbb\xbf\r\n,[{}",
	} {
		for kind := range byte(3) {
			f.Add(kind, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		name := []string{"falco", "audit", "log"}[kind%3]
		counts, items := scanAll(t, name, "f", data)
		checkScan(t, "f", data, counts, items)
	})
}

func FuzzRedact(f *testing.F) {
	for _, secret := range canaries() {
		f.Add(secret)
	}
	f.Fuzz(func(t *testing.T, s string) {
		clean := redactText(s)
		if len(clean) > 16*len(s)+64 {
			t.Errorf("%d bytes became %d", len(s), len(clean))
		}
		dropBodies(s, bodies)
		redactQuery(s)
		redactArgs([]any{s, s, s})
	})
}
