package ingest

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name:   "otlp",
		Doc:    "Logs by the OpenTelemetry protocol (OTLP): over HTTP at /v1/logs, protobuf or JSON, and over gRPC at the same address.",
		Source: event.SourceLog,
		Config: func() any { return &ShipperConfig{HTTPConfig: HTTPConfig{MaxBody: 4 << 20}} },
		Decode: func(data []byte, o Origin) ([]event.Event, []event.Rejected) { return decodeOTLP(data, true, o) },
		Open:   openOTLP,
	})
}

// Content types of protobuf, over HTTP and over gRPC.
const (
	typeProto     = "application/x-protobuf"
	typeGRPC      = "application/grpc"
	typeGRPCProto = "application/grpc+proto"
)

// openOTLP opens both transports
// (https://opentelemetry.io/docs/specs/otlp/), which share the credential and
// all bounds: a call over gRPC is a POST too. gRPC needs HTTP/2.
func openOTLP(d Deps, config any) (Source, error) {
	posted, err := openPosted(d, config, Endpoint{
		Name: "otlp", Source: event.SourceLog, Paths: []string{"/v1/logs"}, Types: []string{typeProto}, Answer: answerOTLP,
	}, nil)
	if err != nil {
		return Source{}, err
	}
	trusted := config.(*ShipperConfig).TrustedProxies
	posted.Endpoints[0].Decode = func(req *http.Request, body []byte, o Origin, g func([]event.Event) error) ([]event.Rejected, error) {
		return otlpTo(body, !isProto(req.Header), trusted, o, g)
	}
	grpc := posted.Endpoints[0]
	grpc.Name, grpc.Paths = "otlp-grpc", []string{"/opentelemetry.proto.collector.logs.v1.LogsService/Export"}
	grpc.Types, grpc.Answer = []string{typeGRPC, typeGRPCProto}, answerGRPC
	grpc.Decode = decodeGRPC(grpc.MaxBody, trusted)
	posted.Endpoints = append(posted.Endpoints, grpc)
	return posted, nil
}

func isProto(h http.Header) bool {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return kind == typeProto
}

func decodeOTLP(data []byte, isJSON bool, o Origin) ([]event.Event, []event.Rejected) {
	return collect(func(g give) ([]event.Rejected, error) { return otlpTo(data, isJSON, nil, o, g) })
}

// otlpTo makes events of one ExportLogsServiceRequest. The container is
// what the resource says (k8s.pod.name, k8s.pod.uid, container.id, …), or the
// path of the file in log.file.path. A body that is no text is written as
// JSON. Attributes become fields, and so do trace_id and span_id.
//
// The id is over the resource and the record; records of a request that are
// the same in all are told apart by their order.
func otlpTo(data []byte, isJSON bool, trusted []netip.Prefix, o Origin, g give) ([]event.Rejected, error) {
	request, err := parseOTLP(data, isJSON)
	if err == nil && countRecords(request) > maxRecords {
		err = errRecords
	}
	if err != nil {
		return []event.Rejected{reject(event.SourceLog, o.From, err.Error(), data)}, errWhole(err.Error())
	}
	d := otlpDecoder{shipped: newShipped(o, trusted, g), isJSON: isJSON}
	for _, r := range request.ResourceLogs {
		d.resource(r)
	}
	err = d.flush()
	return d.rejected(), err
}

func parseOTLP(data []byte, isJSON bool) (*collector.ExportLogsServiceRequest, error) {
	request := &collector.ExportLogsServiceRequest{}
	if !isJSON {
		o := proto.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxDepth}
		err := o.Unmarshal(data, request)
		if err != nil {
			data, err = mendProto(request.ProtoReflect().Descriptor(), data, 0)
			if err == nil {
				err = o.Unmarshal(data, request)
			}
		}
		if err != nil {
			return nil, errors.New("malformed OTLP: not an ExportLogsServiceRequest in protobuf, or one nested too deep")
		}
		return request, nil
	}
	if err := wellFormed(data, maxDepth); err != nil {
		return nil, err
	}
	o := protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: 4 * maxDepth}
	err := o.Unmarshal(data, request)
	if err != nil {
		if data, err = mendJSON(data); err == nil {
			err = o.Unmarshal(data, request)
		}
	}
	if err != nil {
		return nil, errors.New("malformed OTLP: not an ExportLogsServiceRequest in JSON")
	}
	return request, nil
}

