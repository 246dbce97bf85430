package logline

import (
	"runtime"
	"strings"
	"testing"
)

// TestLinear reads hostile lines of 64 and of 256 KiB with every parser: four
// times the text may take four times the memory, and a bit.
func TestLinear(t *testing.T) {
	access := `203.0.113.66 - - [10/Oct/2023:13:55:36 +0000] "GET /`
	for _, c := range []struct{ name, before, again string }{
		{"quotes", "", `"`}, {"pairs", "", "a=b "}, {"quoted pairs", "level=x ", `a="b\"" `}, {"backslashes", access, `\`}, {"escapes", access, `\x22`}, {"bad escapes", access, `\xZZ`},
		{"quotes in a request", access, `" `}, {"answers", access, `" 200 5 `}, {"flags", `[2023-10-10T13:55:36Z] "`, `" 200 - `}, {"brackets", "[", "["}, {"clients", "2023/10/10 13:55:36 [error] 1#1: ", ", client: "},
		{"clients' addresses", "2023/10/10 13:55:36 [error] 1#1: ", ", client: 1.1.1.1, server: "}, {"objects", "", `{"a":`}, {"list", `{"a":[`, "1,"}, {"commas", access + `" 200 5 "-" "-" "`, "1.1.1.1,"},
		{"labels", access + `" 200 5 `, `a="`}, {"upstreams", access + `" 200 5 "-" "-" 1 0.001 [a] [] `, "1.1.1.1:1, "}, {"spaces", access, " "}, {"letters", "", "a"}, {"hashes", `1.1.1.1:1 [10/Oct/2023:13:55:36.655] a b/c 0/0/0/0/0 200 5 - - ---- 0/0/0/0/0 0/0 "`, "#2"},
		{"words", "INFO: ", "x "}, {"colons", "", ":"}, {"users", "203.0.113.66 - ", "x - "}, {"server", `203.0.113.66 - - [10/Oct/2023:13:55:36 +0000] "G" 200 5`, ` "`},
	} {
		short, long := hostile(c.before, c.again, 64<<10), hostile(c.before, c.again, 256<<10)
		for _, p := range append(Parsers(), Parser{Name: "recognition"}) {
			if a, b := spent(p, short), spent(p, long); b > 6*a+(256<<10) {
				t.Errorf("%s of %s: %d bytes for 64 KiB and %d for 256 KiB", p.Name, c.name, a, b)
			}
		}
	}
}

func hostile(before, again string, n int) string {
	return before + strings.Repeat(again, (n-len(before))/len(again))
}

// spent is how many bytes are allocated to read a text.
func spent(p Parser, text string) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p.Read(text)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
