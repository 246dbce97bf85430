package logline

import (
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name:     "samba",
		Doc:      "Samba's audit log of logins in JSON: who, from where, and with which status.",
		Programs: []string{"samba", "smbd"},
		Images:   []string{"samba"},
		Order:    OrderProduct,
		Object:   sambaObject,
	})
}

// sambaObject reads one entry. A line may have the words JSON Authentication
// before it.
//
// https://wiki.samba.org/index.php/Setting_up_Audit_Logging
func sambaObject(fields map[string]any) (Message, bool) {
	auth, ok := fields["Authentication"].(map[string]any)
	said := stringOf(auth["status"])
	if !ok || fields["type"] != "Authentication" || !strings.HasPrefix(said, "NT_STATUS_") {
		return Message{}, false
	}
	m := Message{Text: said, Time: timeOf(fields["timestamp"]), User: clean(wordAt(auth, "mappedAccount", "clientAccount")), Address: sambaAddress(stringOf(auth["remoteAddress"]))}
	m.login(event.OutcomeFailure)
	if said == "NT_STATUS_OK" {
		m.Outcome = event.OutcomeSuccess
	}
	m.Fields = withSaid(fields, map[string]any{"error": said})
	if said == "NT_STATUS_NO_SUCH_USER" {
		m.Fields["invalid_user"] = true
	}
	return m, true
}

// sambaAddress reads ipv4:ADDRESS:PORT and ipv6:ADDRESS:PORT.
func sambaAddress(s string) string {
	if rest, ok := strings.CutPrefix(s, "ipv4:"); ok {
		return address(rest)
	}
	rest, ok := strings.CutPrefix(s, "ipv6:")
	if i := strings.LastIndexByte(rest, ':'); ok && i > 0 {
		return address(rest[:i])
	}
	return ""
}
