package ingest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

// canaries are secrets of many kinds, none of them real, put together here so
// that no scanner of secrets takes them for such.
func canaries() map[string]string {
	return map[string]string{
		"jwt":           "eyJ" + "hbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ",
		"pem":           "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIcanary\n-----END RSA PRIVATE KEY-----",
		"open pem":      "-----BEGIN " + "PRIVATE KEY-----\\nMIIcanary",
		"aws":           "AKIA" + "CANARYCANARYCANA",
		"authorization": "Authorization: " + "Basic Y2FuYXJ5OmNhbmFyeQ==",
		"bearer":        "bearer " + "canary-canary-canary",
		"url":           "postgres://user:" + "canary@db/x",
		"github":        "ghp_" + "canarycanarycanarycanarycanarycanary",
		"slack":         "xoxb-" + "1234567890-canary",
		"password":      "--password=" + "canary",
		"json":          `"client_secret": "` + `canary"`,
		"query":         "/x?access_token=" + "canary&y=1",
		"spaced":        `password="my ` + `canary pass"`,
		"flag":          "--token " + "canary",
		"mysql":         "mysql -u root -p" + "canary db",
		"curl":          "curl -u user:" + "canary http://db",
		"header":        "curl -H 'X-Vault-Token: " + "canary' http://db",
		"cookie":        "Set-Cookie: sid=" + "canary; Path=/",
		"docker":        `{"auths":{"r":{"auth":"` + `Y2FuYXJ5canary"}}}`,
		"escaped":       "/x?command=--token%3D" + "canary&y=1",
		"escaped space": "/x?a=Bearer%20" + "canarycanary1&y=1",
		"sas":           "https://x.example/c?sv=1&sig=" + "canary%3D",
		"yaml":          "a: 1\n  db.password: " + "canary\nb: 2",
		"yaml value":    "db.password: " + "canary2",
		"vendor":        "hvs." + "canarycanarycanarycanary",
		"slack hook":    "https://hooks.slack.com/services/T0/B0/" + "canary",
		"google":        "GOCSPX-" + "canarycanarycanarycanary",
		"kubeconfig":    "client-key-data: " + "LS0tLS1CRUdJTiBSU0Egcanarycanary==",
	}
}

