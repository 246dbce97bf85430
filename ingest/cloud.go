package ingest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// auditOpener gives the audit events of a piece. It trusts these proxies with
// whom they say a request is from.
type auditOpener struct{ trusted []netip.Prefix }

// auditInput is how audit events come: by themselves, in an EventList or an
// array, and as managed clusters ship them, each recognised by its shape:
//
//   - EKS: Firehose's request {records: [{data: base64 of gzip}]}
//     (https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html),
//     the message of a CloudWatch Logs subscription {messageType, logGroup,
//     logStream, logEvents: [{message}]}
//     (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html),
//     and lines of an export, which a time precedes.
//   - AKS: diagnostic records {records: [{category, properties: {log}}]}
//     (https://learn.microsoft.com/azure/aks/monitor-aks-reference), and rows
//     of the resource-specific tables {records: [{Type: AKSAudit, AuditId, …}]}.
//   - GKE: a LogEntry whose protoPayload is an AuditLog of k8s.io
//     (https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry),
//     alone or in a Pub/Sub message {message: {data: base64}}
//     (https://cloud.google.com/pubsub/docs/push).
//
// A forwarder that puts the line of a log under message or log is seen through.
func auditInput() input {
	return input{source: event.SourceAudit, lists: auditLists[:], open: auditOpener{}.open, text: auditText, depth: maxSkipDepth}
}

var auditLists = [...]string{"items", "records", "logEvents", "events", "entries", "receivedMessages"}

// maxWraps is how many envelopes there may be around an audit event. Firehose
// has three: its records, the message of CloudWatch, and the log event.
const maxWraps = 6

// maxBatch is the most bytes of an envelope.
const maxBatch = 16 << 20

func (a auditOpener) open(p piece, o Origin, yield func(found) error) error {
	if p.room == nil {
		p.room = new(int64(maxInflated))
	}
	u := unwrapper{origin: o, yield: yield, trusted: a.trusted}
	return u.piece(p, 0)
}

// unwrapper takes envelopes off.
type unwrapper struct {
	origin  Origin
	yield   func(found) error
	trusted []netip.Prefix
}

func (u *unwrapper) fail(p piece, err error) error { return u.yield(found{err: err, raw: p.raw}) }

// piece gives the audit events of a piece, or why it has none.
func (u *unwrapper) piece(p piece, depth int) error {
	obj, err := parseBounded(p.raw, maxBatch)
	if err != nil || len(p.raw) > MaxEvent {
		obj, err = p.mend(obj, err)
	}
	if err != nil {
		return u.fail(p, err)
	}
	t := obj.tree
	if t["kind"] == "Event" || t["auditID"] != nil {
		return u.event(p, obj)
	}
	if depth == maxWraps {
		return u.fail(p, fmt.Errorf("more than %d envelopes around an event", maxWraps))
	}
	switch {
	case p.around["messageType"] == "CONTROL_MESSAGE":
		// CloudWatch looks whether we are there. Nothing happened.
		return nil
	case isMap(t["protoPayload"]):
		return u.entry(p, obj)
	case isTableRow(t):
		return u.row(p, obj)
	case isMap(t["jsonPayload"]):
		return u.inner(p, obj.member("jsonPayload"), depth)
	case isMap(t["message"]) && isText(t["message"].(map[string]any)["data"]):
		return u.encoded(p, t["message"].(map[string]any)["data"].(string), depth)
	case isText(t["data"]) && t["verb"] == nil && t["kind"] == nil:
		return u.encoded(p, t["data"].(string), depth)
	case isText(t["category"]) && (t["properties"] != nil || t["resourceId"] != nil):
		return u.diagnostic(p, t, depth)
	case u.wrapsList(t):
		return u.inner(p, p.raw, depth)
	case emptyList(t):
		return nil
	}
	for _, name := range []string{"message", "@message", "log", "textPayload"} {
		if text, ok := t[name].(string); ok && t["verb"] == nil && t["kind"] == nil {
			return u.line(p, text, depth)
		}
	}
	return u.event(p, obj)
}

// event makes an event of the API server's own form.
func (u *unwrapper) event(p piece, obj object) error {
	if len(p.raw) > MaxEvent {
		return u.fail(p, fmt.Errorf("event has %d bytes, the bound is %d", len(p.raw), MaxEvent))
	}
	e, err := auditEvent(obj.tree, obj.id(event.SourceAudit, "kind", "apiVersion"), u.origin, cloudOf(p.around), u.trusted)
	p.mended.tell(&e)
	return u.yield(found{e, err, p.raw})
}

// entry makes an event of Google's LogEntry.
func (u *unwrapper) entry(p piece, obj object) error {
	if len(p.raw) > MaxEvent {
		return u.fail(p, fmt.Errorf("event has %d bytes, the bound is %d", len(p.raw), MaxEvent))
	}
	tree, cloud, err := fromLogEntry(obj.tree)
	if err != nil {
		return u.fail(p, err)
	}
	// When it was received says nothing of what happened.
	e, err := auditEvent(tree, obj.id(event.SourceAudit, "receiveTimestamp"), u.origin, cloud, u.trusted)
	p.mended.tell(&e)
	return u.yield(found{e, err, p.raw})
}

