package logline

import (
	"maps"
	"strconv"
	"time"
)

func init() {
	register(Parser{
		Name: "journald",
		Doc: "An entry of systemd's journal as JSON; its MESSAGE is read by the program's own parser. fields.host, fields.program and " +
			"fields.pid are the entry's.",
		Order:  OrderProduct,
		Object: parseJournald,
	})
}

// parseJournald reads the fields that each entry has.
//
// https://systemd.io/JOURNAL_EXPORT_FORMATS/#journal-json-format
func parseJournald(fields map[string]any) (Message, bool) {
	text := textAt(fields, "MESSAGE")
	stamp, err := strconv.ParseInt(wordAt(fields, "__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP"), 10, 64)
	if text == "" || err != nil {
		return Message{}, false
	}
	program := textAt(fields, "SYSLOG_IDENTIFIER", "_COMM")
	m, known := Within(program, text)
	if !known {
		m = Message{Text: text}
		if program == "kernel" {
			m = parseKernel(text)
		}
	}
	said := m.Fields
	// The entry's fields are shared with whoever decoded it.
	m.Fields = maps.Clone(fields)
	maps.Copy(m.Fields, said)
	for name, from := range map[string]string{"host": "_HOSTNAME", "program": "SYSLOG_IDENTIFIER", "pid": "_PID"} {
		if _, has := m.Fields[name]; !has {
			set(m.Fields, name, wordAt(fields, from))
		}
	}
	if m.Level == "" {
		m.Level = journaldLevel(wordAt(fields, "PRIORITY"))
	}
	if m.Time.IsZero() {
		m.Time = plausible(time.UnixMicro(stamp), nil)
	}
	return m, true
}

// journaldLevel names syslog's severities.
func journaldLevel(priority string) string {
	if len(priority) != 1 || priority[0] < '0' || priority[0] > '7' {
		return ""
	}
	return syslogLevels[priority[0]-'0']
}
