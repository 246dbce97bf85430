package record

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"k8s.io/client-go/rest"
)

// calls sends requests one after the other, each as "[CODE] METHOD PATH [BODY]". Without a code the
// answer must be no error; code 0 is for any.
func (s *Stage) calls(ctx context.Context, who Who, lines ...string) error {
	for _, line := range lines {
		if _, err := s.call(ctx, who, line); err != nil {
			return err
		}
	}
	return nil
}

// call sends one and returns the body of the answer.
func (s *Stage) call(ctx context.Context, who Who, line string) ([]byte, error) {
	want, rest := -1, line
	if first, after, _ := strings.Cut(line, " "); len(first) < 4 {
		if n, err := strconv.Atoi(first); err == nil {
			want, rest = n, after
		}
	}
	method, rest, _ := strings.Cut(rest, " ")
	path, body, _ := strings.Cut(rest, " ")
	code, answer, err := s.send(ctx, who, method, path, body)
	if err == nil && want != 0 && code != want && (want > 0 || code >= 400) {
		err = fmt.Errorf("answer %d: %.300s", code, answer)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s as %q: %w", method, path, who.User, err)
	}
	return answer, nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 8 << 20

func (s *Stage) send(ctx context.Context, who Who, method, path, body string) (int, []byte, error) {
	client, err := s.client(who)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.cluster.Server+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept", "application/json")
	if body != "" {
		req.Header.Set("Content-Type", contentType(method, path, body))
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	_, err = io.Copy(&answer, io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, answer.Bytes(), err
}

// contentType is what kubectl says of such a body.
func contentType(method, path, body string) string {
	switch {
	case method != http.MethodPatch:
		return "application/json"
	case strings.Contains(path, "fieldManager="):
		return "application/apply-patch+yaml"
	case strings.HasPrefix(body, "["):
		return "application/json-patch+json"
	case strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/apis/apps/"):
		return "application/strategic-merge-patch+json"
	}
	return "application/merge-patch+json"
}

// client keeps connections open, as theirs do.
func (s *Stage) client(who Who) (*http.Client, error) {
	name := fmt.Sprintf("%+v", who)
	s.mu.Lock()
	client := s.clients[name]
	s.mu.Unlock()
	if client != nil {
		return client, nil
	}
	config, err := s.config(who)
	if err != nil {
		return nil, err
	}
	config.Timeout = 0 // watches are long
	if client, err = rest.HTTPClientFor(config); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.clients[name] = client
	s.mu.Unlock()
	return client, nil
}
