package event

import "strings"

// MaxNote is how many bytes of a note are kept: the text of a moment, why a run
// stopped, what went wrong with a step.
const MaxNote = 300

// Shorten keeps about so many bytes of a text, whole characters, and ends what it
// cut with an ellipsis. A text that is short enough it leaves as it is.
func Shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
