package ingest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// keyLines are the lines of a private key's PEM file.
func keyLines(t *testing.T, bits int) []string {
	t.Helper()
	var der []byte
	kind := "RSA PRIVATE KEY"
	if bits == 0 {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if der, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
			t.Fatal(err)
		}
		kind = "PRIVATE KEY"
	} else {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		der = x509.MarshalPKCS1PrivateKey(key)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// A private key that a program prints line by line is gone from each of them,
// as runtimes and shippers give them, and the lines around it stay.
func TestKeyOverLines(t *testing.T) {
	for _, bits := range []int{0, 2048} {
		key := keyLines(t, bits)
		for name, prefix := range map[string]string{"plain": "", "prefixed": "2026-01-02 03:04:05 INFO main "} {
			lines := []string{prefix + "before"}
			for i, l := range key {
				lines = append(lines, prefix+l)
				if i == 2 {
					lines = append(lines, prefix+"of another goroutine")
				}
			}
			lines = append(lines, prefix+"after ABCDEFGHIJKLMNOPQRSTUVWXYZ")
			for way, got := range map[string][]event.Event{"cri": criOf(t, lines), "shipped": recordsOf(t, lines)} {
				var text strings.Builder
				for _, e := range got {
					fmt.Fprintln(&text, e.Message, e.Fields)
				}
				for i, l := range key[1 : len(key)-1] {
					if strings.Contains(text.String(), l) {
						t.Errorf("%s, %s: line %d of the key is there", way, name, i)
					}
				}
				for _, word := range []string{"before", "of another goroutine", "after ABCDEFGHIJKLMNOPQRSTUVWXYZ"} {
					if !strings.Contains(text.String(), word) {
						t.Errorf("%s, %s: %q is gone:\n%s", way, name, word, &text)
					}
				}
			}
		}
	}
}

func criOf(t *testing.T, lines []string) []event.Event {
	t.Helper()
	var file strings.Builder
	for i, l := range lines {
		fmt.Fprintf(&file, "2026-01-02T03:04:05.%09dZ stdout F %s\n", i, l)
	}
	_, items := scanAll(t, "log", "x.log", []byte(file.String()))
	var events []event.Event
	for _, it := range items {
		events = append(events, *it.Event)
	}
	return events
}

func recordsOf(t *testing.T, lines []string) []event.Event {
	t.Helper()
	var body []map[string]any
	for i, l := range lines {
		body = append(body, map[string]any{
			"log": l, "stream": "stdout", "time": fmt.Sprintf("2026-01-02T03:04:05.%09dZ", i),
			"kubernetes": map[string]any{"pod_name": "web", "namespace_name": "shop", "container_name": "web"},
		})
	}
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	events, rejects := decodeRecords(data, nil, Origin{})
	if len(rejects) > 0 {
		t.Fatal(rejects)
	}
	return events
}

// The position of a file says that it stands in a key, and a line of one is
// known without it by its look.
func TestKeyOverRestart(t *testing.T) {
	key := keyLines(t, 2048)
	first, second := &containerLog{lines: assembler{format: formatCRI}}, &containerLog{}
	for i, l := range key[:5] {
		if _, err := first.lines.add(logInput{text: fmt.Appendf(nil, "2026-01-02T03:04:05.%09dZ stderr F %s", i, l)}); err != nil {
			t.Fatal(err)
		}
	}
	second.restore(first.State())
	if got, want := second.State(), first.State(); got != want {
		t.Errorf("state %q became %q", want, got)
	}
	last := key[len(key)-2]
	if got := string(second.lines.stream("stderr").key.cut([]byte(last))); got != Redacted {
		t.Errorf("the last line after a restart: %s", got)
	}
	var lost privateKey
	if got := string(lost.cut([]byte(key[3]))); got != Redacted {
		t.Errorf("a line of which nothing is known: %s", got)
	}
	for _, plain := range []string{
		strings.Repeat("0123456789abcdef", 4), strings.Repeat("A", 64), "", "GET /" + strings.Repeat("a", 59), strings.Repeat("word ", 13),
	} {
		if got := string(lost.cut([]byte(plain))); got != plain {
			t.Errorf("%q became %q", plain, got)
		}
	}
	// Who begins a key and never ends it hides little.
	open := privateKey{}
	open.cut([]byte("-----BEGIN PRIVATE " + "KEY-----"))
	hidden := 0
	for i := range 100 {
		if got := string(open.cut(fmt.Appendf(nil, "user admin logged in %d", i))); got != fmt.Sprintf("user admin logged in %d", i) {
			hidden++
		}
	}
	if hidden > 0 || open.left != 0 {
		t.Errorf("%d lines hidden, %d left", hidden, open.left)
	}
}
