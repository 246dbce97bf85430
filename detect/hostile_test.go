package detect

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf/pattern"
	"github.com/firebreak-io/firebreak/internal/event"
)

// hostile are kinds of text that make expressions work: what passes their cheap
// conditions, and nearly what their patterns look for. Of each 2 KiB are made, no
// two alike.
var hostile = map[string][]string{
	"percent":    {"%25%32%35", "%2525", "%u0025", "%c0%ae", "%2e%2e%2f", "%27", "%", "%3cscript"},
	"unicode":    {"ｓｅｌｅｃｔ", "＇", "．．／", "\u200b", "é", "\ufffd", "ſ", "＜script", "%uff1c", "\xff"},
	"nested":     {"${", "${${a:-", "{{", "%{#", "}", "#{", "${lower:", "jndi"},
	"base64":     {"QmFzZTY0", "IGlzIG5v", "IHNlY3Jl", "dA==", "0", "cmd="},
	"sql":        {"' or ", "1'='", "union/**/", "select ", "concat(", "user(", "=1 or ", "0x41", "/*!5*/", "' and sleep", " from a", "where "},
	"script":     {"<a on", " onload", "alert", "document", "<scrip", "javascript:x", "srcdoc", "style", "&#x3c;", "&lt;"},
	"path":       {"../", "..;/", "//", "/etc", "/x.php", ".jsp;", "/./", "..\\", "/proc", "/wp-", "/uploads/", "c:\\"},
	"command":    {"cmd=;", "|c", "`", "$(", "bas", "wget ", "ping ", ";l", "&&", "exec(", "/bin/", "system"},
	"expression": {"class ", "java.", "ognl", "#_", "t(java", "{{a", "[(", "new(", "__proto", "getclas"},
	"query":      {"?a=", "&b=1", "=", "&", "select", "?", "1", "x=%41"},
}

// mixed is all of it.
func mixed() []string {
	var all []string
	for _, kind := range hostileKinds() {
		all = append(all, hostile[kind]...)
	}
	return all
}

func hostileKinds() []string {
	var all []string
	for kind := range hostile {
		all = append(all, kind)
	}
	slices.Sort(all)
	return all
}

func hostileText(random *rand.Rand, of []string, size int) string {
	var b strings.Builder
	for b.Len() < size {
		b.WriteString(of[random.IntN(len(of))])
		if random.IntN(4) == 0 {
			fmt.Fprint(&b, random.IntN(100))
		}
	}
	return b.String()[:size]
}

// hostileEvents are events of all sources with such texts wherever somebody else
// may write one.
func hostileEvents(text string) map[string]event.Event {
	path := "/x.php?q=" + text
	at := func(e event.Event) event.Event {
		e.Time, e.Received = dawn, dawn
		return e
	}
	request := func(status int) event.Event {
		e := event.Event{Source: event.SourceLog, Class: event.ClassHTTP, Message: "GET " + path, Actor: event.Actor{Address: "198.51.100.7", UserAgent: text}}
		e.HTTP, e.Fields = event.HTTP{Method: "GET", Path: path, Status: status}, event.Fields{"referer": text}
		return at(e)
	}
	line := "GET /" + text
	return map[string]event.Event{
		"answered": request(200),
		"refused":  request(404),
		"line":     at(event.Event{Source: event.SourceLog, Class: event.ClassLogLine, Message: line}),
		"error":    at(event.Event{Source: event.SourceLog, Class: event.ClassLogError, Message: line}),
		"login":    at(event.Event{Source: event.SourceLog, Class: event.ClassLogin, Message: line, Outcome: event.OutcomeFailure, Actor: event.Actor{User: text, Address: "198.51.100.7"}}),
		"alert": at(event.Event{
			Source: event.SourceFalco, Class: event.ClassProcessExec, Rule: text, Priority: "Warning", Message: text, Actor: event.Actor{Process: text, User: text},
			Fields: event.Fields{"proc.cmdline": text, "proc.name": text, "fd.name": text, "proc.pname": text, "container.image.repository": text},
		}),
		"request": at(event.Event{
			Source: event.SourceAudit, Class: event.ClassAPI, Verb: "create", Outcome: event.OutcomeAllowed, Actor: event.Actor{User: text, UserAgent: text, Groups: []string{text}},
			Object: event.Ref{Resource: "pods", Name: text, Namespace: text},
			Fields: event.Fields{"uri": "/api?command=" + text, "stage": "ResponseComplete", "request": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
				"image": text, "command": []any{text}, "args": []any{text}, "env": []any{map[string]any{"name": text, "value": text}},
			}}}}},
		}),
	}
}

