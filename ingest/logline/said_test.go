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
		`Invalid password`, `Login failed`, `Login failed for user bob`, `authentication failed`,
		`Listening on 203.0.113.7:8080, login enabled, failed: 0`,
		`{"msg":"Login failed","user":"bob"}`,
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
