package slack

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack/slacktest"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// peer is a Slack as slack-go's own test server is it, with Socket Mode and what
// the server leaves out.
type peer struct {
	*slacktest.Server
	mu      sync.Mutex
	posted  []string
	updates []string
	acks    chan string
	clicks  chan []byte
}

func newPeer(t *testing.T) *peer {
	p := &peer{acks: make(chan string, 10), clicks: make(chan []byte, 10)}
	note := func(list *[]string, ts string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			p.mu.Lock()
			*list = append(*list, r.Form.Get("text")+r.Form.Get("blocks"))
			p.mu.Unlock()
			_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "channel": r.Form.Get("channel"), "ts": ts, "text": r.Form.Get("text")})
		}
	}
	p.Server = slacktest.NewTestServer(func(c slacktest.Customize) {
		c.Handle("/chat.postMessage", note(&p.posted, "1.000001"))
		c.Handle("/chat.update", note(&p.updates, "1.000001"))
		c.Handle("/ws", slacktest.Websocket(func(conn *websocket.Conn) {
			if conn.WriteJSON(map[string]any{"type": "hello", "num_connections": 1}) != nil {
				return
			}
			for payload := range p.clicks {
				if conn.WriteJSON(map[string]any{"type": "interactive", "envelope_id": "e1", "payload": json.RawMessage(payload)}) != nil {
					return
				}
				var ack struct {
					Envelope string `json:"envelope_id"`
				}
				if conn.ReadJSON(&ack) == nil {
					p.acks <- ack.Envelope
				}
			}
		}))
	})
	p.Start()
	t.Cleanup(func() { close(p.clicks); p.Stop() })
	return p
}

func (p *peer) has(list *[]string, text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(*list, func(s string) bool { return strings.Contains(s, text) })
}

// TestAgainstSlacktest: against the test server of slack-go, too, an incident is
// told of, its message changes, and a click over Socket Mode is stored before it
// is acknowledged.
func TestAgainstSlacktest(t *testing.T) {
	p := newPeer(t)
	r := newRig(t, func(r *rig) {
		r.config.API = p.GetAPIURL()
		// The one person whom slacktest knows.
		r.config.Teams, r.config.People = []string{"T024BE7LD"}, []Person{{Slack: "T024BE7LD/W012A3CDE", User: "ann", Groups: []string{"oncall"}}}
	})
	app, err := New(Options{
		Config: r.config, HTTP: http.DefaultClient, Logger: slog.New(slog.DiscardHandler),
		Desk: approve.Desk{Authority: r.rights, Bus: r.bus, Log: r.log, Incidents: incident.NewList(r.bus), Control: respond.NewControl(r.bus, event.ModeAct), Logger: slog.New(slog.DiscardHandler)},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.app = app
	r.run()
	go func() { _ = app.Listen(t.Context()) }()
	wait := func(what string, is func() bool) {
		t.Helper()
		if !r.space.Wait(4*time.Minute, is) { // it looks again every 100 ms, whoever changes something
			t.Fatalf("waited in vain: %s", what)
		}
	}
	run := r.waiting("web-1")
	// Its incident is stored before the run is: the message may be posted without the question, and changed.
	wait("the question", func() bool {
		return p.has(&p.posted, "Needs 2 of group/oncall") || p.has(&p.updates, "Needs 2 of group/oncall")
	})
	r.change(run.ID, func(n *event.Run) {
		a := *n.Approval
		a.Votes = []event.Vote{{User: "bob", Approve: true, Digest: a.Digest}}
		n.Approval = &a
	})
	wait("the first vote", func() bool { return p.has(&p.updates, "bob has approved") })
	p.clicks <- workspace.Press{User: "W012A3CDE", Team: "T024BE7LD", Channel: channel, Action: "approve", Value: r.value(run, DeedApprove), At: r.clock()}.Payload()
	select {
	case id := <-p.acks:
		if id != "e1" {
			t.Errorf("acknowledged %q", id)
		}
	case <-time.After(4 * time.Minute):
		t.Fatal("no acknowledgement")
	}
	if list := r.inputs(run.ID); len(list) != 1 || list[0].User != "ann" || !list[0].Vote.Approve {
		t.Errorf("acknowledged, and stored: %+v", list)
	}
}
