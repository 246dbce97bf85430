package function

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	for _, f := range []struct {
		name, doc, example string
		test               func(s, part string) bool
	}{
		{"contains_any", "Whether a text has one of the parts in it.", `contains_any("curl http://a/x", ["wget ", "curl "])`, strings.Contains},
		{"starts_with_any", "Whether a text begins with one of the parts.", `starts_with_any("system:node:n1", "system:node:", "eks:")`, strings.HasPrefix},
		{"ends_with_any", "Whether a text ends with one of the parts.", `ends_with_any("/srv/dump.sql", [".sql", ".bak"])`, strings.HasSuffix},
	} {
		register(Function{
			Func: conf.Func{
				Name: f.name, Signature: new(func(any, ...any) bool), Fn: anyPart(f.test), Prepare: prepareParts, Constant: afterFirst,
			},
			Usage: f.name + "(text, part…) bool", Doc: f.doc + " The parts are constants or lists of them.", Example: f.example,
		})
	}
	register(Function{
		Func:  conf.Func{Name: "url_decode", Signature: new(func(any) string), Fn: urlDecode},
		Usage: "url_decode(text) text",
		Doc: "A text with its percent-encoding taken away, twice if it is there twice, and + read as a space in what follows a ?. " +
			"What is not encoded rightly stays as it is.",
		Example: `url_decode("/a%252e%252e/b?q=x+y") == "/a../b?q=x y"`,
	})
}

// parts are the constants of one argument.
type parts []string

// maxParts bounds the parts of one argument: each is tried.
const maxParts = 1000

func prepareParts(i int, constant any) (any, error) {
	if i == 0 {
		return constant, nil
	}
	texts, err := constantTexts(constant)
	if err != nil {
		return nil, err
	}
	if len(texts) > maxParts {
		return nil, fmt.Errorf("%d parts, more than %d", len(texts), maxParts)
	}
	return parts(texts), nil
}

func anyPart(test func(s, part string) bool) func(...any) (any, error) {
	return func(args ...any) (any, error) {
		s, ok := args[0].(string)
		if !ok {
			return false, nil
		}
		return slices.ContainsFunc(args[1:], func(arg any) bool {
			list, _ := arg.(parts)
			return slices.ContainsFunc(list, func(part string) bool { return test(s, part) })
		}), nil
	}
}

func urlDecode(args ...any) (any, error) {
	s := text(args[0])
	if path, query, ok := strings.Cut(s, "?"); ok {
		s = path + "?" + strings.ReplaceAll(query, "+", " ")
	}
	for range 2 {
		s = percentDecode(s)
	}
	return s, nil
}

func percentDecode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if plain, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(plain)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
