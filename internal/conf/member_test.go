package conf

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestMembers(t *testing.T) {
	for text, want := range map[string]string{
		`steps.one.state == "done"`:                  "one.state@1:1",
		`verb == "a" and steps["a-b"].result == "x"`: "a-b.result@1:17",
		`steps?.one?.state == "done"`:                "one.state@1:1",
		`steps.a.state == steps.b.error`:             "a.state@1:1 b.error@1:18",
		`len(steps) > 0`:                             "@1:5",
		`steps[verb].state == "x"`:                   "@1:1",
		`any(steps.one.each, .state == "x")`:         "one.each@1:5",
		`other.steps.one == 1`:                       "",
		`verb == "steps.one"`:                        "",
		`(`:                                          "",
	} {
		var got []string
		for _, m := range (Expression{Text: text}).Members("steps") {
			e := m.Errorf("x")
			got = append(got, fmt.Sprintf("%s@%d:%d", strings.Join(m.Names, "."), e.Line, e.Column))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %q, want %q", text, s, want)
		}
	}
}

func TestMembersOfTemplates(t *testing.T) {
	var spec struct {
		With Raw `yaml:"with"`
	}
	text := "with:\n  a: \"x ${steps.one.state} $${steps.no} ${steps.two}\"\n  b: [{c: '${steps.three.error}'}, 1, plain]\n"
	if err := Decode("f.yaml", []byte(text), &spec); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range spec.With.Templates() {
		for _, m := range one.Members("steps") {
			e := m.Errorf("x")
			got = append(got, fmt.Sprintf("%s@%d:%d", strings.Join(m.Names, "."), e.Line, e.Column))
		}
	}
	if want := []string{"one.state@2:11", "two@2:43", "three.error@3:14"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
