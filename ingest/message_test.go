package ingest

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

func TestMessageOfAccessLog(t *testing.T) {
	line := `10.0.0.9 - bob [10/Oct/2023:13:55:36 +0200] "GET /a?b=c HTTP/1.1" 403 12 "-" "curl/8" "198.51.100.7, 10.0.0.8"`
	a := assembler{container: "c", trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	e := a.event(&openLine{text: []byte(line), stream: "stdout"})
	if e.Class != event.ClassHTTP || e.HTTP.Status != 403 || e.HTTP.Path != "/a?b=c" || e.HTTP.Method != "GET" || e.HTTP.Bytes != 12 ||
		e.Actor.User != "bob" || e.Actor.UserAgent != "curl/8" || e.Outcome != event.OutcomeDenied || e.Verb != "get" {
		t.Errorf("got %+v", e)
	}
	if e.Actor.Address != "198.51.100.7" || e.Fields["peer"] != "10.0.0.9" || e.Fields["format"] != "nginx" {
		t.Errorf("client %q, fields %v", e.Actor.Address, e.Fields)
	}
	a.trusted = nil
	if e = a.event(&openLine{text: []byte(line)}); e.Actor.Address != "10.0.0.9" {
		t.Errorf("without trusted proxies the client is %q", e.Actor.Address)
	}
}

// The annotation chooses: %D is microseconds in Apache, while nginx says
// nothing with such a number.
func TestMessageChosen(t *testing.T) {
	line := `10.0.0.9 - - [10/Oct/2023:13:55:36 +0200] "GET / HTTP/1.1" 200 12 "-" "curl/8" 2500`
	for annotation, want := range map[string]float64{"": 0.0025, "web=nginx": 0, "other=nginx": 0.0025, "apache": 0.0025} {
		a := assembler{object: event.Ref{Container: "web"}, annotation: annotation}
		if e := a.event(&openLine{text: []byte(line)}); e.HTTP.Duration != want {
			t.Errorf("%q: duration %g, want %g", annotation, e.HTTP.Duration, want)
		}
	}
}

func TestMessageBounds(t *testing.T) {
	a := assembler{}
	e := a.event(&openLine{text: []byte(`10.0.0.9 - - [10/Oct/2023:13:55:36 +0200] "GET /` + strings.Repeat("a", 100<<10) + ` HTTP/1.1" 200 12`)})
	if e.Class != event.ClassHTTP || e.HTTP.Status != 200 || len(e.HTTP.Path) != maxText {
		t.Errorf("class %q, status %d, path of %d bytes", e.Class, e.HTTP.Status, len(e.HTTP.Path))
	}
}

func TestTrustedProxies(t *testing.T) {
	c := LogConfig{Directory: "/x", Poll: 1, MaxFiles: 1, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "trusted_proxies") {
		t.Errorf("all are trusted: %v", err)
	}
	c.TrustedProxies[0] = netip.MustParsePrefix("10.0.0.0/8")
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}

// The configuration gives the proxies as CIDR; what is none has its place.
func TestTrustedProxiesDecoded(t *testing.T) {
	var c LogConfig
	if err := conf.Decode("config.yaml", []byte("trusted_proxies: [10.0.0.0/8, \"fd00::/8\"]\n"), &c); err != nil || len(c.TrustedProxies) != 2 {
		t.Errorf("got %v, %v", c.TrustedProxies, err)
	}
	if err := conf.Decode("config.yaml", []byte("trusted_proxies: [10.0.0.0/33]\n"), &c); err == nil || !strings.Contains(err.Error(), "config.yaml:1:") {
		t.Errorf("a prefix that is none: %v", err)
	}
}

// podHints knows a pod's annotation from its second question on.
type podHints struct{ asked int }

func (p *podHints) Hints(namespace, pod, uid, container string) (annotation, image string) {
	if p.asked++; p.asked == 1 || namespace != "shop" || pod != "web-1" || uid != "u" || container != "web" {
		return "", ""
	}
	return "web=apache", "registry/nginx:1"
}

// The cluster chooses the parser of a pod that it knows, and is asked again
// for one that is too young.
func TestPodChoosesTheParser(t *testing.T) {
	object := event.PodRef("shop", "web-1")
	object.UID, object.Container = "u", "web"
	hints := &podHints{}
	a := assembler{object: object, pods: hints}
	const line = `192.0.2.1 - - [01/May/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-" 2500`
	for range askAgain {
		a.read(line)
	}
	if hints.asked != 1 || a.parser.Name == "apache" {
		t.Fatalf("asked %d times, parser %q", hints.asked, a.parser.Name)
	}
	for range 10 * askAgain {
		a.read(line)
	}
	if hints.asked != 2 || a.parser.Name != "apache" {
		t.Errorf("asked %d times, parser %q", hints.asked, a.parser.Name)
	}
}
