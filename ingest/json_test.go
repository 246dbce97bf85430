package ingest

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

func TestParseObjectRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"duplicate", `{"a":1,"a":2}`, "duplicate name"},
		{"inner duplicate", `{"a":{"b":1,"b":2}}`, "duplicate name"},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", "invalid UTF-8"},
		{"deep", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), "nested deeper"},
		{"long array", `{"a":[` + strings.Repeat("1,", 10_000) + "1]}", "more than 10000"},
		{"many values", `{"a":[` + strings.Repeat("["+strings.Repeat("1,", 9_999)+"1],", 10) + "1]}", "more than 100000"},
		{"large", `{"a":"` + strings.Repeat("x", MaxEvent) + `"}`, "the bound is"},
		{"truncated", `{"a":`, "cut off"},
		{"array", `[1]`, "not a JSON object"},
		{"two", `{} {}`, "malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseObject([]byte(c.in))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestParseObjectKeepsNumbers(t *testing.T) {
	o, err := parseObject([]byte(`{"a":9007199254740993,"b":18446744073709551616,"c":1.5,"d":1e400}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": int64(9007199254740993), "b": "18446744073709551616", "c": 1.5, "d": "1e400"}
	for name, v := range want {
		if o.tree[name] != v {
			t.Errorf("%s is %v (%T), want %v", name, o.tree[name], o.tree[name], v)
		}
	}
}

// An id is the same in whatever order, with whatever white space and escapes
// an event is written, and another when a number differs past 2^53.
func TestObjectID(t *testing.T) {
	id := func(text string) string {
		o, err := parseObject([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return o.id(event.SourceFalco, "kind")
	}
	a := id(`{"x":{"b":1,"a":[1,2]},"y":"\u0041"}`)
	if b := id("{ \"y\" : \"A\", \"kind\":\"z\",\n \"x\":{\"a\":[1,2],\"b\":1}}"); a != b {
		t.Errorf("ids differ: %s %s", a, b)
	}
	if id(`{"x":9007199254740993}`) == id(`{"x":9007199254740992}`) {
		t.Error("numbers past 2^53 are taken for equal")
	}
}

func TestShorten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.StringN(0, 300, 3000))).Draw(t, "v")
		tree := map[string]any{}
		for name, list := range v {
			items := []any{}
			for _, s := range list {
				items = append(items, s)
			}
			tree[name] = items
		}
		limit := rapid.IntRange(100, 20_000).Draw(t, "limit")
		short, cut := shorten(tree, limit)
		if sizeOf(short) > limit {
			t.Fatalf("%d bytes, the bound is %d", sizeOf(short), limit)
		}
		if !cut && sizeOf(tree) > limit {
			t.Fatal("cut, but not marked")
		}
	})
}

func TestEventIsBounded(t *testing.T) {
	long := strings.Repeat("\x01", 1000)
	e := event.Event{Message: strings.Repeat("<", 1<<20), Fields: event.Fields{}, Source: event.SourceAudit}
	for i := range 2000 {
		e.Actor.Groups = append(e.Actor.Groups, long)
		e.Fields[strings.Repeat("k", i%100+1)+long] = strings.Repeat("\x02", 100_000)
	}
	finish(&e)
	data, err := encode(&e)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Cut) == 0 {
		t.Error("nothing is marked as cut in an event of", len(data), "bytes")
	}
}
