package function

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/conf/pattern"
)

func init() {
	register(Function{
		Func: conf.Func{
			Name: "glob", Signature: new(func(any, ...any) bool), Fn: anyPattern, Prepare: preparePatterns(globPattern), Constant: afterFirst,
		},
		Usage: "glob(text, pattern…) bool",
		Doc: "Whether all of a text is like one of the patterns, which are constants or lists of them. * is any text without a /, ** any text, " +
			"? one character but /, [a-z] and [!a-z] one of those, {a,b} either; \\ takes the meaning away.",
		Example: `glob("/etc/ssh/sshd_config", "/etc/**") and not glob("/etc/ssh/sshd_config", "/etc/*")`,
	})
	register(Function{
		Func: conf.Func{
			Name: "matches_any", Signature: new(func(any, ...any) bool), Fn: anyPattern, Prepare: preparePatterns(conf.Pattern), Constant: afterFirst,
		},
		Usage:   "matches_any(text, pattern…) bool",
		Doc:     "Whether a text matches one of the regular expressions (RE2), which are constants or lists of them.",
		Example: `matches_any("GET /.env", ["^POST ", "[.]env$"])`,
	})
}

type patterns []*pattern.Pattern

// maxPatterns bounds the patterns of one argument: each is tried.
const maxPatterns = 200

func preparePatterns(compile func(string) (*pattern.Pattern, error)) func(int, any) (any, error) {
	return func(i int, constant any) (any, error) {
		if i == 0 {
			return constant, nil
		}
		texts, err := constantTexts(constant)
		if err != nil {
			return nil, err
		}
		if len(texts) > maxPatterns {
			return nil, fmt.Errorf("%d patterns, more than %d", len(texts), maxPatterns)
		}
		var out patterns
		for _, s := range texts {
			re, err := compile(s)
			if err != nil {
				return nil, fmt.Errorf("pattern %q: %w", s, err)
			}
			out = append(out, re)
		}
		return out, nil
	}
}

func anyPattern(args ...any) (any, error) {
	s, ok := args[0].(string)
	if !ok {
		return false, nil
	}
	s = text(s)
	return slices.ContainsFunc(args[1:], func(arg any) bool {
		list, _ := arg.(patterns)
		return slices.ContainsFunc(list, func(p *pattern.Pattern) bool { return p.MatchString(s) })
	}), nil
}

// globPattern is the regular expression of a glob.
func globPattern(glob string) (*pattern.Pattern, error) {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	braces := 0
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case strings.HasPrefix(glob[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '\\' && i+1 < len(glob):
			i++
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		case c == '{':
			braces++
			b.WriteString("(?:")
		case c == '}' && braces > 0:
			braces--
			b.WriteString(")")
		case c == ',' && braces > 0:
			b.WriteString("|")
		case c == '[':
			n := strings.IndexByte(glob[i+1:], ']')
			if n < 1 {
				return nil, fmt.Errorf("[ is not closed by ]")
			}
			b.WriteString(class(glob[i+1 : i+1+n]))
			i += n + 1
		case c < 0x80:
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		default:
			b.WriteByte(c)
		}
	}
	if braces > 0 {
		return nil, fmt.Errorf("{ is not closed by }")
	}
	b.WriteString(`\z`)
	return conf.Pattern(b.String())
}

// class is the inside of [ ] as a regular expression has it.
func class(inside string) string {
	not := ""
	if rest, ok := strings.CutPrefix(inside, "!"); ok {
		not, inside = "^", rest
	}
	return "[" + not + strings.NewReplacer(`\`, `\\`, `[`, `\[`, `^`, `\^`).Replace(inside) + "]"
}
