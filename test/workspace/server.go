// Package workspace is a Slack workspace for tests, which refuses what Slack
// refuses: a wrong token, blocks over their limits, changes of messages that are
// not there, more than a channel takes in a second. It signs what it sends as
// Slack does, and says how long it waited for the answer. It is written from
// Slack's documentation (https://docs.slack.dev) and shares no code with what it
// tests.
package workspace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// The credentials that the server knows.
const (
	Token    = "xoxb-1-secret-of-the-app" // #nosec G101 -- of a server for tests
	AppToken = "xapp-1-secret-of-the-app"
	Secret   = "8f742231b10e8888abcd99yyyzzz85a5"
	Team     = "T0001"
)

// Message is one message in a channel.
type Message struct {
	Channel, TS, Thread string
	Text                string
	Blocks              []map[string]any
	Metadata            map[string]any
	// Edits counts its changes. Only is the user who alone sees it.
	Edits int
	Only  string
	// Broadcast says that a message in a thread shows in the channel, too.
	Broadcast bool
}

// Member is a user of the workspace.
type Member struct {
	ID, Team                                    string
	Deleted, Bot, Restricted, Stranger, Invited bool
}

// View is a form or a home tab that the app opened.
type View struct {
	// User is whose home it is; Trigger is what opened a form.
	User, Trigger string
	Body          map[string]any
}

// Server is the workspace. Its exported fields are set before it is used.
type Server struct {
	// Pace is how often a channel takes a message; zero is as often as one likes.
	Pace time.Duration
	// Scopes are those of the app's token.
	Scopes []string
	// Absent are channels that are there, and that the app is not in.
	Absent []string
	// Fault, if set, may answer a call in place of the server; it says whether it
	// did. Lose says that a call is taken, and its answer lost.
	Fault func(method string, w http.ResponseWriter) bool
	Lose  func(method string) bool

	mu       sync.Mutex
	base     string
	client   *http.Client
	members  map[string]Member
	channels map[string]bool
	messages []*Message
	views    []View
	last     map[string]time.Time
	refused  []string
	calls    map[string]int
	next     int
	sockets  []*socket
	acks     map[string]chan ack
	more     *sync.Cond
}

// New starts a workspace with a channel and members, until stop is called.
func New(channel string, members ...Member) (s *Server, stop func()) {
	s = newServer(channel, members...)
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	s.base, s.client = server.URL, server.Client()
	return s, func() {
		s.hangUp()
		server.Close()
	}
}

func newServer(channel string, members ...Member) *Server {
	s := &Server{members: map[string]Member{}, channels: map[string]bool{channel: true}, last: map[string]time.Time{}, calls: map[string]int{}, acks: map[string]chan ack{}}
	s.more = sync.NewCond(&s.mu)
	for _, m := range members {
		if m.Team == "" {
			m.Team = Team
		}
		s.members[m.ID] = m
	}
	return s
}

// URL is where the web API is.
func (s *Server) URL() string { return s.base + "/api/" }

// Client is an HTTP client that reaches it.
func (s *Server) Client() *http.Client { return s.client }

// Messages are those that stand in a channel, oldest first, without threads.
func (s *Server) Messages(channel string) []Message {
	return s.pick(func(m *Message) bool { return m.Channel == channel && m.Thread == "" && m.Only == "" })
}

// Thread are the answers to a message, oldest first.
func (s *Server) Thread(channel, ts string) []Message {
	return s.pick(func(m *Message) bool { return m.Channel == channel && m.Thread == ts && m.Only == "" })
}

// Whispers are what one user alone was told.
func (s *Server) Whispers(user string) []Message {
	return s.pick(func(m *Message) bool { return m.Only == user || m.Channel == user })
}

func (s *Server) pick(is func(*Message) bool) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Message
	for _, m := range s.messages {
		if is(m) {
			list = append(list, *m)
		}
	}
	return list
}

// Views are what was opened, oldest first.
func (s *Server) Views() []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.views)
}

// Refused are the calls that were refused, with why.
func (s *Server) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// Calls counts the calls of a method, whatever became of them.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Delete deletes a message as a person would.
func (s *Server) Delete(ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = slices.DeleteFunc(s.messages, func(m *Message) bool { return m.TS == ts })
}

// Wait waits until the condition holds, which is looked at after every change;
// it gives false when the time is over.
func (s *Server) Wait(within time.Duration, holds func() bool) bool {
	timer := time.AfterFunc(within, func() { s.more.Broadcast() })
	defer timer.Stop()
	for until := time.Now().Add(within); ; {
		if holds() {
			return true
		}
		if !time.Now().Before(until) {
			return false
		}
		s.mu.Lock()
		change := time.AfterFunc(100*time.Millisecond, func() { s.more.Broadcast() })
		s.more.Wait()
		s.mu.Unlock()
		change.Stop()
	}
}

// Refusal is an error as Slack gives it, with what it is about after a colon; empty
// is none.
type Refusal string

type refusal = Refusal

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/socket") {
		s.socket(w, r)
		return
	}
	method := strings.TrimPrefix(r.URL.Path, "/api/")
	s.mu.Lock()
	s.calls[method]++
	s.mu.Unlock()
	defer s.more.Broadcast()
	if s.Fault != nil && s.Fault(method, w) {
		return
	}
	form, why := read(r)
	want := Token
	if method == "apps.connections.open" {
		want = AppToken
	}
	if why == "" && r.Header.Get("Authorization") != "Bearer "+want && form.Get("token") != want {
		why = "invalid_auth"
	}
	var answer map[string]any
	var wait time.Duration
	if why == "" {
		s.mu.Lock()
		answer, wait, why = s.call(method, form)
		s.mu.Unlock()
	}
	switch {
	case wait > 0:
		w.Header().Set("Retry-After", fmt.Sprint(int(wait.Seconds())+1))
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case why != "":
		s.mu.Lock()
		s.refused = append(s.refused, method+": "+string(why))
		s.mu.Unlock()
		answer = map[string]any{"ok": false, "error": strings.SplitN(string(why), ":", 2)[0], "response_metadata": map[string]any{"messages": []string{string(why)}}}
	default:
		answer["ok"] = true
	}
	if s.Lose != nil && s.Lose(method) {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-OAuth-Scopes", strings.Join(s.Scopes, ","))
	_ = json.NewEncoder(w).Encode(answer)
}

// read reads a call's arguments, as a form or as JSON.
func read(r *http.Request) (url.Values, refusal) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var body map[string]json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil && !errors.Is(err, io.EOF) {
			return nil, "invalid_json"
		}
		form := url.Values{}
		for k, v := range body {
			var text string
			if json.Unmarshal(v, &text) != nil {
				text = string(v)
			}
			form.Set(k, text)
		}
		return form, ""
	}
	if err := r.ParseForm(); err != nil {
		return nil, "invalid_form_data"
	}
	return r.Form, ""
}
