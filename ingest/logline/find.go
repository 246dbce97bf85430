package logline

import "strings"

// find is the first of the names that has a value. A name with dots is looked
// for as it is and as a path of objects.
func find(fields map[string]any, names ...string) any {
	for _, name := range names {
		if v := at(fields, name); v != nil && v != "" {
			return v
		}
	}
	return nil
}

func at(fields map[string]any, name string) any {
	if v, ok := fields[name]; ok {
		return v
	}
	for i := range len(name) {
		if name[i] == '.' {
			if inner, ok := fields[name[:i]].(map[string]any); ok {
				if v := at(inner, name[i+1:]); v != nil {
					return v
				}
			}
		}
	}
	return nil
}

// textAt is the first of the names that has a text.
func textAt(fields map[string]any, names ...string) string {
	for _, name := range names {
		if s, ok := at(fields, name).(string); ok && s != "" {
			return s
		}
	}
	return ""
}

// wordAt is textAt that takes a whole number too, and of a list the first.
func wordAt(fields map[string]any, names ...string) string {
	for _, name := range names {
		v := at(fields, name)
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		if s := wordOf(v); s != "" {
			return s
		}
	}
	return ""
}

// listAt is the first of the names that has a text or a list of texts, which
// it joins with commas.
func listAt(fields map[string]any, names ...string) string {
	for _, name := range names {
		switch v := at(fields, name).(type) {
		case string:
			if v != "" {
				return v
			}
		case []any:
			var texts []string
			for _, item := range v {
				if s, ok := item.(string); ok {
					texts = append(texts, s)
				}
			}
			return strings.Join(texts, ",")
		}
	}
	return ""
}

// firstAddress is the first of the names that has an IP address.
func firstAddress(fields map[string]any, names ...string) string {
	for _, name := range names {
		if s, ok := at(fields, name).(string); ok {
			if a := address(s); a != "" {
				return a
			}
		}
	}
	return ""
}

// levelOf is a level as written; pino's and bunyan's numbers get the names
// that these give them.
func levelOf(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) <= 32 {
			return v
		}
	case int64:
		switch v {
		case 10:
			return "trace"
		case 20:
			return "debug"
		case 30:
			return "info"
		case 40:
			return "warn"
		case 50:
			return "error"
		case 60:
			return "fatal"
		}
	}
	return ""
}
