package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/ingest/logline"
	"github.com/firebreak-io/firebreak/ingest/stack"
	"github.com/firebreak-io/firebreak/internal/event"
)

// shipped makes events of the log lines of one body that a shipper sent. What
// a runtime split in pieces, and the lines of a stack trace, are joined where
// they are in the same body.
//
// Which container wrote a line is what the shipper says beside the line. The
// shipper is believed in that, as it has a credential; the line itself is not.
type shipped struct {
	origin  Origin
	trusted []netip.Prefix
	// give takes the events, some at a time; stopped is its error, after which
	// it is not called again.
	give    give
	stopped error
	events  []event.Event
	bytes   int // of the texts of events
	// writers read the lines of one container each.
	writers map[string]*assembler
	// seen counts lines that are the same in all: a body that is sent again
	// has the same lines in the same order, and so the same ids.
	seen map[string]int64
	open map[string]*shippedLine
	keys []string // of open, in the order in which they began
	// traces are the last whole messages, by container and stream, which lines
	// of a stack trace may follow; order is that in which they began.
	traces map[string]*shippedTrace
	order  []*shippedTrace
	held   int // bytes of their texts
	// secret are the streams that stand in a private key.
	secret map[string]privateKey
}

func newShipped(o Origin, trusted []netip.Prefix, g give) shipped {
	return shipped{
		give: g, origin: o, trusted: trusted, writers: map[string]*assembler{}, seen: map[string]int64{}, open: map[string]*shippedLine{},
		traces: map[string]*shippedTrace{}, secret: map[string]privateKey{},
	}
}

// shippedLine is one line with what the shipper says of it.
type shippedLine struct {
	object event.Ref
	// parser is the value of the pod's annotation [logline.Annotation].
	parser  string
	time    time.Time
	stamp   string
	stream  string
	text    []byte
	partial bool
	// level is the shipper's, for text that says none.
	level string
	extra map[string]any
	tags  []string
	// unwrapped says that the shipper has read the runtime's envelope.
	unwrapped bool
	// id is over all that came with the line.
	id string
}

// add takes the next line.
func (s *shipped) add(l shippedLine) {
	// Where the shipper has read the runtime's envelope it says the stream; what
	// looks like an envelope then is the program's own text.
	if inner, err := logline.CRI(l.text); err == nil && l.stream == "" && !l.unwrapped {
		l.text, l.stream, l.partial = inner.Text, inner.Stream, inner.Partial
		l.time, l.stamp = inner.Time, inner.Stamp
	}
	key := l.writer() + "\x00" + l.stream
	if first, ok := s.open[key]; ok {
		first.join(l)
		if l.partial {
			return
		}
		s.close(key)
		s.complete(key, *first)
		return
	}
	if !l.partial {
		s.complete(key, l)
		return
	}
	if len(s.open) == maxOpenShipped {
		oldest := s.keys[0]
		s.event(*s.open[oldest], true, 1)
		s.close(oldest)
	}
	l.text = append([]byte{}, l.text...)
	s.open[key] = &l
	s.keys = append(s.keys, key)
}

// maxOpenShipped is how many lines of one body may wait for their rest.
const maxOpenShipped = 256

func (s *shipped) close(key string) {
	delete(s.open, key)
	for i, k := range s.keys {
		if k == key {
			s.keys = append(s.keys[:i], s.keys[i+1:]...)
			return
		}
	}
}

// join adds the text of the next piece, and its id to the whole's.
func (l *shippedLine) join(next shippedLine) {
	room := max(0, maxLine-len(l.text))
	l.text = append(l.text, next.text[:min(room, len(next.text))]...)
	l.id = event.HashID(l.id, next.id)
}

// shippedTrace is a message that lines of a stack trace may follow.
type shippedTrace struct {
	shippedLine
	key   string
	stack stack.Trace
	lines int
	last  time.Time // of the last line
}

// complete takes a whole message: into the trace that it continues, or as one
// that may be followed.
func (s *shipped) complete(key string, l shippedLine) {
	l.text = s.cutKey(key, l.text)
	t := s.traces[key]
	if t != nil && s.continues(t, &l) {
		t.text = append(append(t.text, '\n'), l.text...)
		t.text = t.text[:min(len(t.text), maxTraceBytes)]
		t.id = event.HashID(t.id, l.id)
		t.lines, t.last = t.lines+1, l.time
		return
	}
	begun, _ := stack.Begin(l.text)
	t = &shippedTrace{shippedLine: l, key: key, stack: begun, lines: 1, last: l.time}
	t.text = append([]byte{}, l.text...)
	s.traces[key] = t
	s.order = append(s.order, t)
	if s.held += len(t.text); len(s.order) >= maxHeldShipped || s.held >= givenBytes {
		s.settle()
	}
}

