package conf

import (
	"strings"
	"testing"
	"time"
)

type kind string

type thing struct {
	Name string   `expr:"name"`
	Kind kind     `expr:"kind"`
	Rank level    `expr:"rank"`
	List []string `expr:"list"`
}

type level int

type fields map[string]any

type env struct {
	Verb   string            `expr:"verb"`
	Object thing             `expr:"object"`
	Fields fields            `expr:"fields"`
	Labels map[string]string `expr:"labels"`
	Time   time.Time         `expr:"time"`
	Source kind              `expr:"source"`
}

func (thing) Danger() string { panic("called") }

var sample = env{
	Verb: "get", Source: "audit", Object: thing{Name: "x", Kind: "pod", Rank: 2, List: []string{"a", "b"}},
	Labels: map[string]string{"app": "shop"},
	Fields: fields{
		"proc.name": "sh", "n": int64(7), "f": 2.5, "yes": true, "nul": nil, "list": []any{"a", int64(1), nil},
		"request": map[string]any{"spec": map[string]any{"containers": []any{
			map[string]any{"name": "a"},
			map[string]any{"name": "b", "securityContext": map[string]any{"privileged": true}, "ports": []any{map[string]any{"p": int64(80)}}},
		}}},
	},
}

func TestExpressionsAreTotalOverUnknownValues(t *testing.T) {
	for text, want := range map[string]bool{
		`verb in ["get", "list"]`:                           true,
		`source == "audit" && object.kind == "pod"`:         true,
		`object.kind in ["pod", "job"]`:                     true,
		`object.rank >= 2 && object.rank in [2, 3]`:         true,
		`object.rank > 2`:                                   false,
		`"b" in object.list`:                                true,
		`fields["proc.name"] == "sh"`:                       true,
		`fields["proc.name"] in ["bash", "sh"]`:             true,
		`fields["missing"] in ["bash", "sh"]`:               false,
		`fields.n in ["bash", "sh"]`:                        false,
		`fields.n in [7, 8]`:                                true,
		`"a" in fields.list`:                                true,
		`"a" in fields.n`:                                   false,
		`"a" in fields`:                                     false,
		`"yes" in fields`:                                   true,
		`"app" in labels`:                                   true,
		`labels.app == "shop" and labels.none == ""`:        true,
		`fields.missing contains "x" or verb == "get"`:      true,
		`fields.n startsWith "7"`:                           false,
		`fields["proc.name"] matches "^s"`:                  true,
		`fields.n matches "7"`:                              false,
		`fields.n > 5 and fields.n <= 7.5 and fields.f > 2`: true,
		`fields.missing > 5`:                                false,
		`fields.missing < 5`:                                false,
		`fields.yes`:                                        true,
		`fields.n or fields.yes`:                            true,
		`not fields.missing`:                                true,
		`fields.missing ? true : false`:                     false,
		`fields.a.b.c.d == nil`:                             true,
		`fields.n.b == nil`:                                 true,
		`fields?.a?.b == nil`:                               true,
		`any(fields.request.spec.containers, .securityContext.privileged == true)`:   true,
		`any(fields.request.spec.containers, any(.ports, .p == 80))`:                 true,
		`any(fields.request.spec.missing, .x)`:                                       false,
		`any(fields.n, true)`:                                                        false,
		`count(fields.request.spec.containers, .name != nil) == 2`:                   true,
		`all(fields.list, # == "a")`:                                                 false,
		`any(concat(fields.list, fields.missing), # == "a")`:                         true,
		`len(fields.missing) == 0 && len(fields.list) == 3`:                          true,
		`lower(fields.missing) == ""`:                                                true,
		`lower(fields["proc.name"]) startsWith "s"`:                                  true,
		`hasPrefix(fields.n, "x")`:                                                   false,
		`(fields.missing ?? "dflt") == "dflt"`:                                       true,
		`let c = fields.request.spec.containers; any(c, .name == "b")`:               true,
		`fields.list[0] == "a" and fields.list[9] == nil`:                            true,
		`split(fields["proc.name"], "s")[1] == "h"`:                                  true,
		`any(fields.list, # in ["a"])`:                                               true,
		`string(fields.n) == "7"`:                                                    true,
		`object.name + ":" + fields.n == "x:7"`:                                      true,
		`fields.n + 1 == 8`:                                                          true,
		`join(fields.list, ",") == "a,1,"`:                                           true,
		`"list" in keys(fields)`:                                                     true,
		`fields.request.spec.containers | any(.name == "b")`:                         true,
		`let v = lower(verb); any(fields.list, v == "get" and lower(#) matches "a")`: true,
		`any(["x", "g"], lower(verb) matches "^g" and verb startsWith #)`:            true,
		`int(fields.n) == 7`:                                                         true,
	} {
		p, err := Compile(env{}, text, Bool)
		if err != nil {
			t.Errorf("compile %s: %v", text, err)
			continue
		}
		for _, e := range []any{sample, &sample} {
			if got, err := p.Bool(e); err != nil || got != want {
				t.Errorf("%s = %v, %v, want %v", text, got, err, want)
			}
		}
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`vreb == "get"`:                                                      `1:1: unknown name "vreb", did you mean "verb"?`,
		`verb == "a" and object.nmae == "x"`:                                 `1:24: unknown field "nmae", did you mean "name"?`,
		`verb = "get"`:                                                       `1:6: `,
		`let a = 1..900; sum(a, #) > 1`:                                      `ranges (..) are not supported`,
		`any(fields.a, any(.b, any(.c, # == 1)))`:                            `more than one loop inside another`,
		`any(fields.a, any(fields.b, # == 1))`:                               `has to go over a part of the outer loop's item`,
		`let l = fields.a; any(l, any(l, # == 1))`:                           `has to go over a part of the outer loop's item`,
		`any(fields.a, any(split(verb, ""), true))`:                          `split of something that is the same`,
		`any(fields.a, verb matches "a+b")`:                                  `take it out of the loop with let`,
		`any(fields.a, lower(verb) == #)`:                                    `take it out of the loop with let`,
		`let v = lower(verb); any(fields.a, any(["x", "y"], v matches "x"))`: `take it out of the loop with let`,
		`repeat("x", 100000) == verb`:                                        `function repeat is not supported`,
		`replace(verb, "", verb) == ""`:                                      `function replace is not supported`,
		`now() == time`:                                                      `function now is not supported`,
		`toJSON(fields) == ""`:                                               `not supported`,
		`object.Danger() == ""`:                                              `methods can't be called`,
		`object.String() == ""`:                                              `methods can't be called`,
		`startswith(verb, "x")`:                                              `unknown function startswith: it is an operator, as in verb startsWith "x"`,
		`danger() == ""`:                                                     `unknown function danger`,
		`__get(fields, "x") == 1`:                                            `unknown function __get`,
		`$env.verb == "x"`:                                                   `unknown name`,
		`verb matches fields.p`:                                              `the pattern of matches has to be a constant`,
		`verb matches "("`:                                                   `missing closing )`,
		`verb matches "(a{1,100}){1,10}"`:                                    `pattern is too large`,
		`verb; verb`:                                                         `not supported`,
		`verb`:                                                               `1:1: expected true or false, but got text`,
		`verb > 1`:                                                           `> between text and a number`,
		`verb == 3 and true`:                                                 `1:6: == between text and a number: they are never of one type`,
		`not (verb == "a" or verb == 3)`:                                     `1:26: == between text and a number`,
		`(verb < 3 ? 1 : 2) == 1`:                                            `< between text and a number`,
		`any(["a"], verb != true)`:                                           `!= between text and true or false`,
		`object contains "x"`:                                                `contains between`,
		`verb = 1`:                                                           `1:6: unexpected =, did you mean ==?`,
		`verb is "get"`:                                                      `1:6: unexpected is, did you mean ==?`,
		`verb == "get" AND true`:                                             `1:15: unexpected AND, did you mean "and"?`,
		`verb == "get" and`:                                                  `the expression ends too early`,
		`verb in ("a", "b")`:                                                 `1:13: unexpected , (a list is written [a, b])`,
		`verb == get`:                                                        `1:9: unknown name "get"`,
		``:                                                                   `empty expression`,
		strings.Repeat("(", 4000):                                            `1:`,
		`verb in [` + strings.Repeat("1,", 2000) + `1]`:                      `node`,
		strings.Repeat(" ", 9000) + "true":                                   `more than 8192`,
		`join(fields.list, verb) == ""`:                                      `separator of join`,
	} {
		_, err := Compile(env{}, text, Bool)
		if err == nil {
			t.Errorf("%.60s: no error, want %q", text, want)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v\nwant %q", text, err, want)
		}
		if strings.Contains(err.Error(), "__") && !strings.Contains(text, "__") {
			t.Errorf("%.60s: %v: tells of the inside", text, err)
		}
	}
}

