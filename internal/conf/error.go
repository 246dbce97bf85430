package conf

import (
	"errors"
	"fmt"
	"strings"
)

// Error is one problem of a file, at a place in it. Line and Column count from
// 1, Column in characters; both are 0 when the problem has no place.
type Error struct {
	File   string
	Line   int
	Column int
	Msg    string
	// Snippet is the line with a caret under the place; it may be empty.
	Snippet string
}

// Error is `file:line:column: message`, and the snippet below it.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File + ":")
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", e.Line, e.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	b.WriteString(e.Msg)
	if e.Snippet != "" {
		b.WriteString("\n" + e.Snippet)
	}
	return b.String()
}

// Problems lists the [*Error] that err is made of, in order. An error of
// another type becomes one without a place. It is nil for nil.
func Problems(err error) []*Error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Error
		for _, e := range joined.Unwrap() {
			all = append(all, Problems(e)...)
		}
		return all
	}
	var e *Error
	if errors.As(err, &e) {
		return []*Error{e}
	}
	return []*Error{{Msg: err.Error()}}
}

// joinErrors is nil for none.
func joinErrors(all []*Error) error {
	errs := make([]error, len(all))
	for i, e := range all {
		errs[i] = e
	}
	return errors.Join(errs...)
}
