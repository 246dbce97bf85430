package demo

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"text/template"
	"time"
)

// home is the directory of the demo's Firebreak: its config, its playbooks,
// the tokens and its data. The API server's end of the audit webhook is there
// too.
type home struct {
	dir string
	// address and health are where Firebreak listens, on ports of its own.
	address, health string
	// audit and falco are the tokens of the two sources.
	audit, falco string
	// http trusts Firebreak's certificate.
	http *http.Client
}

//go:embed playbooks.yaml
var playbooks []byte

//go:embed config.yaml
var configText string

var configTemplate = template.Must(template.New("config").Parse(configText))

func newHome() (*home, error) {
	dir, err := os.MkdirTemp("", "firebreak-demo-")
	if err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	h := &home{dir: dir, audit: rand.Text(), falco: rand.Text()}
	if err := h.fill(); err != nil {
		_ = os.RemoveAll(dir) // the first error says more
		return nil, err
	}
	return h, nil
}

func (h *home) fill() error {
	addresses, err := freeAddresses(2)
	if err != nil {
		return err
	}
	h.address, h.health = addresses[0], addresses[1]
	var config bytes.Buffer
	if err := configTemplate.Execute(&config, map[string]string{"Address": h.address, "Health": h.health}); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	cert, key, err := certificate(time.Now())
	if err != nil {
		return err
	}
	if h.http, err = trusting(cert); err != nil {
		return err
	}
	// client-go sends a token to https only, without a word.
	webhook, err := kubeconfig(h.url()+"/v1/audit", h.ca(), h.audit)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"config.yaml": config.Bytes(), "playbooks.yaml": playbooks, "audit-webhook.kubeconfig": webhook,
		"audit-token": []byte(h.audit), "falco-token": []byte(h.falco),
		"tls.crt": cert, "tls.key": key,
	} {
		if err := h.write(name, data); err != nil {
			return err
		}
	}
	return nil
}

// at is a file of the directory.
func (h *home) at(name string) string { return filepath.Join(h.dir, name) }

// url is where Firebreak's API is.
func (h *home) url() string { return "https://" + h.address }

// ca is the file of the certificate that Firebreak shows.
func (h *home) ca() string { return h.at("tls.crt") }

// write makes a file that only its owner can read: most hold a token.
func (h *home) write(name string, data []byte) error {
	if err := os.WriteFile(h.at(name), data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// kubeconfig says how to reach a server with a token, in JSON, which is YAML
// too. ca is the file of who signed the server's certificate.
func kubeconfig(server, ca, token string) ([]byte, error) {
	type object = map[string]any
	cluster := object{"server": server, "certificate-authority": ca}
	data, err := json.MarshalIndent(object{
		"apiVersion": "v1", "kind": "Config", "current-context": "demo",
		"clusters": []object{{"name": "demo", "cluster": cluster}},
		"users":    []object{{"name": "demo", "user": object{"token": token}}},
		"contexts": []object{{"name": "demo", "context": object{"cluster": "demo", "user": "demo"}}},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write kubeconfig: %w", err)
	}
	return data, nil
}

// Ports are taken from below those that systems give to outgoing connections:
// one of these could take a port between our look and the listening.
const (
	firstPort = 20_000
	lastPort  = 32_000
	portTries = 100
)

// freeAddresses are addresses of loopback on which nothing listens now.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	port := firstPort + os.Getpid()*portTries%(lastPort-firstPort)
	for range n {
		l, err := freeListener(&port)
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // all are held until the last is found, so that they differ
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// freeListener tries the ports from one on, and leaves the next one in it.
func freeListener(port *int) (l net.Listener, err error) {
	for range portTries {
		l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
		if *port++; *port >= lastPort {
			*port = firstPort
		}
		if err == nil {
			return l, nil
		}
	}
	return nil, err
}
