package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/firebreak-io/firebreak/ingest/logline"
	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "log-http",
		Doc: "Container logs that a shipper posts as JSON: Fluent Bit (http output), Fluentd (out_http), Vector (http sink), Beats' form; " +
			"an array, one object or one a line.",
		Source: event.SourceLog,
		Config: func() any { return &ShipperConfig{HTTPConfig: HTTPConfig{MaxBody: 4 << 20}} },
		Decode: func(data []byte, o Origin) ([]event.Event, []event.Rejected) { return decodeRecords(data, nil, o) },
		Open: func(d Deps, config any) (Source, error) {
			e := Endpoint{Name: "log-http", Source: event.SourceLog, Types: []string{"application/x-ndjson", "application/jsonl", "text/plain"}}
			trusted := config.(*ShipperConfig).TrustedProxies
			return openPosted(d, config, e, func(data []byte, o Origin, g give) ([]event.Rejected, error) {
				return recordsTo(data, trusted, o, g)
			})
		},
	})
}

// maxRecords is how many records one body may hold: what is small on the wire
// is an event each.
const maxRecords = 20_000

var errRecords = fmt.Errorf("body holds more than %d records: send smaller batches", maxRecords)

func decodeRecords(data []byte, trusted []netip.Prefix, o Origin) ([]event.Event, []event.Rejected) {
	return collect(func(g give) ([]event.Rejected, error) { return recordsTo(data, trusted, o, g) })
}

// recordsTo makes events of the records of a body. A record is an object
// with the line (log, message) and with what the shipper knows of it
// (kubernetes, stream, a time). Where the shipper has parsed the program's own
// JSON and mixed it in, that is the line.
//
// The id is over the whole record; equal records of a body are told apart by
// their order.
func recordsTo(data []byte, trusted []netip.Prefix, o Origin, g give) ([]event.Rejected, error) {
	s := newShipped(o, trusted, g)
	var (
		rejects []event.Rejected
		count   int
		more    int
	)
	refuse := func(raw []byte, err error) {
		if len(rejects) < maxRejects {
			rejects = append(rejects, reject(event.SourceLog, o.From, err.Error(), raw))
			return
		}
		more++
	}
	if len(bytes.TrimSpace(data)) == 0 {
		refuse(data, errors.New("empty"))
	}
	err := fewRecords(data)
	if err != nil {
		return []event.Rejected{reject(event.SourceLog, o.From, err.Error(), data)}, errWhole(err.Error())
	}
	_ = eachRecord(shallow(data, maxSkipDepth), func(raw []byte, fault error) bool { // it says that s was stopped
		count++
		l, err := decodeRecord(raw)
		if fault != nil {
			err = fault
		}
		if err != nil {
			refuse(raw, err)
			return true
		}
		s.add(l)
		return s.stopped == nil
	})
	if count == 0 && len(rejects) == 0 && !bytes.Contains(data, []byte("[")) {
		refuse(data, errors.New("no record in it")) // stray brackets, commas
	}
	if more > 0 {
		rejects = append(rejects, reject(event.SourceLog, o.From, fmt.Sprintf("and %d more of the same body", more), nil))
	}
	return rejects, s.flush()
}

// fewRecords says whether a body holds more records than it may, before any of
// them is given on.
func fewRecords(data []byte) error {
	if bytes.Count(data, []byte("{"))+bytes.Count(data, []byte("\n")) <= maxRecords {
		return nil
	}
	count := 0
	return eachRecord(shallow(data, maxSkipDepth), func([]byte, error) bool {
		count++
		return count <= maxRecords
	})
}

// errBetween is the comma or bracket that is left of a list whose beginning
// could not be read.
var errBetween = errors.New("between records")

// eachRecord gives the text of each object of a body: of one object or array,
// or of many after one another. After a fault it goes on at the next line.
// The error says that yield has stopped it.
func eachRecord(data []byte, yield func(raw []byte, fault error) bool) error {
	for {
		data = bytes.TrimLeft(data, " \t\r\n,]")
		if len(data) == 0 {
			return nil
		}
		n, fault, stopped := someRecords(data, yield)
		if stopped {
			return errRecords
		}
		if fault == nil {
			return nil
		}
		if errors.Is(fault, errBetween) {
			data = data[n:]
			continue
		}
		line, after, _ := bytes.Cut(data[n:], []byte("\n"))
		if rest := bytes.Trim(line, " \t\r,]"); len(rest) > 0 && !yield(rest, fault) {
			return errRecords
		}
		data = after
	}
}

