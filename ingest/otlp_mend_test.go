package ingest

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// What one container writes must not make the lines of others unreadable that
// come in the same request.
func TestOTLPTextThatIsNone(t *testing.T) {
	request := exportOf(aRecord("before"), aRecord("no @@ text"), aRecord("after"))
	raw, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := protojson.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data   []byte
		isJSON bool
		want   string
	}{
		"protobuf":             {bytes.ReplaceAll(raw, []byte("@@"), []byte("\xff\xfe")), false, `no \xff\xfe text`},
		"JSON":                 {bytes.ReplaceAll(asJSON, []byte("@@"), []byte("\xff")), true, `no \xff text`},
		"JSON, half of a pair": {bytes.ReplaceAll(asJSON, []byte("@@"), []byte(`\ud800`)), true, "no \ufffd text"},
	} {
		t.Run(name, func(t *testing.T) {
			events, rejects := decodeOTLP(c.data, c.isJSON, Origin{})
			if len(events) != 3 || len(rejects) != 0 {
				t.Fatalf("%d events, rejects %v", len(events), rejects)
			}
			if got := events[1]; got.Message != c.want || got.Object.Name != "web-1" || events[0].ID == got.ID {
				t.Errorf("%q of %s, want %q", got.Message, got.Object.Name, c.want)
			}
			if again, _ := decodeOTLP(slices.Clone(c.data), c.isJSON, Origin{}); again[1].ID != events[1].ID {
				t.Error("sent again it has another id")
			}
		})
	}
}

func TestOTLPWithoutRepair(t *testing.T) {
	for name, c := range map[string]struct {
		data   string
		isJSON bool
	}{
		"protobuf":      {"\x0a\x05\xff", false},
		"a name twice":  {"{\"resourceLogs\":[],\"resourceLogs\":[],\"x\":\"\xff\"}", true},
		"nested":        {strings.Repeat("\x0a\x7f", 100), false},
		"no such field": {`{"resourceLogs":3}`, true},
	} {
		if events, rejects := decodeOTLP([]byte(c.data), c.isJSON, Origin{}); len(events) != 0 || len(rejects) != 1 {
			t.Errorf("%s: %d events, rejects %v", name, len(events), rejects)
		}
	}
}
