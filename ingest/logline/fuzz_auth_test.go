package logline

import "testing"

func FuzzSSHD(f *testing.F) {
	fuzzSeeded(f, "sshd", "sshd[1]: error: PAM:  from ", "Failed none for  from UNKNOWN port 0: CA ", "refused connect from ()", "drop connection #1 from []:on")
}

func FuzzPAM(f *testing.F) {
	fuzzSeeded(f, "pam", "pam_x(y): authentication failure; rhost= user=", "pam_(): session opened for user (uid=")
}

func FuzzSyslog(f *testing.F) {
	fuzzSeeded(f, "syslog", `<0>1 - - - - - [a b="\]"][`, "Jan  1 00:00:00 : x[1]:", "<1>kernel: [1] a[1]: segfault at in [")
}

func FuzzAuditd(f *testing.F) {
	fuzzSeeded(f, "auditd", "type=EXECVE msg=audit(0:0): a0[0]=41 a0[1]=\" a1=", "type=1 audit(1.9:1): a=b=C=\x1dX=\"", "node= type=AVC msg=audit(1:1): { ")
}

func FuzzLaurel(f *testing.F) {
	fuzzSeeded(f, "laurel", `{"ID":"1:1","SYSCALL":[1],"X":{}}`, `{"ID":"1:1","EXECVE":{"ARGV":[null,{}]},"SYSCALL":{"PPID":1}}`)
}

func FuzzPostgres(f *testing.F) {
	fuzzSeeded(f, "postgres", "[1] LOG:  duration: 1e309 ms", "2026-01-02 03:04:05 +02:00,LOG,", `[1] FATAL:  no pg_hba.conf entry for host "", user "`,
		`{"error_severity":"FATAL","message":1,"state_code":"28","connection_from":[]}`)
}

func FuzzMySQL(f *testing.F) {
	fuzzSeeded(f, "mysql", "# Query_time: -1 Lock_time: NaN", "# User@Host: ] @ ][", "2026-01-02 03:04:05 [Note] Access denied for user ''@'", `{"msg":"Host '","label":"","err_code":null,"err_symbol":0}`)
}

func FuzzMongoDB(f *testing.F) {
	fuzzSeeded(f, "mongodb", "2026-01-02T03:04:05.678Z I ACCESS [] x authentication failed for  on  from client ", `{"t":{"$date":1},"s":"","c":0,"msg":"Slow query","attr":{"durationMillis":-1}}`)
}

func FuzzRedis(f *testing.F) {
	fuzzSeeded(f, "redis", "1:M 02 Jan 2026 03:04:05.678 * REPLICAOF ", "1:M 02 Jan 2026 03:04:05.678 # Module '")
}

func FuzzKeycloak(f *testing.F) {
	fuzzSeeded(f, "keycloak", `00:00:00,000 INFO [](type=", realmId="`, `2026-01-02 03:04:05,1 INFO [] type="A", realmId="\", b="`, `{"loggerName":"x","message":"type=a, realmId=b, ="}`)
}

func FuzzAuthentik(f *testing.F) {
	fuzzSeeded(f, "authentik", `{"logger":"authentik.","event":"","status":1,"method":2,"runtime":-1}`, `{"logger":"authentik.x","event":"x","action":"login","user":[]}`)
}

func FuzzNextcloud(f *testing.F) {
	fuzzSeeded(f, "nextcloud", `{"reqId":0,"app":0,"remoteAddr":0,"message":"Login failed: ","level":9}`, `{"reqId":0,"app":0,"remoteAddr":"x","message":"Bruteforce attempt from \""}`)
}

func FuzzVaultwarden(f *testing.F) {
	fuzzSeeded(f, "vaultwarden", "[2026-01-02 03:04:05][response][INFO] () GET => 999", "[2026-01-02 03:04:05][vaultwarden::x][ERROR] Invalid TOTP IP: . Username: ")
}
