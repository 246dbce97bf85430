package function

import (
	"html"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	register(Function{
		Func:  conf.Func{Name: "http_plain", Signature: new(func(any) string), Fn: (&plainer{}).call},
		Usage: "http_plain(text) text",
		Doc: "What a lenient server may read in the path of a request, in lower case: percent-encoding (%u002f and over-long UTF-8 too), " +
			"backslash escapes and HTML entities are taken away, up to four times over; a + in what follows a ? is a space, so are runs of white space " +
			"(a new line where there was one) and SQL comments; in the path empty and . segments are gone, and parameters (;x) of these and of .., and everywhere " +
			"control characters, full-width letters, ${IFS} and empty quotes within a word. Of a longer text the first 4 KiB are read, and of what is longer than 2 KiB then the first and the last of them given.",
		Example: `http_plain("/A/..;x/%252e%c0%ae%2fb?q=UNION/**/SELECT+1") == "/a/../../b?q=union select 1"`,
	})
}

// maxPlain bounds what is read of a text: a path that came in is no longer.
const maxPlain = 4 << 10

// maxEnd is how much is given of each end of what is longer than both.
const maxEnd = 1 << 10

// maxRounds is how often an encoding is taken away.
const maxRounds = 4

func httpPlain(s string) string {
	if len(s) > maxPlain {
		s = s[:maxPlain]
	}
	s = plainRequest(s)
	if len(s) > 2*maxEnd {
		// Patterns take their time over each byte, and whoever sends requests
		// must not be able to make a rule slow.
		s = s[:maxEnd] + s[len(s)-maxEnd:]
	}
	return s
}

// plainer is http_plain. It knows what it said last: many expressions ask about
// the path, the user agent and the referer of one request.
type plainer struct {
	last [4]atomic.Pointer[plainAnswer]
	next atomic.Uint32
}

type plainAnswer struct{ from, to string }

func (p *plainer) call(args ...any) (any, error) {
	s := text(args[0])
	if isPlain(s) && len(s) <= 2*maxEnd {
		return s, nil
	}
	for i := range p.last {
		if a := p.last[i].Load(); a != nil && a.from == s {
			return a.to, nil
		}
	}
	a := &plainAnswer{s, httpPlain(s)}
	p.last[p.next.Add(1)%uint32(len(p.last))].Store(a)
	return a.to, nil
}

func plainRequest(s string) string {
	if isPlain(s) {
		return s
	}
	if path, query, ok := strings.Cut(s, "?"); ok {
		s = path + "?" + strings.ReplaceAll(query, "+", " ")
	}
	for range maxRounds {
		next := unescapeOnce(s)
		if next == s {
			break
		}
		s = next
	}
	s = withoutComments(s)
	return withoutDetours(withoutEmptyQuotes(separators.Replace(squeezed(s))))
}

// separators are what a shell reads as a space.
var separators = strings.NewReplacer("${ifs}", " ", "$ifs$9", " ", "$ifs", " ")

// isPlain says that there is nothing to take away: most paths are so.
func isPlain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '?' || c == '=' || c == '-' || c == '_' || c == ',' || c == '~' || c == ':':
		case c == '/' && (i == 0 || s[i-1] != '/'):
		case c == '.' && (i == 0 || s[i-1] != '/'):
		case c == '&' && strings.IndexByte(s, ';') < 0:
		default:
			return false
		}
	}
	return true
}

// unescapeOnce takes one layer of encodings away.
func unescapeOnce(s string) string {
	if strings.IndexByte(s, '%') >= 0 {
		s = percentOnce(s)
	}
	if strings.IndexByte(s, '\\') >= 0 {
		s = backslashOnce(s)
	}
	if strings.IndexByte(s, '&') >= 0 && strings.IndexByte(s, ';') >= 0 {
		s = html.UnescapeString(s)
	}
	return s
}

// percentOnce reads %XX and %uXXXX, and UTF-8 that is longer than it has to be,
// as old decoders did.
func percentOnce(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		if c == '%' {
			if v, n := percentAt(s[i:]); n > 0 {
				if r, m := overlongAt(s[i:], v); m > 0 {
					b.WriteByte(r)
					i += m
					continue
				}
				if v < 0x80 || n == 3 {
					b.WriteByte(byte(v)) // #nosec G115 -- below 256
				} else {
					b.WriteRune(v)
				}
				i += n
				continue
			}
		}
		b.WriteByte(c)
		i++
	}
	return b.String()
}

// percentAt reads the escape at the beginning of s: its value, and how long it
// is; 0 when there is none.
func percentAt(s string) (rune, int) {
	if len(s) >= 6 && (s[1] == 'u' || s[1] == 'U') {
		if v, err := strconv.ParseUint(s[2:6], 16, 16); err == nil {
			return rune(v), 6 // #nosec G115 -- 16 bits
		}
	}
	if len(s) >= 3 {
		if v, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
			return rune(v), 3 // #nosec G115 -- 8 bits
		}
	}
	return 0, 0
}

