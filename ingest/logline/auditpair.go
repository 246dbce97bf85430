package logline

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// Bounds of one audit record.
const (
	maxPairs = 512
	maxArgs  = 256
	maxArgv  = 64 << 10 // bytes of all arguments together
)

// auditPairs reads NAME=VALUE pairs in one pass. A value is quoted, in which
// case its quotes stay, or goes to the next space. The separator 0x1d, behind
// which auditd adds names for numbers, is a space like others; where it was
// lost on the way, the name in capitals that follows a value still begins a
// pair. The pairs of user messages stand in msg='…'. Where a name comes twice,
// the first is the kernel's.
func auditPairs(text string) map[string]string {
	pairs := map[string]string{}
	nested := false
	for len(pairs) < maxPairs {
		text = strings.TrimLeft(text, " \x1d,{}")
		end := strings.IndexAny(text, "= \x1d")
		if end < 0 {
			break
		}
		if text[end] != '=' {
			text = text[end:]
			continue
		}
		name := text[:end]
		text = text[end+1:]
		if name == "msg" && strings.HasPrefix(text, "'") {
			text, nested = text[1:], true
			continue
		}
		var value string
		value, text = auditValue(text)
		if nested {
			value = strings.TrimSuffix(value, "'")
		}
		if _, has := pairs[name]; !has && isAuditName(name) {
			pairs[name] = value
		}
	}
	return pairs
}

func isAuditName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isWord(c) && c != '-' && c != '[' && c != ']' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// auditValue cuts one value off.
func auditValue(text string) (value, rest string) {
	if strings.HasPrefix(text, `"`) {
		if i := strings.IndexByte(text[1:], '"'); i >= 0 {
			return text[:i+2], text[i+2:]
		}
	}
	end := strings.IndexAny(text, " \x1d")
	if end < 0 {
		end = len(text)
	}
	if i := strings.IndexByte(text[:end], '='); i > 0 {
		name := i
		for name > 0 && text[name-1] >= 'A' && text[name-1] <= 'Z' {
			name--
		}
		if name > 0 && name < i {
			end = name
		}
	}
	return text[:end], text[end:]
}

// encoded says whether a value without quotes is hexadecimal: those that a
// process or a stranger chose. An argument is one of EXECVE alone; of a system
// call a0 to a3 are numbers.
func (r *auditRecord) encoded(name string) bool {
	switch name {
	case "acct", "cmd", "comm", "cwd", "data", "exe", "file", "key", "name", "new-disk", "ocomm", "old_name", "path", "proctitle", "vm":
		return true
	}
	return r.kind == "EXECVE" && len(name) > 1 && name[0] == 'a' && name[1] >= '0' && name[1] <= '9' && !strings.HasSuffix(name, "_len")
}

// unhex decodes a value without quotes that is hexadecimal and gives any
// other as it is. Zero bytes stand between arguments and become spaces, 0x01
// between keys; what isn't UTF-8 becomes a question mark.
func unhex(value string) string {
	if len(value) < 2 || len(value)%2 != 0 || strings.Trim(value, "0123456789ABCDEF") != "" {
		return value
	}
	b, err := hex.DecodeString(value)
	if err != nil {
		return value
	}
	s := strings.TrimRight(string(b), "\x00")
	s = strings.NewReplacer("\x00", " ", "\x01", ",").Replace(s)
	return strings.ToValidUTF8(s, "?")
}

// auditArgs gives the arguments of an EXECVE record in their order. A long
// one comes in pieces, aN[0], aN[1], ….
func auditArgs(pairs map[string]string) []any {
	args := []any{}
	total := 0
	for i := 0; i < maxArgs && total < maxArgv; i++ {
		name := "a" + strconv.Itoa(i)
		value, ok := pairs[name]
		for j := 0; !ok && j < maxPairs; j++ {
			piece, has := pairs[name+"["+strconv.Itoa(j)+"]"]
			if !has {
				ok = j > 0
				break
			}
			value += piece
		}
		if !ok {
			break
		}
		arg := strings.Trim(unhex(value), `"`)
		total += len(arg)
		args = append(args, arg)
	}
	return args
}

// joined is the arguments with spaces between.
func joined(args []any) string {
	var b strings.Builder
	for i, arg := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		s, _ := arg.(string)
		b.WriteString(s)
	}
	return b.String()
}