func TestRedactText(t *testing.T) {
	for name, secret := range canaries() {
		if name == "yaml" {
			secret += "\n"
		}
		got := redactText("before " + secret + " after")
		if strings.Contains(strings.ToLower(got), "canary") || !strings.HasPrefix(got, "before ") {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, plain := range []string{
		"GET /secrets/list", "Invalid password: try again", "token expired", "cat /etc/passwd", "https://example.com:8080/x@y",
		"basic auth is off", "kubectl get secret db -o yaml",
		"mysql -P 3306 -u root", "docker run -p 80:80 mysql", "tokens per second: 5", "GET /?q=caf%C3%A9 HTTP/1.1",
		"/api/v1/secrets?limit=500&continue=eyJabc", "key=value", "https://example.com/a%20b?c=%2Fd",
	} {
		if got := redactText(plain); got != plain {
			t.Errorf("%q became %q", plain, got)
		}
	}
}

// No canary leaves the decoders, wherever in the input it stands.
func TestNoSecretLeaves(t *testing.T) {
	esc := strings.NewReplacer("\n", `\n`, `"`, `\"`)
	for name, secret := range canaries() {
		s := esc.Replace(secret)
		for kind, text := range map[string]string{
			"falco": `{"rule":"r","output":"x ` + s + `","output_fields":{"proc.cmdline":"a ` + s + `","x":{"y":["` + s + `"]}},"tags":["` + s + `"]}`,
			"audit": `{"kind":"Event","verb":"create","auditID":"1","userAgent":"` + s + `","requestURI":"/x?` + s + `","objectRef":{"resource":"pods"},` +
				`"requestObject":{"spec":{"a":["` + s + `"],"env":[{"name":"DB_PASSWORD","value":"canary"}]}},"annotations":{"n":"` + s + `"}}`,
		} {
			k, _ := Lookup(kind)
			for _, in := range []string{text, text[:len(text)-2], strings.Replace(text, "{", `{"dup":1,"dup":2,`, 1)} {
				noCanary(t, name+" in "+kind, k, in)
			}
		}
		if name == "yaml" {
			continue // on a line of its own only
		}
		line := "2026-01-02T03:04:05Z stdout F hello " + strings.ReplaceAll(secret, "\n", " ") + "\n"
		_, items := scanAll(t, "log", "x.log", []byte(line))
		if len(items) != 1 || strings.Contains(strings.ToLower(items[0].Event.Message), "canary") {
			t.Errorf("%s in a log: %+v", name, items)
		}
	}
}

func noCanary(t *testing.T, name string, k Kind, in string) {
	t.Helper()
	events, rejects := k.Decode([]byte(in), Origin{})
	if len(events)+len(rejects) != 1 {
		t.Fatalf("%s: %d events, %d rejects", name, len(events), len(rejects))
	}
	for i := range events {
		data, err := encode(&events[i])
		if err != nil || strings.Contains(strings.ToLower(string(data)), "canary") {
			t.Errorf("%s: %v %s", name, err, data)
		}
	}
	for _, r := range rejects {
		if strings.Contains(strings.ToLower(string(r.Data)+r.Reason), "canary") {
			t.Errorf("%s: rejected for %s: %s", name, r.Reason, r.Data)
		}
	}
}

// The bodies of what is secret by its kind are not kept, in whatever place
// they stand.
func TestSecretBodiesAreDropped(t *testing.T) {
	secret := `{"kind":"Secret","metadata":{"name":"s","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"Y2FuYXJ5"}},"data":{"k":"Y2FuYXJ5"},"stringData":{"k":"canary"}}`
	for _, c := range []struct{ ref, body string }{
		{`{"resource":"secrets","name":"s"}`, secret},
		{`{"resource":"secrets","name":"s"}`, `[{"op":"add","path":"/data/k","value":"Y2FuYXJ5"}]`},
		{`{"resource":"configmaps"}`, `{"data":{"k":"canary"}}`},
		{`{"resource":"tokenreviews"}`, `{"spec":{"token":"canary"}}`},
		{`{"resource":"serviceaccounts","subresource":"token"}`, `{"status":{"tok":"canary"}}`},
		{`{"resource":"things"}`, `{"items":[` + secret + `]}`},
		{`{"resource":"things"}`, `{"kind":"SecretList","items":[{"data":{"k":"Y2FuYXJ5"}}]}`},
		{`{"resource":"deployments"}`, `{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"canary"},"managedFields":[{"x":"canary"}]}}`},
	} {
		for _, field := range []string{"requestObject", "responseObject"} {
			in := `{"kind":"Event","verb":"create","objectRef":` + c.ref + `,"` + field + `":` + c.body + `}`
			for _, text := range []string{in, strings.Replace(in, "{", `{"dup":1,"dup":2,`, 1)} {
				events, rejects := mustDecode(t, "audit", text)
				for i := range events {
					data, _ := encode(&events[i])
					if strings.Contains(string(data), "anary") || strings.Contains(string(data), "Y2FuYXJ5") {
						t.Errorf("%s of %s: %s", field, c.ref, data)
					}
				}
				for _, r := range rejects {
					if strings.Contains(string(r.Data), "anary") || strings.Contains(string(r.Data), "Y2FuYXJ5") {
						t.Errorf("%s of %s rejected: %s", field, c.ref, r.Data)
					}
				}
			}
		}
	}
}

// Arguments that stand alone are told by what stands before them.
func TestRedactArgs(t *testing.T) {
	for _, c := range []struct{ in, want []any }{
		{[]any{"tool", "--token", "x", "--name", "y"}, []any{"tool", "--token", Redacted, "--name", "y"}},
		{[]any{"/usr/bin/mysql", "-u", "root", "-px", "-P", "1"}, []any{"/usr/bin/mysql", "-u", "root", "-p" + Redacted, "-P", "1"}},
		{[]any{"mysql", "-p", "db"}, []any{"mysql", "-p", "db"}},
		{[]any{"sshpass", "-p", "x", "ssh"}, []any{"sshpass", "-p", Redacted, "ssh"}},
		{[]any{"redis-cli", "-a", "x"}, []any{"redis-cli", "-a", Redacted}},
		{[]any{"curl", "-u", "a:b", "-o", "c"}, []any{"curl", "-u", "a:" + Redacted, "-o", "c"}},
		{[]any{"tool", "--token", "--next"}, []any{"tool", "--token", "--next"}},
		{[]any{"mkdir", "-px"}, []any{"mkdir", "-px"}},
		{[]any{int64(1), "--token", "x"}, []any{int64(1), "--token", "x"}},
	} {
		got := append([]any{}, c.in...)
		if redactArgs(got); !cmp.Equal(got, c.want) {
			t.Errorf("%v became %v, want %v", c.in, got, c.want)
		}
	}
}

func TestRedactQuery(t *testing.T) {
	for in, want := range map[string]string{
		"/exec?command=mysql&command=-px&container=a":      "/exec?command=mysql&command=-p<redacted>&container=a",
		"/exec?command=t&command=--token&command=x":        "/exec?command=t&command=--token&command=<redacted>",
		"/x?access_token=x&a=1":                            "/x?access_token=<redacted>&a=1",
		"/x?limit=500&continue=abc":                        "/x?limit=500&continue=abc",
		"/x":                                               "/x",
		"/exec?command=sh&command=-c&command=echo+%24HOME": "/exec?command=sh&command=-c&command=echo+%24HOME",
	} {
		if got := redactQuery(in); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

// A JSON patch names by its path what its value is.
func TestRedactPatch(t *testing.T) {
	for path, hidden := range map[string]bool{
		"/spec/template/spec/containers/0/env/3/value": true, "/spec/password": true, "/data/x": true,
		"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration": true, "/spec/replicas": false, "/spec/containers/0/image": false,
	} {
		m := map[string]any{"op": "replace", "path": path, "value": "x"}
		if redactMap(m); (m["value"] == Redacted) != hidden {
			t.Errorf("%s: %v", path, m)
		}
	}
}

// The automaton says of any text what searching it for each word says.
func TestHints(t *testing.T) {
	words := hintsOf(patterns)
	words = words[:len(words)-1] // the last are letters in another case
	plain := newHints(words)
	rapid.Check(t, func(t *rapid.T) {
		var all []string
		for _, list := range words {
			all = append(all, list...)
		}
		piece := rapid.OneOf(rapid.SampledFrom(all), rapid.StringOfN(rapid.SampledFrom([]rune("passwordtokeny-=%:/ \"é")), 0, 6, -1))
		s := strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), "")
		if rapid.Bool().Draw(t, "upper") {
			s = strings.ToUpper(s)
		}
		var want uint64
		for i, list := range words {
			if slices.ContainsFunc(list, func(w string) bool { return strings.Contains(strings.ToLower(s), w) }) {
				want |= 1 << i
			}
		}
		if got := plain.in(s); got != want {
			t.Fatalf("%q: %b, want %b", s, got, want)
		}
	})
}

func mustDecode(t testing.TB, kind, text string) ([]event.Event, []event.Rejected) {
	t.Helper()
	k, ok := Lookup(kind)
	if !ok {
		t.Fatalf("no kind %s", kind)
	}
	return k.Decode([]byte(text), Origin{From: "test"})
}
