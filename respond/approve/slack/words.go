package slack

import (
	"fmt"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// short is the beginning of an id, enough to name it.
func short(id string) string { return Text(id[:min(len(id), 8)], 8) }

// clock is a time of day; Slack's own dates are markup, which is never sent.
func clock(t time.Time) string { return t.UTC().Format("15:04 UTC") }

// object names an object for people.
func object(r event.Ref) string {
	if s := r.String(); s != "" {
		return Text(s, 200)
	}
	return "no object of the cluster"
}

// detectors names the rules and models of an incident.
func detectors(in event.Incident) string {
	if len(in.Rules) == 0 {
		return "a finding"
	}
	names := make([]string, 0, 3)
	for _, r := range in.Rules[:min(len(in.Rules), 3)] {
		names = append(names, Text(r, 63))
	}
	if more := len(in.Rules) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// states are what is said of the states of a run.
var states = map[event.RunState]string{
	event.RunGuarding: "is being planned", event.RunAwaiting: "waits for approval", event.RunRunning: "is at work",
	event.RunHolding: "holds", event.RunReverting: "is being undone", event.RunObserved: "was only planned (mode observe)",
	event.RunClosed: "is over", event.RunDenied: "was denied", event.RunExpired: "got no answer in time",
	event.RunFailed: "failed", event.RunNeedsHuman: "needs somebody to look",
}

func state(s event.RunState) string {
	if text, ok := states[s]; ok {
		return text
	}
	return Text(string(s), 40)
}

// feature is why a model found something, in words.
func feature(f event.Feature) string {
	text := Text(f.Name, 63)
	switch {
	case f.Text != "":
		text += " is " + Text(f.Text, 120)
	case f.Value != nil:
		text += fmt.Sprintf(" is %.4g", *f.Value)
	}
	if f.Direction != "" {
		text += ", " + Text(f.Direction, 20)
	}
	switch {
	case f.Usual != "" && f.Peers:
		text += "; usual of its peers is " + Text(f.Usual, 120)
	case f.Usual != "":
		text += "; usual is " + Text(f.Usual, 120)
	case f.Low != nil && f.High != nil:
		text += fmt.Sprintf("; usual is %.4g to %.4g", *f.Low, *f.High)
	}
	return text
}
