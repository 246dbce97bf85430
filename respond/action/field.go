package action

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// FieldsKey is the annotation that says which fields of an object Firebreak
// holds, and what they were before.
const FieldsKey = event.AnnotationPrefix + "fields"

// What is done with a field.
const (
	// fieldSet gives it a value, or takes it off (nil).
	fieldSet = ""
	// fieldAdd adds an element to a list, fieldRemove takes one out of it.
	fieldAdd, fieldRemove = "add", "remove"
)

// field is one value of an object that an action changes.
type field struct {
	Path  []string `json:"path"`
	Op    string   `json:"op,omitempty"`
	Value any      `json:"value"`
}

// id names the field in the record: a JSON pointer (RFC 6901), and of a list
// the element too.
func (f field) id() string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, p := range f.Path {
		b.WriteString("/" + escape.Replace(p))
	}
	if f.Op != fieldSet {
		b.WriteString(" " + f.Op + " " + event.HashID("element", canonical(f.Value))[:8])
	}
	return b.String()
}

// String is for people.
func (f field) String() string {
	at := strings.Join(f.Path, ".")
	switch {
	case f.Op == fieldAdd:
		return fmt.Sprintf("add %s to %s", canonical(f.Value), at)
	case f.Op == fieldRemove:
		return fmt.Sprintf("take %s out of %s", canonical(f.Value), at)
	case f.Value == nil:
		return "take off " + at
	}
	return fmt.Sprintf("%s = %s", at, canonical(f.Value))
}

// fieldHold is a field that steps hold.
type fieldHold struct {
	field
	// Before is the value that was there; absent is none. Of an element that was
	// taken out it is its place in the list, of one that was added it is
	// noList when there was no list.
	Before any     `json:"before,omitempty"`
	Runs   Holders `json:"runs"`
}

const noList = "no list"

// fieldRecord is the annotation, by the field's id.
type fieldRecord map[string]fieldHold

func parseFields(annotations map[string]string) (fieldRecord, error) {
	rec := fieldRecord{}
	text, ok := annotations[FieldsKey]
	if !ok {
		return rec, nil
	}
	if err := json.Unmarshal([]byte(text), &rec); err != nil {
		return fieldRecord{}, fmt.Errorf("decode annotation %s: %w", FieldsKey, err)
	}
	for id, h := range rec {
		if len(h.Path) == 0 || h.id() != id {
			return fieldRecord{}, fmt.Errorf("annotation %s: %q is not the field that it names", FieldsKey, id)
		}
	}
	return rec, nil
}

func (rec fieldRecord) holdBy(key string) bool {
	for _, h := range rec {
		if _, ok := h.Runs[key]; ok {
			return true
		}
	}
	return false
}

// canonical is a value as JSON with sorted keys, by which values are compared:
// one was read by the API, another from an annotation.
func canonical(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	var again any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&again) != nil {
		return string(text)
	}
	if text, err = json.Marshal(again); err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

func equalJSON(a, b any) bool { return canonical(a) == canonical(b) }

// valueAt reads a field of an object; false is that it is not there.
func valueAt(o object, path []string) (any, bool) {
	var now any = o
	for _, p := range path {
		m, ok := now.(map[string]any)
		if !ok {
			return nil, false
		}
		if now, ok = m[p]; !ok {
			return nil, false
		}
	}
	return now, now != nil
}

// listAt reads a list.
func listAt(o object, path []string) []any {
	v, _ := valueAt(o, path)
	list, _ := v.([]any)
	return slices.Clone(list)
}

func indexOf(list []any, v any) int {
	text := canonical(v)
	return slices.IndexFunc(list, func(x any) bool { return canonical(x) == text })
}

// setAt puts a value into a merge patch.
func setAt(patch object, path []string, v any) {
	for _, p := range path[:len(path)-1] {
		inner, ok := patch[p].(object)
		if !ok {
			inner = object{}
			patch[p] = inner
		}
		patch = inner
	}
	patch[path[len(path)-1]] = v
}

// holdsNow says whether the object has the field as the hold set it.
func (f field) holdsNow(o object) bool {
	if f.Op != fieldSet {
		return (indexOf(listAt(o, f.Path), f.Value) >= 0) == (f.Op == fieldAdd)
	}
	v, present := valueAt(o, f.Path)
	if f.Value == nil {
		return !present
	}
	return present && equalJSON(v, f.Value)
}

// before is what the record keeps of the object as it was.
func (f field) before(o object) any {
	v, present := valueAt(o, f.Path)
	switch {
	case f.Op == fieldSet:
		return v
	case f.Op == fieldRemove:
		return indexOf(listAt(o, f.Path), f.Value)
	case !present:
		return noList
	}
	return nil
}

// before is field.before, where nothing holds the list; else it is as it was
// before all of them.
func (rec fieldRecord) before(f field, o object) any {
	for _, h := range rec {
		if f.Op == fieldAdd && h.Op == fieldAdd && slices.Equal(h.Path, f.Path) && h.Before == noList {
			return noList
		}
	}
	return f.before(o)
}

// put writes the field into a merge patch. A list is written as a whole: the
// patch is conditional on the object being as it was read.
func (f field) put(patch, now object) {
	list := f.list(patch, now)
	at := indexOf(list, f.Value)
	switch {
	case f.Op == fieldSet:
		setAt(patch, f.Path, f.Value)
		return
	case f.Op == fieldAdd && at < 0:
		list = append(list, f.Value)
	case f.Op == fieldRemove && at >= 0:
		list = slices.Delete(list, at, at+1)
	}
	setAt(patch, f.Path, list)
}

// list is a list as it is, or as the patch makes it already; never nil, which
// would take it off.
func (f field) list(patch, now object) []any {
	list, _ := valueAt(patch, f.Path)
	all, ok := list.([]any)
	if !ok {
		all = listAt(now, f.Path)
	}
	if all == nil {
		all = []any{}
	}
	return all
}

// putBack writes what was there before into a merge patch.
func (h fieldHold) putBack(patch, now object) {
	list := h.list(patch, now)
	at := indexOf(list, h.Value)
	switch {
	case h.Op == fieldSet:
		setAt(patch, h.Path, h.Before)
		return
	case h.Op == fieldAdd && at >= 0:
		list = slices.Delete(list, at, at+1)
		if h.Before == noList && len(list) == 0 {
			setAt(patch, h.Path, nil)
			return
		}
	case h.Op == fieldRemove && at < 0:
		place, _ := h.Before.(float64)
		list = slices.Insert(list, min(max(int(place), 0), len(list)), h.Value)
	}
	setAt(patch, h.Path, list)
}
