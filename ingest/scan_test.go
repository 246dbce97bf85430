package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden reads every file of testdata/KIND and compares what comes out
// with the file's name and .golden. A case is added by adding a file.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.in")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		kind := filepath.Base(filepath.Dir(file))
		t.Run(kind+"/"+filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			counts, items := scanAll(t, kind, filepath.Base(file), data)
			checkScan(t, filepath.Base(file), data, counts, items)
			got := render(t, counts, items)
			golden := strings.TrimSuffix(file, ".in") + ".golden"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got (run with -update to accept):\n%s", diff)
			}
		})
	}
}

func render(t *testing.T, counts Counts, items []Item) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, it := range items {
		var err error
		if it.Event != nil {
			err = enc.Encode(it.Event)
		} else {
			err = enc.Encode(map[string]string{"rejected": it.Rejected.From, "reason": it.Rejected.Reason, "data": string(it.Rejected.Data)})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintf(&b, "%+v\n", counts)
	return b.Bytes()
}

func TestScanLayouts(t *testing.T) {
	const alert = `{"rule":"r","output":"o","time":"2026-01-02T03:04:05Z"}`
	pretty := "{\n  \"rule\": \"r\",\n\n  \"output_fields\": {\n    \"x\": 1\n  }\n}"
	for _, c := range []struct {
		name, in string
		want     Counts
		lines    []int // of the events
		rejected []int
	}{
		{"empty", "", Counts{}, nil, nil},
		{"blank", "\n \t\r\n", Counts{Lines: 2, Blank: 2}, nil, nil},
		{"no last line end", alert, Counts{Lines: 1, Begun: 1, Events: 1}, []int{1}, nil},
		{"blank tail", alert + "\n  ", Counts{Lines: 2, Begun: 1, Blank: 1, Events: 1}, []int{1}, nil},
		{"CRLF", alert + "\r\n\r\n" + alert + "\r\n", Counts{Lines: 3, Begun: 2, Blank: 1, Events: 2}, []int{1, 3}, nil},
		{"BOM", "\xef\xbb\xbf" + alert + "\n", Counts{Lines: 1, Begun: 1, Events: 1}, []int{1}, nil},
		{"two on a line", alert + " " + alert + alert + "\n", Counts{Lines: 1, Begun: 1, Events: 3}, []int{1, 1, 1}, nil},
		{"pretty", pretty + "\n" + alert, Counts{Lines: 8, Begun: 2, Joined: 5, Blank: 1, Events: 2}, []int{1, 8}, nil},
		{"array on a line", "[" + alert + "," + alert + "]\n", Counts{Lines: 1, Begun: 1, Events: 2}, []int{1, 1}, nil},
		{"array over lines", "[\n" + alert + ",\n\n" + pretty + "\n]\n", Counts{Lines: 11, Begun: 2, Joined: 7, Blank: 2, Events: 2}, []int{2, 4}, nil},
		{"list object", "{\"kind\":\"List\",\"items\":[\n" + alert + ",\n" + alert + "\n]}\n", Counts{Lines: 4, Begun: 2, Joined: 2, Events: 2}, []int{2, 3}, nil},
		{"empty array", "[]\n[\n]\n", Counts{Lines: 3, Joined: 3}, nil, nil},
		{"text between", "hello\n" + alert + "\n1\n\"x\"\nnull\n" + alert, Counts{Lines: 6, Begun: 2, Rejected: 4, Events: 2, Rejects: 4}, []int{2, 6}, []int{1, 3, 4, 5}},
		{"text after a value", alert + " hello\n" + alert, Counts{Lines: 2, Begun: 2, Events: 2, Rejects: 1}, []int{1, 2}, []int{1}},
		{"broken off in a string", `{"rule":"r","output":"o` + "\n" + alert, Counts{Lines: 2, Begun: 1, Rejected: 1, Events: 1, Rejects: 1}, []int{2}, []int{1}},
		{"broken off after a comma", `{"rule":"r",` + "\n" + alert, Counts{Lines: 2, Begun: 1, Rejected: 1, Events: 1, Rejects: 1}, []int{2}, []int{1}},
		{"broken off before a value", `{"rule":` + "\n" + alert + "\n" + alert, Counts{Lines: 3, Begun: 2, Rejected: 1, Events: 2, Rejects: 1}, []int{2, 3}, []int{1}},
		{"broken off at the end", alert + "\n" + `{"rule":"r"`, Counts{Lines: 2, Begun: 1, Rejected: 1, Events: 1, Rejects: 1}, []int{1}, []int{2}},
		{"array without end", "[\n" + alert + ",\n" + alert + ",\n", Counts{Lines: 3, Begun: 2, Joined: 1, Events: 2, Rejects: 1}, []int{2, 3}, []int{3}},
		{"bad one in an array", "[\n" + alert + ",\n{\"rule\":\"r\" 1},\n" + alert + "\n]\n", Counts{Lines: 5, Begun: 2, Joined: 1, Rejected: 2, Events: 2, Rejects: 2}, []int{2, 4}, []int{3, 5}},
		{"number in an array", "[1," + alert + "]\n" + alert, Counts{Lines: 2, Begun: 2, Events: 2, Rejects: 1}, []int{1, 2}, []int{1}},
		{"nulls in an array", "[null,\n" + alert + ",\n\"x\",[1],\n" + alert + "]\n", Counts{Lines: 4, Begun: 2, Rejected: 2, Events: 2, Rejects: 3}, []int{2, 4}, []int{1, 3, 3}},
		{"good and bad on a line", "[{}," + alert + "]\n", Counts{Lines: 1, Begun: 1, Events: 1, Rejects: 1}, []int{1}, []int{1}},
		{"deep", strings.Repeat("[", 100) + "\n" + alert, Counts{Lines: 2, Begun: 1, Rejected: 1, Events: 1, Rejects: 1}, []int{2}, []int{1}},
		{"large", `{"rule":"` + strings.Repeat("x", 2<<20) + "\"}\n" + alert, Counts{Lines: 2, Begun: 1, Rejected: 1, Events: 1, Rejects: 1}, []int{2}, []int{1}},
		{"large text", strings.Repeat("x", 2<<20) + "\n" + alert, Counts{Lines: 2, Begun: 1, Rejected: 1, Events: 1, Rejects: 1}, []int{2}, []int{1}},
		{"many bad on a line", "[" + strings.Repeat("{},", 200) + "{}]\n", Counts{Lines: 1, Rejected: 1, Rejects: 101}, nil, nil},
		{"large list on a line", "[" + strings.Repeat(alert+",", 30_000) + alert + "]\n", Counts{Lines: 1, Begun: 1, Events: 30_001}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			counts, items := scanAll(t, "falco", "f", []byte(c.in))
			checkScan(t, "f", []byte(c.in), counts, items)
			if counts != c.want {
				t.Errorf("got  %+v\nwant %+v", counts, c.want)
			}
			var events, rejected []int
			for _, it := range items {
				if it.Event != nil {
					events = append(events, it.Line)
				} else {
					rejected = append(rejected, it.Line)
				}
			}
			if c.lines != nil && !cmp.Equal(events, c.lines) || c.rejected != nil && !cmp.Equal(rejected, c.rejected) {
				t.Errorf("events on lines %v, want %v; rejects on %v, want %v", events, c.lines, rejected, c.rejected)
			}
		})
	}
}

