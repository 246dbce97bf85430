package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
)

func TestProgress(t *testing.T) {
	if newProgress(&bytes.Buffer{}) != nil {
		t.Error("there is a line where there is no terminal")
	}
	var none *progress
	none.clear()
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := &progress{w: &out, now: func() time.Time { return now }}
	p.tell(replay.Progress{Stage: "read", Done: 1, Total: 100})
	if out.Len() > 0 {
		t.Errorf("at once it shows %q", out.String())
	}
	now = now.Add(10 * time.Second)
	p.tell(replay.Progress{Stage: "read", Done: 25, Total: 100, Events: 5000})
	if want := "\r\x1b[Kread  25 %, 5000 events, 500 a second, 30s left"; out.String() != want {
		t.Errorf("it shows %q, want %q", out.String(), want)
	}
	now = now.Add(time.Millisecond)
	p.tell(replay.Progress{Stage: "read", Done: 26, Total: 100, Events: 5001})
	if strings.Count(out.String(), "read") != 1 {
		t.Errorf("it flickers: %q", out.String())
	}
	out.Reset()
	w := p.before(&out)
	for _, text := range []string{"one", "two"} {
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "\r\x1b[Konetwo" {
		t.Errorf("before what is written it shows %q", out.String())
	}
	now = now.Add(time.Minute)
	p.tell(replay.Progress{Stage: "evaluated", Events: 7})
	now = now.Add(time.Second)
	out.Reset()
	p.tell(replay.Progress{Stage: "evaluated", Events: 7})
	if !strings.HasSuffix(out.String(), "evaluated, 7 events, 7 a second") {
		t.Errorf("of unknown length it shows %q", out.String())
	}
}
