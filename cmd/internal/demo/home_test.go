package demo

import (
	"os"
	"slices"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// What the demo writes is what Firebreak and client-go read.
func TestHome(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	h, err := newHome()
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(h.at("config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen.Address != h.address || c.Listen.Health != h.health || h.address == h.health || c.Respond.Mode != event.ModeAct {
		t.Errorf("config is %+v", c)
	}
	// client-go leaves a token out where the server is not https.
	token, err := kube.Token(kube.Options{Kubeconfig: h.at("audit-webhook.kubeconfig")})
	if err != nil || token != h.audit {
		t.Errorf("the API server would send %q, %v", token, err)
	}
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info, err)
		}
	}
}

// The demo's playbooks take the place of shipped ones, and the rules that they
// name are shipped.
func TestPlaybooks(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	h, err := newHome()
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := files.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	books, err := files.Playbooks([]string{h.at("playbooks.yaml")}, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(books) != len(shipped) {
		t.Errorf("%d playbooks with the demo's, %d without: one takes nobody's place", len(books), len(shipped))
	}
	modes := map[event.Mode][]string{}
	for _, b := range books {
		modes[b.Mode] = append(modes[b.Mode], b.Name)
	}
	if want := []string{"contain-malicious-program", "contain-terminal-shell"}; !slices.Equal(modes[event.ModeAct], want) {
		t.Errorf("%v act, want %v", modes[event.ModeAct], want)
	}
	rules, err := files.Rules(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"container-shell", "drop-and-execute", "sensitive-file-read", "privileged-pod", "sensitive-host-path"} {
		if rules.Lookup(name) == nil {
			t.Errorf("rule %s is not shipped", name)
		}
	}
}
