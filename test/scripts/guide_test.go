package scripts

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/respond/approve/slack"
	"github.com/firebreak-io/firebreak/test/port"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// guide follows the set-up guide of Slack to the letter, in an empty directory, with
// a strict workspace in Slack's place: before something is there the check says that
// it is missing, and how to mend it; at the end an alert is a message.
func guide(t *testing.T, bin string) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("the guide uses curl, and there is none")
	}
	text, err := os.ReadFile("../../respond/approve/README.md")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	space, stop := workspace.New("C0123456", workspace.Member{ID: "U0000001"}, workspace.Member{ID: "U0000002"})
	t.Cleanup(stop)
	for s := range slack.Scopes() {
		space.Scopes = append(space.Scopes, s)
	}
	g := &newcomer{t: t, dir: t.TempDir(), bin: bin}
	var steps []string
	_, section, _ := strings.Cut(string(text), "## Slack in ten minutes")
	section, _, _ = strings.Cut(section, "\n## ")
	address, health := g.port(), g.port()
	said := strings.NewReplacer("xoxb-…", workspace.Token, "xapp-…", workspace.AppToken, "T0123456", workspace.Team, "127.0.0.1:8443", address, "127.0.0.1:8444", health,
		"  slack:\n", "  slack:\n    api: "+space.URL()+"\n")
	for _, part := range strings.Split(section, "```")[1:] {
		kind, body, _ := strings.Cut(part, "\n")
		if kind != "sh" && kind != "yaml" {
			continue
		}
		var lines []string
		for line := range strings.Lines(body) {
			lines = append(lines, strings.TrimPrefix(line, "   "))
		}
		body = said.Replace(strings.Join(lines, ""))
		if kind == "yaml" {
			g.write("config.yaml", body)
			continue
		}
		steps = append(steps, body)
	}
	if len(steps) != 4 {
		t.Fatalf("the guide has %d steps: %q", len(steps), steps)
	}
	g.must(steps[0])
	g.must(steps[1])
	g.must(steps[2])
	g.missing(steps[2])
	g.run(health)
	if out := g.must(steps[3]); strings.Contains(out, "error") {
		t.Errorf("the alert was answered with %s", out)
	}
	if !space.Wait(3*time.Minute, func() bool { return len(space.Messages("C0123456")) == 1 }) {
		t.Fatalf("no message; refused: %q\n%s", space.Refused(), g.log.String())
	}
	if m := space.Messages("C0123456")[0]; !strings.Contains(m.Shows(), "web-1") {
		t.Errorf("the message is %s", m.Shows())
	}
	t.Logf("followed in %s", time.Since(began).Round(time.Second))
}

// newcomer types what a guide says.
type newcomer struct {
	t        *testing.T
	dir, bin string
	log      strings.Builder
}

func (g *newcomer) port() string {
	g.t.Helper()
	address, err := port.Free()
	if err != nil {
		g.t.Fatal(err)
	}
	return address
}

func (g *newcomer) write(name, text string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

func (g *newcomer) sh(text string) (string, error) {
	cmd := exec.CommandContext(g.t.Context(), "sh", "-e", "-c", text) // #nosec G204 -- it is the guide's
	cmd.Dir, cmd.Env = g.dir, append(os.Environ(), "PATH="+g.bin+string(os.PathListSeparator)+os.Getenv("PATH"), "no_proxy=127.0.0.1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (g *newcomer) must(text string) string {
	g.t.Helper()
	out, err := g.sh(text)
	if err != nil {
		g.t.Fatalf("%s: %v\n%s", text, err, out)
	}
	return out
}

// missing takes one thing after the other away: the check ends with 1, names it and
// says how to mend it.
func (g *newcomer) missing(check string) {
	for want, change := range map[string][3]string{
		"missing  the app's token: invalid_auth":              {"slack-token", workspace.Token, "xoxb-another"},
		"missing  Socket Mode: invalid_auth":                  {"slack-app-token", workspace.AppToken, "xapp-another"},
		"missing  channel C9999999: channel_not_found":        {"config.yaml", "channel: C0123456", "channel: C9999999"},
		"missing  account T0001/U9999999":                     {"config.yaml", "U0000001", "U9999999"},
		"missing  the app's token: it is of workspace T0001,": {"config.yaml", "teams: [T0001]", "teams: [T9999999]"},
	} {
		path := filepath.Join(g.dir, change[0])
		before, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(before), change[1]) {
			g.t.Fatalf("%s has no %q (%v)", change[0], change[1], err)
		}
		g.write(change[0], strings.Replace(string(before), change[1], change[2], 1))
		out, err := g.sh(check)
		if err == nil || !strings.Contains(out, want) || !strings.Contains(out, "Slack can't be used as it should yet") {
			g.t.Errorf("want %q, the check said %s (%v)", want, out, err)
		}
		g.write(change[0], string(before))
	}
	g.must(check)
}

// run runs the service until the test ends, and waits until it is ready.
func (g *newcomer) run(health string) {
	g.t.Helper()
	cmd := exec.Command(filepath.Join(g.bin, "firebreak"), "run", "--config", "config.yaml") // #nosec G204 -- built by this test
	cmd.Dir, cmd.Stderr = g.dir, &g.log
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // what matters was looked at
	})
	ctx, cancel := context.WithTimeout(g.t.Context(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx, health)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			g.t.Fatal(err)
		case <-tick.C:
		}
	}
}

func ready(ctx context.Context, health string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+health+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it is %s", resp.Status)
	}
	return nil
}
