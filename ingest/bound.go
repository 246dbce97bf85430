package ingest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Bounds of what an event carries. What is longer is cut and named in
// [event.Event.Cut].
const (
	maxField   = 64 << 10 // bytes of one source field or of the message
	maxFields  = 512 << 10
	maxText    = 4 << 10 // bytes of a name, an address, a user agent
	maxProcess = 16 << 10
	maxList    = 1000 // items of a list
	maxFrom    = 1 << 10
	maxReason  = 512
)

// clip shortens s to at most n bytes, at a rune's edge.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// cutter shortens parts of an event and remembers which.
type cutter struct{ cut []string }

func (c *cutter) mark(part string) {
	if part = clip(part, 128); !slices.Contains(c.cut, part) && len(c.cut) < 64 {
		c.cut = append(c.cut, part)
	}
}

func (c *cutter) text(part string, s *string, n int) {
	if len(*s) > n {
		*s = clip(*s, n)
		c.mark(part)
	}
}

func (c *cutter) list(part string, l *[]string) {
	if len(*l) > maxList {
		*l = (*l)[:maxList]
		c.mark(part)
	}
	for i := range *l {
		c.text(part, &(*l)[i], maxText)
	}
}

// bound brings an event within the bounds. It changes e in place.
func bound(e *event.Event) {
	c := cutter{cut: e.Cut}
	for _, t := range []struct {
		part string
		s    *string
	}{
		{"actor.user", &e.Actor.User}, {"actor.impersonated", &e.Actor.Impersonated},
		{"actor.service_account", &e.Actor.ServiceAccount}, {"actor.address", &e.Actor.Address},
		{"actor.user_agent", &e.Actor.UserAgent}, {"verb", &e.Verb}, {"http.method", &e.HTTP.Method}, {"http.path", &e.HTTP.Path}, {"rule", &e.Rule}, {"priority", &e.Priority},
		{"object.group", &e.Object.Group}, {"object.resource", &e.Object.Resource},
		{"object.subresource", &e.Object.Subresource}, {"object.kind", &e.Object.Kind},
		{"object.namespace", &e.Object.Namespace}, {"object.name", &e.Object.Name}, {"object.uid", &e.Object.UID},
		{"object.node", &e.Object.Node}, {"object.container", &e.Object.Container},
		{"object.container_id", &e.Object.ContainerID}, {"object.image", &e.Object.Image},
		{"object.digest", &e.Object.Digest}, {"object.workload", &e.Object.Workload.Name},
		{"object.workload", &e.Object.Workload.UID},
	} {
		c.text(t.part, t.s, maxText)
	}
	c.text("actor.process", &e.Actor.Process, maxProcess)
	c.text("message", &e.Message, maxField)
	c.list("actor.groups", &e.Actor.Groups)
	c.list("tags", &e.Tags)
	c.text("from", &e.From, maxFrom)
	c.fields(e.Fields)
	c.whole(e)
	slices.Sort(c.cut)
	e.Cut = c.cut
}

// whole is the last bound: what would still not fit into a frame loses its
// fields, and then all of its long parts. The parts' bounds leave that to
// texts made for it, of characters that JSON writes with six bytes.
func (c *cutter) whole(e *event.Event) {
	if sizeOf(map[string]any(e.Fields))+sizeOf(e.Message)+sizeOf(e.Actor.Process) < event.MaxEventBytes/4 && len(e.Actor.Groups)+len(e.Tags) < 32 {
		return
	}
	if fits(e) {
		return
	}
	e.Fields = event.Fields{}
	c.mark("fields")
	if fits(e) {
		return
	}
	e.Message, e.Actor.Process = clip(e.Message, maxText), clip(e.Actor.Process, maxText)
	e.Actor.Groups, e.Tags = e.Actor.Groups[:min(len(e.Actor.Groups), 32)], e.Tags[:min(len(e.Tags), 32)]
	c.mark("message")
	c.mark("actor.groups")
}

