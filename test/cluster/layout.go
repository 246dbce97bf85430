package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// layout says where in the directory everything is, and at which ports.
type layout struct {
	dir                         string
	etcd, peer, server, kubelet int // ports
	users                       []user
	auditPolicy                 string
}

func (l layout) at(name string) string         { return filepath.Join(l.dir, name) }
func (l layout) etcdURL() string               { return fmt.Sprintf("http://127.0.0.1:%d", l.etcd) }
func (l layout) peerURL() string               { return fmt.Sprintf("http://127.0.0.1:%d", l.peer) }
func (l layout) serverURL() string             { return fmt.Sprintf("https://127.0.0.1:%d", l.server) }
func (l layout) kubeconfig(name string) string { return user{name: name}.kubeconfig(l.dir) }

// newLayout picks the ports and writes the files that the components read.
func newLayout(dir string, opts options) (layout, error) {
	ports, err := freePorts(4)
	if err != nil {
		return layout{}, err
	}
	l := layout{dir: dir, etcd: ports[0], peer: ports[1], server: ports[2], kubelet: ports[3], auditPolicy: opts.auditPolicy}
	for _, sub := range []string{"logs", "exec", "certs", "kubeconfig"} {
		if err := os.MkdirAll(l.at(sub), 0o700); err != nil {
			return layout{}, fmt.Errorf("make directory: %w", err)
		}
	}
	if err := writeCerts(l.at("certs")); err != nil {
		return layout{}, err
	}
	if l.auditPolicy == "" {
		l.auditPolicy = l.at("audit-policy.yaml")
		if err := os.WriteFile(l.auditPolicy, defaultAuditPolicy(), 0o600); err != nil {
			return layout{}, fmt.Errorf("write audit policy: %w", err)
		}
	}
	if err := writeKwokConfig(l); err != nil {
		return layout{}, err
	}
	if l.users, err = withTokens(opts.users); err != nil {
		return layout{}, err
	}
	if err := writeTokens(l.at("tokens.csv"), l.users); err != nil {
		return layout{}, err
	}
	ca, err := os.ReadFile(l.at("certs/ca.crt"))
	if err != nil {
		return layout{}, fmt.Errorf("read authority: %w", err)
	}
	for _, u := range l.users {
		if err := u.writeKubeconfig(dir, l.serverURL(), ca); err != nil {
			return layout{}, err
		}
	}
	return l, nil
}

// describe leaves out the users of the components: nobody else should act as they.
func (l layout) describe(nodes []string) description {
	d := description{
		Kubeconfig: l.kubeconfig(adminName), Server: l.serverURL(), CA: l.at("certs/ca.crt"),
		AuditLog: l.at("audit.log"), PodLog: l.at("pod.log"), Dir: l.dir,
		Users: map[string]access{}, Nodes: nodes,
	}
	for i, u := range l.users {
		if i == 0 || i >= len(systemUsers()) {
			d.Users[u.name] = access{Token: u.token, Kubeconfig: u.kubeconfig(l.dir)}
		}
	}
	return d
}
