package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// diffLine is one thing that a write changes: Sign is + or -, and Word says the
// same for who does not see colours or signs.
type diffLine struct{ Sign, Word, Text string }

// The bounds of a diff; the whole body stands beside it.
const (
	maxDiff  = 200
	maxDepth = 32
)

// diff says what a write changes, a line each: of a merge patch
// (https://www.rfc-editor.org/rfc/rfc7386) null takes away, all else is set.
func diff(w event.Write) []diffLine {
	if w.Verb == "delete" {
		return []diffLine{{"-", "removed", "the whole object"}}
	}
	var body any
	if json.Unmarshal(w.Body, &body) != nil {
		return nil
	}
	var out []diffLine
	flatten(&out, nil, body, 0)
	if len(out) > maxDiff {
		out = append(out[:maxDiff:maxDiff], diffLine{"", "", fmt.Sprintf("and %d more", len(out)-maxDiff)})
	}
	return out
}

func flatten(out *[]diffLine, path []string, v any, depth int) {
	name := strings.Join(path, " › ")
	switch v := v.(type) {
	case nil:
		*out = append(*out, diffLine{"-", "removed", line(name, 300)})
		return
	case map[string]any:
		if len(v) > 0 && depth < maxDepth {
			for _, key := range slices.Sorted(maps.Keys(v)) {
				flatten(out, append(slices.Clone(path), key), v[key], depth+1)
			}
			return
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		text = []byte("…")
	}
	*out = append(*out, diffLine{"+", "set", line(name+" = "+string(text), maxLine)})
}
