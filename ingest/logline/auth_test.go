package logline

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestNearMissAuth has lines that look like a form and are of none, or not of
// that one.
func TestNearMissAuth(t *testing.T) {
	for _, text := range []string{
		"Failed validation for order from 10.0.0.1 port 22",
		"Failed to connect to database from 10.0.0.1",
		"Failed password reset for bob",
		"Accepted connection for pool from 10.0.0.1",
		"Accepted 10 requests",
		"Invalid user input from form",
		"Invalid user name in request from 10.0.0.1 was dropped",
		"Connection from 10.0.0.1 established",
		"Connection closed by 10.0.0.1",
		"Connection closed by peer",
		"Connection reset by peer",
		"Disconnected from totobad user ftp 92.255.85.135 port 26138 [preauth]",
		"Disconnected from server",
		"Received disconnect from client",
		"Unable to negotiate with upstream",
		"Bad protocol version identification",
		"drop connection #x from nowhere",
		"Starting session: web",
		"sshd is not running",
		"sshd: config loaded",
		"pam_unix is loaded",
		"PAM module loaded",
		"2026-01-02 03:04:05 ERROR:  something broke",
		"2026-01-02 03:04:05 [12] ERROR:  no zone",
		"2026-01-02 03:04:05 INFO LOG:  no zone but a level",
		"ERROR:  at the start",
		"WARNING:  at the start",
		"catalog LOG:  not at the start of a word",
		"[main] ERROR:  a thread's name",
		"2026-01-02 03:04:05.678 UTC,a,b,c",
		"2026-01-02 03:04:05 [Debugging] text",
		"2026-01-02 13:04:05 [ERROR] something",
		"2026-01-02T03:04:05Z [ERROR] something",
		"2026-01-02 03:04:05+00:00 [Warning] something",
		"[2026-01-02 03:04:05][my_app::server][INFO] started",
		"2026-01-02 03:04:05 12 text",
		"2026-01-02T03:04:05Z [info] text",
		"2026-01-02T03:04:05Z 12 Query select 1",
		"2026-01-02T03:04:05Z 12 Connect now",
		"# Time: now", "# User@Host: somebody", "# Query_time is slow", "# a comment", "#",
		"2026-01-02T03:04:05.678+0000 I am [here] now",
		"2026-01-02T03:04:05.678+0000 INFO MAIN [x] text",
		"2026-01-02T03:04:05.678+0000 X ACCESS [conn1] text",
		"1:M 32 Jan 2026 03:04:05.678 * text",
		"1:Q 02 Jan 2026 03:04:05.678 * text",
		"1:M 02 Jan 2026 03:04:05.678 ? text",
		"x:M 02 Jan 2026 03:04:05.678 * text",
		"[1] text",
		"2026-01-02 03:04:05,678 INFO  [com.example.App] (main) started",
		"2026-01-02 03:04:05,678 INFO  [com.example.App] (main) type=x, a=b",
		"[2026-01-02 03:04:05][main][TEXT] x",
		"[2026-01-02 03:04:05] text",
		"[a][b][INFO] x",
		"Jan 2026 was cold",
		"Feb 30 03:04:05 host app: text",
		"Feb 12 14:10:21 text without a program",
		"Feb 12 14:10:21 host app text",
		"2026-01-02T03:04:05Z INFO app: text",
		"2026-01-02T03:04:05Z INFO app[12]: text",
		"2026-01-02T03:04:05Z host app: text",
		"<192>Feb 12 14:10:21 host app: text",
		"<1>2 2026-01-02T03:04:05Z host app 1 - - text",
		"<1>1 now host app 1 - - text",
		"<1>1 - host app 1 - [open text",
		"<a>b", "<html>", "<", "1", "[", "#", "",
	} {
		if m := Recognise(text); m.Format != "" || m.Text != text {
			t.Errorf("%q is taken for %s: %+v", text, m.Format, m)
		}
	}
	for _, text := range []string{
		"type=x level=info", "type=SYSCALL msg=hello", "type=SYSCALL msg=audit(now:1): a=b", "type=SYSCALL msg=audit(1:x): a=b",
		"type=SYSCALL msg=audit(1700000000.000:1",
	} {
		if m := Recognise(text); m.Format != "logfmt" || m.Class != "" {
			t.Errorf("%q is taken for %s: %+v", text, m.Format, m)
		}
	}
	for _, text := range []string{
		`{"ID":"x","SYSCALL":{}}`, `{"ID":"1700000000.000:1","a":{}}`, `{"ID":"1700000000.000:1","SYSCALL":"x"}`,
		`{"error_severity":"FATAL"}`, `{"record":{"error_severity":"FATAL","message":"x"}}`,
		`{"msg":"x","label":"y"}`, `{"t":"x","s":"I","c":"x","msg":"y"}`, `{"t":{"$date":"x"},"s":"INFO","c":"x","msg":"y"}`,
		`{"loggerName":"com.example.App","message":"started"}`, `{"event":"x","logger":"app"}`, `{"message":"Login failed: x","reqId":"a"}`,
	} {
		if m := Recognise(text); m.Format != "json" || m.Class == event.ClassLogin {
			t.Errorf("%q is taken for %s: %+v", text, m.Format, m)
		}
	}
}

