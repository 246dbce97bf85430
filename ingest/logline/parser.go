package logline

import (
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Message is what a program wrote in one line, as far as a parser knows its
// form.
type Message struct {
	// Format is the name of the parser that knew it, or empty.
	Format string
	// Text is the human part, Level its grade as written.
	Text  string
	Level string
	// Time is the program's own, zero when there is none.
	Time time.Time
	// Class is one of the classes of events when the line is of one
	// ([event.ClassHTTP], [event.ClassLogin], …); empty is a plain line, or an
	// error by its Level.
	Class string
	// Verb is what was done, where the line says so: login, logout, query.
	Verb string
	// Outcome is of the login or of the deed that the line tells of.
	Outcome event.Outcome
	// HTTP is the request of an access log.
	HTTP event.HTTP
	// User is who, as the program names them: a claim.
	User string
	// Address is the IP address of the program's peer, without a port.
	// Forwarded is the chain that the peer claims, client first, as
	// X-Forwarded-For has it.
	Address   string
	Forwarded []string
	UserAgent string
	// Fields are what else it says: values of the types of event.Fields.
	Fields map[string]any
}

// Parser knows one form of message.
type Parser struct {
	// Name is the format's, Doc a sentence about it.
	Name string
	Doc  string
	// Parse says false when the text isn't of its form. It is pure.
	Parse func(text string) (Message, bool)
}

var parsers []Parser

func register(p Parser) { parsers = append(parsers, p) }

// Parsers is the catalogue, by name.
func Parsers() []Parser {
	return slices.SortedFunc(slices.Values(parsers), func(a, b Parser) int { return strings.Compare(a.Name, b.Name) })
}

// Recognise gives what the first parser that knows the text says, in order of
// their names. A text that none knows is a message without a format.
func Recognise(text string) Message {
	for _, p := range Parsers() {
		if m, ok := p.Parse(text); ok {
			m.Format = p.Name
			return m
		}
	}
	return Message{Text: text}
}

// IsError says whether a level, in any of the common spellings, is error or
// worse.
func IsError(level string) bool {
	switch strings.ToLower(level) {
	case "error", "err", "e", "fatal", "f", "critical", "crit", "panic", "alert", "emerg", "emergency", "severe":
		return true
	}
	return false
}
