package ingest

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/firebreak-io/firebreak/internal/event"
)

// What a request brought along stands in its audit event as its sender wrote
// it: of a patch the API server keeps the very text. Nobody must be able to
// hide a request, or the others of its batch, by a body that is too large, too
// deep, or has a name twice, or by a path of a megabyte. So what an event can't
// be read with is read as far as the bounds allow, or left out, and the event
// says so in [event.Event.Cut] and its tags; all else is read strictly.

// Bounds of a body that is mended.
const (
	maxMendDepth  = 48
	maxMendValues = 20_000
	maxMendBytes  = MaxEvent / 4
	// maxSkipDepth is how deep a batch may be nested: far more than an event
	// may, as the one that is too deep must not take the others along.
	maxSkipDepth = 1000
)

// mended is an audit event whose bodies were brought within the bounds.
type mended struct {
	raw  []byte
	cut  []string
	tags []string
	// was stands for the bodies as they were, in the event's id.
	was string
}

// mendAudit brings the bodies of an audit event, or of Google's form of one,
// within the bounds. Of a text that breaks off inside a body the rest is left
// out. It is false where there is no body that could be mended.
func mendAudit(raw []byte, breaksOff bool) (mended, bool) {
	var m mended
	out, ok := m.members(raw, breaksOff, map[string]string{"requestObject": "fields.request", "responseObject": "fields.response"})
	m.raw = out
	return m, ok && m.was != ""
}

// mend reads a piece that can't be read as it is, or is too large for an
// event. Where mending is no help it gives what there was.
func (p *piece) mend(obj object, err error) (object, error) {
	m, ok := mendAudit(p.raw, false)
	if !ok {
		return obj, err
	}
	better, fault := parseBounded(m.raw, maxBatch)
	if fault != nil {
		return obj, err
	}
	p.raw, p.mended = m.raw, &m
	return better, nil
}

// tell says in an event what was left out of it.
func (m *mended) tell(e *event.Event) {
	if m == nil || e.ID == "" {
		return
	}
	e.ID = event.HashID(e.ID, m.was)
	e.Tags = append(e.Tags, m.tags...)
	e.Cut = append(e.Cut, m.cut...)
	slices.Sort(e.Cut)
	e.Cut = slices.Compact(e.Cut)
}

// cutAudit reads a line of an audit log of which only the beginning is known:
// what stands before the bodies says who did what.
func (f input) cutAudit(line []byte, o Origin) (event.Event, bool) {
	m, ok := mendAudit(line[timePrefix(line):], true)
	if !ok {
		return event.Event{}, false
	}
	var events []event.Event
	err := f.open(piece{raw: m.raw}, o, func(one found) error {
		if one.err == nil {
			events = append(events, one.event)
		}
		return nil
	})
	if err != nil || len(events) != 1 {
		return event.Event{}, false
	}
	m.tell(&events[0])
	return events[0], true
}

// members copies an object with the named members mended.
func (m *mended) members(raw []byte, breaksOff bool, bodies map[string]string) ([]byte, bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw), lenient()...)
	if dec.PeekKind() != '{' {
		return nil, false
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	var out []byte
	from := 0
	for dec.PeekKind() == '"' {
		tok, err := dec.ReadToken()
		if err != nil {
			return nil, false
		}
		name := tok.String()
		dec.PeekKind()
		start := int(offsetOfNext(dec))
		part, isBody := bodies[name]
		if err := dec.SkipValue(); err != nil {
			if !isBody || !breaksOff || start >= len(raw) {
				return nil, false
			}
			m.note(part, raw[start:])
			return append(append(out, raw[from:start]...), "null}"...), true
		}
		end := int(dec.InputOffset())
		var instead []byte
		switch {
		case isBody:
			instead = m.body(part, raw[start:end], maxMendBytes)
		case longPart(name) != "" && end-start > maxField:
			instead = m.body(longPart(name), raw[start:end], maxField)
		case name == "protoPayload":
			instead, _ = m.members(raw[start:end], false, map[string]string{"request": "fields.request", "response": "fields.response"})
		}
		if instead != nil {
			out = append(append(out, raw[from:start]...), instead...)
			from = end
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	return append(out, raw[from:]...), true
}

func (m *mended) note(part string, was []byte) {
	m.cut = append(m.cut, part)
	m.was = event.HashID(m.was, string(was))
}

// longPart is what is made of a member that a sender can make long: the path
// and the name of its program, and the reason why its request is refused.
func longPart(name string) string {
	switch name {
	case "requestURI":
		return "fields.uri"
	case "userAgent":
		return "actor.user_agent"
	case "responseStatus":
		return "fields.reason"
	}
	return ""
}

// body is a body within the bounds, or nil where it is so already.
func (m *mended) body(part string, raw []byte, most int) []byte {
	// It need be no object: a patch may be a list.
	if _, err := parseBounded(slices.Concat([]byte(`{"":`), raw, []byte("}")), most); err == nil {
		return nil
	}
	m.note(part, raw)
	b := bodyReader{dec: jsontext.NewDecoder(bytes.NewBuffer(raw), lenient()...)}
	v, err := b.value(0)
	if err != nil {
		return []byte("null")
	}
	if b.twice && !slices.Contains(m.tags, TagDuplicate) {
		m.tags = append(m.tags, TagDuplicate)
	}
	v, _ = shorten(v, maxMendBytes)
	text, err := json.Marshal(v)
	if err != nil || len(text) > maxMendBytes {
		return []byte("null")
	}
	return text
}

// bodyReader reads a value as the API server does, of members of the same name
// the last, and no more of it than the bounds allow.
type bodyReader struct {
	dec    *jsontext.Decoder
	values int
	twice  bool
}

func (b *bodyReader) value(depth int) (any, error) {
	b.values++
	kind := b.dec.PeekKind()
	if b.full() || depth == maxMendDepth && (kind == '{' || kind == '[') {
		return nil, b.dec.SkipValue()
	}
	tok, err := b.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '{':
		return b.object(depth + 1)
	case '[':
		return b.array(depth + 1)
	case '"':
		return clip(tok.String(), maxField), nil
	case '0':
		return exactNumber(tok.String()), nil
	case 't', 'f':
		return tok.Bool(), nil
	}
	return nil, nil
}

// full says that the rest is left out.
func (b *bodyReader) full() bool { return b.values > maxMendValues }

func (b *bodyReader) object(depth int) (any, error) {
	m := map[string]any{}
	for b.dec.PeekKind() != '}' {
		name, err := b.dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if b.full() {
			if err := b.dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		_, known := m[key]
		b.twice = b.twice || known
		if m[key], err = b.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := b.dec.ReadToken()
	return m, err
}

func (b *bodyReader) array(depth int) (any, error) {
	list := []any{}
	for b.dec.PeekKind() != ']' {
		if len(list) >= maxList || b.full() {
			if err := b.dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		v, err := b.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := b.dec.ReadToken()
	return list, err
}

// shallow leaves out of a text of JSON what is nested deeper than so many
// levels: null stands there. A text that is not so deep is given as it is.
func shallow(data []byte, most int) []byte {
	n := nesting{depth: maxDepth - most}
	if !n.over(data) {
		return data
	}
	n = nesting{depth: maxDepth - most}
	out := make([]byte, 0, len(data))
	for i := range data {
		before := n.depth
		n.over(data[i : i+1])
		switch {
		case n.depth <= maxDepth && before <= maxDepth:
			out = append(out, data[i])
		case before <= maxDepth:
			out = append(out, "null"...)
		}
	}
	return out
}
