package logline

import (
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// What tells of logins and isn't one that failed from somewhere.
func TestSaidNot(t *testing.T) {
	for _, text := range []string{
		"failed to connect to `host=10.0.0.5 user=app database=app`: failed SASL auth (FATAL: password authentication failed for user \"app\")",
		`rpc error: connection error: desc = "transport: authentication handshake failed: x509: certificate has expired" (10.0.0.9:443)`,
		`There were 3 failed login attempts since the last successful login from 203.0.113.7.`,
		`Last failed login: Mon Mar  2 12:00:01 UTC 2026 from 203.0.113.7 on ssh:notty`,
		`Cleared failed login attempts for bob from 203.0.113.7`,
		`Limit failed logins to 5 from 203.0.113.7`,
		`LDAP authentication failed: server 10.0.0.9:389 did not answer`,
		`Failed to authenticate to 10.0.0.9:8443: token expired`,
		`failed to log in to registry 10.0.0.9: denied`,
		`SMTP Error: Could not authenticate at 10.0.0.9:587`,
		`SQLSTATE[HY000] [1045] Access denied for user 'app'@'10.0.0.7' (using password: YES)`,
		`Could not connect to redis://10.0.0.7:6379: WRONGPASS invalid username-password pair`,
		`User bob logged in from 203.0.113.7 after no failed logins`,
		`Password changed for bob from 203.0.113.7`,
		`Login page opened from 203.0.113.7`,
		`Failed to fetch auth config from 10.0.0.3: EOF`,
		`authorization denied for user bob from 203.0.113.7 on pods`,
		`Invalid password`, `Login failed`, `authentication failed`, `Login failed for reasons unknown to us`,
		`Listening on 203.0.113.7:8080, login enabled, failed: 0`,
		`pq: password authentication failed for user "app"`,
		`level=error msg="pq: password authentication failed for user \"app\""`,
		`org.postgresql.util.PSQLException: FATAL: password authentication failed for user "app"`,
		`HikariPool-1 - Exception during pool initialization. password authentication failed for user "app"`,
		`password authentication failed for user "app" at 10.0.0.9:5432`,
		`failed to pull image: authentication required, login failed for user "x" at registry`,
		`User bob could not be loaded: auth config invalid`,
		`validation failed for user input field password: invalid length`,
		`unable to authenticate client: token invalid for user system`,
		`Last successful login of user bob yesterday`,
		`user alice logged in to Docker Hub`,
		`Successfully authenticated to Vault as user app`,
		`imap-login: Info: Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, rip=203.0.113.9, lip=10.0.0.1, session=<x>`,
		`{"msg":"logged in","user":"bob","ip":"203.0.113.7"}`,
		`{"msg":"dial tcp 10.0.0.9:5432: password authentication failed","addr":"10.0.0.9:5432"}`,
		`level=info msg="login page served" remote_ip=203.0.113.7`,
	} {
		if m := Recognise(text); m.Class == event.ClassLogin {
			t.Errorf("%q is a login: %+v", text, m)
		}
	}
}

// A name that somebody gives themselves makes no other the culprit.
func TestSaidForged(t *testing.T) {
	for text, want := range map[string]string{
		`Login failed for x from 10.0.0.1 from 203.0.113.7`:                                         "",
		`Login failed for user "from 10.0.0.1" from ip 203.0.113.7`:                                 "",
		`Failed login for bob@10.0.0.1 from 203.0.113.7`:                                            "203.0.113.7",
		`Login failed for bob from 203.0.113.7 to 10.0.0.1:22`:                                      "203.0.113.7",
		`Login failed for bob from [2001:db8::7]:5060`:                                              "2001:db8::7",
		`Login failed for bob from 2001:db8::7, giving up`:                                          "2001:db8::7",
		`Login failed for bob from ::ffff:203.0.113.7.`:                                             "203.0.113.7",
		`(bob@203.0.113.7) [WARNING] Authentication failed for user [bob]`:                          "203.0.113.7",
		`203.0.113.7:51324 TLS Auth Error: Auth Username/Password mismatch`:                         "203.0.113.7",
		`Login failed for bob, version 1.2.3.4.5 build 300.1.1.1 from 999.1.1.1 client 203.0.113.7`: "203.0.113.7",
	} {
		if m := Recognise(text); m.Class != event.ClassLogin || m.Address != want {
			t.Errorf("%q is %s from %q, want %q", text, m.Class, m.Address, want)
		}
	}
}

// What applications and servers say of logins: who, from where if they tell,
// and whether it succeeded.
func TestSaid(t *testing.T) {
	type said struct {
		user, address string
		outcome       event.Outcome
	}
	const failure, success = event.OutcomeFailure, event.OutcomeSuccess
	for text, want := range map[string]said{
		`time="2024-01-10T10:00:00Z" level=warning msg="User alice failed login 3 time(s)"`:                                {"alice", "", failure},
		`time="2024-01-10T10:00:00Z" level=info msg="user admin logged in"`:                                                {"admin", "", success},
		`2024-01-10 10:00:00.123456+00:00 [error] <0.1234.0> PLAIN login refused: user 'alice' - invalid credentials`:      {"alice", "", failure},
		`2024-01-10 10:00:00.123 [warning] <0.1234.0> HTTP access denied: user 'guest' - invalid credentials`:              {"guest", "", failure},
		`{"type":"response","request":{"path":"auth/userpass/login/alice"},"error":"invalid username or password"}`:        {"alice", "", failure},
		`{"request":{"path":"auth/ldap/login/bob","remote_address":"203.0.113.9"},"error":"invalid username or password"}`: {"bob", "203.0.113.9", failure},
		`{"level":"warn","msg":"Login failed","user":"bob"}`:                                                               {"bob", "", failure},
		`{"msg":"user logged in","user":"bob","ip":"203.0.113.9"}`:                                                         {"bob", "203.0.113.9", success},
		`Login failed for user bob`:                          {"bob", "", failure},
		`Failed login attempt for account alice@example.com`: {"alice@example.com", "", failure},
		`[ERROR] Invalid password for user bob`:              {"bob", "", failure},
		`10-Jan-2024 10:00:00.123 WARNING [exec-1] LockOutRealm An attempt was made to authenticate the locked user [admin]`:                             {"admin", "", failure},
		`pure-ftpd: (?@host.example) [WARNING] Authentication failed for user [alice]`:                                                                   {"alice", "", failure},
		`pure-ftpd: (?@203.0.113.9) [INFO] alice is now logged in`:                                                                                       {"alice", "203.0.113.9", success},
		`Wed Jan 10 10:00:00 2024 [pid 2] [alice] OK LOGIN: Client "::ffff:203.0.113.9"`:                                                                 {"alice", "203.0.113.9", success},
		`imap-login: Login: user=<alice>, method=PLAIN, rip=2001:db8::9, lip=2001:db8::1, mpid=123, TLS`:                                                 {"alice", "2001:db8::9", success},
		`pop3-login: Aborted login (auth failed, 1 attempts in 2 secs): user=<a b>, rip=203.0.113.9, lip=10.0.0.1`:                                       {"a b", "203.0.113.9", failure},
		`plain_server authenticator failed for h.example (User) [2001:db8::9]:41922 I=[10.0.0.1]:25: 535 Incorrect authentication data (set_id=alice)`:   {"alice", "2001:db8::9", failure},
		`SecurityEvent="ChallengeResponseFailed",AccountID="admin",LocalAddress="IPV4/TCP/198.51.100.1/5038",RemoteAddress="IPV4/TCP/203.0.113.9/44444"`: {"admin", "203.0.113.9", failure},
	} {
		m := Recognise(text)
		if got := (said{m.User, m.Address, m.Outcome}); m.Class != event.ClassLogin || got != want {
			t.Errorf("%q is %q %+v, want a login %+v", text, m.Class, got, want)
		}
	}
}