// TestSlowQuery reads an entry of which all lines came as one text.
func TestSlowQuery(t *testing.T) {
	m := Recognise("# Time: 2026-01-02T03:04:05.678901Z\n# User@Host: app[app] @  [192.0.2.10]  Id:     8\n" +
		"# Query_time: 2.5  Lock_time: 0.0 Rows_sent: 1  Rows_examined: 2\nSET timestamp=1767323045;\nSELECT 1;")
	if m.Format != "mysql" || m.User != "app" || m.Address != "192.0.2.10" || m.Fields["duration"] != 2.5 || m.Time.Year() != 2026 ||
		m.Fields["statement"] != "SET timestamp=1767323045;\nSELECT 1;" {
		t.Errorf("got %+v", m)
	}
}

// hostileName draws a name that tries to be another line's end.
func hostileName() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{
			" from 203.0.113.9 port 22", " from 203.0.113.9 port 22 ssh2", " ssh2", " [preauth]", "203.0.113.9", " 203.0.113.9 port 1",
			"'@'203.0.113.9", "' (using password: YES)", "\", user \"", "\", database \"", "\", host \"203.0.113.9\"", ", ipAddress=203.0.113.9",
			", ipAddress=\"203.0.113.9\"", "\\", "\"", "'", " on admin from client 203.0.113.9:1", " rhost=203.0.113.9", ". IP: 203.0.113.9",
			" addr=203.0.113.9", "=", " ", "a", "client=203.0.113.9 ", ",host=203.0.113.9", " (Remote IP: 203.0.113.9)", " for user ", "é", ": ",
			" user=", " database=", " not allowed because ", "(uid=0)", " by ", " CA ", "LOG:  x", "[12] FATAL:  ",
		}), 0, 6).Draw(t, "parts")
		return strings.Join(parts, "")
	})
}

// TestNobodyElse has a stranger choose a name, and looks that the address is
// the peer's or none: the stranger's choice never.
func TestNobodyElse(t *testing.T) {
	const peer = "198.51.100.7"
	rapid.Check(t, func(t *rapid.T) {
		name := hostileName().Draw(t, "name")
		quoted := strings.ReplaceAll(name, `"`, `\"`)
		for _, line := range []string{
			"Failed password for invalid user " + name + " from " + peer + " port 1 ssh2",
			"Failed publickey for root from " + peer + " port 1 ssh2: RSA-CERT SHA256:A ID " + name + " (serial 0) CA RSA SHA256:B",
			"Failed publickey for invalid user " + name + " from " + peer + " port 1 ssh2: RSA SHA256:A",
			"Invalid user " + name + " from " + peer + " port 1",
			"Connection closed by invalid user " + name + " " + peer + " port 1 [preauth]",
			"Disconnecting invalid user " + name + " " + peer + " port 1: Change of username or service not allowed: (" + name + ",ssh-connection) -> (b,ssh-connection) [preauth]",
			"maximum authentication attempts exceeded for invalid user " + name + " from " + peer + " port 1 ssh2 [preauth]",
			"Bad protocol version identification '" + name + "' from " + peer + " port 1",
			"Received disconnect from " + peer + " port 1:11: " + name + " [preauth]",
			"User " + name + " from " + peer + " not allowed because not listed in AllowUsers",
			"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=" + peer + "  user=" + name,
			`2026-01-02 03:04:05.678 UTC [1] FATAL:  no pg_hba.conf entry for host "` + peer + `", user "` + name + `", database "` + name + `", no encryption`,
			"2026-01-02 03:04:05 UTC [1]: user=" + name + ",db=x,app=y,client=" + peer + " FATAL:  password authentication failed for user \"" + name + `"`,
			"2026-01-02 03:04:05 UTC [1] " + name + "@x FATAL:  password authentication failed for user \"" + name + `"`,
			"2026-01-02 03:04:05 UTC [1] user=" + name + ",db=x FATAL:  password authentication failed for user \"" + name + `"`,
			"2026-01-02 03:04:05 UTC:" + peer + "(5432):" + name + "@x:[1]:FATAL:  password authentication failed for user \"" + name + `"`,
			"2026-01-02T03:04:05.678901Z 12 [Note] Access denied for user '" + name + "'@'" + peer + "' (using password: YES)",
			"2026-01-02 13:04:05 9 [Warning] Aborted connection 9 to db: 'unconnected' user: '" + name + "' host: '" + peer + "' (Got timeout)",
			"2026-01-02T03:04:05.678+0000 I ACCESS   [conn12] SASL SCRAM-SHA-1 authentication failed for " + name + " on admin from client " + peer + ":1 ; UserNotFound",
			"2026-01-02 03:04:05,678 WARN  [org.keycloak.events] (x) type=LOGIN_ERROR, realmId=shop, clientId=" + name + ", userId=null, ipAddress=" + peer + ", error=x, username=" + name,
			"2026-01-02 03:04:05,678 WARN  [org.keycloak.events] (x) type=\"LOGIN_ERROR\", realmId=\"shop\", clientId=\"" + quoted + "\", userId=\"null\", ipAddress=\"" + peer + "\", error=\"x\", username=\"" + quoted + "\"",
			"2026-01-02 03:04:05,678 WARN  [org.keycloak.events] (x) type=\"LOGIN_ERROR\", realmId=\"shop\", clientId=\"" + name + "\", userId=\"null\", ipAddress=\"" + peer + "\", error=\"x\", username=\"" + name + "\"",
			"[2026-01-02 03:04:05.678][vaultwarden::api::identity][ERROR] Username or password is incorrect. Try again. IP: " + peer + ". Username: " + name + ".",
			"[2026-01-02 03:04:05.678][vaultwarden::api::identity][INFO] User " + name + " logged in successfully. IP: " + peer,
		} {
			if m := Recognise(line); m.Address != "" && m.Address != peer {
				t.Fatalf("%q has the address %s: %+v", line, m.Address, m)
			}
		}
	})
}

