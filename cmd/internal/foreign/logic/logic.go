// Package logic reads conditions of and, or, not and parentheses, and writes
// them as expressions. What stands between those words is the caller's.
package logic

import (
	"errors"
	"fmt"
	"strings"
)

// maxNesting bounds parentheses and nots within one another.
const maxNesting = 64

// Reader reads a condition word by word. It is used once, by one goroutine.
type Reader struct {
	// Words are those of the condition; a parenthesis is one of its own.
	Words []string
	// Term writes what begins with a word, and may [Reader.Take] more. It is not
	// given and, or, not, ( and ), nor nothing.
	Term func(first string) (string, error)
	// Missing is what is said to be missing where a term should stand.
	Missing string

	depth int
}

// Read gives the expression of the words up to the first that can't go on;
// [Reader.Peek] says which that is. and binds closer than or, and not closer
// than both; they may be written in capitals.
func (r *Reader) Read() (string, error) { return r.several("or", r.and) }

// Peek is the next word; empty at the end.
func (r *Reader) Peek() string {
	if len(r.Words) == 0 {
		return ""
	}
	return r.Words[0]
}

// Take goes past the next word, and gives it; empty at the end.
func (r *Reader) Take() string {
	t := r.Peek()
	if t != "" {
		r.Words = r.Words[1:]
	}
	return t
}

// Join puts an operator between expressions, and parentheses around more than
// one.
func Join(all []string, operator string) string {
	if len(all) == 1 {
		return all[0]
	}
	return "(" + strings.Join(all, " "+operator+" ") + ")"
}

func (r *Reader) and() (string, error) { return r.several("and", r.not) }

func (r *Reader) several(word string, part func() (string, error)) (string, error) {
	var all []string
	for {
		one, err := part()
		if err != nil {
			return "", err
		}
		all = append(all, one)
		if !strings.EqualFold(r.Peek(), word) {
			return Join(all, word), nil
		}
		r.Take()
	}
}

func (r *Reader) not() (string, error) {
	if r.depth++; r.depth > maxNesting {
		return "", errors.New("nested too deep")
	}
	defer func() { r.depth-- }()
	t := r.Take()
	switch strings.ToLower(t) {
	case "not":
		inner, err := r.not()
		return "not (" + inner + ")", err
	case "(":
		inner, err := r.Read()
		if err == nil && r.Take() != ")" {
			err = errors.New("( is not closed by )")
		}
		return inner, err
	case "", ")", "and", "or":
		return "", fmt.Errorf("%s is missing before %q", r.Missing, t)
	}
	return r.Term(t)
}
