package logline

import (
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name:     "vaultwarden",
		Doc:      "Vaultwarden's log: [TIME][MODULE][LEVEL] TEXT; logins, second factors, the administrator's token, and answered requests.",
		Programs: []string{"vaultwarden", "bitwarden_rs", "bitwarden"},
		Images:   []string{"vaultwarden/server", "vaultwarden", "bitwardenrs/server"},
		Order:    OrderProduct,
		First:    "[",
		Parse:    parseVaultwarden,
	})
}

// parseVaultwarden reads one line. The time is local.
func parseVaultwarden(text string) (Message, bool) {
	var parts [3]string
	rest := text
	for i := range parts {
		inner, after, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]")
		if !ok || !strings.HasPrefix(rest, "[") || len(inner) > 120 {
			return Message{}, false
		}
		parts[i], rest = inner, after
	}
	module, level := parts[1], strings.TrimSpace(parts[2])
	if !vaultwardenTime(parts[0]) || !isLevel(level) || !isVaultwarden(module) {
		return Message{}, false
	}
	m := Message{Text: strings.TrimPrefix(rest, " "), Level: level, Local: local("2006-01-02 15:04:05", parts[0][:19]), Fields: map[string]any{"module": module}}
	if module == "response" {
		vaultwardenAnswer(&m)
	} else if module != "request" {
		vaultwardenSaid(&m)
	}
	return m, true
}

// isVaultwarden knows the modules: the form is that of a library which others
// use too.
func isVaultwarden(module string) bool {
	name, _, _ := strings.Cut(module, "::")
	switch name {
	case "vaultwarden", "bitwarden_rs", "rocket", "request", "response", "start", "panic":
		return true
	}
	return false
}

// vaultwardenTime knows the default form, and one with a zone.
func vaultwardenTime(s string) bool {
	const form = "2006-01-02 15:04:05"
	if len(s) < len(form) {
		return false
	}
	_, err := time.Parse(form, s[:len(form)])
	return err == nil
}

// vaultwardenSaid reads the lines of logins. Where a name follows the
// address, the address is the first, else the last.
func vaultwardenSaid(m *Message) {
	s := strings.TrimRight(m.Text, " ")
	if strings.HasPrefix(s, "User ") && strings.Contains(s, " logged in successfully. IP: ") {
		user, peer, _ := cutLast(s[len("User "):], " logged in successfully. IP: ")
		m.login(event.OutcomeSuccess)
		m.User, m.Address = user, address(strings.TrimRight(peer, "."))
		return
	}
	kind := ""
	for _, k := range []struct{ begin, kind string }{
		{"Username or password is incorrect", "failed"},
		{"Invalid admin token", "admin_token"},
		{"Invalid TOTP code", "second_factor"},
		{"Token is invalid", "second_factor"},
		{"Invalid TOTP", "second_factor"},
		{"This user has been disabled", "disabled"},
	} {
		if strings.HasPrefix(s, k.begin) {
			kind = k.kind
			break
		}
	}
	if kind == "" {
		return
	}
	m.login(event.OutcomeFailure)
	m.Fields["kind"] = kind
	_, rest, ok := strings.Cut(s, " IP: ")
	if !ok {
		return
	}
	peer, user, _ := strings.Cut(rest, ". Username: ")
	m.Address = address(strings.TrimRight(peer, ". "))
	m.User = strings.TrimSuffix(user, ".")
}

// vaultwardenAnswer is (ROUTE) METHOD PATH => STATUS TEXT. The path is a
// stranger's; what follows the last arrow is the server's.
func vaultwardenAnswer(m *Message) {
	request, answer, ok := cutLast(m.Text, " => ")
	if !ok {
		return
	}
	code, _ := word(answer)
	if strings.HasPrefix(request, "(") {
		_, after, ok := strings.Cut(request, ") ")
		if !ok {
			return
		}
		request = after
	}
	method, path := word(request)
	if !known(method) || status(code) == 0 {
		return
	}
	m.HTTP.Method, m.HTTP.Path, m.HTTP.Status = method, path, status(code)
	finished(m)
}
