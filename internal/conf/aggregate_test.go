package conf

import (
	"strings"
	"testing"
)

type aggregateEnv struct {
	User  string         `expr:"user"`
	Bytes int64          `expr:"bytes"`
	More  map[string]any `expr:"more"`
}

func TestCompileAggregates(t *testing.T) {
	values := []float64{3, 51, 0.5}
	names := []string{"count", "distinct", "quantile"}
	e := Expression{Text: `distinct(more.ns, user) >= 3 and count() > 50 and quantile(bytes, 0.99) < 1 and distinct(more.ns,  user) == 3 and user == "ann"`}
	p, calls, err := e.CompileAggregates(aggregateEnv{}, Bool, names, func(i int) float64 { return values[i] })
	if err != nil {
		t.Fatal(err)
	}
	if len(calls) != 3 || calls[0].Name != "distinct" || len(calls[0].Args) != 2 || calls[1].Name != "count" || calls[2].Constants[1] != 0.99 {
		t.Fatalf("calls are %+v", calls)
	}
	env := &aggregateEnv{User: "ann", More: map[string]any{"ns": "shop"}}
	if v, err := calls[0].Args[0].Any(env); err != nil || v != "shop" {
		t.Errorf("argument is %v, %v", v, err)
	}
	for want, change := range map[bool]float64{true: 51, false: 50} {
		values[1] = change
		if got, err := p.Bool(env); err != nil || got != want {
			t.Errorf("with count %v: %v, %v", change, got, err)
		}
	}
}

func TestCompileAggregatesRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`distinct(usr) > 1`:          "usr",
		`many() > 1`:                 "unknown function many",
		`__aggregate(7) > 1`:         "unknown",
		`count() > "x" and true`:     "",
		`all(1..5, {count() > #})`:   "ranges",
		`distinct(more.a)`:           "expected true or false",
		`map([1], {distinct(#)})[0]`: "",
	} {
		_, _, err := Expression{Text: text}.CompileAggregates(aggregateEnv{}, Bool, []string{"count", "distinct"}, func(int) float64 { return 0 })
		if err == nil && want != "" || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s gave %v", text, err)
		}
	}
}

// What gives true or false is asked only when the rest leaves it open.
func TestCompileAggregatesOfTruthAreAskedLast(t *testing.T) {
	asked, answer := 0, 1.0
	e := Expression{Text: `user == "ann" and not first_seen("14d", user, more.ns)`}
	p, calls, err := e.CompileAggregates(aggregateEnv{}, Bool, []string{"first_seen?"}, func(int) float64 { asked++; return answer })
	if err != nil || len(calls) != 1 || calls[0].Constants[0] != "14d" || calls[0].Constants[1] != nil {
		t.Fatalf("calls are %+v, %v", calls, err)
	}
	for _, c := range []struct {
		user   string
		answer float64
		want   bool
		asked  int
	}{{"bob", 0, false, 0}, {"ann", 1, false, 1}, {"ann", 0, true, 1}} {
		asked, answer = 0, c.answer
		if got, err := p.Bool(&aggregateEnv{User: c.user}); err != nil || got != c.want || asked != c.asked {
			t.Errorf("%+v: %v, %v, asked %d times", c, got, err, asked)
		}
	}
}

func TestTemplatesHaveAggregates(t *testing.T) {
	text, calls, err := Template{Text: "${user}: ${count()} of ${distinct(more.ns)}, ${count()}"}.CompileAggregates(
		aggregateEnv{}, []string{"count", "distinct"}, func(i int) float64 { return float64(i + 50) })
	if err != nil || len(calls) != 2 {
		t.Fatal(calls, err)
	}
	if got, err := text.Render(&aggregateEnv{User: "ann"}); err != nil || got != "ann: 50 of 51, 50" {
		t.Errorf("%q, %v", got, err)
	}
}

// An aggregate whose name says so may be made of others, which come first.
func TestCompileAggregatesOfAggregates(t *testing.T) {
	values := []float64{7, 0}
	value := func(i int) float64 { return values[i] }
	p, calls, err := Expression{Text: `rel(count(user == "ann") * 2)`}.CompileAggregates(aggregateEnv{}, Any, []string{"count", "rel+"}, value)
	if err != nil || len(calls) != 2 || calls[0].Name != "count" || calls[1].Name != "rel" {
		t.Fatalf("calls are %+v, %v", calls, err)
	}
	if v, err := calls[1].Args[0].Any(&aggregateEnv{}); err != nil || v != int64(14) {
		t.Errorf("argument is %v, %v", v, err)
	}
	values[1] = 3
	if v, err := p.Any(&aggregateEnv{}); err != nil || v != int64(3) {
		t.Errorf("value is %v, %v", v, err)
	}
	for _, text := range []string{`count(rel(1) > 2)`, `rel(__aggregate(0))`, `rel(count() + usr)`} {
		if _, _, err := (Expression{Text: text}).CompileAggregates(aggregateEnv{}, Any, []string{"count", "rel+"}, value); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// Two that ask for different numbers are the same program otherwise, and may run
// beside each other.
func TestProgramAsking(t *testing.T) {
	from := func(n float64) func(int) float64 { return func(i int) float64 { return n + float64(i) } }
	e := Expression{Text: `count() > 5 and distinct(user) > 6 and user == "ann"`}
	first, _, err := e.CompileAggregates(aggregateEnv{}, Bool, []string{"count", "distinct"}, from(6))
	if err != nil {
		t.Fatal(err)
	}
	other := first.Asking(from(5))
	for _, c := range []struct {
		p    *Program
		want bool
	}{{first, true}, {other, false}, {other.Asking(from(6)), true}, {first, true}} {
		if got, err := c.p.Bool(&aggregateEnv{User: "ann"}); err != nil || got != c.want {
			t.Errorf("%v, %v, want %v", got, err, c.want)
		}
	}
	text, _, err := Template{Text: "${user}: ${count()} of ${distinct(user)}"}.CompileAggregates(aggregateEnv{}, []string{"count", "distinct"}, from(1))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[float64]string{1: "ann: 1 of 2", 3: "ann: 3 of 4"} {
		if got, err := text.Asking(from(n)).Render(&aggregateEnv{User: "ann"}); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	plain, err := Compile(aggregateEnv{}, `user == "ann"`, Bool)
	if err != nil || plain.Asking(nil) != plain || (*Program)(nil).Asking(nil) != nil {
		t.Errorf("a program that asks nothing is another one, or %v", err)
	}
}
