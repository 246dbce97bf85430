package event

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFieldsKeepNumbers(t *testing.T) {
	for _, c := range []struct {
		json string
		want any
	}{
		{`0`, int64(0)},
		{`-1`, int64(-1)},
		{`9007199254740993`, int64(9007199254740993)}, // 2^53+1: a float64 would change it
		{`9223372036854775807`, int64(1<<63 - 1)},
		{`-9223372036854775808`, int64(-1 << 63)},
		{`9223372036854775808`, "9223372036854775808"},
		{`18446744073709551615`, "18446744073709551615"},
		{`123456789012345678901234567890`, "123456789012345678901234567890"},
		{`1.5`, 1.5},
		{`1e3`, int64(1000)},
		{`1.0`, int64(1)},
		{`-0.0`, int64(0)},
		{`1e20`, "1e20"},
		{`1e-7`, 1e-7},
		{`1e999`, "1e999"},
		{`"1"`, "1"},
		{`null`, nil},
		{`true`, true},
		{`[1, [18446744073709551615], {"a": 2}]`, []any{int64(1), []any{"18446744073709551615"}, map[string]any{"a": int64(2)}}},
		{`{"a": {"b": 9007199254740993}}`, map[string]any{"a": map[string]any{"b": int64(9007199254740993)}}},
	} {
		var f Fields
		if err := json.Unmarshal([]byte(`{"v":`+c.json+`}`), &f); err != nil {
			t.Errorf("%s: %v", c.json, err)
			continue
		}
		if diff := cmp.Diff(Fields{"v": c.want}, f); diff != "" {
			t.Errorf("%s: %s", c.json, diff)
		}
	}
}

func TestFieldsRefuse(t *testing.T) {
	for _, text := range []string{`[]`, `1`, `"x"`} {
		var f Fields
		if err := f.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s became %v", text, f)
		}
	}
	var f Fields
	if err := json.Unmarshal([]byte(`null`), &f); err != nil || f != nil {
		t.Errorf("null became %v, %v", f, err)
	}
}

func TestFieldsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Fields{
			"i": rapid.Int64().Draw(t, "i"), "s": rapid.String().Draw(t, "s"),
			"u": rapid.StringMatching(`[1-9][0-9]{19,30}`).Draw(t, "u"),
			"l": []any{rapid.Bool().Draw(t, "b"), nil, rapid.Int64().Draw(t, "j")},
		}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Fields
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzFields: no object crashes it, and a second reading changes nothing.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `{"a":18446744073709551615}`, `{"a":[1,{"b":1e999}]}`, `{"a":1,"a":2}`, `{"a":-0}`, `{"a":1.0}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second Fields
		if json.Unmarshal(data, &first) != nil {
			return
		}
		text, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &second); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatal(diff)
		}
	})
}
