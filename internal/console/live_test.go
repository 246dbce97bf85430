package console

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// stream is a live answer as it comes.
type stream struct {
	t      *testing.T
	resp   *http.Response
	lines  *bufio.Scanner
	cancel context.CancelFunc
}

func (b *browser) follow(about, last string) *stream {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	b.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.server.URL+Root+"live?about="+about, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = resp.Body.Close() })
	return &stream{t: b.t, resp: resp, lines: bufio.NewScanner(resp.Body), cancel: cancel}
}

// next is the next event as EVENT DATA, and its id.
func (s *stream) next() (text, id string) {
	s.t.Helper()
	var event, data string
	for s.lines.Scan() {
		line := s.lines.Text()
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && event != "":
			return event + " " + data, id
		case name == "event":
			event = value
		case name == "data":
			data = value
		case name == "id":
			id = value
		}
	}
	return "over", id
}

func (s *stream) want(text string) (id string) {
	s.t.Helper()
	got, id := s.next()
	if got != text {
		s.t.Fatalf("got %s, want %s", got, text)
	}
	return id
}

func told1(kind, id, text string) string {
	return fmt.Sprintf(`change {"id":%q,"kind":%q,"text":%q}`, id, kind, text)
}

func TestLive(t *testing.T) {
	r := newRig(t)
	r.live()
	all, sue, eve, one := r.as("bob").follow("all", ""), r.as("sue").follow("all", ""), r.as("eve").follow("all", ""), r.as("bob").follow(incidentID, "")
	for _, s := range []*stream{all, sue, eve, one} {
		if s.resp.StatusCode != http.StatusOK || !strings.HasPrefix(s.resp.Header.Get("Content-Type"), "text/event-stream") {
			t.Fatalf("status %d %v", s.resp.StatusCode, s.resp.Header)
		}
		s.want("hello {}")
	}
	other := sampleIncident("")
	other.ID, other.Subject = strings.Repeat("b", 32), event.PodRef("bank", "ledger-0")
	r.put(bus.SubjectIncident(other.ID), other)
	bank := told1("incident", other.ID, "Incident bbbbbbbbbbbb is open, critical")
	at := all.want(bank)
	r.put(bus.SubjectRun(runID), sampleRun(""))
	shop := told1("run", runID, "Run fedcba987654 is awaiting approval")
	all.want(shop)
	one.want(shop) // the run is of the incident
	sue.want(shop) // and what is of bank is none of sue's business
	r.put(bus.SubjectIncident(incidentID), sampleIncident(hostile))
	mine := told1("incident", incidentID, "Incident 0123456789ab is open, critical")
	all.want(mine)
	// Who comes back hears what was missed, and only that.
	all.cancel()
	back := r.as("bob").follow("all", at)
	back.want("hello {}")
	back.want(shop)
	back.want(mine)
	// What changes between a page and its live answer is not missed either.
	_, text := r.as("bob").get(Root)
	begin := strings.Index(text, "seen=") + len("seen=")
	upto, _, _ := strings.Cut(text[begin:], "\"")
	r.put(bus.SubjectRun(runID), heldRun(""))
	back.want(told1("run", runID, "Run fedcba987654 is holding"))
	first := r.as("bob").follow("all&seen="+upto, "")
	first.want("hello {}")
	first.want(told1("run", runID, "Run fedcba987654 is holding"))
	// Who was away for too long is told to look at all of it.
	for range maxKept + 1 {
		r.page.hub.tell(change{stream: 1, sequence: r.page.hub.at[1] + 1, kind: "run", id: "x"})
	}
	late := r.as("bob").follow("all", at)
	late.want("hello {}")
	late.want("reset {}")
	// Signing out ends it, and so does the end of the service.
	who := r.as("bob")
	mineOnly := who.follow("all", "")
	mineOnly.want("hello {}")
	who.send(Root+"logout", url.Values{})
	mineOnly.want("end {}")
	r.page.hub.close()
	late.want("end {}")
	for text, _ := eve.next(); text != "end {}"; text, _ = eve.next() {
		if text != "reset {}" { // which says nothing but that it did not read fast enough
			t.Fatalf("eve hears %s", text)
		}
	}
	if s := r.as("bob").follow("all", ""); s.resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("after the end: %d", s.resp.StatusCode)
	}
	if s := r.browser().follow("all", ""); s.resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger: %d", s.resp.StatusCode)
	}
}

// TestLiveBounds: nobody has more live answers than the bound, and one that
// does not read holds up nobody.
func TestLiveBounds(t *testing.T) {
	r := newRig(t)
	h := r.page.hub
	var mine []*subscriber
	for i := range maxLiveOne + 1 {
		s, _, _, _, err := h.join("bob", "k", nil)
		if (err != nil) != (i == maxLiveOne) {
			t.Fatalf("live answer %d: %v", i, err)
		}
		if s != nil {
			mine = append(mine, s)
		}
	}
	n := len(mine)
	for i := 0; ; i++ {
		if _, _, _, _, err := h.join(fmt.Sprint("user", i), "", nil); err != nil {
			break
		}
		n++
	}
	if n != maxLive {
		t.Errorf("%d live answers, at most %d", n, maxLive)
	}
	for i := range maxBehind + 1 {
		h.tell(change{stream: 0, sequence: uint64(i + 1), id: "x"})
	}
	if !h.late(mine[0]) || h.late(mine[0]) {
		t.Error("nobody says that changes were left out, or twice")
	}
	h.leave(mine[0])
	if _, _, _, _, err := h.join("new", "", nil); err != nil {
		t.Errorf("a place that is free is not given: %v", err)
	}
	for _, text := range []string{"", "1", "1-2-3", "-1-2", "1-2 ", "99999999999999999999-1", "0x1-2", strings.Repeat("1", 100)} {
		if p, ok := parsePosition(text); ok {
			t.Errorf("%q is %v", text, p)
		}
	}
	if p, ok := parsePosition("12-34"); !ok || p != (position{12, 34}) {
		t.Errorf("12-34 is %v", p)
	}
}