const hostileSize = 2 << 10

// TestHostileTextsCostLittle counts the work of all shipped rules for texts that
// are made to be expensive: it does not grow with the rules that ask the same, and
// next to nothing is left to package regexp. Work is counted, not time.
func TestHostileTextsCostLittle(t *testing.T) {
	set := shipped(t)
	random := rand.New(rand.NewPCG(4, 4))
	engine := NewEngine(set, EngineOptions{})
	texts := map[string]string{}
	for _, kind := range append(hostileKinds(), "mixed") {
		of := hostile[kind]
		if kind == "mixed" {
			of = mixed()
		}
		for i := range 3 {
			texts[fmt.Sprint(kind, i)] = hostileText(random, of, hostileSize)
		}
		for _, one := range hostile[kind] {
			texts[one] = strings.Repeat(one, hostileSize/len(one))
		}
	}
	var worst pattern.Work
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		events := hostileEvents(texts[name])
		for _, source := range slices.Sorted(maps.Keys(events)) {
			e, before := events[source], pattern.Spent()
			if _, _, err := engine.Fold(&e, event.Address{}); err != nil {
				t.Errorf("%s, %s: %v", name, source, err)
			}
			var all pattern.Work
			for text, w := range pattern.Spent() {
				one := w.Sub(before[text])
				all = pattern.Work{Stepped: all.Stepped + one.Stepped, Made: all.Made + one.Made, Left: all.Left + one.Left}
				if one.Stepped+one.Left > 20*hostileSize {
					t.Errorf("%s, %s: %+v of pattern %.80s", name, source, one, text)
				}
			}
			if all.Stepped > 80*hostileSize || all.Made > 4000 || all.Left > 8*hostileSize {
				t.Errorf("%s, %s: %+v", name, source, all)
			}
			worst = pattern.Work{Stepped: max(worst.Stepped, all.Stepped), Made: max(worst.Made, all.Made), Left: max(worst.Left, all.Left)}
		}
	}
	t.Logf("%d texts; the most of an event is %+v", len(texts), worst)
}

// BenchmarkHostile is an event with such texts through all shipped rules, and says
// what the costliest rule takes of it on average, by itself. Below the engine's
// bound of 5 ms nothing is ever said of a rule.
func BenchmarkHostile(b *testing.B) {
	set := shipped(b)
	for _, kind := range append(hostileKinds(), "mixed") {
		of := hostile[kind]
		if kind == "mixed" {
			of = mixed()
		}
		b.Run(kind, func(b *testing.B) {
			took, began := map[string]time.Duration{}, time.Now()
			engine := NewEngine(set, EngineOptions{
				Elapsed: func() time.Duration { return time.Since(began) },
				Took:    func(d Detector, _ *event.Event, t time.Duration) { took[d.Name()] += t },
			})
			random, n := rand.New(rand.NewPCG(4, 4)), 0
			for b.Loop() {
				b.StopTimer()
				events := hostileEvents(hostileText(random, of, hostileSize))
				b.StartTimer()
				for _, e := range events {
					n++
					if _, _, err := engine.Fold(&e, event.Address{}); err != nil {
						b.Fatal(err)
					}
				}
			}
			most := time.Duration(0)
			for _, t := range took {
				most = max(most, t)
			}
			b.ReportMetric(float64(most.Microseconds())/float64(b.N), "µs/costliest-rule")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/event")
		})
	}
}
