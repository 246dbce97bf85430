package function

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestHTTPPlain(t *testing.T) {
	for in, want := range map[string]string{
		"/a/b?c=d":                           "/a/b?c=d",
		"/A+b?C+d":                           "/a+b?c d",
		"/..%2f..%2fetc":                     "/../../etc",
		"/%252e%252e%252fx":                  "/../x",
		"/%25252e%25252e/x":                  "/../x",
		"/%c0%ae%c0%ae%c0%afx":               "/../x",
		"/%e0%80%ae%e0%80%ae/x":              "/../x",
		"/%C0%2E%C0%2E/x":                    "/../x",
		"/%u002e%u002e%u2215x":               "/../x",
		"/a?x=%uff1cscript%uff1e":            "/a?x=<script>",
		"/a?x=\\u003cscript\\x3e":            "/a?x=<script>",
		"/a?x=&lt;b&#62;&#x61;":              "/a?x=<b>a",
		"/a;v=1/..;/b":                       "/a;v=1/../b",
		"/a//b/./c/":                         "/a/b/c/",
		"/a?x=1//2;3":                        "/a?x=1//2;3",
		"/a?x=UNION/**/ALL/*!50000SELECT*/1": "/a?x=union all select 1",
		"/a?x=1/*2":                          "/a?x=1/*2",
		"/a?x=un%0bion%09%0cselect":          "/a?x=un ion select",
		"/a?x=1%0d%0aset-cookie:b":           "/a?x=1\nset-cookie:b",
		"/a?x=%a0or%a01":                     "/a?x= or 1",
		"/a?x=scr%00ipt":                     "/a?x=script",
		"/a?x=cat${IFS}/etc;c''at$IFS$9x":    "/a?x=cat /etc;cat x",
		"/a?x=''or''=''":                     "/a?x=''or''=''",
		"http://a//b":                        "http://a//b",
		"/%zz%4":                             "/%zz%4",
		"/é?Ä=%c3%a4":                        "/é?ä=ä",
		"/a%":                                "/a%",
		"":                                   "",
	} {
		if got := plainRequest(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if got := httpPlain("/" + strings.Repeat("a", 3000) + "/../etc"); len(got) != 2048 || !strings.HasSuffix(got, "/../etc") {
		t.Errorf("of a long text it is %q", got)
	}
	p := &plainer{}
	for in, want := range map[any]string{7: "", "": "", "/a%62": "/ab", strings.Repeat("a", 3000): strings.Repeat("a", 2048)} {
		for range 2 {
			if got, err := p.call(in); got != want || err != nil {
				t.Errorf("%q is %q, %v, want %q", in, got, err, want)
			}
		}
	}
}

// TestHTTPPlainOfAnything: it ends, has no upper-case ASCII and no control
// characters, does not grow beyond what a character of HTML takes, and what is
// plain stays.
func TestHTTPPlainOfAnything(t *testing.T) {
	piece := rapid.SampledFrom([]string{"%", "%25", "2e", "%c0", "%ae", "%u", "00", "\\u", "\\x", "&lt;", "&#", ";", "/", ".", "?", "/*", "*/", "!", "''", "A", "é", "\xff", "\n", " ", "${IFS}"})
	rapid.Check(t, func(t *rapid.T) {
		in := strings.Join(rapid.SliceOfN(piece, 0, 40).Draw(t, "pieces"), "") + rapid.String().Draw(t, "rest")
		wholesome(t, in)
	})
}

func wholesome(t interface{ Fatalf(string, ...any) }, in string) {
	got := plainRequest(in)
	if strings.ContainsFunc(got, func(r rune) bool { return r >= 'A' && r <= 'Z' || r < ' ' && r != '\n' }) {
		t.Fatalf("%q is %q", in, got)
	}
	if len(got) > 3*len(in)+3 {
		t.Fatalf("%q grew to %q", in, got)
	}
	if isPlain(in) && got != in {
		t.Fatalf("%q is %q", in, got)
	}
}

// FuzzHTTPPlain: what holds of all it gives, and that what it said before changes
// nothing.
func FuzzHTTPPlain(f *testing.F) {
	for _, s := range []string{
		"/A/..;x/%252e%c0%ae%2fb?q=UNION/**/SELECT+1", "/%u002e%uff1c\\u003c&#x61;&lt;", "/a//b/./c;x/?''a\"\"b${IFS}c", "%25%2525%e0%80%af", "/*!50000x*/\x00\u200b\xff",
	} {
		f.Add(s, s[1:])
	}
	p := &plainer{}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, s := range []string{a, b, a, b + a, a} {
			got, err := p.call(s)
			if err != nil || got != httpPlain(s) || len(got.(string)) > 2*maxEnd {
				t.Fatalf("%q is %q, %v", s, got, err)
			}
			if len(s) <= maxPlain {
				wholesome(t, s)
			}
		}
	})
}

func BenchmarkHTTPPlain(b *testing.B) {
	for name, in := range map[string]string{
		"plain":   "/api/v1/items/4711?page=2&size=50&sort=name",
		"encoded": "/search?q=%27%20UNION%20/**/SELECT%20name%2Cpassword%20FROM%20users--",
		"hostile": strings.Repeat("%25", 2000) + strings.Repeat("/*", 2000),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plainRequest(in)
			}
		})
	}
}
