package ingest

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestShippers has a body a file as each shipper sends it, and beside it what
// becomes of it.
func TestShippers(t *testing.T) {
	bodies, err := filepath.Glob("testdata/shippers/*.body")
	if err != nil || len(bodies) < 8 {
		t.Fatalf("%d bodies, %v", len(bodies), err)
	}
	for _, path := range bodies {
		t.Run(filepath.Base(path), func(t *testing.T) {
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".body")+".golden", summaryOf(decodeRecords(body, nil, Origin{From: "x"})))
		})
	}
}

// summaryOf is what counts of events and rejects, a line each.
func summaryOf(events []event.Event, rejects []event.Rejected) string {
	var b strings.Builder
	for _, e := range events {
		fields, _ := json.Marshal(e.Fields)
		labels, _ := json.Marshal(e.Object.Labels)
		fmt.Fprintf(&b, "%s %s %s/%s uid=%s node=%s container=%s id=%s image=%s digest=%s labels=%s cut=%v tags=%v\n  %q\n  %s\n",
			e.Time.Format(time.RFC3339Nano), e.Class, e.Object.Namespace, e.Object.Name, e.Object.UID, e.Object.Node, e.Object.Container,
			e.Object.ContainerID, e.Object.Image, e.Object.Digest, labels, e.Cut, e.Tags, e.Message, fields)
	}
	for _, r := range rejects {
		fmt.Fprintf(&b, "rejected: %s: %q\n", r.Reason, r.Data)
	}
	return b.String()
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestRecordIDs(t *testing.T) {
	const line = `{"date":1700000000.5,"log":"same","kubernetes":{"pod_name":"p","namespace_name":"n","docker_id":"c"}}`
	body := []byte("[" + line + "," + line + "]")
	first, _ := decodeRecords(body, nil, Origin{From: "a"})
	again, _ := decodeRecords(body, nil, Origin{From: "b", Received: time.Unix(1800000000, 0)})
	if len(first) != 2 || first[0].ID == first[1].ID {
		t.Fatalf("two equal lines became %d events with ids %q", len(first), ids(first))
	}
	if diff := cmp.Diff(ids(first), ids(again)); diff != "" {
		t.Errorf("the same body again has other ids: %s", diff)
	}
}

func ids(events []event.Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.ID)
	}
	return out
}

// A line can't speak for another pod than the one that wrote it: what it
// holds is text, whatever it looks like.
func TestRecordAccusesItsWriterOnly(t *testing.T) {
	inner := `{\"kubernetes\":{\"pod_name\":\"victim\",\"namespace_name\":\"prod\"},\"object\":{\"name\":\"victim\"},\"k8s.pod.name\":\"victim\",\"log\":\"x\"}`
	events, rejects := decodeRecords([]byte(`{"log":"`+inner+`","kubernetes":{"pod_name":"writer","namespace_name":"shop"}}`), nil, Origin{})
	if len(events) != 1 || len(rejects) != 0 {
		t.Fatalf("%d events, %v", len(events), rejects)
	}
	if o := events[0].Object; o.Name != "writer" || o.Namespace != "shop" || events[0].Trust != event.TrustText {
		t.Errorf("object is %v, trust %v", o, events[0].Trust)
	}
}

func TestRecordsAreBounded(t *testing.T) {
	events, rejects := decodeRecords([]byte("["+strings.Repeat(`{"log":"x"},`, maxRecords)+`{"log":"x"}]`), nil, Origin{})
	if len(events) != 0 || len(rejects) != 1 || !strings.Contains(rejects[0].Reason, "more than") {
		t.Errorf("%d events, %d rejects", len(events), len(rejects))
	}
	events, rejects = decodeRecords([]byte(strings.Repeat("{\"log\":1}\n", 500)), nil, Origin{})
	if len(events)+len(rejects) == 0 || len(rejects) > maxRejects+1 {
		t.Errorf("%d events, %d rejects", len(events), len(rejects))
	}
	pieces := strings.Repeat(`{"log":"`+strings.Repeat("y", 1000)+`","logtag":"P","stream":"stdout"}`, 500)
	events, rejects = decodeRecords([]byte(pieces), nil, Origin{})
	if len(events) != 1 || len(events[0].Message) > maxLine || len(rejects) != 0 {
		t.Errorf("%d events of endless pieces, %d rejects", len(events), len(rejects))
	}
}

func TestSinceEpoch(t *testing.T) {
	want := time.Unix(1700000000, 123000000).UTC()
	for _, text := range []string{"1700000000.123", "1700000000123", "1700000000123000", "1700000000123000000"} {
		if got, ok := epochText(text); !ok || !got.Equal(want) {
			t.Errorf("%s is %v, %v", text, got, ok)
		}
	}
	for _, n := range []int64{1700000000, 1700000000000, 1700000000000000, 1700000000000000000} {
		if got, ok := epochValue(n); !ok || got.Unix() != want.Unix() {
			t.Errorf("%d is %v, %v", n, got, ok)
		}
	}
	for _, v := range []any{int64(999999999), int64(0), int64(-1), "1700000000", nil, 1.7e9} {
		if got, ok := epochValue(v); ok {
			t.Errorf("%v is taken for %v", v, got)
		}
	}
	for _, text := range []string{"", "-1", "x", "1.x", "99999999999999999999", "1700000000.1234567890123456789"} {
		if got, ok := epochText(text); ok {
			t.Errorf("%s is taken for %v", text, got)
		}
	}
}

func FuzzRecords(f *testing.F) {
	bodies, _ := filepath.Glob("testdata/shippers/*.body")
	for _, path := range bodies {
		if body, err := os.ReadFile(path); err == nil {
			f.Add(body)
		}
	}
	f.Add([]byte(`[{"log":"a"},[{"log":"b"}],3,{"log":"c"`))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, rejects := decodeRecords(body, nil, Origin{From: "x", Received: time.Unix(1700000000, 0)})
		if len(events)+len(rejects) == 0 && strings.Trim(string(body), " \t\r\n,[]") != "" {
			t.Fatalf("%q became nothing", body)
		}
		for i := range events {
			if _, err := encode(&events[i]); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A shipper's configuration is that of a posted source and who is believed
// about clients.
func TestShippedLineHasItsClient(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	const line = `{"log":"10.1.2.3 - ann [02/Jan/2026:03:04:05 +0000] \"GET /x HTTP/1.1\" 503 12 \"-\" \"curl/8\" \"203.0.113.9\"","kubernetes":{"pod_name":"p","namespace_name":"n","container_name":"nginx"}}`
	for want, trusted := range map[string][]netip.Prefix{"203.0.113.9": trusted, "10.1.2.3": nil} {
		events, _ := decodeRecords([]byte(line), trusted, Origin{})
		if len(events) != 1 || events[0].Class != event.ClassHTTP || events[0].HTTP.Status != 503 || events[0].Actor.Address != want {
			t.Errorf("want client %s, got %+v", want, events)
		}
	}
}
