package logline

import "strings"

// token is one part of a line of words, quoted texts and bracketed ones.
type token struct {
	text string
	kind byte // 'w', '"' or '['
}

// maxTokens is how many parts of a line are looked at.
const maxTokens = 48

// tokens splits a line at its spaces, in one pass. Within quotes a backslash
// takes the next byte with it.
func tokens(s string) []token {
	var list []token
	for len(list) < maxTokens {
		s = strings.TrimLeft(s, " ")
		if s == "" {
			break
		}
		var t token
		t, s = nextToken(s)
		list = append(list, t)
	}
	return list
}

func nextToken(s string) (token, string) {
	switch s[0] {
	case '"':
		if inner, rest, ok := quoted(s); ok {
			return token{inner, '"'}, rest
		}
		return token{s, 'w'}, ""
	case '[':
		if i := strings.IndexByte(s, ']'); i > 0 {
			return token{s[1:i], '['}, s[i+1:]
		}
		return token{s, 'w'}, ""
	}
	w, rest, _ := strings.Cut(s, " ")
	if i := strings.Index(w, `="`); i > 0 {
		// A label with a quoted text is one token.
		if inner, after, ok := quoted(s[i+1:]); ok {
			return token{s[:i+1] + inner, 'w'}, after
		}
	}
	return token{w, 'w'}, rest
}

// quoted reads a text that begins with a quote up to the next one that no
// backslash escapes.
func quoted(s string) (inner, rest string, ok bool) { return quotedRest(s[1:]) }

// quotedRest is quoted behind the opening quote.
func quotedRest(s string) (inner, rest string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}

// word cuts the first word off.
func word(s string) (first, rest string) {
	first, rest, _ = strings.Cut(s, " ")
	return first, rest
}

// lastWord cuts the last word off.
func lastWord(s string) (rest, last string) {
	i := strings.LastIndexByte(s, ' ')
	return s[:max(i, 0)], s[i+1:]
}
