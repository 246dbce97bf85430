// Package stack knows the stack traces of programming languages as they are
// printed, over several lines: Java and its kin, .NET, Python, Go, Node.js,
// Ruby, PHP and Rust, and lines that are indented below another.
//
// It looks at one line at a time, in linear time, and keeps no text.
package stack

import "bytes"

// Trace is what began with a line. It is not safe for concurrent use.
type Trace struct {
	form  form
	state state
	blank bool // the last line was blank
	grown bool // there is more than the first line
}

type form int

const (
	formNone form = iota // a plain line
	formException
	formPython
	formGo
	formNode
	formPHP
	formRust
)

type state int

const (
	stateHeader state = iota
	stateFrames
	stateDone
	stateChain
)

// Begin looks at a line that continues nothing. Likely says that it is of the
// kind that has more lines: it is worth waiting for them.
func Begin(text []byte) (t Trace, likely bool) {
	if len(text) == 0 || text[0] == '{' {
		return Trace{}, false
	}
	if indented(text) {
		return Trace{grown: true}, true
	}
	for _, h := range headers {
		if h.is(text) {
			return Trace{form: h.form}, true
		}
	}
	return Trace{}, false
}

var headers = []struct {
	form form
	is   func(text []byte) bool
}{
	{formPython, func(s []byte) bool { return bytes.HasSuffix(s, []byte("Traceback (most recent call last):")) }},
	{formGo, func(s []byte) bool {
		return hasPrefix(s, "panic: ", "fatal error: ", "SIGSEGV: ", "unexpected fault address ") || goroutine(s)
	}},
	{formRust, func(s []byte) bool {
		return bytes.HasPrefix(s, []byte("thread '")) && bytes.Contains(s, []byte("' panicked at"))
	}},
	{formNode, func(s []byte) bool {
		at := bytes.LastIndexByte(s, ':')
		return at > 0 && digits(s[at+1:]) && hasSuffix(s[:at], ".js", ".mjs", ".cjs", ".ts")
	}},
	{formPHP, func(s []byte) bool {
		return bytes.Contains(s, []byte("PHP Fatal error:")) || bytes.Contains(s, []byte("PHP message: "))
	}},
	{formException, func(s []byte) bool { return bytes.Contains(s, []byte(".rb:")) && bytes.Contains(s, []byte(":in ")) }},
	{formException, exception},
}

// Takes says whether the next line belongs to the trace.
func (t *Trace) Takes(text []byte) bool {
	takes := t.takes(text)
	t.blank = takes && len(text) == 0
	t.grown = t.grown || takes
	return takes
}

func (t *Trace) takes(text []byte) bool {
	if len(text) == 0 {
		return !t.blank && (t.form == formPython || t.form == formGo || t.form == formNode)
	}
	if text[0] == '{' {
		return false
	}
	if indented(text) {
		if t.form == formPython && t.state != stateDone || t.form == formNode {
			t.state = stateFrames
		}
		return true
	}
	switch t.form {
	case formPython:
		return t.python(text)
	case formGo:
		return goLine(text)
	case formNode:
		return t.node(text)
	case formPHP:
		return hasPrefix(text, "Stack trace:", "PHP Stack trace:", "#", "thrown in ") || bytes.HasPrefix(text, []byte("PHP ")) && indented(text[3:])
	case formRust:
		// Newer compilers print the message in a line of its own.
		first := !t.grown
		return first || hasPrefix(text, "stack backtrace:", "note: ")
	case formException:
		return frame(text) || t.grown && hasPrefix(text, "}", "Node.js v")
	}
	return t.grown && frame(text)
}

// frame is a line of Java, .NET or Node.js that some print without the
// indentation.
func frame(text []byte) bool {
	return hasPrefix(text, "at ", "Caused by: ", "Suppressed: ", "Wrapped by: ", "... ", "--- End of ", "---> ", "[cause]: ", "Stack trace:", "from ")
}

// python: frames are indented, then comes the exception; another traceback may
// follow in its course.
func (t *Trace) python(text []byte) bool {
	chain := hasPrefix(text, "During handling of the above exception", "The above exception was the direct cause")
	header := bytes.HasPrefix(text, []byte("Traceback (most recent call last):"))
	switch {
	case chain:
		t.state = stateChain
		return true
	case t.state == stateChain && header:
		t.state = stateFrames
		return true
	case t.state == stateFrames && !header:
		t.state = stateDone
		return word(text) > 0
	}
	return false
}

// node: the place, the source line with a mark below it, a blank line, and
// then the error.
func (t *Trace) node(text []byte) bool {
	if !t.grown || len(bytes.Trim(text, "^")) == 0 {
		return true
	}
	return exception(text) || hasPrefix(text, "}", "Node.js v", "[cause]: ")
}

// goLine is a line of a Go panic that is not indented.
func goLine(text []byte) bool {
	if hasPrefix(text, "goroutine ", "created by ", "[signal ", "[recovered", "exit status ", "runtime", "main.", "...additional frames elided", "...") {
		return true
	}
	// A function with its arguments, or a register with its value.
	open := bytes.IndexByte(text, '(')
	if open > 0 && text[len(text)-1] == ')' && bytes.IndexByte(text[:open], ' ') < 0 {
		return true
	}
	return len(text) < 40 && bytes.Contains(text, []byte(" 0x"))
}

func goroutine(text []byte) bool {
	return bytes.HasPrefix(text, []byte("goroutine ")) && bytes.HasSuffix(text, []byte("]:"))
}

// exception finds the name of an exception: a word that ends in Exception,
// Error or Throwable, at the end of the line or before a colon or a message.
func exception(text []byte) bool {
	for _, name := range [][]byte{[]byte("Exception"), []byte("Error"), []byte("Throwable")} {
		rest := text
		for {
			at := bytes.Index(rest, name)
			if at < 0 {
				break
			}
			rest = rest[at+len(name):]
			if len(rest) == 0 || rest[0] == ':' || bytes.HasPrefix(rest, []byte(" in thread ")) || bytes.HasPrefix(rest, []byte(" [")) {
				return true
			}
		}
	}
	return bytes.HasPrefix(text, []byte("Unhandled exception"))
}

// word is how many bytes a dotted name has that the line begins with, before a
// colon or the end; 0 when it begins with something else.
func word(text []byte) int {
	for i, c := range text {
		switch {
		case c == ':':
			return i
		case c == '_' || c == '.' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80:
		default:
			return 0
		}
	}
	return len(text)
}

func indented(text []byte) bool { return text[0] == ' ' || text[0] == '\t' }

func digits(text []byte) bool { return len(text) > 0 && len(bytes.Trim(text, "0123456789")) == 0 }

func hasPrefix(text []byte, prefixes ...string) bool {
	for _, p := range prefixes {
		if len(text) >= len(p) && string(text[:len(p)]) == p {
			return true
		}
	}
	return false
}

func hasSuffix(text []byte, suffixes ...string) bool {
	for _, s := range suffixes {
		if len(text) >= len(s) && string(text[len(text)-len(s):]) == s {
			return true
		}
	}
	return false
}
