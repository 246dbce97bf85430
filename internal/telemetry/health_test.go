package telemetry

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestHealth(t *testing.T) {
	tel := Nop()
	var broken atomic.Bool
	tel.Health().Add("bus", func(context.Context) error { return nil })
	tel.Health().Add("api", func(context.Context) error {
		if broken.Load() {
			return errors.New("away\n[+]forged ok")
		}
		return nil
	})
	if code, text := scrape(t, tel, "/readyz"); code != 200 || text != "ok\n" {
		t.Errorf("%d %q", code, text)
	}
	if code, text := scrape(t, tel, "/readyz?verbose"); code != 200 || text != "[+]api ok\n[+]bus ok\nok\n" {
		t.Errorf("%d %q", code, text)
	}
	broken.Store(true)
	if code, text := scrape(t, tel, "/readyz?verbose"); code != 503 || text != "[-]api failed: away; [+]forged ok\n[+]bus ok\n" {
		t.Errorf("%d %q", code, text)
	}
	if code, text := scrape(t, tel, "/livez"); code != 200 || text != "ok\n" {
		t.Errorf("not ready is not dead: %d %q", code, text)
	}
	tel.Health().AddLive("loop", func(context.Context) error { return errors.New("stuck") })
	if code, _ := scrape(t, tel, "/livez"); code != 503 {
		t.Error(code)
	}
	if code, _ := scrape(t, tel, "/elsewhere"); code != 404 {
		t.Error(code)
	}
}

func TestHealthNote(t *testing.T) {
	tel := Nop()
	tel.Health().AddNote("index", func(context.Context) error { return errors.New("index: pods are not listed yet") })
	if code, text := scrape(t, tel, "/readyz"); code != 200 || text != "ok\n" {
		t.Errorf("%d %q", code, text)
	}
	if code, text := scrape(t, tel, "/readyz?verbose"); code != 200 || text != "[!]index: index: pods are not listed yet\nok\n" {
		t.Errorf("%d %q", code, text)
	}
}

func TestHealthCheckThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := Nop()
		free := make(chan struct{})
		tel.Health().Add("hangs", func(context.Context) error { <-free; return nil })
		tel.Health().Add("well", func(context.Context) error { return nil })
		code, text := scrape(t, tel, "/readyz")
		if code != 503 || !strings.Contains(text, "[-]hangs failed: no answer") || !strings.Contains(text, "[+]well ok") {
			t.Errorf("%d %q", code, text)
		}
		close(free)
	})
}
