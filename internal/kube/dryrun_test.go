package kube

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

func parsed(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestMerged holds the merge against the examples of RFC 7386, appendix A.
func TestMerged(t *testing.T) {
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		before := parsed(t, c[0])
		if got := merged(before, parsed(t, c[1])); !reflect.DeepEqual(got, parsed(t, c[2])) {
			t.Errorf("%s with %s is %v, want %s", c[0], c[1], got, c[2])
		}
		if !reflect.DeepEqual(before, parsed(t, c[0])) {
			t.Errorf("%s was changed to %v", c[0], before)
		}
	}
}

func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		want, got string
		say       []string
	}{
		{`{"a":{"b":1}}`, `{"a":{"b":1}}`, nil},
		{`{"a":{}}`, `{}`, nil},
		{`{"spec":{"a":1}}`, `{"spec":{"a":2,"b":"x"}}`, []string{`spec.a is 2`, `spec.b is "x"`}},
		{`{"spec":{"a":[1]}}`, `{}`, []string{`spec.a is absent`}},
		{`{"spec":{"a":{"b":1}}}`, `{"spec":{"a":"text"}}`, []string{`spec.a is "text"`}},
		{`{"metadata":{"labels":{"x":"y"}}}`, `{"metadata":{"uid":"u","resourceVersion":"7","managedFields":[1],"labels":{"x":"y","injected":"yes"}},"status":{"a":1}}`, []string{`metadata.labels.injected is "yes"`}},
	} {
		want, _ := parsed(t, c.want).(map[string]any)
		got, _ := parsed(t, c.got).(map[string]any)
		if say := differences(nil, "", said(want), said(got)); !slices.Equal(say, c.say) {
			t.Errorf("%s and %s: said %q, want %q", c.want, c.got, say, c.say)
		}
	}
}
