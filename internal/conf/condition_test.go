package conf

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// show writes a trace in one line.
func show(t Trace) string {
	var parts []string
	for _, p := range t.Parts {
		parts = append(parts, show(p))
	}
	for _, v := range t.Values {
		parts = append(parts, fmt.Sprintf("%s=%v", v.Text, v.Value))
	}
	name := t.Op
	if t.Op == "" || t.Op == OpMacro {
		name = t.Text
	}
	return fmt.Sprintf("%s:%s{%s}", name, t.Truth, strings.Join(parts, " "))
}

func TestConditions(t *testing.T) {
	lib := &Library{}
	lib.SetList("verbs", []any{"get", "list"})
	lib.SetMacro("reads", Expression{Text: `verb in lists.verbs`})
	lib.AddToMacro("reads", Expression{Text: `verb == "watch"`})
	for text, want := range map[string]string{
		`verb == "get"`:                                       `verb == "get":true{verb=get}`,
		`verb == "put" and object.rank > 1`:                   `and:false{verb == "put":false{verb=get} object.rank > 1:true{object.rank=2}}`,
		`verb == "a" || (verb == "b" or not (verb == "c"))`:   `or:true{verb == "a":false{verb=get} verb == "b":false{verb=get} not:true{verb == "c":false{verb=get}}}`,
		`macros.reads and verb != "x"`:                        `and:true{macros.reads:true{verb in lists.verbs:true{verb=get} verb == "watch":false{verb=get}} verb != "x":true{verb=get}}`,
		`fields["proc.name"] startsWith "s"`:                  `fields["proc.name"] startsWith "s":true{fields["proc.name"]=sh}`,
		`any(fields.request.spec.containers, {.name == "b"})`: `any(fields.request.spec.containers, .name == "b"):true{fields.request.spec.containers=[map[name:a] map[name:b ports:[map[p:80]] securityContext:map[privileged:true]]]}`,
		`lower(verb) == "get"`:                                `lower(verb) == "get":true{verb=get lower(verb)=get}`,
		`let v = lower(verb); v == "get" and v != "put"`:      `and:true{v == "get":true{v=get} v != "put":true{v=get}}`,
		`count(verb == "get") > 2 and first(verb) or other()`: `or:unknown{and:unknown{count(verb == "get") > 2:true{verb=get count(verb == "get")=3} first(verb):unknown{verb=get}} other():unknown{}}`,
		`fields.gone.deeper == "x" or object?.name == "x"`:    `or:true{fields.gone.deeper == "x":false{fields.gone.deeper=<nil>} object?.name == "x":true{object?.name=x}}`,
	} {
		e := Expression{Text: text, at: origin{part: part{lib: lib}}}
		c, err := e.Conditions(env{}, Taking{
			Aggregates: []string{"count", "first?", "other?"},
			Ask:        func(call string) (float64, bool) { return 3, strings.HasPrefix(call, "count") },
		})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := show(c.Trace(&sample)); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestConditionsKnowTheirPlaces(t *testing.T) {
	docs, err := Documents("r.yaml", []byte("apiVersion: firebreak.io/v1alpha1\nkind: X\nmetadata: {name: x}\nspec:\n  when: >-\n    verb == \"a\"\n    and (verb == \"b\"\n    or not (object.name == \"c\"))\n"))
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		When Expression `yaml:"when"`
	}
	if err := docs[0].Decode(&spec); err != nil {
		t.Fatal(err)
	}
	c, err := spec.When.Conditions(env{}, Taking{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var walk func(c *Condition)
	walk = func(c *Condition) {
		got = append(got, fmt.Sprintf("%s@%d:%d", c.Op, c.Line, c.Column))
		for _, p := range c.Parts {
			walk(p)
		}
	}
	walk(c)
	if want := "and@6:5 @6:5 or@7:10 @7:10 not@8:8 @8:13"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// What the parts say together is what the whole says.
func TestConditionsAgreeWithTheProgram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawCondition(t, 4)
		p, err := Compile(env{}, text, Bool)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Expression{Text: text}.Conditions(env{}, Taking{})
		if err != nil {
			t.Fatal(err)
		}
		e := env{Verb: rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "verb"), Fields: fields{"n": rapid.SampledFrom([]any{nil, "a", int64(1)}).Draw(t, "n")}}
		want, err := p.Bool(&e)
		if got := c.Trace(&e).Truth; err != nil || got != truthOf(want) {
			t.Fatalf("%s is %v (%v), its parts say %s: %s", text, want, err, got, show(c.Trace(&e)))
		}
	})
}

func drawCondition(t *rapid.T, depth int) string {
	test := rapid.SampledFrom([]string{`verb == "a"`, `verb in ["a", "b"]`, `fields.n == 1`, `fields.n startsWith "a"`, `len(verb) > 0`, `true`})
	if depth == 0 {
		return test.Draw(t, "test")
	}
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return "(" + drawCondition(t, depth-1) + " and " + drawCondition(t, depth-1) + ")"
	case 1:
		return "(" + drawCondition(t, depth-1) + " || " + drawCondition(t, depth-1) + ")"
	case 2:
		return "not (" + drawCondition(t, depth-1) + ")"
	case 3:
		return "(let v" + fmt.Sprint(depth) + " = verb; v" + fmt.Sprint(depth) + " != \"\" and " + drawCondition(t, depth-1) + ")"
	}
	return test.Draw(t, "test")
}
