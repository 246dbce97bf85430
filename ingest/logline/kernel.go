package logline

import "strings"

// parseKernel reads what the kernel says in a syslog line: behind its own
// time in brackets a program that crashed, "su[12]: segfault at … in
// LIBRARY[…]". The audit lines it writes are read as auditd's.
func parseKernel(text string) Message {
	m := Message{Text: text, Fields: map[string]any{}}
	rest := text
	if strings.HasPrefix(rest, "[") {
		if i := strings.Index(rest[:min(len(rest), 32)], "] "); i > 0 {
			rest = strings.TrimLeft(rest[i+2:], " ")
		}
	}
	if inner, ok := parseAuditd(rest); ok {
		inner.Format = "auditd"
		return inner
	}
	head, crash, ok := strings.Cut(rest, "]: segfault at ")
	program, pid, named := strings.Cut(head, "[")
	if !ok || !named || !digits(pid) || len(program) > 64 {
		return m
	}
	m.Verb, m.Level = "crash", "error"
	m.Fields["kind"] = "segfault"
	set(m.Fields, "binary", program)
	set(m.Fields, "binary_pid", pid)
	if _, library, ok := strings.Cut(crash, " in "); ok {
		library, _, _ = strings.Cut(library, "[")
		set(m.Fields, "library", library)
	}
	return m
}
