package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // the compressor that exporters use
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/firebreak-io/firebreak/ingest/credential"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

func textValue(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
}

func attribute(name, value string) *common.KeyValue {
	return &common.KeyValue{Key: name, Value: textValue(value)}
}

func exportOf(records ...*logs.LogRecord) *collector.ExportLogsServiceRequest {
	return &collector.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{
		Resource: &resource.Resource{Attributes: []*common.KeyValue{
			attribute("k8s.namespace.name", "shop"), attribute("k8s.pod.name", "web-1"), attribute("k8s.pod.uid", "u-1"),
			attribute("k8s.container.name", "web"), attribute("container.id", "cccc"), attribute("service.name", "web"),
		}},
		ScopeLogs: []*logs.ScopeLogs{{LogRecords: records}},
	}}}
}

func aRecord(text string) *logs.LogRecord {
	return &logs.LogRecord{
		TimeUnixNano: 1767323045000000007, SeverityNumber: logs.SeverityNumber_SEVERITY_NUMBER_ERROR2, Body: textValue(text),
		Attributes: []*common.KeyValue{attribute("log.iostream", "stderr"), attribute("k8s.pod.name", "victim")},
		TraceId:    []byte("0123456789abcdef"), SpanId: []byte("01234567"),
	}
}

func TestOTLPRecord(t *testing.T) {
	data, err := proto.Marshal(exportOf(aRecord("broke"), aRecord("broke")))
	if err != nil {
		t.Fatal(err)
	}
	events, rejects := decodeOTLP(data, false, Origin{From: "x"})
	if len(events) != 2 || len(rejects) != 0 {
		t.Fatalf("%d events, %v", len(events), rejects)
	}
	if events[0].ID == events[1].ID {
		t.Error("two equal records have one id")
	}
	want := "2026-01-02T03:04:05.000000007Z log.error shop/web-1 uid=u-1 node= container=web id=cccc image= digest= labels=null cut=[] tags=[]\n" +
		"  \"broke\"\n" +
		`  {"k8s.pod.name":"victim","level":"error","log.iostream":"stderr","service.name":"web",` +
		`"span_id":"3031323334353637","stream":"stderr","trace_id":"30313233343536373839616263646566"}` + "\n"
	if diff := cmp.Diff(want, summaryOf(events[:1], nil)); diff != "" {
		t.Error(diff)
	}
}

// The JSON of OTLP has ids in hex and numbers as texts.
func TestOTLPJSON(t *testing.T) {
	const body = `{"resourceLogs":[{"resource":{"attributes":[{"key":"k8s.pod.name","value":{"stringValue":"p"}},{"key":"k8s.namespace.name","value":{"stringValue":"n"}}]},
	"scopeLogs":[{"scope":{"name":"x"},"logRecords":[{"timeUnixNano":"1767323045000000007","severityNumber":9,"severityText":"Info",
	"body":{"kvlistValue":{"values":[{"key":"msg","value":{"stringValue":"hello"}},{"key":"n","value":{"intValue":"9007199254740993"}},{"key":"d","value":{"doubleValue":0.5}},{"key":"l","value":{"arrayValue":{"values":[{"boolValue":true},{}]}}}]}},
	"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","unknown":{"a":[1]}}]}]}]}`
	events, rejects := decodeOTLP([]byte(body), true, Origin{})
	if len(events) != 1 || len(rejects) != 0 {
		t.Fatalf("%d events, %v", len(events), rejects)
	}
	e := events[0]
	if e.Fields["trace_id"] != "5b8efff798038103d269b633813fc60c" || e.Fields["span_id"] != "eee19b7ec3c1b174" {
		t.Errorf("ids are %v, %v", e.Fields["trace_id"], e.Fields["span_id"])
	}
	if e.Fields["n"] != int64(9007199254740993) || e.Fields["d"] != 0.5 || e.Object.Name != "p" || e.Time.Nanosecond() != 7 {
		t.Errorf("event is %+v", e)
	}
}

func TestOTLPRefuses(t *testing.T) {
	deep := textValue("x")
	for range 10_000 {
		deep = &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: []*common.AnyValue{deep}}}}
	}
	nested, err := proto.Marshal(exportOf(&logs.LogRecord{Body: deep}))
	if err != nil {
		t.Fatal(err)
	}
	twice, _ := proto.Marshal(exportOf(&logs.LogRecord{Body: textValue("x"), Attributes: []*common.KeyValue{attribute("a", "1"), attribute("a", "2")}}))
	empty, _ := proto.Marshal(exportOf(&logs.LogRecord{}))
	for name, c := range map[string]struct {
		data   []byte
		isJSON bool
		reason string
	}{
		"nested":       {nested, false, "nested too deep"},
		"no protobuf":  {[]byte("{}xx"), false, "malformed OTLP"},
		"twice":        {twice, false, "duplicate name"},
		"empty record": {empty, false, "neither a body nor attributes"},
		"nested JSON":  {[]byte(strings.Repeat(`{"a":`, 10_000)), true, "nested deeper"},
		"other JSON":   {[]byte(`{"resourceLogs":7}`), true, "malformed OTLP"},
	} {
		events, rejects := decodeOTLP(c.data, c.isJSON, Origin{})
		if len(events) != 0 || len(rejects) != 1 || !strings.Contains(rejects[0].Reason, c.reason) {
			t.Errorf("%s: %d events, %+v", name, len(events), rejects)
		}
	}
}

