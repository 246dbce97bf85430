package ingest

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TagText marks an event that was made of a line of text. It names no rule and
// no fields: what Falco says with json_output off.
const TagText = "firebreak:text"

// A line of Falco's text output: a time of day or a whole one, the priority,
// the message.
var textAlert = regexp.MustCompile(`^(\d\d:\d\d:\d\d\.\d{1,9}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)): (Emergency|Alert|Critical|Error|Warning|Notice|Informational|Debug) (.*)$`)

// What Falco says of itself: a date before it, or the counts at its end.
var textTalk = regexp.MustCompile(`^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d \d{4}: ` +
	`|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,16}: |Events detected: \d|Rule counts by severity:|Triggered rules by rule name:|Syscall event drop monitoring:|- event drop detected|- num times actions|Falco version: |(?:EMERGENCY|ALERT|CRITICAL|ERROR|WARNING|NOTICE|INFO|DEBUG): \d)`)

var errFalcoTalk = errors.New("what Falco says of itself: not a Falco alert")

// falcoText takes a plain-text line of Falco. An alert becomes an event with
// what it has: time, priority and message. It names neither rule nor fields,
// so that only rules over priorities and messages can see it; json_output
// gives all.
func falcoText(line []byte, o Origin) (skip int, f *found) {
	if len(line) < 8 {
		return 0, nil
	}
	m := textAlert.FindSubmatch(line)
	if m == nil {
		if textTalk.Match(line) {
			return 0, &found{err: errFalcoTalk, raw: line}
		}
		return 0, nil
	}
	message := strings.ToValidUTF8(string(bytes.TrimSpace(line)), "\ufffd")
	e := event.Event{
		ID: event.HashID(string(event.SourceFalco), "text", string(line)), Source: event.SourceFalco, Class: event.ClassSyscall,
		From: o.From, Cluster: o.Cluster, Trust: event.TrustText, Message: message, Fields: event.Fields{}, Tags: []string{TagText},
	}
	e.Priority, e.Severity = falcoGrade(string(m[2]))
	t, ok := parseTime(string(m[1]))
	if !ok {
		t, ok = clockTime(string(m[1]), o.Received)
	}
	if !ok {
		e.Tags = append(e.Tags, TagTime)
	}
	stamp(&e, t, o)
	finish(&e)
	return 0, &found{event: e, raw: line}
}

// clockTime reads a time of day without a date, which Falco writes by the local
// clock. It is believed where, by UTC, it is just now; else the clock is
// another, and when the line came is a better answer.
func clockTime(text string, received time.Time) (time.Time, bool) {
	t, err := time.Parse("15:04:05.999999999", text)
	if err != nil || received.IsZero() {
		return time.Time{}, false
	}
	now := received.UTC()
	t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	switch gap := t.Sub(now); {
	case gap > 12*time.Hour:
		t = t.AddDate(0, 0, -1)
	case gap < -12*time.Hour:
		t = t.AddDate(0, 0, 1)
	}
	if gap := now.Sub(t); gap > 10*time.Minute || gap < -time.Minute {
		return time.Time{}, false
	}
	return t, true
}