// row makes an event of a row of Azure's tables.
func (u *unwrapper) row(p piece, obj object) error {
	if len(p.raw) > MaxEvent {
		return u.fail(p, fmt.Errorf("event has %d bytes, the bound is %d", len(p.raw), MaxEvent))
	}
	tree, cloud, cut := fromTable(obj.tree)
	// When Azure took it says nothing of what happened.
	e, err := auditEvent(tree, obj.id(event.SourceAudit, "TimeGenerated", "_TimeReceived", "_BilledSize", "Type"), u.origin, cloud, u.trusted)
	if err == nil && len(cut) > 0 {
		e.Cut = append(e.Cut, cut...)
		slices.Sort(e.Cut)
	}
	p.mended.tell(&e)
	return u.yield(found{e, err, p.raw})
}

// inner looks into the text of an envelope.
func (u *unwrapper) inner(p piece, text []byte, depth int) error {
	var stopped error
	err := auditInput().pieces(text, func(q piece) error {
		q.room = p.room
		if q.around == nil {
			q.around = p.around
		}
		stopped = u.piece(q, depth+1)
		return stopped
	})
	if err == nil || stopped != nil {
		return stopped
	}
	return u.yield(found{err: err, raw: text})
}

// encoded looks into base64, and into gzip inside of it.
func (u *unwrapper) encoded(p piece, text string, depth int) error {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		if data, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "=")); err != nil {
			return u.fail(p, errors.New("data is not base64"))
		}
	}
	if isGzip(data) {
		if data, err = u.inflate(data, p.room); errors.Is(err, errMuch) {
			return err
		} else if err != nil {
			return u.fail(p, err)
		}
	}
	if skip := timePrefix(data); skip > 0 {
		data = data[skip:]
	}
	return u.inner(p, data, depth)
}

func (u *unwrapper) inflate(data []byte, room *int64) ([]byte, error) {
	if *room == 0 {
		return nil, errDense
	}
	return inflate(data, room)
}

// line looks into a line of a log: that of the audit log is JSON. The other
// logs of a control plane are none of ours.
func (u *unwrapper) line(p piece, text string, depth int) error {
	text = text[timePrefix([]byte(text)):]
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return u.inner(p, []byte(text), depth)
	}
	if stream := p.around["logStream"]; stream != "" {
		return u.fail(p, fmt.Errorf("log stream %s has other lines: not an audit event", clip(stream, 64)))
	}
	return u.fail(p, errors.New("line of a log: not an audit event"))
}

// diagnostic looks into a record of Azure's diagnostic settings. Of its
// categories only two hold audit events.
func (u *unwrapper) diagnostic(p piece, t map[string]any, depth int) error {
	category := t["category"].(string)
	if !strings.HasPrefix(category, "kube-audit") {
		return u.fail(p, fmt.Errorf("category is %s: not an audit event (leave it out of the diagnostic setting)", clip(category, 64)))
	}
	properties, ok := t["properties"].(map[string]any)
	if text, isText := t["properties"].(string); isText {
		inner, err := parseObject([]byte(text))
		if err != nil {
			return u.fail(p, fmt.Errorf("properties: %w", err))
		}
		properties, ok = inner.tree, true
	}
	log, isText := properties["log"].(string)
	if !ok || !isText {
		return u.fail(p, errors.New("no properties.log: not an audit event"))
	}
	if id, ok := t["resourceId"].(string); ok {
		p.around = map[string]string{"resourceId": id}
	}
	if err := wellFormed(shallow([]byte(log), maxSkipDepth), maxSkipDepth); err != nil {
		return u.fail(p, fmt.Errorf("properties.log: %w", err))
	}
	return u.inner(p, []byte(log), depth)
}

// wrapsList says that an object holds a list of pieces: a batch in an array.
func (u *unwrapper) wrapsList(t map[string]any) bool {
	for _, name := range auditLists {
		if _, ok := t[name].([]any); ok {
			return true
		}
	}
	return false
}

// emptyList says that an EventList has no items at all.
func emptyList(t map[string]any) bool {
	kind, _ := t["kind"].(string)
	_, has := t["items"]
	return kind == "EventList" && (!has || t["items"] == nil)
}

// cloudOf is what the envelopes say of where an event is from.
func cloudOf(around map[string]string) map[string]any {
	cloud := map[string]any{}
	for name, field := range map[string]string{"owner": "account", "logGroup": "log_group", "logStream": "log_stream", "resourceId": "resource_id"} {
		if v := around[name]; v != "" {
			cloud[field] = v
		}
	}
	if len(cloud) == 0 {
		return nil
	}
	// /aws/eks/NAME/cluster
	if parts := strings.Split(around["logGroup"], "/"); len(parts) == 5 && parts[2] == "eks" {
		cloud["cluster"] = parts[3]
	}
	if id := around["resourceId"]; id != "" {
		cloud["cluster"] = id[strings.LastIndexByte(id, '/')+1:]
	}
	return cloud
}

func isMap(v any) bool  { _, ok := v.(map[string]any); return ok }
func isText(v any) bool { s, ok := v.(string); return ok && s != "" }

// A line of CloudWatch's export, or of its command line tool: a time, perhaps
// the log stream, and the event.
var exported = regexp.MustCompile(`^\s*\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S{0,32}[ \t]+(?:[\w./@-]{1,512}[ \t]+)?\{`)

// timePrefix is how many bytes stand before the event in such a line.
func timePrefix(line []byte) int {
	if len(line) == 0 || line[0] < '0' || line[0] > '9' {
		return 0
	}
	return max(0, len(exported.Find(line[:min(len(line), 1<<10)]))-1)
}

func auditText(line []byte, _ Origin) (skip int, f *found) { return timePrefix(line), nil }
