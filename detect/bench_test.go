package detect

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/event"
)

// benchWhen is the condition of the i-th rule: a fifth of them look at the same
// resource, and what they compare besides can't be indexed.
func benchWhen(i int) string {
	return fmt.Sprintf(`verb in ["get", "list"] && object.resource == "r%d" && actor.user.startsWith("u%d")`, i/5, i%5)
}

func benchRules(b *testing.B, n int) *RuleSet {
	b.Helper()
	set := &RuleSet{}
	for from := 0; from < n; from += 500 {
		var text strings.Builder
		for i := from; i < min(n, from+500); i++ {
			when := strings.NewReplacer(".startsWith(", " startsWith ", ")", "").Replace(benchWhen(i))
			fmt.Fprintf(&text, "apiVersion: firebreak.io/v1alpha1\nkind: Rule\nmetadata: {name: r%d}\nspec: {title: T, severity: low, source: audit, when: '%s'}\n---\n", i, when)
		}
		part := mustRules(b, text.String())
		set.detectors = append(set.detectors, part.detectors...)
	}
	set.sort()
	return set
}

// benchEvents are of resources of which each has five rules; one in a hundred
// is found by one.
func benchEvents(n int) []event.Event {
	all := make([]event.Event, 1000)
	for i := range all {
		all[i] = event.Event{
			Source: event.SourceAudit, Class: event.ClassAPI, Verb: "get", Actor: event.Actor{User: "system:serviceaccount:a:b"},
			Object: event.Ref{Resource: fmt.Sprintf("r%d", i%max(n/5, 1)), Namespace: "n", Name: "x"}, Time: dawn, Received: dawn,
		}
		if i%100 == 0 {
			all[i].Actor.User = "u1"
		}
	}
	return all
}

// perSecond reports events a second of processor time since it was that: what
// else the machine does counts little.
func perSecond(b *testing.B, since time.Duration) {
	b.ReportMetric(float64(b.N)/(processor(b)-since).Seconds(), "events/s/core")
}

// processor is the processor time that this process has taken.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRules is one event through so many rules: of the engine, and beside
// it the same conditions one by one in plain expr and in cel-go.
func BenchmarkRules(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		events := benchEvents(n)
		b.Run(fmt.Sprintf("engine/rules=%d", n), func(b *testing.B) {
			engine, i := NewEngine(benchRules(b, n), EngineOptions{}), 0
			since := processor(b)
			for b.Loop() {
				i++
				if _, _, err := engine.Fold(&events[i%len(events)], event.Address{}); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b, since)
		})
		b.Run(fmt.Sprintf("expr/rules=%d", n), func(b *testing.B) {
			var programs []*vm.Program
			for i := range n {
				when := strings.NewReplacer(".startsWith(", " startsWith ", ")", "").Replace(benchWhen(i))
				p, err := expr.Compile(when, expr.Env(event.Event{}), expr.AsBool())
				if err != nil {
					b.Fatal(err)
				}
				programs = append(programs, p)
			}
			i, machine := 0, vm.VM{}
			since := processor(b)
			for b.Loop() {
				i++
				for _, p := range programs {
					if _, err := machine.Run(p, &events[i%len(events)]); err != nil {
						b.Fatal(err)
					}
				}
			}
			perSecond(b, since)
		})
		b.Run(fmt.Sprintf("cel/rules=%d", n), func(b *testing.B) { benchCEL(b, n, events) })
	}
}

func benchCEL(b *testing.B, n int, events []event.Event) {
	b.Helper()
	env, err := cel.NewEnv(cel.Variable("verb", cel.StringType), cel.Variable("object", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("actor", cel.MapType(cel.StringType, cel.StringType)))
	if err != nil {
		b.Fatal(err)
	}
	var programs []cel.Program
	for i := range n {
		tree, issues := env.Compile(benchWhen(i))
		if issues.Err() != nil {
			b.Fatal(issues.Err())
		}
		p, err := env.Program(tree, cel.EvalOptions(cel.OptOptimize))
		if err != nil {
			b.Fatal(err)
		}
		programs = append(programs, p)
	}
	i := 0
	since := processor(b)
	for b.Loop() {
		i++
		e := &events[i%len(events)]
		in := map[string]any{"verb": e.Verb, "object": map[string]string{"resource": e.Object.Resource}, "actor": map[string]string{"user": e.Actor.User}}
		for _, p := range programs {
			if _, _, err := p.Eval(in); err != nil {
				b.Fatal(err)
			}
		}
	}
	perSecond(b, since)
}

// BenchmarkGroups is one event into one of so many groups of a window. It says
// what a group takes, and what a snapshot of all of them is and takes.
func BenchmarkGroups(b *testing.B) {
	const groups = 1_000_000
	set := mustRules(b, ruleStart+"  source: audit\n  when: verb == \"get\"\n  window: {by: [actor.user], over: 1h, having: count() > 1000000}\n")
	o := EngineOptions{Groups: groups, Bytes: 1 << 30, Memory: 1 << 31}
	engine := NewEngine(set, o)
	e := event.Event{Source: event.SourceAudit, Verb: "get", Time: dawn, Received: dawn}
	fold := func(i int) {
		e.Actor.User = fmt.Sprint("user-", i)
		if _, _, err := engine.Fold(&e, event.Address{}); err != nil {
			b.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range groups {
		fold(i)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := engine.Memory().Groups; n != groups {
		b.Fatalf("%d groups", n)
	}
	i, since := 0, processor(b)
	for b.Loop() {
		i = (i + 7919) % groups
		fold(i)
	}
	perSecond(b, since)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/groups, "bytes/group")
	var out pack.Writer
	began := time.Now()
	engine.Save(&out)
	b.ReportMetric(time.Since(began).Seconds()*1000, "ms/save")
	b.ReportMetric(float64(len(out.Data))/groups, "saved-bytes/group")
	began = time.Now()
	if _, err := NewEngine(set, o).Load(pack.NewReader(out.Data)); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(began).Seconds()*1000, "ms/load")
}

// BenchmarkLoad parses and compiles 1,000 rules.
func BenchmarkLoad(b *testing.B) {
	since := processor(b)
	for b.Loop() {
		benchRules(b, 1000)
	}
	b.ReportMetric((processor(b)-since).Seconds()/float64(b.N), "processor-s/op")
}
