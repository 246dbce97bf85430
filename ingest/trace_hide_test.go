package ingest

import (
	"encoding/json"
	"slices"
	"testing"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"

	"github.com/firebreak-io/firebreak/internal/event"
)

// What a client can make a program write, a line that looks like the beginning
// of a trace, must not hide the login or the request of the line after it.
func TestTraceHidesNoLoginOrRequest(t *testing.T) {
	const login = "Failed password for root from 192.0.2.9 port 4711 ssh2"
	const request = `192.0.2.9 - - [22/Nov/2026:07:30:01 +0000] "GET /../../etc/passwd HTTP/1.1" 200 5 "-" "curl/8"`
	for _, first := range []string{"no such file /srv/a.js:12", "thread 'x' panicked at x", "java.lang.FakeException: x"} {
		for want, second := range map[string]string{event.ClassLogin: login, event.ClassHTTP: request} {
			for _, second := range []string{second, "  " + second} {
				_, events := scanText(t, criAt(0, "stdout", "F", first)+criAt(1, "stdout", "F", second))
				if len(events) != 2 || second[0] != ' ' && events[1].Class != want {
					t.Errorf("files: %q after %q: %+v", second, first, events)
				}
				body, err := json.Marshal([]map[string]string{{"log": first, "stream": "stdout"}, {"log": second, "stream": "stdout"}})
				if err != nil {
					t.Fatal(err)
				}
				events, _ = decodeRecords(body, nil, Origin{})
				if len(events) != 2 || second[0] != ' ' && events[1].Class != want {
					t.Errorf("shipped: %q after %q: %+v", second, first, events)
				}
			}
		}
	}
}

// A record with attributes of its own is not swallowed by the one before it.
func TestTraceTakesNoRecordWithOtherAttributes(t *testing.T) {
	first, second := aRecord("java.lang.FakeException: x"), aRecord("  at evil")
	second.Attributes = append(slices.Clone(second.Attributes), attribute("client", "192.0.2.9"))
	for want, records := range map[int][]*common.KeyValue{2: second.Attributes, 1: first.Attributes} {
		second.Attributes = records
		data, err := proto.Marshal(exportOf(first, second))
		if err != nil {
			t.Fatal(err)
		}
		if events, _ := decodeOTLP(data, false, Origin{}); len(events) != want {
			t.Errorf("%d events, want %d", len(events), want)
		}
	}
}
