package stack

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every sample is one trace, and what comes before and after it is not of it.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
			trace, likely := Begin(lines[0])
			// What gives no hint is joined only when the next line is at hand.
			if want := !strings.Contains(file, "logged") && !strings.Contains(file, "indented"); likely != want {
				t.Errorf("the first line is likely to have more: %v", likely)
			}
			for i, l := range lines[1:] {
				if !trace.Takes(l) {
					t.Fatalf("line %d is not taken: %s", i+2, l)
				}
			}
			for _, next := range []string{
				"2026-01-02 03:04:06 INFO ready", `{"level":"info","msg":"ready"}`, "ready to serve", `10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 1`,
			} {
				again := trace
				if again.Takes([]byte(next)) {
					t.Errorf("%q is taken for a part of it", next)
				}
			}
		})
	}
}

func TestPlainLinesAreNoTraces(t *testing.T) {
	for _, line := range []string{
		"", "ready", `{"error":"Exception: x"}`, "GET /Error HTTP/1.1", "panicking is no panic", "no ErrorHandler was set", "goroutine pool of 4",
	} {
		if _, likely := Begin([]byte(line)); likely {
			t.Errorf("%q is likely to have more", line)
		}
	}
	trace, _ := Begin([]byte("ready"))
	for _, next := range []string{"", "at last", "Caused by: me", "}", "goroutine 1 [running]:", `{"a":1}`} {
		again := trace
		if again.Takes([]byte(next)) {
			t.Errorf("%q is taken after a plain line", next)
		}
	}
	two, _ := Begin([]byte("Traceback (most recent call last):"))
	two.Takes([]byte("  File"))
	two.Takes([]byte("KeyError: 1"))
	if two.Takes([]byte("Traceback (most recent call last):")) {
		t.Error("two tracebacks after one another are one")
	}
}

// Any line is looked at in linear time: by its square, four million bytes would
// take hours.
func TestLongLine(t *testing.T) {
	for _, piece := range []string{"Error", "Error ", "panic: ", ".rb", "Exception(", "'", "a.b"} {
		line := []byte(strings.Repeat(piece, 4<<20/len(piece)))
		start := time.Now()
		trace, _ := Begin(line)
		trace.Takes(line)
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%q took %v", piece, took)
		}
	}
}

func FuzzTrace(f *testing.F) {
	f.Add("panic: x\n\ngoroutine 1 [running]:\n\tx")
	f.Add("Traceback (most recent call last):\n  x\nE: y\n\nDuring handling of the above exception")
	f.Add("a.js:1\n\n^\nPHP ")
	f.Add("PHP Fatal error:\nPHP \n#")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		trace, _ := Begin([]byte(lines[0]))
		for _, l := range lines[1:] {
			same := trace
			if trace.Takes([]byte(l)) != same.Takes([]byte(l)) || trace != same {
				t.Fatal("not the same twice")
			}
		}
	})
}
