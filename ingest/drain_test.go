package ingest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A client that writes its whole body before it reads, as most do, gets its
// answer where the body is refused, and no reset.
func TestRefusedBodyIsAnswered(t *testing.T) {
	h, _, _ := newTestHandler(t)
	server := httptest.NewServer(h)
	defer server.Close()
	for _, c := range []struct {
		name, head string
		size       int
		status     int
	}{
		{"too large", "", 8 << 20, http.StatusRequestEntityTooLarge},
		{"of another type", "Content-Type: image/png\r\n", 8 << 20, http.StatusUnsupportedMediaType},
		{"no end is said", "Transfer-Encoding: chunked\r\n", 8 << 20, http.StatusRequestEntityTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 5 {
				if status := postWhole(t, server.Listener.Addr().String(), c.head, c.size); status != c.status {
					t.Errorf("answer %d, want %d", status, c.status)
				}
			}
		})
	}
}

// postWhole writes a request of so many bytes, then reads the answer.
func postWhole(t *testing.T, address, head string, size int) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(4 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("x", size)
	if strings.Contains(head, "chunked") {
		body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", size, body)
	} else {
		head += fmt.Sprintf("Content-Length: %d\r\n", size)
	}
	request := "POST /v1/falco HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + testToken + "\r\n" + head + "\r\n" + body
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatalf("while writing: %v", err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}
