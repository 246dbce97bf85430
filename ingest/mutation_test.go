package ingest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/firebreak-io/firebreak/internal/event"
)

// samples are a good line of each source.
var samples = map[string]string{
	"falco":    `{"output":"o","priority":"Warning","rule":"r","time":"2026-03-02T12:00:01Z","output_fields":{"proc.name":"sh","evt.time":1,"user.name":null},"tags":["a"]}`,
	"audit":    `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"list","user":{"username":"alice","groups":["g"]},"sourceIPs":["203.0.113.9"],"objectRef":{"resource":"pods"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-03-02T12:00:01.000000Z"}`,
	"log-http": `{"time":"2026-03-02T12:00:01Z","level":"info","msg":"said","user":"alice","ip":"203.0.113.9"}`,
}

// mutated are the ways in which a line is broken: cut at each byte, each value
// of another type, nested deep, numbers without end, bytes that are no text,
// names twice, NUL, marks of byte order, and two texts without a line between.
func mutated(line string) map[string]string {
	all := map[string]string{
		"deep":         strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000),
		"deep list":    strings.Repeat("[", 20_000),
		"deep inside":  strings.Replace(line, ":", ":"+strings.Repeat("[", 5_000)+strings.Repeat("]", 5_000)+`,"x":`, 1),
		"list":         "[" + line + "," + line + "]",
		"list of list": "[[" + line + "]]",
		"concatenated": line + line,
		"twice":        strings.Replace(line, "{", line[:len(line)-1]+",", 1),
		"NUL":          line[:len(line)/2] + "\x00" + line[len(line)/2:],
		"BOM":          "\xef\xbb\xbf" + line,
		"UTF-16":       "\xff\xfe" + strings.Join(strings.Split(line, ""), "\x00") + "\x00",
		"CRLF":         line + "\r",
		"no text":      strings.Replace(line, `"`, "\"\xff\xc0\xaf", 1),
		"half a rune":  strings.Replace(line, `"`, `"\ud800`, 1),
		"a word":       "null", "a number": "1e999999", "a text": `"x"`, "empty": "{}", "closed": "}", "comma": ",",
	}
	for i := range len(line) {
		all[fmt.Sprintf("cut at %d", i)] = line[:i]
		if line[i] != ':' {
			continue
		}
		for _, v := range []string{"null", "[]", "{}", "true", "-1", "1e400", "123456789012345678901234567890", `""`, `"\u0000"`, `[null]`, `{"":{}}`} {
			all[fmt.Sprintf("%s at %d", v, i)] = line[:i+1] + v + `,"was":` + line[i+1:]
		}
	}
	return all
}

// TestMutatedLines: each broken line of a file is an event or a reject with
// its line and reason, and those before and after it are what they are.
func TestMutatedLines(t *testing.T) {
	for kind, line := range map[string]string{"falco": samples["falco"], "audit": samples["audit"], "log": samples["log-http"]} {
		for name, broken := range mutated(line) {
			data := []byte(line + "\n" + broken + "\n" + line + "\n")
			counts, items := scanAll(t, kind, "f", data)
			checkScan(t, "f", data, counts, items)
			if len(items) == 0 || items[0].Event == nil || items[0].Line != 1 {
				t.Errorf("%s, %s: the line before is lost: %+v", kind, name, counts)
			}
			if counts.Begun+counts.Rejected+counts.Joined+counts.Blank != 3 {
				t.Errorf("%s, %s: %+v of three lines", kind, name, counts)
			}
			if t.Failed() {
				t.Fatalf("%s, %s: %.400q", kind, name, broken)
			}
		}
	}
}

// TestMutatedPosts: each broken body, plain and compressed, whole and cut, is
// answered, and kept as events or as a dead letter with a reason.
func TestMutatedPosts(t *testing.T) {
	pack, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for source, line := range samples {
		h, store, _ := opened(t, source, "")
		send := func(name, body, encoding string) {
			store.frames, store.dead = nil, nil // nobody else is there
			w := post(h, "/v1/"+source, body, "Authorization", "Bearer "+testToken, "Content-Encoding", encoding)
			kept := len(store.frames) + len(store.dead)
			if w.Code != 200 && w.Code != 204 && w.Code != 400 && w.Code != 413 {
				t.Fatalf("%s, %s, %s: answer %d", source, name, encoding, w.Code)
			}
			if kept == 0 && !(encoding == "" && holdsNothing([]byte(body))) {
				t.Fatalf("%s, %s, %s: nothing is kept: %d %s of %.200q", source, name, encoding, w.Code, w.Body, body)
			}
			for _, r := range store.dead {
				checkDead(t, r)
			}
		}
		for name, broken := range mutated(line) {
			send(name, broken, "")
			// Of lines each is kept by itself. A comma between two is none, and a
			// thousand brackets that nobody closes take what follows with them into
			// their dead letter.
			if source != "log-http" || strings.TrimSpace(broken) == "" || name == "comma" || name == "deep list" {
				continue
			}
			send(name, line+"\n"+broken+"\n"+line, "")
			if got := len(store.events()) + len(store.dead); got < 3 {
				t.Errorf("%s, %s: %d of three lines are kept", source, name, got)
			}
		}
		good := []byte(line)
		for encoding, data := range map[string][]byte{"gzip": zipped(good), "zstd": pack.EncodeAll(good, nil)} {
			send("whole", string(data), encoding)
			for i := 1; i < len(data); i += 7 {
				send(fmt.Sprintf("cut at %d", i), string(data[:i]), encoding)
			}
			send("plain", line, encoding)
			bomb := bytes.Repeat([]byte(" "), 64<<20)
			if encoding == "gzip" {
				send("bomb", string(zipped(bomb)), encoding)
			} else {
				send("bomb", string(pack.EncodeAll(bomb, nil)), encoding)
			}
		}
	}
}

// checkDead says whether a dead letter tells why.
func checkDead(t *testing.T, r event.Rejected) {
	t.Helper()
	if r.Reason == "" || len(r.Data) > event.MaxRejected {
		t.Errorf("dead letter %q with %d bytes", r.Reason, len(r.Data))
	}
}
