package main

import (
	"crypto/rand"
	"encoding/csv"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// user is somebody with a token. Those of the control plane are named as in other clusters, so
// that rules which trust them by name hold here too.
type user struct {
	name   string
	groups []string
	token  string
}

// adminName has every right; the others have what RBAC gives them.
const adminName = "admin"

func systemUsers() []user {
	return []user{
		{name: adminName, groups: []string{"system:masters"}},
		{name: "system:kwok", groups: []string{"system:masters"}},
		{name: "system:kube-controller-manager"},
		{name: "system:kube-scheduler"},
	}
}

// parseUser reads name[:group,group].
func parseUser(s string) (user, error) {
	name, groups, _ := strings.Cut(s, ":")
	if name == "" {
		return user{}, fmt.Errorf("read user %q: want name[:group,group]", s)
	}
	u := user{name: name}
	if groups != "" {
		u.groups = strings.Split(groups, ",")
	}
	return u, nil
}

// withTokens joins the demo users to those of the control plane and gives each a random token.
func withTokens(demo []user) ([]user, error) {
	users := systemUsers()
	for _, u := range demo {
		if slices.ContainsFunc(users, func(other user) bool { return other.name == u.name }) {
			return nil, fmt.Errorf("add user %q: the name is taken", u.name)
		}
		users = append(users, u)
	}
	for i := range users {
		users[i].token = rand.Text()
	}
	return users, nil
}

// writeTokens writes the file that the API server reads users from.
func writeTokens(path string, users []user) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write tokens: %w", err)
	}
	w := csv.NewWriter(f)
	for _, u := range users {
		_ = w.Write([]string{u.token, u.name, u.name, strings.Join(u.groups, ",")}) // Error has it
	}
	w.Flush()
	if err := w.Error(); err != nil {
		f.Close()
		return fmt.Errorf("write tokens: %w", err)
	}
	return f.Close()
}

// kubeconfig is where in dir the user's kubeconfig goes.
func (u user) kubeconfig(dir string) string {
	return filepath.Join(dir, "kubeconfig", url.PathEscape(u.name))
}

// writeKubeconfig writes the user's kubeconfig, which holds the certificate of the authority, so
// that it can be copied elsewhere.
func (u user) writeKubeconfig(dir, server string, ca []byte) error {
	const name = "firebreak-cluster"
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters[name] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	cfg.AuthInfos[u.name] = &clientcmdapi.AuthInfo{Token: u.token}
	cfg.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: u.name}
	cfg.CurrentContext = name
	if err := clientcmd.WriteToFile(*cfg, u.kubeconfig(dir)); err != nil {
		return fmt.Errorf("write kubeconfig of %s: %w", u.name, err)
	}
	return nil
}
