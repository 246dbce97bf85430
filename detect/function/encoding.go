package function

import (
	"encoding/base64"
	"math"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	register(Function{
		Func:    conf.Func{Name: "base64_decode", Signature: new(func(any) string), Fn: base64Decode},
		Usage:   "base64_decode(text) text",
		Doc:     "What a text is the Base64 of, in the standard or the URL alphabet, with or without padding and line breaks; empty when it is none. At most 64 KiB of it are read.",
		Example: `base64_decode("Y3VybCBodHRw") == "curl http"`,
	})
	register(Function{
		Func:    conf.Func{Name: "entropy", Signature: new(func(any) float64), Fn: entropy},
		Usage:   "entropy(text) number",
		Doc:     "Shannon's entropy of a text in bits a byte, 0 to 8. English has about 4, random Base64 near 6. Short texts have little, whatever they are.",
		Example: `entropy("aaaa") == 0 and entropy("abcd") == 2`,
	})
}

func base64Decode(args ...any) (any, error) {
	s := strings.TrimRight(strings.NewReplacer("\n", "", "\r", "", " ", "", "\t", "", "-", "+", "_", "/").Replace(text(args[0])), "=")
	if len(s) >= maxText/4*4-4 {
		s = s[:len(s)/4*4] // cut
	}
	plain, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return "", nil
	}
	return string(plain), nil
}

func entropy(args ...any) (any, error) {
	s := text(args[0])
	var counts [256]int
	for i := range len(s) {
		counts[s[i]]++
	}
	bits := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(s))
			bits -= p * math.Log2(p)
		}
	}
	return bits, nil
}
