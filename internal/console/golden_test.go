package console

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// unsteady is what differs from one browser to the next, and from one version
// of an asset.
var unsteady = regexp.MustCompile(`(name="form" value=")[^"]*|(asset/[a-z]+-)[0-9a-f]+|(seen=)[0-9]+-[0-9]+`)

// TestGolden: the pages as they are, of ordinary data, of data that somebody wrote to
// break them, and to somebody whom a run locks out.
func TestGolden(t *testing.T) {
	for _, c := range []struct{ name, text string }{{"plain", ""}, {"hostile", hostile}, {"locked", ""}} {
		r := newRig(t)
		r.fill(c.text)
		ann := r.as("ann")
		pages := []string{"", "incidents/" + incidentID, "findings/" + findingID, "runs/" + runID, "runs", "holds", "approvals", "reviews", "models", "system", "me", "nothing"}
		if c.name == "locked" {
			r.house.locked = map[string]string{"ann": strings.Repeat("ab", 16)}
			pages = []string{"incidents/" + incidentID, "runs/" + runID, "holds", "approvals", "reviews", "system"}
		}
		for _, path := range pages {
			status, text := ann.get(Root + path)
			if want := map[bool]int{true: 404, false: 200}[path == "nothing"]; status != want {
				t.Fatalf("%s of %s data: status %d", path, c.name, status)
			}
			name, _, _ := strings.Cut(path, "/")
			if name == "" {
				name = "list"
			}
			if strings.HasPrefix(path, "runs/") {
				name = "run"
			}
			got := unsteady.ReplaceAllString(text, "${1}${2}${3}X")
			file := filepath.Join("testdata", c.name, name+".html")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs from %s (-update writes it)", path, file)
			}
			sound(t, c.name+" "+path, text)
		}
	}
}

// sound is what holds of every page whatever is in the data: it has only what
// the templates have, and no text steers.
func sound(t *testing.T, name, text string) {
	t.Helper()
	if len(text) > 1<<20 {
		t.Errorf("%s has %d bytes", name, len(text))
	}
	for _, c := range []string{"\x1b", "\u202e", "\u2066", "\u200b", "\x00"} {
		if strings.Contains(text, c) {
			t.Errorf("%s has %q", name, c)
		}
	}
	scripts := 0
	tokens := html.NewTokenizer(strings.NewReader(text))
	for tokens.Next() != html.ErrorToken {
		token := tokens.Token()
		if token.Type != html.StartTagToken && token.Type != html.SelfClosingTagToken {
			continue
		}
		if token.Data == "script" {
			scripts++
		}
		for _, a := range token.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcdoc":
				t.Errorf("%s: <%s %s=%q>", name, token.Data, a.Key, a.Val)
			case (a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "formaction") && !strings.HasPrefix(a.Val, "/console/") && !strings.HasPrefix(a.Val, "#"):
				t.Errorf("%s: <%s> leads to %q", name, token.Data, a.Val)
			}
		}
	}
	if scripts != 1 {
		t.Errorf("%s has %d scripts", name, scripts)
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", " a\n b\tc ": "a b c", "a\u202eb": "a\ufffdb", "a\u00a0b\u3000c": "a b c", "e\u0301\u0301\u0301\u0301\u0301\u0301\u0301": "e\u0301\u0301\u0301\u0301",
		"\xff": "\ufffd", strings.Repeat("x", 30): strings.Repeat("x", 19) + "…", strings.Repeat("é", 20): strings.Repeat("é", 20),
	} {
		if got := line(in, 20); got != want {
			t.Errorf("line(%q) is %q, want %q", in, got, want)
		}
	}
	if got := block([]byte(`{"a":"\u202e</pre>"}`)); !strings.Contains(got, "\n  \"a\"") {
		t.Errorf("block: %q", got)
	}
	if got := block([]byte(strings.Repeat("x", 2*maxBlock))); len(got) > maxBlock+100 || !strings.Contains(got, "65536 bytes more") {
		t.Errorf("a huge block: %d bytes", len(got))
	}
}

func FuzzLine(f *testing.F) {
	f.Add(hostile, 10)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = 1 + max(n, -n)%1000
		got := line(s, max(n, 1))
		if len([]rune(got)) > max(n, 1) || strings.ContainsAny(got, "\n\r\x00\x1b\u202e\u2066\u200b") {
			t.Errorf("line(%q, %d) is %q", s, n, got)
		}
	})
}
