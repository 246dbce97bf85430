package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-io/firebreak/internal/event"
)

const (
	// maxChanges bounds what a dry run tells of one write, maxValue how much of a
	// value, in bytes.
	maxChanges = 8
	maxValue   = 120
)

// DryRun sends a write with dryRun=All: the API server checks and admits it, and
// stores nothing. It gives what the server would add to the object or change in
// it beyond what the write says (defaults, admission), a line each, in order. The
// errors are those of [Client.Apply].
func (c *Client) DryRun(ctx context.Context, w event.Write) ([]string, error) {
	var before map[string]any
	// What a subresource answers with is another object; a Secret's values are
	// nobody's to read.
	compare := w.Subresource == "" && w.Resource != "secrets" && (w.Verb == "patch" || w.Verb == "create")
	if compare && w.Verb == "patch" {
		at := schema.GroupVersionResource{Group: w.Group, Version: w.Version, Resource: w.Resource}
		object, err := c.Get(ctx, at.Group, at.Version, at.Resource, w.Namespace, w.Name)
		if err == nil && object.GetResourceVersion() == w.ResourceVersion {
			before = object.Object
		}
	}
	object, err := c.apply(ctx, w, ApplyOptions{DryRun: true})
	if err != nil || object == nil || !compare || w.Verb == "patch" && before == nil {
		return nil, err
	}
	var body map[string]any
	if err := json.Unmarshal(w.Body, &body); err != nil {
		return nil, fmt.Errorf("dry run: decode body: %w", err)
	}
	want, _ := merged(before, body).(map[string]any)
	changes := differences(nil, "", said(want), said(object.Object))
	if n := len(changes) - maxChanges; n > 0 {
		changes = append(changes[:maxChanges], fmt.Sprintf("and %d more", n))
	}
	return changes, nil
}

// merged is a value after a JSON merge patch (RFC 7386). It changes neither.
func merged(value, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	v, _ := value.(map[string]any)
	out := make(map[string]any, len(v)+len(p))
	maps.Copy(out, v)
	for key, change := range p {
		if change == nil {
			delete(out, key)
		} else {
			out[key] = merged(out[key], change)
		}
	}
	return out
}

// serverFields are the fields of an object's metadata that the API server keeps itself.
var serverFields = []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"}

// said is an object without what the API server keeps itself: that it has it is
// no news.
func said(object map[string]any) map[string]any {
	out := maps.Clone(object)
	delete(out, "status")
	if meta, ok := out["metadata"].(map[string]any); ok {
		meta = maps.Clone(meta)
		for _, key := range serverFields {
			delete(meta, key)
		}
		out["metadata"] = meta
	}
	return out
}

// differences adds how got differs from want. Empty is as good as absent.
func differences(list []string, path string, want, got any) []string {
	w, ok1 := want.(map[string]any)
	g, ok2 := got.(map[string]any)
	if !ok1 && !ok2 || !ok1 && want != nil || !ok2 && got != nil {
		if equal(want, got) {
			return list
		}
		return append(list, fmt.Sprintf("%s is %s", strings.TrimPrefix(path, "."), value(got)))
	}
	keys := slices.Collect(maps.Keys(w))
	for key := range g {
		if _, both := w[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		list = differences(list, path+"."+key, w[key], g[key])
	}
	return list
}

func equal(a, b any) bool {
	if empty(a) && empty(b) {
		return true
	}
	// Numbers differ in type by how they were decoded.
	return reflect.DeepEqual(a, b) || value(a) == value(b)
}

func empty(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return (r.Kind() == reflect.Map || r.Kind() == reflect.Slice) && r.Len() == 0
}

func value(v any) string {
	if v == nil {
		return "absent"
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	if len(data) > maxValue {
		return strings.ToValidUTF8(string(data[:maxValue]), "") + "…"
	}
	return string(data)
}
