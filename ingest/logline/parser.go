package logline

import (
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Message is what a program wrote in one line, as far as a parser knows its
// form.
type Message struct {
	// Format is the name of the parser that knew it, or empty. The catalogue
	// fills it.
	Format string
	// Text is the human part, Level its grade as written.
	Text  string
	Level string
	// Time is the program's own, zero when there is none.
	Time time.Time
	// Local is what the program's clock showed, as if in UTC, for where Time is
	// zero because the zone is unknown. In the year 0 the year is unknown too.
	Local time.Time
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
	// Programs are names by which containers of the program usually go, and
	// by which it calls itself in a syslog line; Images are the ends of its
	// images' repositories, of whole segments: "nginx" is of
	// "docker.io/library/nginx:1.29" too.
	Programs []string
	Images   []string
	// Order is where it stands in recognition, the lower before the higher,
	// and by name where they are equal.
	Order Order
	// First are the bytes that a text of its form can begin with; empty is
	// any. It is what keeps a plain line cheap.
	First string
	// Parse says false when the text isn't of its form. It is pure. Nil is a
	// parser that only knows objects.
	Parse func(text string) (Message, bool)
	// Object is Parse for a text that is one JSON object, which has been
	// decoded once for all parsers: it may keep parts of it but changes
	// nothing. Where the message has no Fields they become the object's. Nil
	// is a parser that knows no objects.
	Object func(fields map[string]any) (Message, bool)
	// Guess is Parse in recognition, for a form that several products write: it
	// says in Format whose the line is. Nil is Parse. Chosen says that
	// recognition leaves the parser out, because another's Guess knows its
	// lines.
	Guess  func(text string) (Message, bool)
	Chosen bool
	// Wrapper is a parser that gives what stands behind a prefix to the
	// others, with [Within]; it is left out there.
	Wrapper bool
	// Unplaced is a parser that is asked only where no parser is chosen: one
	// that is knows the lines that its program writes of the kind, and others
	// may be of strangers' making.
	Unplaced bool
}

// Order is a parser's place in recognition.
type Order int

// The orders: what only one product writes, what several write, what nearly
// everything could be.
const (
	OrderProduct Order = 10
	OrderShape   Order = 50
	OrderGeneral Order = 90
)

// IsError says whether a level, in any of the common spellings, is error or
// worse.
func IsError(level string) bool {
	switch strings.ToLower(level) {
	case "error", "err", "e", "fatal", "f", "critical", "crit", "panic", "alert", "emerg", "emergency", "severe":
		return true
	}
	return false
}
