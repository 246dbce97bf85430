package slack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/test/workspace"
)

// TestRevoked: that the token was taken back is said before there is anything to
// tell, and so is that it is well again.
func TestRevoked(t *testing.T) {
	var gone atomic.Bool
	gone.Store(true)
	states := make(chan error, 1000)
	r := newRig(t, func(r *rig) {
		r.working = func(_ context.Context, err error) { states <- err }
		r.space.Fault = func(_ string, w http.ResponseWriter) bool {
			if !gone.Load() {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"ok":false,"error":"token_revoked"}`)
			return true
		}
	})
	r.run()
	within := time.After(4 * time.Minute)
	next := func(what string, is func(error) bool) {
		t.Helper()
		for {
			select {
			case err := <-states:
				if is(err) {
					return
				}
			case <-within:
				t.Fatalf("waited in vain: %s", what)
			}
		}
	}
	next("the token is gone", Revoked)
	if err := r.app.board.Ready(t.Context()); err == nil || !Revoked(err) {
		t.Errorf("ready: %v", err)
	}
	gone.Store(false)
	r.waiting("web-1")
	next("it is well again", func(err error) bool { return err == nil })
	if Revoked(nil) || Revoked(errors.New("token_revoked")) || Revoked(Busy{}) {
		t.Error("what waiting mends counts as revoked")
	}
}

// TestSocketGoesToSlackAlone: whatever address Slack's answer names, only Slack is
// connected to, by TLS.
func TestSocketGoesToSlackAlone(t *testing.T) {
	var dialled []string
	refuse := errors.New("not in a test")
	a := &App{dial: func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		return nil, refuse
	}}
	for address, want := range map[string]string{
		"wss://wss-primary.slack.com/link": "not in a test", "wss://slack.com.evil.example/link": "it is not Slack's", "wss://127.0.0.1/": "it is not Slack's",
		"wss://notslack.com/": "it is not Slack's", "ws://wss-primary.slack.com/": "by TLS alone",
	} {
		_, resp, err := a.dialer().DialContext(t.Context(), address, nil)
		if resp != nil {
			_ = resp.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
	if len(dialled) != 1 || dialled[0] != "wss-primary.slack.com:443" {
		t.Errorf("dialled %q", dialled)
	}
	a.config.API = "http://slack.test/api/"
	for address, want := range map[string]string{"ws://slack.test/x": "not in a test", "wss://wss-primary.slack.com/": "it is not Slack's"} {
		_, resp, err := a.dialer().DialContext(t.Context(), address, nil)
		if resp != nil {
			_ = resp.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with an API of its own: %s: %v, want %q", address, err, want)
		}
	}
}

// TestTwoResponders: what one responder has taken, another one on the same store
// takes no more, nor does one after a restart; whichever way it comes.
func TestTwoResponders(t *testing.T) {
	r := newRig(t)
	run := r.waiting("web-1")
	first := r.handler
	r.start() // another process on the same store, with its own memory
	second := r.handler
	send := func(handler http.Handler, path, body string, header http.Header) int {
		return sent(t, handler, path, body, header)
	}
	press := workspace.Press{User: "U0ANN", Channel: channel, Action: "x", Value: r.value(run, DeedApprove), At: r.clock()}
	body := workspace.Form(press.Payload())
	header := workspace.Sign(workspace.Secret, body, r.clock())
	// Both at once, many times: one input.
	done := make(chan int, 20)
	for i := range 20 {
		go func() {
			handler := first
			if i%2 == 1 {
				handler = second
			}
			done <- send(handler, "/slack/interactions", body, header)
		}()
	}
	for range 20 {
		if status := <-done; status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	r.start() // after a restart
	send(r.handler, "/slack/interactions", body, header)
	go func() { _ = r.app.Listen(t.Context()) }() // and by Socket Mode
	if !r.space.Wait(4*time.Minute, func() bool { return r.space.Connected() > 0 }) {
		t.Fatal("nobody connected")
	}
	if _, err := r.space.Envelope("interactive", press.Payload(), 4*time.Minute); err != nil {
		t.Error(err)
	}
	if list := r.inputs(run.ID); len(list) != 1 {
		t.Errorf("%d inputs of one press", len(list))
	}
	// A resume that was recorded does not end the pause that came after it.
	control := r.app.clerk.desk.Control
	pause := func(user string) {
		t.Helper()
		if err := r.app.clerk.desk.Pause(t.Context(), kubeUser(user), "x"); err != nil {
			t.Fatal(err)
		}
	}
	pause("bob")
	command := "team_id=T0001&user_id=U0ANN&channel_id=" + channel + "&command=%2Ffirebreak&text=resume&trigger_id=t1"
	signed := workspace.Sign(workspace.Secret, command, r.clock())
	send(first, "/slack/commands", command, signed)
	if p, err := control.State(t.Context()); err != nil || len(p.Release) != 1 {
		t.Fatalf("pause %+v, %v", p, err)
	}
	if _, err := control.Resume(t.Context(), "bob", r.clock()); err != nil {
		t.Fatal(err)
	}
	pause("ann")
	for _, handler := range []http.Handler{first, second, r.handler} {
		send(handler, "/slack/commands", command, signed)
	}
	if p, err := control.State(t.Context()); err != nil || p.By != "ann" || len(p.Release) != 0 {
		t.Errorf("a recorded resume counts again: %+v, %v", p, err)
	}
	old := r.app.board.face.Seal(Order{Deed: DeedResume, Digest: "the pause before"})
	r.press("U0ANN", old)
	r.told("U0ANN", "that pause is over")
}
