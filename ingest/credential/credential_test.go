package credential

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/conf"
)

const (
	token = "token-token-token"
	path  = "path-path-path-path"
)

func put(t *testing.T, name, text string) conf.SecretFile {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return conf.SecretFile{Path: file}
}

func TestParse(t *testing.T) {
	hash := HashOf(token).String()
	for _, c := range []struct {
		text  string
		plain bool
		want  int
		err   string
	}{
		{hash, false, 1, ""},
		{"\n# comment\n  " + hash + "  # whose\r\n\n" + strings.ToUpper(hash[7:]) + "x", false, 0, "line 5: want sha256:HEX"},
		{hash + "\n" + hash[:7] + strings.ToUpper(hash[7:]), false, 2, ""},
		{token + "\n" + hash + "\n" + path, true, 3, ""},
		{token, false, 0, "line 1: want sha256:HEX"},
		{"short", true, 0, "at least 16 bytes"},
		{"two words are no secret", true, 0, "one word"},
		{"a/slash/stands/in/a/path", true, 0, "without /"},
		{"a secret with ünïcode-letters", true, 0, "one word"},
		{"sha256:abc", true, 0, "64 hexadecimal digits"},
		{"sha256:" + strings.Repeat("g", 64), true, 0, "64 hexadecimal digits"},
		{"", true, 0, "holds no secret"},
		{"# " + token, true, 0, "holds no secret"},
		{strings.Repeat(hash+"\n", maxSecrets+1), true, 0, "more than 1000"},
	} {
		list, err := parse(c.text, c.plain)
		if c.err == "" && (err != nil || len(list) != c.want) {
			t.Errorf("%.40q: %d, %v", c.text, len(list), err)
		}
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%.40q: error %v, want %q", c.text, err, c.err)
		}
		if err != nil && c.text != "" && strings.Contains(err.Error(), strings.TrimSpace(c.text)) {
			t.Errorf("the error repeats what is in the file: %v", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(HashOf(token).String()+" # x\n"+token, true)
	f.Add("sha256:\n\x00#", false)
	f.Fuzz(func(t *testing.T, text string, plain bool) {
		list, err := parse(text, plain)
		if err == nil && (len(list) == 0 || len(list) > maxSecrets) {
			t.Errorf("%d secrets", len(list))
		}
	})
}

func FuzzFromAuthorization(f *testing.F) {
	f.Add("Bearer " + token)
	f.Add("Basic " + base64.StdEncoding.EncodeToString([]byte("a:"+token)))
	f.Add("basic \xff")
	f.Fuzz(func(t *testing.T, value string) {
		if got := FromAuthorization(value); len(got) > len(value) {
			t.Errorf("%q gives more than it holds: %q", value, got)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]Config{
		"nothing":           {},
		"an empty name":     {Names: []string{""}},
		"too many names":    {Names: make([]string, maxNames+1)},
		"both of nothing":   {Require: Both},
		"both of names":     {Names: []string{"a"}, Require: Both},
		"another require":   {Names: []string{"a"}, Require: "all"},
		"a missing file":    {Token: conf.SecretFile{Path: "missing"}},
		"a plain token":     {Tokens: conf.SecretFiles{put(t, "tokens", token)}},
		"one bad of two":    {Token: put(t, "token", token), Tokens: conf.SecretFiles{put(t, "tokens", "short")}},
		"a short path":      {Path: put(t, "path", "short")},
		"a directory":       {Path: conf.SecretFile{Path: t.TempDir()}},
		"a file of 100 KiB": {Path: put(t, "path", strings.Repeat("a", 100<<10))},
	} {
		if s, err := Open(c, "", nil); err == nil || s != nil {
			t.Errorf("%s: opened", name)
		}
	}
	var none *Set
	if _, ok := none.Admit(Shown{}); ok || !none.Empty() {
		t.Error("no set lets somebody in")
	}
}

func certificate(name string, uris ...string) *x509.Certificate {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	for _, text := range uris {
		u, err := url.Parse(text)
		if err != nil {
			panic(err)
		}
		c.URIs = append(c.URIs, u)
	}
	return c
}

func TestAdmit(t *testing.T) {
	old := certificate("falco")
	old.NotAfter = time.Now().Add(-time.Second)
	early := certificate("falco")
	early.NotBefore = time.Now().Add(time.Minute)
	dns := certificate("")
	dns.DNSNames = []string{"x", "falco.falco.svc"}
	open := func(c Config) *Set {
		s, err := Open(c, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tokens := put(t, "tokens", HashOf("another-token-here").String()+"\n"+HashOf(path).String())
	names := []string{"falco", "falco.falco.svc", "spiffe://c/ns/falco"}
	any := open(Config{Token: put(t, "token", token), Tokens: conf.SecretFiles{tokens}, Path: put(t, "path", path), Names: names})
	both := open(Config{Path: put(t, "path", path), Names: names, Require: Both})
	const at, at6 = "192.0.2.1:1234", "[2001:db8:1:2:3:4:5:6]:1234"
	for _, c := range []struct {
		name  string
		set   *Set
		shown Shown
		want  Client
	}{
		{"token", any, Shown{Token: token, Address: at}, clientOf(token)},
		{"a hashed token", any, Shown{Token: "another-token-here"}, clientOf("another-token-here")},
		{"path", any, Shown{Path: path, Address: at}, "address 192.0.2.1"},
		{"path by IPv6", any, Shown{Path: path, Address: at6}, "address 2001:db8:1:2::/64"},
		{"path by IPv4 in IPv6", any, Shown{Path: path, Address: "[::ffff:192.0.2.1]:1"}, "address 192.0.2.1"},
		{"path from somewhere", any, Shown{Path: path, Address: "@"}, "address @"},
		{"common name", any, Shown{Certificate: certificate("falco")}, "name falco"},
		{"DNS name", any, Shown{Certificate: dns}, "name falco.falco.svc"},
		{"URI", any, Shown{Certificate: certificate("x", "spiffe://c/x", "spiffe://c/ns/falco")}, "name spiffe://c/ns/falco"},
		{"certificate and token", any, Shown{Certificate: certificate("falco"), Token: token}, "name falco"},
		{"stranger with token", any, Shown{Certificate: certificate("x"), Token: token}, clientOf(token)},
		{"both", both, Shown{Certificate: certificate("falco"), Path: path}, "name falco"},

		{"nothing", any, Shown{Address: at}, ""},
		{"token as path", any, Shown{Path: token}, ""},
		{"hash as token", any, Shown{Token: HashOf(token).String()}, ""},
		{"stranger", any, Shown{Certificate: certificate("x")}, ""},
		{"no name at all", any, Shown{Certificate: certificate("")}, ""},
		{"name in other letters", any, Shown{Certificate: certificate("Falco")}, ""},
		{"part of a name", any, Shown{Certificate: certificate("falco.falco")}, ""},
		{"expired since", any, Shown{Certificate: old}, ""},
		{"not yet", any, Shown{Certificate: early}, ""},
		{"one of both", both, Shown{Certificate: certificate("falco")}, ""},
		{"the other of both", both, Shown{Path: path}, ""},
		{"both, one wrong", both, Shown{Certificate: certificate("falco"), Path: token}, ""},
		{"both, the other wrong", both, Shown{Certificate: certificate("x"), Path: path}, ""},
	} {
		if got, ok := c.set.Admit(c.shown); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q %v, want %q", c.name, got, ok, c.want)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", any, any, any); strings.Trim(text, "<secrt> ") != "" {
		t.Errorf("it prints as %s", text)
	}
	if Verified(nil) != nil || Verified(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{old}}) != nil {
		t.Error("a certificate counts that nobody verified")
	}
}

func clientOf(token string) Client {
	h := HashOf(token)
	return Client("token " + string(h[:]))
}

// Nothing but what is in the files opens a source.
func TestOnlyWhatIsThere(t *testing.T) {
	s := Fixed(token, path)
	rapid.Check(t, func(r *rapid.T) {
		near := rapid.SampledFrom([]string{token, path, token + path}).Draw(r, "near")
		i := rapid.IntRange(0, len(near)-1).Draw(r, "at")
		other := near[:i] + rapid.StringN(0, 3, 8).Draw(r, "instead") + near[i+rapid.IntRange(0, 1).Draw(r, "cut"):]
		_, ok := s.Admit(Shown{Token: other})
		_, byPath := s.Admit(Shown{Path: other})
		if ok != (other == token) || byPath != (other == path) {
			r.Fatalf("%q: token %v, path %v", other, ok, byPath)
		}
	})
}

func TestNew(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		s := New()
		if seen[s] || len(s) < 40 || strings.ContainsFunc(s, unfit) {
			t.Fatalf("made %q", s)
		}
		seen[s] = true
		if list, err := parse(s, true); err != nil || list[0] != HashOf(s) {
			t.Fatalf("%q is no secret: %v", s, err)
		}
	}
}
