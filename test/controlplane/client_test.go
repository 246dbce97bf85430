package controlplane_test

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/test/controlplane"
	"github.com/firebreak-io/firebreak/test/wait"
)

// client speaks to the API server as one user.
type client struct {
	t      *testing.T
	server string
	token  string
	tls    *tls.Config
	http   *http.Client
}

func clientOf(t *testing.T, c *controlplane.Cluster, name string) *client {
	t.Helper()
	ca, err := os.ReadFile(c.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	trust := &tls.Config{RootCAs: pool}
	transport := &http.Transport{TLSClientConfig: trust}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{t, c.Server, c.Users[name].Token, trust, &http.Client{Transport: transport, Timeout: time.Minute}}
}

// reply is what came back.
type reply struct {
	t    *testing.T
	path string
	code int
	body []byte
}

func (r reply) wants(code int) reply {
	r.t.Helper()
	if r.code != code {
		r.t.Fatalf("%s: code %d, want %d: %s", r.path, r.code, code, r.body)
	}
	return r
}

func (c *client) get(path string) reply    { c.t.Helper(); return c.do(http.MethodGet, path, "") }
func (c *client) delete(path string) reply { c.t.Helper(); return c.do(http.MethodDelete, path, "") }
func (c *client) post(path, body string) reply {
	c.t.Helper()
	return c.do(http.MethodPost, path, body)
}

func (c *client) do(method, path, body string) reply {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.server+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply{c.t, method + " " + path, resp.StatusCode, data}
}

// pod is the part of a pod that the tests look at.
type pod struct {
	Metadata struct{ Name, DeletionTimestamp string }
	Spec     struct{ NodeName string }
	Status   struct {
		PodIP             string
		Conditions        []struct{ Type, Status string }
		ContainerStatuses []struct{ ContainerID string }
	}
}

func (p pod) ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True" && p.Metadata.DeletionTimestamp == ""
		}
	}
	return false
}

// readyPods waits until just n pods are there, all ready.
func (c *client) readyPods(namespace, selector string, n int) []pod {
	c.t.Helper()
	var list struct{ Items []pod }
	wait.Until(c.t, "pods "+selector+" are ready", func() bool {
		list.Items = nil
		body := c.get("/api/v1/namespaces/" + namespace + "/pods?labelSelector=" + url.QueryEscape(selector)).wants(http.StatusOK).body
		if err := json.Unmarshal(body, &list); err != nil {
			c.t.Fatal(err)
		}
		ready := 0
		for _, p := range list.Items {
			if p.ready() {
				ready++
			}
		}
		return ready == n && len(list.Items) == n
	})
	return list.Items
}

// exec runs a command as kubectl does, by WebSocket, returns the first that it prints, and leaves it.
func (c *client) exec(path string) string {
	c.t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(c.server, "https://"), c.tls)
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.server+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + c.token, "Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
		"Sec-WebSocket-Key": base64.StdEncoding.EncodeToString([]byte(rand.Text())[:16]),
	} {
		req.Header.Set(name, value)
	}
	if err := req.Write(conn); err != nil {
		c.t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, req)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		c.t.Fatalf("exec: %s", resp.Status)
	}
	if err := conn.SetReadDeadline(time.Now().Add(4 * time.Minute)); err != nil {
		c.t.Fatal(err)
	}
	for {
		data := readFrame(in)
		if data == nil {
			return ""
		}
		if len(data) > 1 && data[0] == 1 { // the channel of standard output
			return string(data[1:])
		}
	}
}

// readFrame reads a WebSocket frame of a server, which has no mask; nil at the end.
func readFrame(in *bufio.Reader) []byte {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil
	}
	size := int(head[1] & 0x7f)
	if size == 126 {
		var wide [2]byte
		if _, err := io.ReadFull(in, wide[:]); err != nil {
			return nil
		}
		size = int(binary.BigEndian.Uint16(wide[:]))
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil
	}
	return data
}
