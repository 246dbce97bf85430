package ingest

import (
	"strings"
	"testing"

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
	}
}

func TestRedactText(t *testing.T) {
	for name, secret := range canaries() {
		got := redactText("before " + secret + " after")
		if strings.Contains(strings.ToLower(got), "canary") || !strings.HasPrefix(got, "before ") {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, plain := range []string{
		"GET /secrets/list", "Invalid password: try again", "token expired", "cat /etc/passwd", "https://example.com:8080/x@y",
		"basic auth is off", "kubectl get secret db -o yaml",
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

func mustDecode(t testing.TB, kind, text string) ([]event.Event, []event.Rejected) {
	t.Helper()
	k, ok := Lookup(kind)
	if !ok {
		t.Fatalf("no kind %s", kind)
	}
	return k.Decode([]byte(text), Origin{From: "test"})
}
