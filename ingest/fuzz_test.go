package ingest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fuzzDecode holds for any bytes: no panic, something comes out of all that is
// not an empty list, the same comes out twice, and no event is out of bounds.
func fuzzDecode(f *testing.F, kind string) {
	k, _ := Lookup(kind)
	for _, line := range linesOf(f, kind) {
		f.Add(line)
	}
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

// linesOf are the lines of a kind's own recordings, with the forms of managed
// clusters among them.
func linesOf(t testing.TB, kind string) [][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/" + kind + "/*.in")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings of %s: %v", kind, err)
	}
	var lines [][]byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, bytes.Split(bytes.TrimSpace(data), []byte("\n"))...)
	}
	return lines
}

// FuzzLogEntry: whatever Google's entry holds, its method and resource give a
// reference and a path, or it is refused.
func FuzzLogEntry(f *testing.F) {
	f.Add("io.k8s.core.v1.pods.exec.create", "core/v1/namespaces/a/pods/b/exec", int64(7))
	f.Add("io.k8s.v1", "//", int64(-1))
	f.Add(".v1..", "core/v1/namespaces", int64(1<<62))
	f.Fuzz(func(t *testing.T, method, resource string, code int64) {
		tree, _, err := fromLogEntry(map[string]any{"protoPayload": map[string]any{
			"serviceName": "k8s.io", "methodName": method, "resourceName": resource, "status": map[string]any{"code": code},
		}})
		if err == nil && !strings.HasPrefix(tree["requestURI"].(string), "/") {
			t.Errorf("%q of %q: the path is %q", method, resource, tree["requestURI"])
		}
	})
}

// FuzzFalcoText: a line is an alert with priority and message, Falco's own
// words, or neither.
func FuzzFalcoText(f *testing.F) {
	for _, line := range linesOf(f, "falco") {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		skip, found := falcoText(line, Origin{})
		if skip != 0 || found != nil && found.err == nil && (found.event.Priority == "" || found.event.Message == "") {
			t.Errorf("%q: skip %d, %+v", line, skip, found)
		}
		if found != nil && found.err == nil {
			checkEvent(t, &found.event)
		}
	})
}

// FuzzInflate: what comes out is within its room.
func FuzzInflate(f *testing.F) {
	f.Add(zipped([]byte(oneAudit)))
	f.Add(zipped(make([]byte, 1<<20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		room := int64(1 << 20)
		text, err := inflate(data, &room)
		if err == nil && (len(text) > 1<<20 || room < 1) {
			t.Errorf("%d bytes, room for %d is left", len(text), room)
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
