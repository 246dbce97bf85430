package logline

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// authNames are the names that CrowdSec's tests give to what stands in our
// fields.
var authNames = map[string]string{
	"machine": "host", "authentication_database": "database", "auditd_eventid": "serial", "exe": "exe", "comm": "comm", "uid": "uid",
	"auid": "auid", "euid": "euid", "gid": "gid", "pid": "pid", "ppid": "ppid", "tty": "tty", "ses": "ses", "subj": "subj", "sig": "sig",
	"str_UID": "UID", "str_GID": "GID", "binary": "binary", "library": "library", "error": "error", "action": "action",
}

// authFloor is the fewest claims that must agree, by kind.
var authFloor = map[string]int{"log_type": 212, "service": 198, "fields": 147}

// TestAssertAuth compares with CrowdSec's tests what TestAssert doesn't: what
// kind of line each is, of which program, and the fields behind it.
func TestAssertAuth(t *testing.T) {
	event := regexp.MustCompile(`^results\[(\d+)\]\.Overflow\.Alert\.Events\[(\d+)\]\.GetMeta\("([A-Za-z_]+)"\) == (".*")$`)
	same, claims := map[string]int{}, map[string]int{}
	for _, file := range dataLogs(t) {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(file), "scenario.assert"))
		if err != nil || strings.Contains(string(data), `GetMeta("http_verb")`) {
			continue
		}
		groups := map[string]map[string]string{}
		for line := range strings.Lines(string(data)) {
			if parts := event.FindStringSubmatch(strings.TrimSpace(line)); parts != nil {
				key := parts[1] + "/" + parts[2]
				if groups[key] == nil {
					groups[key] = map[string]string{}
				}
				groups[key][parts[3]], _ = strconv.Unquote(parts[4])
			}
		}
		var messages []Message
		for _, text := range logTexts(t, file) {
			messages = append(messages, Recognise(text))
		}
		for _, claim := range groups {
			if kind := claim["log_type"]; strings.HasPrefix(kind, "http_") || strings.HasPrefix(kind, "suricata_") {
				continue
			}
			best := bestAuth(claim, messages)
			for name := range claim {
				kind := authKind(name)
				if kind == "" {
					continue
				}
				claims[kind]++
				if slices.Contains(best, name) {
					same[kind]++
				} else {
					t.Logf("%s: %s is not %q", filepath.Base(file), name, claim[name])
				}
			}
		}
	}
	for kind, floor := range authFloor {
		t.Logf("%-9s %4d of %4d claims agree", kind, same[kind], claims[kind])
		if same[kind] < floor {
			t.Errorf("%s: %d claims agree, want at least %d", kind, same[kind], floor)
		}
	}
}

func authKind(name string) string {
	if name == "log_type" || name == "service" {
		return name
	}
	if authNames[name] != "" {
		return "fields"
	}
	return ""
}

// bestAuth gives the claims that the message agrees with that agrees most.
func bestAuth(claim map[string]string, messages []Message) []string {
	var best []string
	for _, m := range messages {
		var found []string
		for name, want := range claim {
			if authAgrees(name, want, m) {
				found = append(found, name)
			}
		}
		if len(found) > len(best) {
			best = found
		}
	}
	return best
}

func authAgrees(name, want string, m Message) bool {
	failed := m.Class == event.ClassLogin && (m.Outcome == event.OutcomeFailure || m.Outcome == event.OutcomeDenied)
	switch name {
	case "source_ip":
		return m.Address == want
	case "username", "target_user", "user":
		return m.User == want
	case "service":
		return m.Format == map[string]string{"ssh": "sshd"}[want] || m.Format == want
	case "log_type":
		switch {
		case strings.Contains(want, "failed"), strings.HasSuffix(want, "invalid_username"), want == "LOGIN_ERROR", want == "nextcloud_bruteforce_attempt":
			return failed
		case want == "execve":
			return m.Class == event.ClassProcessExec
		case want == "anom_abend":
			return m.Verb == "crash"
		case strings.HasPrefix(want, "ssh_"):
			return m.Verb == verbConnect && m.Outcome != event.OutcomeSuccess
		case want == "nextcloud_domain_error":
			return m.Outcome == event.OutcomeDenied
		case want == "kernel":
			return m.Fields["program"] == "kernel"
		}
		return false
	}
	return authNames[name] != "" && wordOf(m.Fields[authNames[name]]) == want
}
