package pattern

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"weak"

	"pgregory.net/rapid"
)

// pieces are what patterns are put together of.
var pieces = []string{
	"a", "b", "ab", "(?i)k", "ſ", "ä", "[a-c]", "[^b]", ".", "(?s:.)", `\s`, `\w`, `\d`, `\b`, `\B`, "^", "$", `\A`, `\z`, "(?m:^)", "(?m:$)", "[^&]*", "a{1,9}", "\\x00",
	"[[:punct:]]", `\pL`, "\ufffd", "(a|b)*", "b+?", "c??", "[α-ω]", `\n`,
}

func drawPattern(t *rapid.T) string {
	var b strings.Builder
	for range rapid.IntRange(1, 5).Draw(t, "pieces") {
		b.WriteString(rapid.SampledFrom(pieces).Draw(t, "piece"))
		if rapid.IntRange(0, 3).Draw(t, "or") == 0 {
			b.WriteString("|")
		}
	}
	if rapid.Bool().Draw(t, "twice") {
		return "(" + b.String() + "){2}"
	}
	return b.String()
}

func drawText(t *rapid.T) string {
	some := []string{"a", "b", "c", "ab", "k", "K", "\u212a", "ſ", "s", "ä", "Ä", "α", " ", "\n", "_", "0", "&", "\x00", "\xff", "\xc3", "é", "aaaaaaaaa", ""}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(some), 0, 40).Draw(t, "text"), "")
}

// What is said of a text is what package regexp says, whatever was asked before.
func TestMatchString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawPattern(t)
		plain, err := regexp.Compile(text)
		p, failed := Compile(text)
		if (err == nil) != (failed == nil) {
			t.Fatalf("%q: %v, %v", text, err, failed)
		}
		if err != nil {
			return
		}
		for range 5 {
			s := drawText(t)
			if rapid.IntRange(0, 4).Draw(t, "long") == 0 {
				s = strings.Repeat(s, 30)
			}
			if got, want := p.MatchString(s), plain.MatchString(s); got != want {
				t.Fatalf("%q in %q: %t, want %t", text, s, got, want)
			}
		}
	})
}

// bomb needs a state for each set of places at which an a stood among the last
// characters.
const bomb = "a[^&]{80}b"

func bombText(n int) string {
	var b strings.Builder
	x := uint32(1)
	for range n {
		x = x*1664525 + 1013904223
		b.WriteByte("ac"[x>>31])
	}
	return b.String()
}

// A text that asks for ever new states is given up: memory and work are bounded,
// and the answer is right all the same.
func TestBomb(t *testing.T) {
	p, err := compile(bomb)
	if err != nil {
		t.Fatal(err)
	}
	a := newAutomaton(p.graph)
	text := bombText(64 << 10)
	for i := range 50 {
		part := text[i*1000 : i*1000+2048]
		if _, known := a.match(part); known {
			t.Error("it knows")
		}
		if a.work.made > freeMakes+2048/perMade+1 {
			t.Errorf("%d states for %d bytes", a.work.made, len(part))
		}
		if a.bytes > maxBytes {
			t.Errorf("%d bytes of states", a.bytes)
		}
		if got, want := p.MatchString(part+"b"), p.plain.MatchString(part+"b"); got != want {
			t.Errorf("%t, want %t", got, want)
		}
	}
}

// What came before costs nothing: the second time no state is made.
func TestStatesAreKept(t *testing.T) {
	p, err := compile(`union(\s|[(])+select|['"]\s*(or|and)\s+[0-9]`)
	if err != nil {
		t.Fatal(err)
	}
	a := newAutomaton(p.graph)
	text := strings.Repeat("union  (selec' or a", 100)
	if match, known := a.match(text); match || !known {
		t.Fatal(match, known)
	}
	first := a.work.made
	if first == 0 || first > 100 {
		t.Errorf("%d states", first)
	}
	if a.match(text); a.work.made != 0 {
		t.Errorf("%d more states", a.work.made)
	}
}

// Those who ask for the same pattern share it as long as somebody has it.
func TestCompileShares(t *testing.T) {
	s := &shared{all: map[string]weak.Pointer[Pattern]{}}
	a, err := s.compile("shared[a-z]+")
	b, _ := s.compile("shared[a-z]+")
	if err != nil || a != b {
		t.Fatalf("%p and %p, %v", a, b, err)
	}
	if _, err := s.compile("("); err == nil {
		t.Error("( is a pattern")
	}
	if a.MatchString("a sharedx"); a.stepped.Load() != 9 || a.made.Load() == 0 || a.left.Load() != 0 {
		t.Errorf("stepped %d, made %d, left %d", a.stepped.Load(), a.made.Load(), a.left.Load())
	}
	runtime.KeepAlive(b)
	for range 100 {
		runtime.GC()
		s.mu.Lock()
		n := len(s.all)
		s.mu.Unlock()
		if n == 0 {
			return
		}
		runtime.Gosched()
	}
	t.Error("a pattern that nobody has is still there")
}

func TestManyAtOnce(t *testing.T) {
	p, err := compile(bomb)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				s := bombText(400 + i)[j:] + "b"
				if got, want := p.MatchString(s), p.plain.MatchString(s); got != want {
					t.Errorf("%t, want %t", got, want)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzMatchString(f *testing.F) {
	for i, piece := range pieces {
		f.Add(piece+pieces[(i*7+3)%len(pieces)], "ab\nK é\xff_0")
	}
	f.Add(bomb, bombText(400)+"b")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 || len(text) > 4096 {
			return
		}
		p, err := compile(pattern)
		if err != nil {
			return
		}
		if got, want := p.match(text), p.plain.MatchString(text); got != want {
			t.Errorf("%q in %q: %t, want %t", pattern, text, got, want)
		}
	})
}

// BenchmarkMatchString is a byte of 2 KiB that does not match, beside package
// regexp: one that has all states, and one that is given up each time.
func BenchmarkMatchString(b *testing.B) {
	for _, c := range []struct{ name, pattern, text string }{
		{"sql", `union(\s|[(])+((all|distinct)(\s|[(])+)?select(\s|[(])*([0-9@'"*(!~+-]|null|char|chr|concat)|['")]\s*(or|and|xor)\s+[0-9]+\s*=`, strings.Repeat("' or '1 union (", 146)},
		{"bomb", bomb, bombText(2048)},
	} {
		p, err := compile(c.pattern)
		if err != nil {
			b.Fatal(err)
		}
		for name, match := range map[string]func(string) bool{"automaton": p.match, "regexp": p.plain.MatchString} {
			b.Run(fmt.Sprint(c.name, "/", name), func(b *testing.B) {
				b.SetBytes(int64(len(c.text)))
				for b.Loop() {
					match(c.text)
				}
			})
		}
	}
}

// A pattern is shared by all who compile it: what one made in a bubble of
// testing/synctest serves those outside, too.
func TestSharedWithBubbles(t *testing.T) {
	var p *Pattern
	synctest.Test(t, func(t *testing.T) {
		var err error
		if p, err = Compile(`^c+d$`); err != nil || !p.MatchString("cd") {
			t.Errorf("no match: %v", err)
		}
	})
	if !p.MatchString("ccd") {
		t.Error("no match outside of it")
	}
}
