package conf

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestImplies(t *testing.T) {
	for _, c := range []struct {
		fact, goal string
		want       bool
	}{
		{`class == "a"`, `class == "a"`, true},
		{`"a" == class`, `class == 'a'`, true},
		{`class == "a" and verb == "get"`, `class == "a"`, true},
		{`class == "a"`, `class == "a" && verb == "get"`, false},
		{`class == "a"`, `class in ["a", "b"]`, true},
		{`class in ["b", "a"]`, `class in ["a", "b", "c"]`, true},
		{`class in ["a", "d"]`, `class in ["a", "b"]`, false},
		{`class == "a"`, `class == "b" or class == "a"`, true},
		{`class in ["a", "b"]`, `class == "b" or verb == "get" or class == "a"`, true},
		{`class == "a"`, `class != "b"`, true},
		{`class == "a"`, `class not in ["b", "c"]`, true},
		{`class == "b"`, `not (class in ["b", "c"])`, false},
		{`class != "a"`, `class != "b"`, false},
		{`class not in ["a", "b"]`, `class != "b"`, true},
		{`class == "lo" + "g"`, `class == "log"`, true},
		{`class == "a" or class == "b" and verb == "get"`, `class in ["a", "b"]`, true},
		{`class == "a" or verb == "get"`, `class == "a"`, false},
		{`(class == "a" or verb == "get") and class == "b"`, `class == "b"`, true},
		{`(class == "a" or class == "b") and verb == "get"`, `class == "a" and verb == "get" or class == "b"`, true},
		{`not (class != "a" or verb == "get")`, `class == "a" and verb != "get"`, true},
		{`lower(message) matches "x" and class == "a"`, `lower( message ) matches 'x'`, true},
		{`message matches "x"`, `message matches "y"`, false},
		{`message matches "x|y"`, `message matches "x"`, false},
		{`class == "a" and fields.n > 5`, `fields.n > 5`, true},
		{`fields.n > 5`, `fields.n > 3`, false},
		{`class == "a"`, `true`, true},
		{`class == "a"`, `false`, false},
		{`false`, `class == "a"`, true},
		{`class == verb`, `class == verb`, true},
		{`class != verb`, `class == verb`, false},
		{`not (class == verb)`, `class != verb`, true},
		{`any(tags, # == "a" and len(#) > 1)`, `any(tags, # == "a" && len(#) > 1)`, true},
		{`any(tags, # == "a")`, `any(tags, # == "b")`, false},
		{`class == "a" and any(containers(fields.request), #.x == "a")`, `class == "a"`, true},
		{`any(containers(fields.request), #.x == "a")`, `any( containers(fields.request), #.x == 'a' )`, true},
		{`class in tags`, `class in ["a"]`, false},
		{`tags == ["a"]`, `tags in ["a"]`, false},
		{`class == "a"`, `fields.class == "a"`, false},
		{`class == "a"`, ``, false},
		{`class ==`, `class == "a"`, false},
		{`let c = class; c == "a"`, `class == "a"`, false},
		{`verb == "a"`, `class == "a"`, false},
	} {
		if got := Implies([]Expression{{Text: c.fact}}, Expression{Text: c.goal}); got != c.want {
			t.Errorf("%s implies %s: %v", c.fact, c.goal, got)
		}
	}
	if !Implies([]Expression{{Text: `class == "a"`}, {Text: `verb == "get"`}}, Expression{Text: `class == "b"`}, Expression{Text: `class == "a" and verb == "get"`}) {
		t.Error("two facts and two goals")
	}
}

// implied is what the expressions of the property test look at.
type implied struct {
	A string         `expr:"a"`
	B string         `expr:"b"`
	F map[string]any `expr:"f"`
}

func truths(depth int) *rapid.Generator[string] {
	text := rapid.SampledFrom([]string{`"x"`, `"y"`, `"z"`, `'x'`})
	value := rapid.SampledFrom([]string{"a", "b", "f.v"})
	leaf := rapid.Custom(func(t *rapid.T) string {
		v := value.Draw(t, "value")
		switch rapid.IntRange(0, 5).Draw(t, "leaf") {
		case 0:
			return fmt.Sprintf("%s == %s", v, text.Draw(t, "text"))
		case 1:
			return fmt.Sprintf("%s != %s", text.Draw(t, "text"), v)
		case 2:
			return fmt.Sprintf("%s in [%s, %s]", v, text.Draw(t, "text"), text.Draw(t, "text"))
		case 3:
			return fmt.Sprintf("%s not in [%s, %s]", v, text.Draw(t, "text"), text.Draw(t, "text"))
		case 4:
			return fmt.Sprintf("%s matches %s", v, text.Draw(t, "text"))
		}
		return "f.v"
	})
	if depth == 0 {
		return leaf
	}
	return rapid.Custom(func(t *rapid.T) string {
		l, r := truths(depth-1).Draw(t, "left"), truths(depth-1).Draw(t, "right")
		return fmt.Sprintf(rapid.SampledFrom([]string{"(%s and %s)", "(%s or %s)", "(%s && %s)", "not (%s || %s)"}).Draw(t, "form"), l, r)
	})
}

// TestImpliesIsCertain: where it says that one expression implies another, no
// value makes the first true and the second false.
func TestImpliesIsCertain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fact, goal := truths(rapid.IntRange(0, 2).Draw(t, "depth")).Draw(t, "fact"), truths(rapid.IntRange(0, 2).Draw(t, "depth")).Draw(t, "goal")
		if !Implies([]Expression{{Text: fact}}, Expression{Text: goal}) {
			return
		}
		f, err := Compile(implied{}, fact, Bool)
		if err != nil {
			t.Fatal(err)
		}
		g, err := Compile(implied{}, goal, Bool)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []string{"x", "y", "z", ""} {
			for _, b := range []string{"x", "y", "z", ""} {
				for _, v := range []any{"x", "y", "z", "", nil, true, false, int64(1), []any{"x"}} {
					env := &implied{A: a, B: b, F: map[string]any{"v": v}}
					first, err := f.Bool(env)
					if err != nil || !first {
						continue
					}
					if second, err := g.Bool(env); err != nil || !second {
						t.Fatalf("%s holds for %+v, %s does not (%v)", fact, env, goal, err)
					}
				}
			}
		}
	})
}

// A proof takes bounded time, however it is written.
func TestImpliesIsBounded(t *testing.T) {
	var fact, goal strings.Builder
	fact.WriteString("true")
	goal.WriteString("false")
	for i := range 100 {
		fmt.Fprintf(&fact, " and (a == %q or b == %q or f.v == %q)", fmt.Sprint(i), fmt.Sprint(i), fmt.Sprint(i))
		fmt.Fprintf(&goal, " or (a == %q and b == %q)", fmt.Sprint(i), fmt.Sprint(i+1))
	}
	if Implies([]Expression{{Text: fact.String()}}, Expression{Text: goal.String()}) {
		t.Error("proved")
	}
}

func FuzzImplies(f *testing.F) {
	f.Add(`class == "a" and not (x or y)`, `class in ["a", "b"] || let a = 1; a == 1`)
	f.Add(`((((`, `a ? b : c`)
	f.Fuzz(func(t *testing.T, fact, goal string) {
		Implies([]Expression{{Text: fact}}, Expression{Text: goal})
		if fact == goal && parseClause(Expression{Text: fact}) == nil && Implies([]Expression{{Text: fact}}, Expression{Text: goal}) {
			t.Fatal("what can't be read proves something")
		}
	})
}
