package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name:   "falco",
		Doc:    "Falco alerts, as Falco's http_output, Falcosidekick and Talon post them, or its JSON log files.",
		Source: event.SourceFalco,
		Config: func() any { return &HTTPConfig{MaxBody: 1 << 20} },
		Open: func(d Deps, config any) (Source, error) {
			return openPosted(d, config, Endpoint{
				Name: "falco", Source: event.SourceFalco, Root: true,
				// What it says of a body with json_output off.
				Types: []string{"text/plain"},
			}, falcoInput().decodeTo)
		},
		Decode: decodeAlerts,
		Scan:   falcoInput().scan,
	})
}

// falcoInput is how alerts come: one or many, mixed with Falco's plain text.
func falcoInput() input {
	return input{source: event.SourceFalco, lists: []string{"items"}, open: single(decodeFalco), text: falcoText}
}

func decodeAlerts(data []byte, o Origin) ([]event.Event, []event.Rejected) {
	return falcoInput().decode(data, o)
}

// decodeFalco makes an event of one alert. The form is that of Falco's JSON
// output (https://falco.org/docs/outputs/formatting/) in all its versions:
// source, tags and hostname came later, values may be null, objects or larger
// than 2^63, the former gRPC form has a numeric priority and a time of
// seconds and nanos, and Talon's examples write Rule. Falcosidekick adds a uuid
// of its own, which is no part of the alert's identity.
func decodeFalco(raw []byte, o Origin) (event.Event, error) {
	// What a process did must not be able to make its alert unreadable: a file
	// name need not be UTF-8. No process can give a member of Falco's twice.
	obj, mended, err := parseRecord(raw)
	if err == nil && slices.Contains(mended, TagDuplicate) {
		_, err = parseObject(raw)
	}
	if err != nil {
		return event.Event{}, err
	}
	top, fault := newShape(obj.tree)
	top.unclash("output", "priority", "time", "source", "output_fields", "hostname")
	if _, both := obj.tree["rule"]; both {
		top.unclash("rule")
	}
	fields := top.object("output_fields")
	fields.unclash("container.id", "container.name", "k8s.ns.name", "k8s.pod.name", "k8s.pod.uid", "k8s.pod.id", "k8smeta.ns.name", "k8smeta.pod.name", "k8smeta.pod.uid",
		"user.name", "proc.cmdline", "ka.user.name", "ka.verb", "ka.target.name", "ka.target.namespace", "ka.target.resource")
	e := event.Event{
		ID: obj.id(event.SourceFalco, "uuid"), Source: event.SourceFalco, From: o.From, Cluster: o.Cluster,
		Rule: top.str("rule"), Message: top.str("output"), Tags: append(top.strs("tags"), mended...), Fields: fields.m,
	}
	if e.Rule == "" {
		e.Rule = top.str("Rule")
	}
	e.Priority, e.Severity = falcoPriority(top)
	source, host := top.str("source"), top.str("hostname")
	if *fault != nil {
		return event.Event{}, *fault
	}
	if e.Rule == "" {
		return event.Event{}, errors.New("no rule: not a Falco alert")
	}
	if e.Fields == nil {
		e.Fields = event.Fields{}
	}
	setDefault(e.Fields, "evt.source", source)
	setDefault(e.Fields, "evt.hostname", host)
	falcoTime(&e, obj.tree["time"], o)
	if strings.HasPrefix(source, "k8s_audit") || isK8sAudit(e.Fields) {
		falcoAudit(&e)
	} else {
		falcoRuntime(&e, source)
	}
	finish(&e)
	return e, nil
}

// finish redacts and bounds an event; nothing is stored before that.
func finish(e *event.Event) {
	trim := shortenLong(e)
	redactEvent(e)
	trim()
	bound(e)
}

func setDefault(f event.Fields, name, value string) {
	if _, has := f[name]; !has && value != "" {
		f[name] = value
	}
}

// The priorities of Falco, by the numbers of its former gRPC form.
var falcoPriorities = []struct {
	name     string
	severity event.Severity
}{
	{"Emergency", event.SeverityCritical},
	{"Alert", event.SeverityCritical},
	{"Critical", event.SeverityCritical},
	{"Error", event.SeverityHigh},
	{"Warning", event.SeverityMedium},
	{"Notice", event.SeverityLow},
	{"Informational", event.SeverityInfo},
	{"Debug", event.SeverityInfo},
}

// falcoPriority reads the priority by name in any case (info is short for
// informational) or by number. One that is unknown keeps its text and is
// graded info.
func falcoPriority(top shape) (string, event.Severity) {
	if n, ok := top.m["priority"].(int64); ok {
		if n < 0 || n >= int64(len(falcoPriorities)) {
			return fmt.Sprint(n), event.SeverityInfo
		}
		return falcoPriorities[n].name, falcoPriorities[n].severity
	}
	return falcoGrade(top.str("priority"))
}

func falcoGrade(text string) (string, event.Severity) {
	for _, p := range falcoPriorities {
		if strings.EqualFold(text, p.name) || p.name == "Informational" && strings.EqualFold(text, "info") {
			return p.name, p.severity
		}
	}
	return text, event.SeverityInfo
}

// TagTime marks an event whose time could not be read, so that it was taken
// from elsewhere.
const TagTime = "firebreak:time-unparsed"

// falcoTime takes the alert's time, else evt.time, else when it was received.
func falcoTime(e *event.Event, v any, o Origin) {
	t, ok := falcoStamp(v)
	if !ok {
		e.Tags = append(e.Tags, TagTime)
		for _, name := range []string{"evt.time", "evt.time.iso8601", "evt.rawtime"} {
			if t, ok = fieldTime(e.Fields[name], o.Received); ok {
				break
			}
		}
	}
	stamp(e, t, o)
}

// fieldTime reads a time among the output fields: a number, or a text in the
// form of the alert's own, which may be the time of day alone.
func fieldTime(v any, received time.Time) (time.Time, bool) {
	text, ok := v.(string)
	if !ok {
		return epochValue(v)
	}
	if t, ok := parseTime(text); ok {
		return t, true
	}
	return clockTime(text, received)
}

// stamp sets both times of an event: where the source's is missing it is the
// time of reception, and in replay the other way round.
func stamp(e *event.Event, t time.Time, o Origin) {
	if t.IsZero() {
		t = o.Received
	}
	e.Time, e.Received = t.UTC(), o.Received.UTC()
	if o.Received.IsZero() {
		e.Received = e.Time
	}
}

func falcoStamp(v any) (time.Time, bool) {
	switch v := v.(type) {
	case string:
		return parseTime(v)
	case map[string]any:
		seconds, ok := v["seconds"].(int64)
		nanos, _ := v["nanos"].(int64)
		if !ok || seconds < 0 || seconds > 1<<34 || nanos < 0 || nanos >= 1e9 {
			return time.Time{}, false
		}
		return saneTime(time.Unix(seconds, nanos))
	}
	return epochValue(v)
}
