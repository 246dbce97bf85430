package ingest

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TagCut marks a log record of which a part was left out, since it was larger
// or deeper than a record may be.
const TagCut = "firebreak:record-cut"

// cutRecord reads a record that is too large, too deep or has too many values,
// as far as the bounds allow: a container must not be able to hide a line by
// what else it writes. Where that is no help it gives the fault.
func cutRecord(raw []byte, fault error) (object, []string, error) {
	if len(raw) > maxBatch {
		return object{}, nil, fault
	}
	tags := []string{TagCut}
	text := raw
	if !utf8.Valid(text) {
		text, tags = escapeBytes(text, `\\x`), append(tags, TagUTF8)
	}
	b := bodyReader{dec: jsontext.NewDecoder(bytes.NewBuffer(text), lenient()...)}
	tree, err := b.record()
	if err != nil {
		return object{}, nil, fault
	}
	// What was left out counts for the identity.
	tree[cutHash] = event.HashID(string(raw))
	if text, err = json.Marshal(tree); err != nil {
		return object{}, nil, fault
	}
	obj, err := parseBounded(text, maxBatch)
	if err != nil {
		return object{}, nil, fault
	}
	delete(obj.tree, cutHash)
	if b.twice {
		tags = append(tags, TagDuplicate)
	}
	return obj, tags, nil
}

const cutHash = "firebreak:was"

// record reads an object of which what the shipper says has a share of the
// bound for itself: what the program wrote can't push it out.
func (b *bodyReader) record() (map[string]any, error) {
	if tok, err := b.dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil, errDeep
	}
	m := map[string]any{}
	spent := 0
	for b.dec.PeekKind() == '"' {
		name, err := b.dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		own := slices.Contains(ofShippers, key) || slices.Contains(lineNames, key)
		if b.values = spent; own {
			b.values = 0
		}
		if b.full() {
			if err := b.dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		_, known := m[key]
		b.twice = b.twice || known
		if m[key], err = b.value(1); err != nil {
			return nil, err
		}
		if !own {
			spent = b.values
		}
	}
	_, err := b.dec.ReadToken()
	return m, err
}
