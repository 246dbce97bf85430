package conf

import (
	"reflect"
	"testing"
)

func TestSelect(t *testing.T) {
	paths := []string{"verb", "object.resource", "class"}
	for text, want := range map[string][]Needs{
		`verb == "get"`: {{"verb": {"get"}}},
		`verb in ["get", "list"] and object.resource == "secrets" and user matches "x"`: {{"verb": {"get", "list"}, "object.resource": {"secrets"}}},
		`verb == "get" or class == "x"`:                              {{"verb": {"get"}}, {"class": {"x"}}},
		`verb == "get" or user == "x"`:                               {{"verb": {"get"}}, {}},
		`not (verb == "get")`:                                        {{}},
		`not (verb != "get" or class not in ["a"])`:                  {{"verb": {"get"}, "class": {"a"}}},
		`verb == "get" and verb == "list"`:                           {},
		`verb in ["get", "list"] && (verb == "get" || class == "x")`: {{"verb": {"get"}}, {"verb": {"get", "list"}, "class": {"x"}}},
		`user == "x" ? verb == "get" : verb == "list"`:               {{}},
		`any(["a"], verb == "get")`:                                  {{}},
	} {
		if got := Select(paths, Expression{Text: text}); !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%s needs %v, want %v", text, got, want)
		}
	}
	if got := Select(paths, Expression{Text: `verb == "get"`}, Expression{Text: `class == "x"`}, Expression{}); !reflect.DeepEqual(got, []Needs{{"verb": {"get"}, "class": {"x"}}}) {
		t.Errorf("of two: %v", got)
	}
}