// TestOTLPClients posts with the real client of gRPC, and as an exporter does
// over HTTP.
func TestOTLPClients(t *testing.T) {
	server, store := otlpServer(t)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	conn, err := grpc.NewClient(strings.TrimPrefix(server.URL, "https://"),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := collector.NewLogsServiceClient(conn)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+testToken)
	t.Run("stored", func(t *testing.T) {
		for _, options := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}} {
			before := len(store.events())
			response, err := client.Export(ctx, exportOf(aRecord("by gRPC")), options...)
			if err != nil || response.GetPartialSuccess().GetRejectedLogRecords() != 0 || len(store.events()) != before+1 {
				t.Errorf("%v, %v, %d events more", response, err, len(store.events())-before)
			}
		}
	})
	t.Run("partial", func(t *testing.T) {
		response, err := client.Export(ctx, exportOf(aRecord("good"), &logs.LogRecord{}))
		if err != nil || response.GetPartialSuccess().GetRejectedLogRecords() != 1 {
			t.Errorf("%v, %v", response, err)
		}
	})
	t.Run("codes", func(t *testing.T) {
		if _, err := client.Export(t.Context(), exportOf(aRecord("x"))); status.Code(err) != codes.Unauthenticated {
			t.Errorf("without a token: %v", err)
		}
		if _, err := client.Export(ctx, exportOf(&logs.LogRecord{})); status.Code(err) != codes.InvalidArgument {
			t.Errorf("nothing to read: %v", err)
		}
		store.fail(context.DeadlineExceeded)
		defer store.fail(nil)
		if _, err := client.Export(ctx, exportOf(aRecord("x"))); status.Code(err) != codes.Unavailable {
			t.Errorf("store is down: %v", err)
		}
	})
	t.Run("http", func(t *testing.T) {
		data, _ := proto.Marshal(exportOf(aRecord("by HTTP")))
		code, body, kind := postOTLP(t, server, typeProto, data)
		response := &collector.ExportLogsServiceResponse{}
		if err := proto.Unmarshal(body, response); code != 200 || kind != typeProto || err != nil {
			t.Errorf("%d %s %v", code, kind, err)
		}
		if code, body, kind := postOTLP(t, server, "application/json", []byte(`{"resourceLogs":7}`)); code != 400 || kind != "application/json" || !bytes.Contains(body, []byte(`"code":3`)) {
			t.Errorf("%d %s %s", code, kind, body)
		}
	})
}

func otlpServer(t *testing.T) (*httptest.Server, *fakeStore) {
	t.Helper()
	store := &fakeStore{}
	dir := t.TempDir()
	writeFile(t, dir+"/token", testToken)
	source, err := Open("otlp", Deps{Sink: direct{store}, Store: store, Metrics: newTally(), Dir: dir},
		&ShipperConfig{HTTPConfig: HTTPConfig{Config: credential.Config{Token: conf.SecretFile{Path: "token"}}, MaxBody: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewHandler(HTTPOptions{Endpoints: source.Endpoints, Sink: direct{store}, Store: store, Metrics: newTally()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, store
}

func postOTLP(t *testing.T, server *httptest.Server, kind string, data []byte) (int, []byte, string) {
	t.Helper()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(data)
	_ = z.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/logs", &zipped)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("Authorization", "Bearer "+testToken)
	response, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body, response.Header.Get("Content-Type")
}

func frame(flag byte, data []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(data))), data...)
}

func TestUnframe(t *testing.T) {
	if got, err := unframe(frame(0, []byte("abc")), "", 10); err != nil || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := unframe(frame(1, zipped([]byte("abc"))), "gzip", 10); err != nil || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
	for name, c := range map[string]struct {
		body     []byte
		encoding string
	}{
		"short":        {[]byte{0, 0}, ""},
		"two frames":   {append(frame(0, []byte("a")), frame(0, []byte("b"))...), ""},
		"snappy":       {frame(1, []byte("abc")), "snappy"},
		"flag":         {frame(7, []byte("abc")), "gzip"},
		"no gzip":      {frame(1, []byte("abc")), "gzip"},
		"bomb":         {frame(1, zipped(make([]byte, 10<<20))), "gzip"},
		"long by some": {frame(1, zipped([]byte("abcdefghijk"))), "gzip"},
	} {
		if _, err := unframe(c.body, c.encoding, 10); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func FuzzOTLP(f *testing.F) {
	data, err := proto.Marshal(exportOf(aRecord("x"), &logs.LogRecord{}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, false)
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}`), true)
	f.Fuzz(func(t *testing.T, data []byte, isJSON bool) {
		events, _ := decodeOTLP(data, isJSON, Origin{From: "x", Received: time.Unix(1700000000, 0)})
		for i := range events {
			if events[i].Trust != event.TrustText {
				t.Fatalf("trust %v", events[i].Trust)
			}
			if _, err := encode(&events[i]); err != nil {
				t.Fatal(err)
			}
		}
	})
}
