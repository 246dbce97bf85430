package logline

import "time"

func init() {
	register(Parser{
		Name:   "json",
		Doc:    "One JSON object; msg, message or log is the text, level or severity the level.",
		Order:  OrderGeneral,
		Object: parseJSON,
	})
}

func parseJSON(fields map[string]any) (Message, bool) {
	m := Message{
		Text:  first(fields, "msg", "message", "log"),
		Level: first(fields, "level", "severity", "lvl", "loglevel"),
	}
	for _, name := range []string{"time", "ts", "timestamp", "@timestamp", "t"} {
		if s, ok := fields[name].(string); ok {
			if t, err := time.Parse(time.RFC3339Nano, s); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
				m.Time = t.UTC()
				break
			}
		}
	}
	return m, true
}
