package ingest

import (
	"github.com/firebreak-io/firebreak/ingest/logline"
	"github.com/firebreak-io/firebreak/internal/event"
)

// read gives what the container's parser says of a message, or another that
// recognises it.
func (a *assembler) read(text string) logline.Message {
	if a.parser == nil || a.unknown && a.reads%askAgain == 0 {
		annotation, image := a.annotation, a.object.Image
		if a.pods != nil && annotation == "" {
			annotation, image = a.hints(image)
		}
		p, _ := logline.Choose(annotation, a.object.Container, image)
		a.parser = &p
	}
	a.reads++
	return a.parser.Read(text)
}

// askAgain is after how many messages the cluster is asked again for a pod
// that it did not know.
const askAgain = 128

// hints asks what the cluster knows of the container.
func (a *assembler) hints(image string) (annotation, known string) {
	o := &a.object
	annotation, known = a.pods.Hints(o.Namespace, o.Name, o.UID, o.Container)
	if a.unknown = annotation == "" && known == ""; a.unknown || known == "" {
		known = image
	}
	return annotation, known
}

// message adds what a parser knows of the text. The actor's address is the
// client's as far as proxies are trusted ([logline.Client]); where a chain
// was claimed it is the field forwarded, and peer is who connected.
func (a *assembler) message(e *event.Event, m logline.Message, o *openLine) {
	for name, v := range m.Fields {
		e.Fields[name] = v
	}
	if m.Format != "" {
		e.Fields["format"] = m.Format
	}
	if o.stream != "" {
		e.Fields["stream"] = o.stream
	}
	setDefault(e.Fields, "level", m.Level)
	switch {
	case m.Class != "":
		e.Class = m.Class
	case logline.IsError(m.Level):
		e.Class = event.ClassLogError
	}
	e.Verb, e.Outcome, e.HTTP = m.Verb, m.Outcome, m.HTTP
	e.Actor.User, e.Actor.UserAgent = m.User, m.UserAgent
	e.Actor.Address = logline.Client(m.Address, m.Forwarded, a.trusted)
	if len(m.Forwarded) > 0 {
		list := make([]any, len(m.Forwarded))
		for i, s := range m.Forwarded {
			list[i] = s
		}
		e.Fields["forwarded"] = list
		e.Fields["peer"] = m.Address
	}
	t := o.time
	if t.IsZero() || a.format == formatRaw {
		if !m.Time.IsZero() {
			t, a.known = m.Time, m.Time
		} else if a.origin.Received.IsZero() && !m.Local.IsZero() {
			t, a.known = m.Local, m.Local
		}
	}
	stamp(e, t, a.origin)
}
