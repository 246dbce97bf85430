package logline

import (
	"strings"
	"testing"
	"time"
)

func TestCRI(t *testing.T) {
	l, err := CRI([]byte("2026-01-02T03:04:05.000000001+01:00 stderr P:x hello  world "))
	want := time.Date(2026, 1, 2, 2, 4, 5, 1, time.UTC)
	if err != nil || !l.Time.Equal(want) || l.Stream != "stderr" || !l.Partial || string(l.Text) != "hello  world " {
		t.Errorf("got %+v, %v", l, err)
	}
	if l, err = CRI([]byte("2026-01-02T03:04:05Z stdout F")); err != nil || len(l.Text) != 0 || l.Partial {
		t.Errorf("empty line: %+v, %v", l, err)
	}
	for _, bad := range []string{
		"", "x", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z stdout", "2026-01-02T03:04:05Z other F x", "2026-01-02T03:04:05Z stdout X x",
		"2026-13-02T03:04:05Z stdout F x", "0001-01-02T03:04:05Z stdout F x", strings.Repeat("2", 100) + " stdout F x",
	} {
		if _, err := CRI([]byte(bad)); err == nil {
			t.Errorf("%q is taken for CRI", bad)
		}
	}
}

func TestDocker(t *testing.T) {
	l, err := Docker([]byte(`{"log":"a\n","stream":"stdout","time":"2026-01-02T03:04:05.5Z","attrs":{"x":"y"}}`))
	if err != nil || string(l.Text) != "a" || l.Partial || l.Stream != "stdout" || l.Time.Nanosecond() != 5e8 {
		t.Errorf("got %+v, %v", l, err)
	}
	if l, err = Docker([]byte(`{"log":"a"}`)); err != nil || !l.Partial || !l.Time.IsZero() {
		t.Errorf("got %+v, %v", l, err)
	}
	for _, bad := range []string{"", "x", "{}", `{"LOG":"a"}`, `{"log":1}`, `{"log":"a","log":"b"}`, `{"log":"a"`, `{"log":"a","stream":"` + strings.Repeat("x", 99) + `"}`} {
		if _, err := Docker([]byte(bad)); err == nil {
			t.Errorf("%q is taken for Docker", bad)
		}
	}
}

func TestRecognise(t *testing.T) {
	m := Recognise(`{"level":"ERROR","msg":"broke","ts":"2026-01-02T03:04:05Z","n":9007199254740993,"big":18446744073709551616,"f":1.5,"l":[null,true]}`)
	if m.Format != "json" || m.Text != "broke" || !IsError(m.Level) || m.Time.Year() != 2026 || m.Fields["n"] != int64(9007199254740993) ||
		m.Fields["big"] != "18446744073709551616" || m.Fields["f"] != 1.5 {
		t.Errorf("got %+v", m)
	}
	for _, text := range []string{
		"", "plain", "{", "{}x", `{"a":1,"a":2}`, `{"a":1} {"b":2}`, strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50),
		`{"a":[` + strings.Repeat("1,", 3000) + "1]}",
	} {
		if m := Recognise(text); m.Format != "" || m.Text != text {
			t.Errorf("%.40q is taken for %s", text, m.Format)
		}
	}
	if len(Parsers()) == 0 || Parsers()[0].Doc == "" {
		t.Error("the catalogue is empty")
	}
}

func FuzzCRI(f *testing.F) {
	f.Add([]byte("2026-01-02T03:04:05.000000001Z stdout F hello"))
	f.Add([]byte("2026-01-02T03:04:05.000000001+01:00 stderr P "))
	f.Fuzz(func(t *testing.T, line []byte) {
		l, err := CRI(line)
		if err == nil && (l.Time.IsZero() || l.Stamp == "" || l.Stream == "" || len(l.Text) > len(line)) {
			t.Errorf("%q is read as %+v", line, l)
		}
	})
}

func FuzzDocker(f *testing.F) {
	f.Add([]byte(`{"log":"a\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"log":"\ud800"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if l, err := Docker(line); err == nil && (len(l.Stream) > 16 || strings.HasSuffix(string(l.Text), "\n") && l.Partial) {
			t.Errorf("%q is read as %+v", line, l)
		}
	})
}

func FuzzRecognise(f *testing.F) {
	f.Add(`{"level":"error","msg":"x","a":[1,{"b":null}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		if m := Recognise(text); m.Format == "" && m.Text != text {
			t.Errorf("%q lost its text", text)
		}
	})
}