func countRecords(request *collector.ExportLogsServiceRequest) int {
	n := 0
	for _, r := range request.ResourceLogs {
		for _, s := range r.GetScopeLogs() {
			n += len(s.GetLogRecords())
		}
	}
	return n
}

// otlpDecoder makes events of the records of one request.
type otlpDecoder struct {
	shipped
	isJSON  bool
	rejects []event.Rejected
	more    int
}

func (d *otlpDecoder) rejected() []event.Rejected {
	if d.more > 0 {
		d.rejects = append(d.rejects, reject(event.SourceLog, d.origin.From, fmt.Sprintf("and %d more of the same body", d.more), nil))
	}
	return d.rejects
}

func (d *otlpDecoder) refuse(record *logs.LogRecord, err error) {
	if len(d.rejects) >= maxRejects {
		d.more++
		return
	}
	text, _ := protojson.Marshal(record) // what can't be written is still counted, with its reason
	d.rejects = append(d.rejects, reject(event.SourceLog, d.origin.From, err.Error(), text))
}

func (d *otlpDecoder) resource(r *logs.ResourceLogs) {
	attributes, fault := attributesOf(r.GetResource().GetAttributes())
	digest, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.GetResource())
	fault = errors.Join(fault, err)
	base := shippedObject(attributes)
	service, _ := attributes["service.name"].(string)
	for _, scope := range r.GetScopeLogs() {
		for _, record := range scope.GetLogRecords() {
			l, err := d.record(record, base, string(digest))
			if err = errors.Join(fault, err); err != nil {
				d.refuse(record, err)
				continue
			}
			if service != "" {
				l.extra["service.name"] = service
			}
			d.add(l)
		}
	}
}

func (d *otlpDecoder) record(r *logs.LogRecord, object event.Ref, resource string) (shippedLine, error) {
	attributes, err := attributesOf(r.GetAttributes())
	if err != nil {
		return shippedLine{}, err
	}
	canonical, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return shippedLine{}, fmt.Errorf("record: %w", err)
	}
	if object.Name == "" {
		if from := shippedObject(map[string]any{"file": attributes["log.file.path"]}); from.Name != "" {
			object = from
		}
	}
	l := shippedLine{
		object: object, stream: clip(textAt(attributes, "log.iostream"), 16), level: severityOf(r),
		extra: attributes, id: event.HashID(string(event.SourceLog), resource, string(canonical)),
	}
	if l.text, err = bodyText(r.GetBody()); err != nil {
		return shippedLine{}, err
	}
	if len(l.text) == 0 && len(attributes) == 0 {
		return shippedLine{}, errors.New("record has neither a body nor attributes")
	}
	for _, nanos := range []uint64{r.GetTimeUnixNano(), r.GetObservedTimeUnixNano()} {
		if t, ok := saneTime(time.Unix(0, int64(min(nanos, 1<<63-1)))); ok && nanos > 0 {
			l.time, l.stamp = t, t.Format(time.RFC3339Nano)
			break
		}
	}
	setDefault(l.extra, "trace_id", d.hexID(r.GetTraceId(), 16))
	setDefault(l.extra, "span_id", d.hexID(r.GetSpanId(), 8))
	return l, nil
}

// hexID writes a trace or span id of n bytes. OTLP's JSON has them in hex,
// where the JSON of protobuf expects base64: what was read from the one as
// the other is written back first.
func (d *otlpDecoder) hexID(id []byte, n int) string {
	if d.isJSON {
		text := base64.StdEncoding.EncodeToString(id)
		id, _ = hex.DecodeString(text) // what is no hex is no id
	}
	if len(id) != n || !slices.ContainsFunc(id, func(b byte) bool { return b != 0 }) {
		return ""
	}
	return hex.EncodeToString(id)
}

// severityOf is the severity as text, or the name of its number
// (https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber).
func severityOf(r *logs.LogRecord) string {
	if text := r.GetSeverityText(); text != "" {
		return clip(text, 64)
	}
	n := int(r.GetSeverityNumber())
	if n < 1 || n > 24 {
		return ""
	}
	return strings.Fields("trace debug info warn error fatal")[(n-1)/4]
}
