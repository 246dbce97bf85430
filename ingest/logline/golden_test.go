package logline

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// TestGolden reads each line of testdata/PARSER/*.log by recognition, and
// once more with the parser chosen, which must say the same, and compares
// with the file of the same name that ends with .golden.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*", "*.log"))
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimPrefix(file, "testdata/"), func(t *testing.T) { golden(t, file) })
	}
}

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := Lookup(filepath.Base(filepath.Dir(file)))
	if !ok {
		t.Fatal("the folder is named by no parser")
	}
	var got bytes.Buffer
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		text := lines.Text()
		m := Recognise(text)
		sound(t, text, m)
		chosen := p.Read(text)
		chosen.Format = m.Format // two may know a line, of which each says it is its own
		if render(t, chosen) != render(t, m) {
			t.Errorf("line %d: chosen it says\n%s\nand recognised\n%s", n, render(t, chosen), render(t, m))
		}
		fmt.Fprintf(&got, "%d %s\n", n, render(t, m))
	}
	name := strings.TrimSuffix(file, ".log") + ".golden"
	if *update {
		if err := os.WriteFile(name, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
	}
}

// render writes what of a message is set, one name a line. An object's own
// fields stand in the line already, and are left out.
func render(t *testing.T, m Message) string {
	t.Helper()
	fields := m.Fields
	if decoded, ok := decode("{}"); ok && (m.Format == "json" || strings.HasPrefix(m.Text, "{")) {
		fields = decoded
	}
	v := map[string]any{"http": m.HTTP, "fields": fields, "forwarded": m.Forwarded}
	for name, s := range map[string]string{
		"format": m.Format, "text": m.Text, "level": m.Level, "class": m.Class, "verb": m.Verb, "outcome": string(m.Outcome),
		"user": m.User, "address": m.Address, "agent": m.UserAgent,
	} {
		v[name] = s
	}
	if !m.Time.IsZero() {
		v["time"] = m.Time
	} else if !m.Local.IsZero() {
		v["local"] = m.Local
	}
	for name, s := range v {
		if s == "" {
			delete(v, name)
		}
	}
	data, err := json.Marshal(v, json.Deterministic(true), json.OmitZeroStructFields(true), jsontext.EscapeForHTML(false), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(`"fields":{},`, "", `"forwarded":[],`, "", `"http":{},`, "", `,"http":{}`, "").Replace(string(data))
}
