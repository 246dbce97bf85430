package logline

import (
	"bufio"
	"os"
	"path/filepath"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestRecorded: testdata/*/recorded.log are what servers wrote (PostgreSQL
// 15.18, MariaDB 10.11.19, Redis 7.0.15, nginx 1.22.1, Apache 2.4, HAProxy
// 2.6.12, OpenSSH 9.2) while the same was done to each: logins that succeed,
// that fail, and that fail under names made to forge a line. Nobody is found
// who was not there, and no login is missed.
func TestRecorded(t *testing.T) {
	for name, want := range map[string]struct {
		lines, success, failed int
		forged                 string
	}{
		"postgres": {138, 22, 28, "x client=203.0.113.9"},
		"mysql":    {46, 2, 13, "x'@'203.0.113.9"},
		"nginx":    {37, 0, 2, "mallory x"},
		"apache":   {34, 0, 2, "mallory x"},
		"haproxy":  {16, 0, 0, ""},
		"redis":    {41, 0, 0, ""},
		"sshd":     {22, 1, 11, "admin from 203.0.113.9 port 22 ssh2"},
	} {
		file, err := os.Open(filepath.Join("testdata", name, "recorded.log"))
		if err != nil {
			t.Fatal(err)
		}
		lines, success, failed, forged := 0, 0, 0, false
		for s := bufio.NewScanner(file); s.Scan(); {
			m := Recognise(s.Text())
			if m.Format == name {
				lines++
			}
			if m.Address != "" && m.Address != "127.0.0.1" {
				t.Errorf("%s: address %s of %s", name, m.Address, s.Text())
			}
			forged = forged || m.User == want.forged
			switch {
			case m.Class == event.ClassLogin && m.Outcome == event.OutcomeSuccess:
				success++
			case m.Class == event.ClassLogin:
				failed++
			}
		}
		_ = file.Close() // it was only read
		if lines < want.lines || success != want.success || failed != want.failed || !forged && want.forged != "" {
			t.Errorf("%s: %d lines, %d logins and %d that failed, name %v; want %+v", name, lines, success, failed, forged, want)
		}
	}
}

// What the recordings of servers taught.
func TestRecordedForms(t *testing.T) {
	for _, c := range []struct {
		text, user, address string
		class               string
		outcome             event.Outcome
	}{
		// log_error_verbosity: verbose puts the SQLSTATE before the text.
		{`2026-01-02 03:04:05.678 UTC [9] app@shop FATAL:  28P01: password authentication failed for user "app"`, "app", "", event.ClassLogin, event.OutcomeFailure},
		{`2026-01-02 03:04:05.678 UTC [9] LOG:  00000: connection authorized: user=app database=shop`, "app", "", event.ClassLogin, event.OutcomeSuccess},
		// A row of csvlog that goes on behind a line break in it.
		{`2026-01-02 03:04:05.678 UTC,"eve","shop",9,"192.0.2.7:1",a.b,2,"authentication",2026-01-02 03:04:05 UTC,3/4,0,FATAL,28P01,"password authentication failed for user ""eve""","Role ""eve"" does not exist.`,
			"eve", "192.0.2.7", event.ClassLogin, event.OutcomeFailure},
		{`Connection matched pg_hba.conf line 87: ""host all all 127.0.0.1/32 scram-sha-256""",,,,,,,,"","client backend",,0`, "", "", "", ""},
		{`20260102 03:04:05,db-0,app,192.0.2.7,5,0,CONNECT,shop,,0`, "app", "192.0.2.7", event.ClassLogin, event.OutcomeSuccess},
		{`1767323045123456,db-0,app,192.0.2.7,5,0,FAILED_CONNECT,,,1045`, "app", "192.0.2.7", event.ClassLogin, event.OutcomeFailure},
		{`20260102 03:04:05,db-0,x,203.0.113.9,1,0,CONNECT,,,0,192.0.2.7,5,0,FAILED_CONNECT,,,1045`, "x,203.0.113.9,1,0,CONNECT,,,0", "192.0.2.7", event.ClassLogin, event.OutcomeFailure},
		{`20260102 03:04:05,db-0,app,192.0.2.7,5,9,QUERY,shop,'select 1,2,3,CONNECT,,,0',0`, "app", "192.0.2.7", "", ""},
		// A probe of the port is no login.
		{`20260102 03:04:05,db-0,,192.0.2.7,5,0,FAILED_CONNECT,,,1158`, "", "192.0.2.7", "", ""},
	} {
		m := Recognise(c.text)
		if m.User != c.user || m.Address != c.address || m.Class != c.class || m.Outcome != c.outcome {
			t.Errorf("%s\nuser %q, address %q, class %q, outcome %q", c.text, m.User, m.Address, m.Class, m.Outcome)
		}
	}
}