// overlongAt reads an ASCII character that is written as two or three bytes of
// UTF-8, of which lead is the first: %c0%ae, %e0%80%af.
func overlongAt(s string, lead rune) (byte, int) {
	more := 0
	v := rune(0)
	switch lead {
	case 0xc0, 0xc1:
		more, v = 1, lead&0x1f
	case 0xe0:
		more = 2
	default:
		return 0, 0
	}
	at := 3
	for range more {
		if at >= len(s) || s[at] != '%' {
			return 0, 0
		}
		c, n := percentAt(s[at:])
		if n != 3 || c > 0xff {
			return 0, 0
		}
		if c&0xc0 != 0x80 && lead == 0xe0 {
			return 0, 0
		}
		v = v<<6 | c&0x3f
		at += n
	}
	if v == 0 || v >= 0x80 {
		return 0, 0
	}
	return byte(v), at
}

// backslashOnce reads \xXX and \uXXXX, and \/ of JSON.
func backslashOnce(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] == '\\' && i+1 < len(s) {
			size := 0
			switch s[i+1] {
			case 'x', 'X':
				size = 2
			case 'u', 'U':
				size = 4
			case '/':
				i++
				continue
			}
			if size > 0 && i+2+size <= len(s) {
				if v, err := strconv.ParseUint(s[i+2:i+2+size], 16, 16); err == nil {
					b.WriteRune(rune(v)) // #nosec G115 -- 16 bits
					i += 2 + size
					continue
				}
			}
		}
		b.WriteByte(s[i])
		i++
	}
	return b.String()
}

// withoutComments makes a space of a comment of SQL; what MySQL runs of one
// (/*!50000 … */) stays.
func withoutComments(s string) string {
	if !strings.Contains(s, "/*") {
		return s
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "/*")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		inside, after, closed := strings.Cut(rest, "*/")
		if !closed {
			b.WriteString("/*")
			b.WriteString(rest)
			return b.String()
		}
		b.WriteByte(' ')
		if run, ok := strings.CutPrefix(inside, "!"); ok {
			b.WriteString(strings.TrimLeft(run, "0123456789"))
			b.WriteByte(' ')
		}
		s = after
	}
}

// squeezed makes one of a run of white space, leaves control characters out, and
// writes full-width characters as ASCII.
func squeezed(s string) string {
	var b strings.Builder
	space, line := false, false
	for i, r := range s {
		if r == utf8.RuneError && i < len(s) && s[i] != "\ufffd"[0] {
			r = rune(s[i]) // a byte of Latin-1
		}
		switch {
		case unicode.IsSpace(r):
			space, line = true, line || r == '\n' || r == '\r'
			continue
		case r < 0x20 || r == 0x7f || r == 0xad || r >= 0x200b && r <= 0x200f:
			continue
		}
		r = asASCII(r)
		if space {
			if line {
				b.WriteByte('\n')
			} else {
				b.WriteByte(' ')
			}
			space, line = false, false
		}
		b.WriteRune(unicode.ToLower(r))
	}
	if space {
		b.WriteByte(' ')
	}
	return b.String()
}

// asASCII is the character that a lenient server takes another one for.
func asASCII(r rune) rune {
	switch {
	case r >= 0xff01 && r <= 0xff5e: // full width
		return r - 0xfee0
	case r == 0x2215 || r == 0x2044 || r == 0x29f8:
		return '/'
	case r == 0x2216 || r == 0x29f5 || r == 0xfe68:
		return '\\'
	case r == 0x2024 || r == 0xfe52:
		return '.'
	case r == 0x2039 || r == 0xfe64 || r == 0x3008:
		return '<'
	case r == 0x203a || r == 0xfe65 || r == 0x3009:
		return '>'
	case r == 0x2019 || r == 0x02bc || r == 0x2032:
		return '\''
	}
	return r
}

// withoutEmptyQuotes joins what a shell joins: c”at is cat.
func withoutEmptyQuotes(s string) string {
	for _, pair := range []string{"''", `""`} {
		if !strings.Contains(s, pair) {
			continue
		}
		parts := strings.Split(s, pair)
		var b strings.Builder
		for i, part := range parts {
			b.WriteString(part)
			if i+1 < len(parts) && !(endsWithLetter(part) && startsWithLetter(parts[i+1])) {
				b.WriteString(pair)
			}
		}
		s = b.String()
	}
	return s
}

func endsWithLetter(s string) bool   { return s != "" && isLetter(s[len(s)-1]) }
func startsWithLetter(s string) bool { return s != "" && isLetter(s[0]) }
func isLetter(c byte) bool           { return c >= 'a' && c <= 'z' }

// withoutDetours takes what leads nowhere out of the path: empty segments and
// those of a single point, and what stands behind a ; in these and in ..
func withoutDetours(s string) string {
	path, query, has := strings.Cut(s, "?")
	if strings.IndexByte(path, ';') < 0 && !strings.Contains(path, "//") && !strings.Contains(path, "/./") || !strings.HasPrefix(path, "/") {
		return s
	}
	var b strings.Builder
	segments := strings.Split(path, "/")[1:]
	for i, segment := range segments {
		plain, _, _ := strings.Cut(segment, ";")
		if plain != "" && plain != "." && plain != ".." {
			plain = segment
		}
		if last := i == len(segments)-1; plain == "." || plain == "" && !last {
			continue
		}
		b.WriteByte('/')
		b.WriteString(plain)
	}
	if b.Len() == 0 {
		b.WriteByte('/')
	}
	if has {
		return b.String() + "?" + query
	}
	return b.String()
}