func TestEvaluationIsBounded(t *testing.T) {
	long := sample
	many := make([]any, maxList+1)
	long.Fields = fields{"many": many, "text": strings.Repeat("x", maxText)}
	for _, text := range []string{
		`any(fields.many, # == 1)`,
		`(fields.text + fields.text) == ""`,
		`let a = fields.text + "x"; a == ""`,
		`1 % int(fields.missing ?? 0) == 0`,
	} {
		p, err := Compile(env{}, text, Bool)
		if err != nil {
			t.Errorf("compile %s: %v", text, err)
			continue
		}
		if got, err := p.Bool(&long); err == nil {
			t.Errorf("%s = %v, want an error", text, got)
		}
	}
	p, err := Compile(env{}, `verb == "get"`, Bool)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Bool(nil); err == nil {
		t.Error("no error without an environment")
	}
}

// TestTheDearestExpressionsEnd measures the worst that the checks let through,
// over the largest event there can be.
func TestTheDearestExpressionsEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	big := sample
	big.Verb = strings.Repeat("ab", maxText/2)
	many := make([]any, maxList)
	for i := range many {
		many[i] = strings.Repeat("x", 100)
	}
	big.Fields = fields{"l": many}
	words := `["` + strings.Repeat(`q","`, 30) + `q"]`
	for _, text := range []string{
		`any(fields.l, verb contains #)`,
		`any(fields.l, any(` + words + `, verb contains #))`,
		`any(` + words + `, any(` + words + `, verb matches "(a|b)*c"))`,
		`any(fields.l, any(` + words + `, lower(#) matches "(x|xx)*y"))`,
		`any(fields.l, # in fields.l)`,
	} {
		p, err := Compile(env{}, text, Bool)
		if err != nil {
			t.Logf("%.60s: %v", text, err)
			continue
		}
		start := time.Now()
		_, _ = p.Bool(&big)
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%.60s took %v", text, d)
		} else {
			t.Logf("%.60s took %v", text, d)
		}
	}
}