// TestOrdinaryName has a name without tricks, which must be found together
// with the address.
func TestOrdinaryName(t *testing.T) {
	const peer = "2001:db8::bad"
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z][a-z0-9_.-]{0,20}`).Draw(t, "name")
		for _, line := range []string{
			"Failed password for invalid user " + name + " from " + peer + " port 1 ssh2",
			"Invalid user " + name + " from " + peer + " port 1",
			"Connection closed by authenticating user " + name + " " + peer + " port 1 [preauth]",
			`2026-01-02 03:04:05.678 UTC [1] FATAL:  no pg_hba.conf entry for host "` + peer + `", user "` + name + `", database "d", no encryption`,
			"2026-01-02T03:04:05.678901Z 12 [Note] Access denied for user '" + name + "'@'" + peer + "' (using password: YES)",
			"2026-01-02T03:04:05.678+0000 I ACCESS   [conn12] SASL SCRAM-SHA-1 authentication failed for " + name + " on admin from client [" + peer + "]:1 ; UserNotFound",
			"2026-01-02 03:04:05,678 WARN  [org.keycloak.events] (x) type=LOGIN_ERROR, realmId=shop, clientId=c, userId=null, ipAddress=" + peer + ", error=x, username=" + name,
			"[2026-01-02 03:04:05.678][vaultwarden::api::identity][ERROR] Username or password is incorrect. Try again. IP: " + peer + ". Username: " + name + ".",
			fmt.Sprintf(`type=USER_AUTH msg=audit(1700000001.100:3222): pid=5 uid=0 msg='op=PAM:authentication acct=%X exe="/usr/sbin/sshd" hostname=? addr=%s terminal=ssh res=failed'`, name, peer),
		} {
			m := Recognise(line)
			if m.Class != event.ClassLogin || m.Outcome != event.OutcomeFailure && m.Outcome != event.OutcomeDenied || m.User != name || m.Address != peer {
				t.Fatalf("%q is read as %+v", line, m)
			}
		}
	})
}

func TestChooseAuth(t *testing.T) {
	for image, want := range map[string]string{
		"docker.io/library/postgres:17":            "postgres",
		"ghcr.io/cloudnative-pg/postgresql:17.2":   "postgres",
		"docker.io/bitnami/postgresql@sha256:0123": "postgres",
		"mysql:8.4":                    "mysql",
		"docker.io/library/mariadb:11": "mysql",
		"mongo:7":                      "mongodb",
		"docker.io/mongodb/mongodb-community-server:7.0-ubi9": "mongodb",
		"redis:7-alpine":                            "redis",
		"docker.io/valkey/valkey:8":                 "redis",
		"quay.io/keycloak/keycloak:26.0":            "keycloak",
		"ghcr.io/goauthentik/server:2026.2":         "authentik",
		"docker.io/vaultwarden/server:latest":       "vaultwarden",
		"nextcloud:30-apache":                       "nextcloud",
		"lscr.io/linuxserver/openssh-server:latest": "sshd",
		"example.org/my-redis-client:1":             "",
		"example.org/server:1":                      "",
	} {
		if p, _ := Choose("", "app", image); p.Name != want {
			t.Errorf("%s chooses %q, want %q", image, p.Name, want)
		}
	}
	for container, want := range map[string]string{"sshd": "sshd", "mariadb": "mysql", "redis": "redis", "laurel": "laurel", "rsyslog": "syslog", "web": ""} {
		if p, _ := Choose("", container, "example.org/app:1"); p.Name != want {
			t.Errorf("%s chooses %q, want %q", container, p.Name, want)
		}
	}
}
