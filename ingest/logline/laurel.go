package logline

import (
	"maps"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Parser{
		Name:     "laurel",
		Doc:      "Audit events as Laurel writes them: one JSON object an event, with its records by type.",
		Programs: []string{"laurel"},
		Images:   []string{"laurel"},
		Order:    OrderProduct,
		Object:   parseLaurel,
	})
}

// parseLaurel reads one event. Laurel has decoded the values already; a
// record is an object, or a list of them where there may be several.
func parseLaurel(fields map[string]any) (Message, bool) {
	id, _ := fields["ID"].(string)
	var r auditRecord
	if !r.stamp(id) {
		return Message{}, false
	}
	kind, record := laurelRecord(fields)
	if kind == "" {
		return Message{}, false
	}
	r.kind, r.pairs = kind, laurelPairs(record)
	m := Message{Time: r.time, Fields: maps.Clone(fields)}
	m.Fields["serial"], m.Fields["type"] = r.serial, kind
	for _, name := range r.userNames() {
		if m.User = r.pairs[name]; m.User != "" {
			break
		}
	}
	m.Address = address(r.pairs["addr"])
	body, _ := record["msg"].(string)
	r.outcome(&m, body)
	r.class(&m, body)
	if args := laurelArgs(fields); len(args) > 0 {
		m.Fields["args"], m.Fields["cmdline"] = args, joined(args)
	}
	for name, v := range record {
		// The record's own values stand beside it, under auditd's names.
		if _, has := m.Fields[name]; !has && wordOf(v) != "" {
			m.Fields[name] = v
		}
	}
	if parent, ok := record["PPID"].(map[string]any); ok {
		set(m.Fields, "parent_exe", stringOf(parent["exe"]))
	}
	m.Text = laurelText(&m)
	return m, true
}

// laurelRecord is the record that says what an event is.
func laurelRecord(fields map[string]any) (string, map[string]any) {
	for _, kind := range []string{
		"SYSCALL", "USER_LOGIN", "USER_AUTH", "USER_CMD", "USER_START", "USER_END", "USER_LOGOUT", "AVC", "SECCOMP", "ANOM_ABEND", "EXECVE",
	} {
		switch v := fields[kind].(type) {
		case map[string]any:
			return kind, v
		case []any:
			if len(v) > 0 {
				if record, ok := v[0].(map[string]any); ok {
					return kind, record
				}
			}
		}
	}
	for kind, v := range fields {
		if record, ok := v.(map[string]any); ok && kind == strings.ToUpper(kind) && kind != "PARENT_INFO" && kind != "LABELS" {
			return "OTHER", record
		}
	}
	return "", nil
}

// laurelPairs are the values of a record as auditd would write them.
func laurelPairs(record map[string]any) map[string]string {
	pairs := map[string]string{}
	for name, v := range record {
		pairs[name] = wordOf(v)
	}
	pairs["arch"] = strings.TrimPrefix(pairs["arch"], "0x")
	return pairs
}

// laurelArgs are the arguments of what was executed.
func laurelArgs(fields map[string]any) []any {
	record, ok := fields["EXECVE"].(map[string]any)
	if !ok {
		record, _ = fields["PROCTITLE"].(map[string]any)
	}
	argv, _ := record["ARGV"].([]any)
	args := []any{}
	for _, arg := range argv[:min(len(argv), maxArgs)] {
		args = append(args, wordOf(arg))
	}
	return args
}

func laurelText(m *Message) string {
	if s, ok := m.Fields["cmdline"].(string); ok && m.Class == event.ClassProcessExec {
		return s
	}
	kind, _ := m.Fields["type"].(string)
	return kind
}
