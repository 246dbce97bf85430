//go:build linux

package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// sender posts events of one source and sends each body again until it is answered with 200, as an API
// server does. Its events are numbered, so that what was accepted is a number.
type sender struct {
	t *testing.T
	// name is f0 and so on for Falco, a0 for audit.
	name string
	api  string
	pace *pace
	most int // events a body
	// accepted and ended may be read when run and end have returned; refused counts the other answers.
	accepted int
	ended    bool
	refused  map[int]int
	// slowest is the longest time until a 503.
	slowest time.Duration
}

func newSender(t *testing.T, name, api string, p *pace, most int) *sender {
	return &sender{t: t, name: name, api: api, pace: p, most: most, refused: map[int]int{}}
}

// marker is what tells the nth event of a sender or log from all others; the last one has n < 0.
func marker(name string, n int) string {
	if n < 0 {
		return "t-" + name + "-end"
	}
	return fmt.Sprintf("t-%s-%07d", name, n)
}

// run sends until load is done. What it has begun it sends to its end.
func (s *sender) run(load context.Context) {
	for {
		n := s.pace.take(load, 1+rand.IntN(s.most))
		if n == 0 {
			return
		}
		events := make([]any, n)
		for i := range events {
			events[i] = s.event(s.accepted + i)
		}
		if !s.deliver(s.body(events)) {
			return
		}
		s.accepted += n
		s.pace.accept(n)
	}
}

// end sends the last event.
func (s *sender) end() { s.ended = s.deliver(s.body([]any{s.event(-1)})) }

// deliver posts a body until it is accepted; false when the test is over or the body is refused.
func (s *sender) deliver(body []byte) bool {
	ctx := s.t.Context()
	for ctx.Err() == nil {
		status, took := s.post(ctx, body)
		switch status {
		case http.StatusOK:
			return true
		case 0, http.StatusServiceUnavailable, http.StatusTooManyRequests:
			s.refused[status]++
			if status != 0 {
				s.slowest = max(s.slowest, took)
				if s.pace != nil {
					s.pace.refuse()
				}
			}
		default:
			s.t.Errorf("sender %s was answered with %d", s.name, status)
			return false
		}
		// Sooner than Retry-After says: this is the load.
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(20+rand.IntN(60)) * time.Millisecond):
		}
	}
	return false
}

// post gives 0 when there was no answer.
func (s *sender) post(ctx context.Context, body []byte) (status int, took time.Duration) {
	path := "/v1/falco"
	if s.name[0] == 'a' {
		path = "/v1/audit"
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.api+path, bytes.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return 0, 0
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, 0 // cut off: as good as no answer
	}
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		s.t.Errorf("sender %s: 503 without Retry-After", s.name)
	}
	return resp.StatusCode, time.Since(began)
}

func (s *sender) body(events []any) []byte {
	var whole any = events
	switch {
	case s.name[0] == 'a':
		whole = map[string]any{"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": map[string]any{}, "items": events}
	case len(events) == 1:
		whole = events[0]
	}
	body, err := json.Marshal(whole)
	if err != nil {
		s.t.Error(err)
	}
	return body
}

func (s *sender) event(n int) any {
	now, m := time.Now().UTC().Format(time.RFC3339Nano), marker(s.name, n)
	if s.name[0] == 'a' {
		return map[string]any{
			"level": "Metadata", "auditID": m, "stage": "ResponseComplete", "verb": "get",
			"requestURI": "/api/v1/namespaces/shop/configmaps/" + m, "user": map[string]any{
				"username": "system:serviceaccount:shop:cart", "groups": []string{"system:serviceaccounts", "system:authenticated"},
			},
			"sourceIPs": []string{"10.0.0.7"}, "userAgent": "cart/1.0",
			"objectRef":      map[string]any{"resource": "configmaps", "namespace": "shop", "name": m, "apiVersion": "v1"},
			"responseStatus": map[string]any{"code": 200}, "requestReceivedTimestamp": now, "stageTimestamp": now,
			"annotations": map[string]any{"authorization.k8s.io/decision": "allow"},
		}
	}
	return map[string]any{
		"hostname": "node-1", "priority": "Notice", "rule": "Shell in a container", "source": "syscall", "time": now,
		"output": "A shell was started " + m, "tags": []string{"container", "shell"},
		"output_fields": map[string]any{
			"container.id": "5892b41bcf46", "k8s.ns.name": "shop", "k8s.pod.name": m, "evt.type": "execve",
			"proc.cmdline": "sh -c true", "proc.name": "sh", "user.name": "root",
		},
	}
}
