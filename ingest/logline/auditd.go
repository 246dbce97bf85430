package logline

import (
	"strconv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name: "auditd",
		Doc: "Linux audit records: type=… msg=audit(TIME:SERIAL): NAME=VALUE …, raw or enriched; hexadecimal values are decoded. " +
			"The records of one event are messages of their own with the same fields.serial.",
		Programs: []string{"auditd", "audispd", "audisp-syslog", "audit"},
		Order:    OrderProduct,
		First:    "tna",
		Parse:    parseAuditd,
	})
}

// auditRecord is one record: its type, when, which event it is of, and its
// pairs.
type auditRecord struct {
	kind, node, serial string
	time               time.Time
	pairs              map[string]string
}

// parseAuditd reads [node=N ]type=T msg=audit(…): …, and the kernel's own
// form, audit: type=NUMBER audit(…): ….
func parseAuditd(text string) (Message, bool) {
	var r auditRecord
	rest := strings.TrimPrefix(text, "audit: ")
	if s, ok := strings.CutPrefix(rest, "node="); ok {
		r.node, rest = word(s)
	}
	rest, ok := strings.CutPrefix(rest, "type=")
	if !ok {
		return Message{}, false
	}
	r.kind, rest = word(rest)
	rest, ok = strings.CutPrefix(strings.TrimPrefix(rest, "msg="), "audit(")
	if !ok || r.kind == "" || len(r.kind) > 40 || len(r.node) > 255 {
		return Message{}, false
	}
	r.kind = auditType(r.kind)
	stamp, rest, ok := strings.Cut(rest, ")")
	if !ok || !r.stamp(stamp) {
		return Message{}, false
	}
	rest = strings.TrimPrefix(rest, ":")
	r.pairs = auditPairs(rest)
	return r.message(text, rest), true
}

// stamp is SECONDS.MILLISECONDS:SERIAL.
func (r *auditRecord) stamp(s string) bool {
	if len(s) > 40 {
		return false
	}
	at, serial, ok := strings.Cut(s, ":")
	whole, part, _ := strings.Cut(at, ".")
	if !ok || !digits(serial) || !digits(whole) || len(whole) > 11 || part != "" && (!digits(part) || len(part) > 9) {
		return false
	}
	sec, _ := strconv.ParseInt(whole, 10, 64)
	nano, _ := strconv.ParseInt((part + "000000000")[:9], 10, 64)
	r.serial, r.time = serial, plausible(time.Unix(sec, nano).UTC(), nil)
	return true
}

// auditType names the types that the kernel's own form writes as a number
// (linux/audit.h, libaudit.h).
func auditType(number string) string {
	switch strings.TrimSuffix(strings.TrimPrefix(number, "UNKNOWN["), "]") {
	case "1100":
		return "USER_AUTH"
	case "1105":
		return "USER_START"
	case "1106":
		return "USER_END"
	case "1112":
		return "USER_LOGIN"
	case "1123":
		return "USER_CMD"
	case "1300":
		return "SYSCALL"
	case "1302":
		return "PATH"
	case "1307":
		return "CWD"
	case "1309":
		return "EXECVE"
	case "1326":
		return "SECCOMP"
	case "1327":
		return "PROCTITLE"
	case "1400":
		return "AVC"
	case "1701":
		return "ANOM_ABEND"
	}
	return number
}

// message says what a record means.
func (r *auditRecord) message(text, body string) Message {
	m := Message{Text: text, Time: r.time, Fields: map[string]any{"type": r.kind, "serial": r.serial}}
	set(m.Fields, "node", r.node)
	for name, value := range r.pairs {
		if value == "(null)" {
			continue
		}
		if r.encoded(name) {
			value = unhex(value)
		}
		m.Fields[name] = strings.Trim(value, `"`)
	}
	m.Address = address(r.pairs["addr"])
	m.User = r.user(&m)
	r.outcome(&m, body)
	r.class(&m, body)
	return m
}

// user is the account that a record is about, else the name or number of the
// process's user: of a login that is the server's, which says nothing.
func (r *auditRecord) user(m *Message) string {
	for _, name := range r.userNames() {
		if s, _ := m.Fields[name].(string); s != "" && s != "?" && s != "unset" {
			return s
		}
	}
	return ""
}

func (r *auditRecord) userNames() []string {
	switch r.kind {
	case "USER_LOGIN", "USER_AUTH", "USER_START", "USER_END", "USER_LOGOUT":
		return []string{"acct", "ID", "id"}
	}
	return []string{"acct", "UID", "uid"}
}

func (r *auditRecord) outcome(m *Message, body string) {
	switch result := r.pairs["res"] + r.pairs["success"]; {
	case r.kind == "AVC" || r.kind == "USER_AVC":
		switch {
		case strings.Contains(body, "denied") || r.pairs["apparmor"] == `"DENIED"`:
			m.Outcome = event.OutcomeDenied
		case strings.Contains(body, "granted") || r.pairs["apparmor"] == `"ALLOWED"`:
			m.Outcome = event.OutcomeAllowed
		}
	case r.kind == "SECCOMP":
		m.Outcome = event.OutcomeDenied
	case result == "success" || result == "yes" || result == "1":
		m.Outcome = event.OutcomeSuccess
	case result == "failed" || result == "no" || result == "0":
		m.Outcome = event.OutcomeFailure
	}
}

func (r *auditRecord) class(m *Message, body string) {
	switch r.kind {
	case "USER_LOGIN", "USER_AUTH":
		m.Class, m.Verb = event.ClassLogin, verbLogin
	case "USER_LOGOUT", "USER_END":
		m.Verb = verbLogout
	case "USER_START":
		m.Verb = "session_open"
	case "EXECVE":
		m.Class, m.Verb = event.ClassProcessExec, verbExec
		args := auditArgs(r.pairs)
		m.Fields["args"] = args
		m.Fields["cmdline"] = joined(args)
	case "USER_CMD":
		m.Class, m.Verb = event.ClassProcessExec, verbExec
		if cmd, ok := m.Fields["cmd"].(string); ok {
			m.Fields["cmdline"] = cmd
		}
	case "SYSCALL":
		m.Class = event.ClassSyscall
		if m.Verb = r.pairs["SYSCALL"]; r.isExec() {
			m.Class, m.Verb = event.ClassProcessExec, verbExec
		}
	case "SECCOMP", "AVC":
		m.Class, m.Verb = event.ClassSyscall, strings.ToLower(r.kind)
		if _, inner, ok := strings.Cut(body, "{ "); ok {
			inner, _, _ = strings.Cut(inner, " }")
			set(m.Fields, "permissions", inner)
		}
	case "ANOM_ABEND":
		m.Class, m.Verb = event.ClassSyscall, "crash"
		// Its res says that the record was made, not how the process fared.
		m.Outcome = ""
	}
}

// isExec says whether a system call is execve or execveat: by its name where
// the record has one, else by its number on the architecture (linux/audit.h,
// the kernel's syscall tables of x86-64, i386, arm64, arm).
func (r *auditRecord) isExec() bool {
	if name := r.pairs["SYSCALL"]; name != "" {
		return name == "execve" || name == "execveat"
	}
	switch r.pairs["arch"] + " " + r.pairs["syscall"] {
	case "c000003e 59", "c000003e 322", "x86_64 59", "x86_64 322", "40000003 11", "40000003 358", "i386 11", "i386 358",
		"c00000b7 221", "c00000b7 281", "aarch64 221", "aarch64 281", "40000028 11", "40000028 387":
		return true
	}
	return r.pairs["syscall"] == "execve" || r.pairs["syscall"] == "execveat"
}
