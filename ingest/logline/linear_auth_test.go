package logline

import "testing"

// TestLinearAuth is TestLinear with the beginnings of the logs of logins.
func TestLinearAuth(t *testing.T) {
	keycloak := "2026-01-02 03:04:05,678 WARN  [org.keycloak.events] (x) type="
	for _, c := range []struct{ parser, before, again string }{
		{"sshd", "Failed password for ", " from 1.1.1.1 port 1"},
		{"sshd", "Invalid user ", " from "},
		{"sshd", "Disconnecting invalid user ", " 1.1.1.1 port 1"},
		{"sshd", "Connection closed by invalid user ", " "},
		{"sshd", "User ", " not allowed because "},
		{"pam", "pam_unix(su:auth): authentication failure; ", " rhost=a user="},
		{"syslog", "<1>1 - - - - - ", "[a"},
		{"syslog", "<1>1 - - - - - [", `"\]`},
		{"syslog", "Feb 12 14:10:21 h a[1]: ", "Feb 12 14:10:21 h a[1]: "},
		{"auditd", "type=EXECVE msg=audit(1:1): ", `a0="`},
		{"auditd", "type=EXECVE msg=audit(1:1): ", "a=1B="},
		{"auditd", "type=EXECVE msg=audit(1:1): a0=", "41"},
		{"auditd", "type=PROCTITLE msg=audit(1:1): proctitle=", "00"},
		{"auditd", "type=AVC msg=audit(1:1): ", "A"},
		{"auditd", "type=AVC msg=audit(1:1): ", "{ "},
		{"postgres", "2026-01-02 03:04:05 UTC [1] LOG:  ", "LOG:  "},
		{"postgres", "2026-01-02 03:04:05 UTC [1] LOG:  connection authorized: user=", " database= application_name="},
		{"postgres", `2026-01-02 03:04:05 UTC [1] FATAL:  no pg_hba.conf entry for host "`, `", user "`},
		{"postgres", "2026-01-02 03:04:05 UTC,", `"a",`},
		{"postgres", "2026-01-02 03:04:05 UTC,", `""`},
		{"postgres", "2026-01-02 03:04:05 UTC [1] LOG:  AUDIT: ", `,"`},
		{"mysql", "2026-01-02T03:04:05Z 1 [Note] Access denied for user '", "'@'"},
		{"mysql", "2026-01-02T03:04:05Z 1 [Note] ", "["},
		{"mysql", "2026-01-02 03:04:05 1 [Warning] Aborted connection 1 ", "' user: '"},
		{"mysql", "# Query_time: 1\n", "# Query_time: 1\n"},
		{"mongodb", "2026-01-02T03:04:05.678Z I ACCESS [x] a authentication failed for ", " from client  on "},
		{"redis", "1:M 02 Jan 2026 03:04:05.678 * Client closed connection ", "addr= "},
		{"keycloak", keycloak, ", a="},
		{"keycloak", keycloak + `"x", realmId="`, `", a="`},
		{"keycloak", keycloak + `"x", realmId="`, `", `},
		{"keycloak", keycloak + `"x", realmId="`, `\"`},
		{"vaultwarden", "[2026-01-02 03:04:05][vaultwarden::x][ERROR] Invalid TOTP ", " IP: "},
		{"vaultwarden", "[", "][["},
	} {
		p, ok := Lookup(c.parser)
		if !ok {
			t.Fatalf("no parser %s", c.parser)
		}
		a, b := spent(p, hostile(c.before, c.again, 64<<10)), spent(p, hostile(c.before, c.again, 256<<10))
		if b > 6*a+(256<<10) {
			t.Errorf("%s of %q: %d bytes for 64 KiB and %d for 256 KiB", c.parser, c.again, a, b)
		}
	}
}