// someRecords gives objects up to a fault, and where that record began.
func someRecords(data []byte, yield func(raw []byte, fault error) bool) (n int, fault error, stopped bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), lenient()...)
	for {
		kind := dec.PeekKind()
		start := int(offsetOfNext(dec))
		switch kind {
		case '[', ']':
			if dec.StackDepth() > 0 && kind == '[' {
				break // a list in a list is no record
			}
			if _, err := dec.ReadToken(); err != nil {
				return start, plainSyntax(err), false
			}
			continue
		case 0:
			_, err := dec.ReadToken()
			if start >= len(data) && dec.StackDepth() == 0 {
				return start, nil, false
			}
			if dec.StackDepth() == 0 && start > int(dec.InputOffset()) {
				return start, errBetween, false
			}
			return start, plainSyntax(err), false
		}
		if err := dec.SkipValue(); err != nil {
			return start, plainSyntax(err), false
		}
		raw := data[start:int(dec.InputOffset())]
		var wrong error
		if kind != '{' {
			wrong = errors.New("not an object")
		}
		if !yield(raw, wrong) {
			return 0, nil, true
		}
	}
}

// decodeRecord reads one record.
func decodeRecord(raw []byte) (shippedLine, error) {
	obj, tags, err := parseRecord(raw)
	if err != nil {
		obj, tags, err = cutRecord(raw, err)
	}
	if err != nil {
		return shippedLine{}, err
	}
	tree := obj.tree
	l := shippedLine{
		object: shippedObject(tree), stream: clip(textAt(tree, "stream", "source"), 16),
		partial: isPartial(tree), tags: tags, id: obj.id(event.SourceLog),
	}
	for _, at := range []string{"kubernetes/annotations", "kubernetes/pod_annotations"} {
		if m, ok := valueAt(tree, at).(map[string]any); ok {
			l.parser = textAt(map[string]any{"x": m[logline.Annotation]}, "x")
		}
	}
	l.unwrapped = textAt(tree, "logtag", "_p") != ""
	l.time, l.stamp = shippedTime(tree, "time", "timestamp", "@timestamp", "date")
	name, line := lineOf(tree)
	l.extra = restOf(tree, append([]string{name}, ofShippers...)...)
	switch {
	case name != "":
		l.text = []byte(strings.TrimSuffix(line, "\n"))
	case len(l.extra) > 0:
		l.text, err = asText(l.extra)
		l.extra = nil
	default:
		err = errors.New("record holds no line: no log, no message, and nothing of the program's own")
	}
	return l, err
}

// ofShippers are the members that shippers add to a record.
var ofShippers = []string{
	"kubernetes", "docker", "date", "time", "timestamp", "@timestamp", "@version", "stream", "source", "source_type", "logtag", "_p", "_partial",
	"file", "filename", "tag", "host", "hostname", "agent", "ecs", "input", "container", "container_id", "container_name", "timestamp_end",
	"partial", "partial_message", "partial_id", "partial_ordinal", "partial_last", "time_ns",
}

// lineNames are the members that may hold the line.
var lineNames = []string{"log", "message", "MESSAGE"}

// lineOf is the member that holds the line.
func lineOf(tree map[string]any) (name, line string) {
	for _, name := range lineNames {
		if text, ok := tree[name].(string); ok {
			return name, text
		}
	}
	return "", ""
}

// isPartial says that the line goes on in the next record: by the tag of the
// CRI format, as Docker's fluentd driver says it, or as Vector does.
func isPartial(tree map[string]any) bool {
	if tag := textAt(tree, "logtag", "_p"); tag != "" {
		return tag == "P" || strings.HasPrefix(tag, "P:")
	}
	if b, ok := tree["_partial"].(bool); ok {
		return b
	}
	return textAt(tree, "partial_message") == "true" && textAt(tree, "partial_last") != "true"
}