// cutKey takes a private key out that is spread over lines of one stream.
func (s *shipped) cutKey(key string, text []byte) []byte {
	k := s.secret[key]
	text = k.cut(text)
	if k.left == 0 {
		delete(s.secret, key)
	} else if s.secret[key] != k {
		s.secret[key] = k
	}
	return text
}

// maxHeldShipped is how many messages are held back, at most, for a rest that
// may follow.
const maxHeldShipped = 4096

// settle gives the messages on that nothing can follow any more. Where that
// leaves many it gives all but the last of each container.
func (s *shipped) settle() {
	rest := make([]*shippedTrace, 0, len(s.traces))
	s.held = 0
	for _, t := range s.order {
		if s.traces[t.key] == t {
			rest = append(rest, t)
			s.held += len(t.text)
			continue
		}
		s.message(t)
	}
	s.order = rest
	if len(rest) >= maxHeldShipped/2 || s.held >= givenBytes/2 {
		s.end()
	}
}

// end gives all messages on.
func (s *shipped) end() {
	for _, t := range s.order {
		s.message(t)
	}
	s.traces, s.order, s.held = map[string]*shippedTrace{}, nil, 0
}

// message gives a message on that is complete.
func (s *shipped) message(t *shippedTrace) {
	s.event(t.shippedLine, false, t.lines)
}

// continues says whether a line belongs to the trace before it, as in the
// logs that are read from files.
func (s *shipped) continues(t *shippedTrace, l *shippedLine) bool {
	if t.lines >= maxTraceLines || !l.time.IsZero() && !t.last.IsZero() && l.time.Sub(t.last) > traceGap || !t.stack.Takes(l.text) {
		return false
	}
	// What stands beside a line is kept of the first alone, so it must be the same.
	if !maps.EqualFunc(t.beside(), l.beside(), func(a, b any) bool { return reflect.DeepEqual(a, b) }) {
		return false
	}
	a := s.assembler(t.shippedLine)
	return (t.lines > 1 || !a.stands(t.text)) && !a.stands(bytes.TrimSpace(l.text))
}

// beside is what came with a line but for what is of the line itself.
func (l *shippedLine) beside() map[string]any {
	return restOf(l.extra, "time", "logtag")
}

// flush gives all messages, and then what never came to its end. The error is
// that of give.
func (s *shipped) flush() error {
	s.end()
	for _, key := range s.keys {
		s.event(*s.open[key], true, 1)
	}
	s.open, s.keys = map[string]*shippedLine{}, nil
	s.pass()
	return s.stopped
}

// pass gives on what there is.
func (s *shipped) pass() {
	events := s.events
	s.events, s.bytes = nil, 0
	if len(events) > 0 && s.stopped == nil {
		s.stopped = s.give(events)
	}
}

// writer names the container that wrote the line.
func (l *shippedLine) writer() string {
	o := l.object
	switch {
	case o.ContainerID != "":
		return o.ContainerID
	case o.UID != "":
		return o.UID + "/" + o.Container
	}
	return o.Namespace + "/" + o.Name + "/" + o.Container
}

// event makes the event of so many lines.
func (s *shipped) event(l shippedLine, cut bool, lines int) {
	n := s.seen[l.id]
	s.seen[l.id]++
	e := s.assembler(l).event(&openLine{
		from: s.origin.From, ordinal: n, stamp: l.stamp + "\x00" + l.id, time: l.time, stream: l.stream, text: l.text,
		cut: cut || len(l.text) >= maxLine,
	})
	for name, v := range l.extra {
		if _, said := e.Fields[name]; !said {
			e.Fields[name] = v
		}
	}
	if e.Class == event.ClassLogLine && logline.IsError(l.level) {
		e.Class = event.ClassLogError
	}
	setDefault(e.Fields, "level", l.level)
	e.Tags = append(e.Tags, l.tags...)
	if lines > 1 {
		e.Fields["lines"] = int64(lines)
	}
	finish(&e)
	s.events = append(s.events, e)
	if s.bytes += len(l.text); len(s.events) >= givenEvents || s.bytes >= givenBytes {
		s.pass()
	}
}

// assembler reads the lines of the container that wrote l.
func (s *shipped) assembler(l shippedLine) *assembler {
	writer := l.writer()
	a := s.writers[writer]
	if a == nil {
		a = &assembler{container: writer, origin: s.origin, format: formatCRI, annotation: l.parser, trusted: s.trusted}
		s.writers[writer] = a
	}
	if a.object.Image != l.object.Image || a.object.Container != l.object.Container || a.annotation != l.parser {
		a.parser, a.annotation = nil, l.parser
	}
	a.object = l.object
	return a
}