// fields bounds each field, then all of them together: the largest go first.
func (c *cutter) fields(fields event.Fields) {
	total := 0
	sizes := make(map[string]int, len(fields))
	for name, v := range fields {
		v, short := shorten(v, maxField)
		if short {
			fields[name] = v
			c.mark("fields." + name)
		}
		sizes[name] = sizeOf(v) + len(name)
		total += sizes[name]
	}
	if total <= maxFields {
		return
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if sizes[a] != sizes[b] {
			return sizes[b] - sizes[a]
		}
		if a < b {
			return -1
		}
		return 1
	})
	for _, name := range names {
		if total <= maxFields {
			return
		}
		delete(fields, name)
		c.mark("fields." + name)
		total -= sizes[name]
	}
}

// shorten brings a value under max bytes: first long lists, then long strings
// go, so that padding an object with one long annotation can't hide the rest
// of it. What is too large even then becomes nil.
func shorten(v any, max int) (any, bool) {
	if sizeOf(v) <= max && !hasLongList(v) {
		return v, false
	}
	v, cut := prune(v, 1<<30, maxList)
	for _, n := range []struct{ text, list int }{{4 << 10, maxList}, {512, 256}, {64, 64}} {
		if sizeOf(v) <= max {
			return v, cut
		}
		if s, ok := v.(string); ok {
			return clip(s, max), true
		}
		v, _ = prune(v, n.text, n.list)
		cut = true
	}
	if sizeOf(v) > max {
		return nil, true
	}
	return v, cut
}

func hasLongList(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) > maxList || slices.ContainsFunc(v, hasLongList)
	case map[string]any:
		if len(v) > maxList {
			return true
		}
		for _, item := range v {
			if hasLongList(item) {
				return true
			}
		}
	}
	return false
}

// prune copies a value with its strings cut to text bytes, and its lists and
// objects to list entries.
func prune(v any, text, list int) (any, bool) {
	switch v := v.(type) {
	case string:
		return clip(v, text), len(v) > text
	case []any:
		cut := len(v) > list
		out := make([]any, min(len(v), list))
		for i := range out {
			item, short := prune(v[i], text, list)
			out[i], cut = item, cut || short
		}
		return out, cut
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		cut := len(names) > list
		if cut {
			slices.Sort(names)
			names = names[:list]
		}
		out := make(map[string]any, len(names))
		for _, name := range names {
			item, short := prune(v[name], text, list)
			key := clip(name, max(text, 64))
			out[key], cut = item, cut || short || len(key) < len(name)
		}
		return out, cut
	}
	return v, false
}

// sizeOf is about how many bytes of JSON a value takes; control characters
// count as the six bytes that they become.
func sizeOf(v any) int {
	switch v := v.(type) {
	case string:
		n := len(v) + 2
		for i := range len(v) {
			switch c := v[i]; {
			case c < 0x20, c == '<', c == '>', c == '&':
				n += 5
			case c == '"', c == '\\':
				n++
			}
		}
		return n
	case int64:
		return len(strconv.FormatInt(v, 10))
	case []any:
		n := 2
		for _, item := range v {
			n += sizeOf(item) + 1
		}
		return n
	case map[string]any:
		n := 2
		for name, item := range v {
			n += sizeOf(name) + sizeOf(item) + 2
		}
		return n
	case float64:
		return 24
	}
	return 5
}

// encode is the JSON of an event as it goes into a frame. The error says that
// it is larger than [event.MaxEventBytes].
func encode(e *event.Event) ([]byte, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	if len(data) > event.MaxEventBytes {
		return nil, fmt.Errorf("encode event %s: %d bytes, the bound is %d", e.ID, len(data), event.MaxEventBytes)
	}
	return data, nil
}

// reserve is how much JSON enrichment may add to an event once it was bounded:
// names, labels, and what is known of an image.
const reserve = 64 << 10

// fits says whether an event can still be encoded when it was enriched.
func fits(e *event.Event) bool {
	data, err := json.Marshal(e)
	return err == nil && len(data) <= event.MaxEventBytes-reserve
}
