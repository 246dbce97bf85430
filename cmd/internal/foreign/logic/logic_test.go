package logic

import (
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	for _, c := range []struct{ text, want, wrong string }{
		{text: "a", want: "a"},
		{text: "a and b or c", want: "((a and b) or c)"},
		{text: "a AND not b", want: "(a and not (b))"},
		{text: "not ( a or b ) and c", want: "(not ((a or b)) and c)"},
		{text: "not not a", want: "not (not (a))"},
		{text: "( ( a ) )", want: "a"},
		{text: "", wrong: `a name is missing before ""`},
		{text: "a and", wrong: `a name is missing before ""`},
		{text: "or a", wrong: `a name is missing before "or"`},
		{text: "( a", wrong: "not closed"},
		{text: "( )", wrong: `a name is missing before ")"`},
		{text: strings.Repeat("( ", 65) + "a", wrong: "too deep"},
		{text: strings.Repeat("not ", 1000) + "a", wrong: "too deep"},
	} {
		r := &Reader{Words: strings.Fields(c.text), Term: func(first string) (string, error) { return first, nil }, Missing: "a name"}
		got, err := r.Read()
		switch {
		case c.wrong == "" && (err != nil || got != c.want):
			t.Errorf("%q is %q, %v; want %q", c.text, got, err, c.want)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%q is %q, %v; want %q", c.text, got, err, c.wrong)
		}
	}
}

func TestReadStopsAtWhatItCanNotRead(t *testing.T) {
	r := &Reader{Words: strings.Fields("a | b"), Term: func(first string) (string, error) { return first, nil }}
	if got, err := r.Read(); got != "a" || err != nil || r.Take() != "|" || r.Take() != "b" || r.Take() != "" {
		t.Errorf("read %q, %v", got, err)
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range []string{"a and b", "not ( a or b )", "( ( a", "1 of x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		term := func(string) (string, error) { return "t", nil }
		r := &Reader{Words: strings.Fields(text), Term: term}
		if got, err := r.Read(); err == nil && strings.Count(got, "(") != strings.Count(got, ")") {
			t.Errorf("%q is %q", text, got)
		}
	})
}