// textAt is the first text that stands at one of the paths, whose parts are
// separated by slashes. A number is a text too.
func textAt(tree map[string]any, paths ...string) string {
	for _, p := range paths {
		switch v := valueAt(tree, p).(type) {
		case string:
			if v != "" {
				return v
			}
		case int64:
			return strconv.FormatInt(v, 10)
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return ""
}

func valueAt(tree map[string]any, p string) any {
	name, rest, deeper := strings.Cut(p, "/")
	v := tree[name]
	if !deeper {
		return v
	}
	sub, _ := v.(map[string]any)
	return valueAt(sub, rest)
}

// shippedObject is the container that a shipper names: by the Kubernetes
// filters of Fluent Bit and Fluentd, by Vector, by Beats (ECS), by the
// attributes of an OpenTelemetry resource
// (https://opentelemetry.io/docs/specs/semconv/resource/k8s/), or by the path
// of the file that it read.
func shippedObject(tree map[string]any) event.Ref {
	ref := event.PodRef(
		textAt(tree, "kubernetes/namespace_name", "kubernetes/pod_namespace", "kubernetes/namespace", "k8s.namespace.name"),
		textAt(tree, "kubernetes/pod_name", "kubernetes/pod/name", "k8s.pod.name"),
	)
	ref.UID = textAt(tree, "kubernetes/pod_id", "kubernetes/pod_uid", "kubernetes/pod/uid", "k8s.pod.uid")
	ref.Container = textAt(tree, "kubernetes/container_name", "kubernetes/container/name", "k8s.container.name")
	ref.ContainerID = bareID(textAt(tree, "kubernetes/docker_id", "kubernetes/container_id", "docker/container_id", "container/id", "container_id", "container.id"))
	ref.Image = textAt(tree, "kubernetes/container_image", "container/image/name", "container.image.name")
	ref.Digest = digestOf(textAt(tree, "kubernetes/container_image_id", "kubernetes/container_hash", "container.image.id"))
	ref.Node = textAt(tree, "kubernetes/host", "kubernetes/pod_node_name", "kubernetes/node/name", "k8s.node.name")
	ref.Labels = textsAt(tree, "kubernetes/labels", "kubernetes/pod_labels")
	if ref.Name == "" {
		fromPath(&ref, textAt(tree, "file", "filename", "log/file/path", "log.file.path", "tag"))
	}
	if ref.Name == "" || ref.Namespace == "" {
		return event.Ref{ContainerID: ref.ContainerID, Image: ref.Image, Node: ref.Node}
	}
	return ref
}

// fromPath takes the pod from the path of a log file, or from a tag of Fluentd,
// which is the path with dots.
func fromPath(ref *event.Ref, file string) {
	if at := strings.LastIndex(file, "containers."); at >= 0 {
		file = file[at+len("containers."):]
	}
	found, _, ok := containerOf(file)
	if !ok {
		return
	}
	ref.Namespace, ref.Name, ref.UID, ref.Container = found.Namespace, found.Name, found.UID, found.Container
	if found.ContainerID != "" {
		ref.ContainerID = found.ContainerID
	}
}

// bareID is a container id without the runtime's name before it.
func bareID(id string) string {
	if _, bare, ok := strings.Cut(id, "://"); ok {
		return bare
	}
	return id
}

// digestOf is the digest in an image id, as REPOSITORY@sha256:HEX or alone.
func digestOf(id string) string {
	at := strings.LastIndex(id, "sha256:")
	if at < 0 {
		return ""
	}
	return id[at:]
}

// textsAt is the first object at one of the paths, its texts only.
func textsAt(tree map[string]any, paths ...string) map[string]string {
	for _, p := range paths {
		m, _ := valueAt(tree, p).(map[string]any)
		if len(m) == 0 {
			continue
		}
		out := make(map[string]string, min(len(m), maxLabels))
		for name, v := range m {
			if text, ok := v.(string); ok && len(out) < maxLabels {
				out[clip(name, maxText)] = clip(text, maxText)
			}
		}
		return out
	}
	return nil
}

const maxLabels = 64

// shippedTime is the first time at one of the paths: RFC 3339, or seconds,
// milliseconds, microseconds or nanoseconds since 1970, told apart by their
// size. The text is as it was written.
func shippedTime(tree map[string]any, paths ...string) (time.Time, string) {
	for _, p := range paths {
		text := textAt(tree, p)
		if text == "" {
			continue
		}
		if t, ok := parseTime(text); ok {
			return t, text
		}
		if t, ok := epochText(text); ok {
			return t, text
		}
	}
	return time.Time{}, ""
}

// restOf is what a program wrote as an object of its own, which the shipper
// has mixed with what it says itself: the members but for the named ones.
func restOf(tree map[string]any, without ...string) map[string]any {
	rest := maps.Clone(tree)
	for _, name := range without {
		delete(rest, name)
	}
	return rest
}

// asText writes an object as JSON, for a parser of messages.
func asText(v map[string]any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write record as text: %w", err)
	}
	return data, nil
}
