// Package journal says in words what happened to a run, for people: what moved
// from one record to the next, one line each. All text that others wrote is
// tamed and made one line. Where it goes it may have to be escaped still.
package journal

import (
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// Moves says in words what changed between two records of a run. The zero
// Run stands for the time before the first.
func Moves(before, after event.Run) []string {
	var lines []string
	switch {
	case before.ID != "":
	case after.Adopted:
		lines = append(lines, fmt.Sprintf("its record was lost: it goes on by what %s says", clean(after.Target.String(), 200)))
	default:
		lines = append(lines, fmt.Sprintf("begun: playbook %s for %s on %s", clean(after.Playbook, 63),
			clean(after.Finding.Rule+after.Finding.Model, 63), clean(after.Target.String(), 200)))
	}
	if a := after.Approval; a != nil {
		lines = append(lines, votes(before.Approval, *a)...)
	}
	for _, s := range after.Said[min(len(before.Said), len(after.Said)):] {
		lines = append(lines, Saying(s))
	}
	for i, s := range after.Steps {
		var old event.Step
		if i < len(before.Steps) {
			old = before.Steps[i]
		}
		if line := stepMove(old, s); line != "" {
			lines = append(lines, line)
		}
	}
	if before.State != after.State && before.ID != "" {
		line := fmt.Sprintf("run is %s", word(after.State))
		if after.Reason != "" {
			line += ": " + clean(after.Reason, 300)
		}
		lines = append(lines, line)
	}
	return lines
}

func votes(before *event.Approval, a event.Approval) []string {
	known := 0
	if before != nil && before.ID == a.ID {
		known = min(len(before.Votes), len(a.Votes))
	}
	var lines []string
	for _, v := range a.Votes[known:] {
		answer := "denies"
		if v.Approve {
			answer = "approves"
		}
		if v.BreakGlass {
			answer = "BREAKS THE GLASS for"
		}
		line := fmt.Sprintf("%s %s plan %s", clean(v.User, 120), answer, short(v.Digest))
		if v.Reason != "" {
			line += ": " + clean(v.Reason, 300)
		}
		if v.Refused != "" {
			line += " (does not count: " + clean(v.Refused, 200) + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

// Saying says what somebody asked of a run, and why.
func Saying(s event.Saying) string {
	line := clean(s.User, 120)
	switch s.Kind {
	case event.InputUndo:
		line += " has it undone"
		if s.AtEnd != "" && s.AtEnd != event.AtEndRestore {
			line += " by " + word(s.AtEnd)
		}
		if s.Over {
			line += ", leaving what others changed"
		}
	case event.InputExtend:
		line += " lets it hold until " + s.Until.UTC().Format("2006-01-02 15:04:05")
	case event.InputKeep:
		line += " keeps it until somebody has it undone"
	case event.InputRefused:
		return line + ", who is locked out, tried to decide, and is refused: " + clean(s.Reason, 300)
	default:
		line += " says " + word(s.Kind)
	}
	if s.Reason != "" {
		line += ": " + clean(s.Reason, 300)
	}
	return line
}

func stepMove(old, s event.Step) string {
	name := clean(s.Name, 63)
	switch {
	case s.Differs != "" && old.Differs != s.Differs && old.State == event.StepReverting:
		return fmt.Sprintf("%s is not undone, people are asked: %s", name, clean(s.Differs, 300))
	case s.Differs != "" && old.Differs != s.Differs:
		return fmt.Sprintf("%s is left as it is, people are asked: %s", name, clean(s.Differs, 300))
	case s.EndAsked && !old.EndAsked && s.Differs == "":
		return fmt.Sprintf("%s: the hold's time is up, people are asked", name)
	case old.State == s.State && old.Error == s.Error:
		return ""
	}
	switch s.State {
	case event.StepPending:
		return ""
	case event.StepPlanned:
		if s.Error != "" {
			return fmt.Sprintf("%s waits: %s", name, clean(s.Error, 300))
		}
		if s.Plan != nil && old.State == event.StepPending {
			return fmt.Sprintf("%s planned: %s", name, clean(s.Plan.Summary, 300))
		}
		return ""
	case event.StepIntent:
		return fmt.Sprintf("%s begins (attempt %d, plan %s)", name, s.Attempts, short(s.Digest))
	case event.StepDone:
		if s.Receipt != nil {
			return fmt.Sprintf("%s done: %s", name, word(s.Receipt.Result))
		}
	case event.StepReverted:
		if s.Undo != nil {
			return fmt.Sprintf("%s: %s", name, word(s.Undo.Result))
		}
	}
	line := fmt.Sprintf("%s is %s", name, word(s.State))
	if s.Error != "" {
		line += ": " + clean(s.Error, 300)
	}
	return line
}

// clean makes one line of text of others, at most n bytes.
func clean(s string, n int) string {
	return strings.Join(strings.Fields(telemetry.Tame(s, n)), " ")
}

// short is the beginning of an id, enough to name it.
func short(id string) string { return clean(id[:min(len(id), 12)], 12) }

// word is a name of a closed set.
func word[T ~string](s T) string { return clean(string(s), 40) }