func TestFunctionsOfTheCaller(t *testing.T) {
	twice := Func{Name: "twice", Fn: func(a ...any) (any, error) { s, _ := a[0].(string); return s + s, nil }, Signature: new(func(any) string)}
	p, err := Compile(env{}, `twice(verb) == "getget" and twice(fields.n) == ""`, Bool, twice)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Bool(&sample); err != nil || !got {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestTemplate(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                           "plain",
		"${verb} of ${object.name}!":      "get of x!",
		"${source}/${object.rank}":        "audit/2",
		"$${verb} ${fields.missing}":      "${verb} ",
		`${verb == "}" ? "a" : "{"}`:      "{",
		`${fields.n} ${fields.f}`:         "7 2.5",
		`${{"a": 1}.a}`:                   "1",
		`${object.list}`:                  "a, b",
		`${"a" + fields.n + object.kind}`: "a7pod",
	} {
		c, err := Template{Text: text}.Compile(env{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := c.Render(&sample); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"${", "${verb", "${}", "${nope}", "a ${verb} ${nope} ${nape}"} {
		if _, err := (Template{Text: text}).Compile(env{}); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`verb in ["get"] && any(fields.a.b, .c?.d == 1)`, `let a = 1; a + fields.x > 2 ? true : false`,
		`fields["a"] matches "^x" or not (fields.b contains "c")`, `sum(map(fields.l, # + 1)) > 3`, `verb[1:2] == "x"`,
		`1..9`, `filter(fields.a, {.x in ["a"]}) | len() > 3`, `"a" + 1 == {"x": 1}.x`, `first(keys(fields)) ?? "a" == last(values(fields))`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Compile(env{}, text, Any)
		if err != nil {
			return
		}
		start := time.Now()
		_, _ = p.Text(&sample)
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%q took %v", text, d)
		}
	})
}