func TestScanStops(t *testing.T) {
	stop := errors.New("stop")
	for kind, in := range map[string]string{"falco": `{"rule":"r"}`, "log": "x"} {
		n := 0
		_, err := Scan(kind, "f", strings.NewReader(strings.Repeat(in+"\n", 5)), Origin{}, func(Item) error { n++; return stop })
		if !errors.Is(err, stop) || n != 1 {
			t.Errorf("%s: %d items, %v", kind, n, err)
		}
		broken := errors.New("broken disk")
		if _, err := Scan(kind, "f", failing{broken}, Origin{}, func(Item) error { return nil }); !errors.Is(err, broken) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// Any mixture of good and bad pieces is accounted for, line by line, and gives
// the same twice.
func TestScanAccountsForEveryLine(t *testing.T) {
	pieces := []string{
		`{"rule":"r"}`, `{"rule":"r","output_fields":{"a":[1,{"b":null}]}}`, `{}`, `[`, `]`, `{`, `}`, `,`, `"`, `\`, `:`, "\n", "\n", "\r\n", " ", "x",
		`{"kind":"Event","verb":"get"}`, `{"items":[`, "2026-01-02T03:04:05Z stdout F x", "2026-01-02T03:04:05Z stderr P x", `{"log":"x"}`, `{"log":"x\n"}`, "\xff", "\x00",
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 40).Draw(rt, "pieces"), "")
		kind := rapid.SampledFrom([]string{"falco", "audit", "log"}).Draw(rt, "kind")
		counts, items := scanAll(t, kind, "f", []byte(text))
		checkScan(t, "f", []byte(text), counts, items)
		if t.Failed() {
			rt.Fatalf("%q as %s", text, kind)
		}
		again, same := scanAll(t, kind, "f", []byte(text))
		if again != counts || len(same) != len(items) {
			rt.Fatal("not the same twice")
		}
	})
}
