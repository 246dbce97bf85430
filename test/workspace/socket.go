package workspace

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/websocket"
)

// socket is a connection of Socket Mode.
type socket struct {
	conn *websocket.Conn
	done chan struct{}
	once sync.Once
}

func (c *socket) end() {
	c.once.Do(func() {
		close(c.done)
		_ = c.conn.Close()
	})
}

// ack is what the app answers to an envelope.
type ack struct {
	Envelope string          `json:"envelope_id"`
	Payload  json.RawMessage `json:"payload"`
}

// answered is where the acknowledgement of an envelope comes.
func (s *Server) answered(id string) chan ack {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.acks[id] == nil {
		s.acks[id] = make(chan ack, 1)
	}
	return s.acks[id]
}

func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	websocket.Server{Handler: func(conn *websocket.Conn) {
		c := &socket{conn: conn, done: make(chan struct{})}
		hello := map[string]any{"type": "hello", "num_connections": 1, "connection_info": map[string]any{"app_id": "A0001"}}
		if websocket.JSON.Send(conn, hello) != nil {
			return
		}
		s.mu.Lock()
		s.sockets = append(s.sockets, c)
		s.mu.Unlock()
		s.more.Broadcast()
		go func() {
			for {
				var a ack
				if err := websocket.JSON.Receive(conn, &a); err != nil {
					c.end()
					return
				}
				select {
				case s.answered(a.Envelope) <- a:
				default:
				}
			}
		}()
		<-c.done
	}}.ServeHTTP(w, r)
}

// Connected says how many connections of Socket Mode are open.
func (s *Server) Connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.sockets {
		select {
		case <-c.done:
		default:
			n++
		}
	}
	return n
}

// Envelope sends something over Socket Mode, and waits for the acknowledgement.
func (s *Server) Envelope(kind string, payload []byte, within time.Duration) (answer string, err error) {
	s.mu.Lock()
	s.next++
	id := fmt.Sprintf("envelope-%s-%d", s.base, s.next)
	var open *socket
	for _, c := range s.sockets {
		select {
		case <-c.done:
		default:
			open = c
		}
	}
	s.mu.Unlock()
	if open == nil {
		return "", errors.New("nobody is connected")
	}
	message := map[string]any{"type": kind, "envelope_id": id, "payload": json.RawMessage(payload), "accepts_response_payload": kind == "slash_commands"}
	if err := websocket.JSON.Send(open.conn, message); err != nil {
		return "", err
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case a := <-s.answered(id):
		return string(a.Payload), nil
	case <-timer.C:
		return "", errors.New("no acknowledgement")
	}
}

// hangUp ends all connections.
func (s *Server) hangUp() {
	s.mu.Lock()
	open := s.sockets
	s.mu.Unlock()
	for _, c := range open {
		c.end()
	}
}

// HangUp ends all connections as Slack does now and then.
func (s *Server) HangUp() { s.hangUp() }
