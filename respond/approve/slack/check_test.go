package slack

import (
	"slices"
	"strings"
	"testing"
)

// TestCheck: what is missing is named with how to mend it, and what is there is
// not.
func TestCheck(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.config.People = r.config.People[:1]
		for s := range Scopes() {
			r.space.Scopes = append(r.space.Scopes, s)
		}
	})
	problems := func(change func(*Config)) (list []string) {
		t.Helper()
		c := r.config
		c.People = slices.Clone(c.People)
		change(&c)
		found, err := Check(t.Context(), c, r.dir, r.space.Client())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if f.Problem != "" {
				list = append(list, f.What+": "+f.Problem)
				if f.Advice == "" {
					t.Errorf("%s: no advice", f.What)
				}
			}
		}
		return list
	}
	if list := problems(func(*Config) {}); len(list) != 0 {
		t.Errorf("all is there, and missing is %q", list)
	}
	for want, change := range map[string]func(*Config){
		"the app's token: it is of workspace": func(c *Config) { c.Teams = []string{"T9"} },
		"the app's token: invalid_auth":       func(c *Config) { c.Token = r.secret("wrong", "xoxb-wrong") },
		"channel C9: channel_not_found":       func(c *Config) { c.Routes = []Route{{Channel: "C9"}} },
		"account T0001/U0GUEST: only full":    func(c *Config) { c.People[0].Slack = "T0001/U0GUEST" },
		"people: none":                        func(c *Config) { c.People = nil },
		"account T0001/U0BOT: only full":      func(c *Config) { c.People[0].Slack = "T0001/U0BOT" },
		"account T0001/U0NONE: users.info":    func(c *Config) { c.People[0].Slack = "T0001/U0NONE" },
		"Socket Mode: invalid_auth":           func(c *Config) { c.AppToken = r.secret("wrong", "xapp-wrong") },
	} {
		if list := problems(change); !slices.ContainsFunc(list, func(p string) bool { return strings.HasPrefix(p, want) }) {
			t.Errorf("missing is %q, want %q", list, want)
		}
	}
	r.space.Absent = []string{channel}
	if list := problems(func(*Config) {}); len(list) != 1 || list[0] != "channel "+channel+": the app is not in it" {
		t.Errorf("missing is %q", list)
	}
	r.space.Absent = nil
	all := r.space.Scopes
	for i, one := range all { // each of them, missing alone
		r.space.Scopes = slices.Delete(slices.Clone(all), i, i+1)
		if list := problems(func(*Config) {}); len(list) != 1 || !strings.HasPrefix(list[0], "its scopes: missing: "+one+" (to ") && !strings.HasPrefix(list[0], "its scopes: missing: "+one+" (for ") {
			t.Errorf("without %s missing is %q", one, list)
		}
	}
	r.space.Scopes = []string{"chat:write"}
	if list := problems(func(*Config) {}); len(list) != 1 || !strings.Contains(list[0], "users:read (to see whether") {
		t.Errorf("missing is %q", list)
	}
	if n := r.space.Calls("chat.postMessage"); n != 0 {
		t.Errorf("%d messages", n)
	}
}

// TestManifest: the manifest asks for the scopes that are needed, and no others.
func TestManifest(t *testing.T) {
	for s := range Scopes() {
		if !strings.Contains(string(Manifest), "- "+s+"\n") {
			t.Errorf("%s is not in the manifest", s)
		}
	}
	_, after, _ := strings.Cut(string(Manifest), "bot:\n")
	list, _, _ := strings.Cut(after, "settings:")
	if n := strings.Count(list, "- "); n != len(Scopes()) {
		t.Errorf("%d scopes in the manifest, %d are needed", n, len(Scopes()))
	}
}
