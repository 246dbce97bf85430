package detect

import "github.com/firebreak-io/firebreak/internal/event"

// What the types of a spec take, for its JSON Schema ([conf.Schema]).

// Values are those of a severity.
func (level) Values() []string {
	var out []string
	for _, s := range event.Severities() {
		out = append(out, string(s))
	}
	return out
}

// Values are the sources of events.
func (source) Values() []string {
	return []string{string(event.SourceFalco), string(event.SourceAudit), string(event.SourceLog), string(event.SourceControl)}
}

// Values are the classes of events.
func (class) Values() []string { return event.Classes() }

// Values are the types of windows.
func (windowType) Values() []string { return []string{"sliding", "tumbling"} }

// Values are the orders of sequences.
func (order) Values() []string { return []string{"strict", "any"} }

// Values are the modes of playbooks.
func (mode) Values() []string {
	return []string{string(event.ModeObserve), string(event.ModeAsk), string(event.ModeAct)}
}

// Pattern is that of an id of ATT&CK.
func (technique) Pattern() string { return techniqueID.String() }

// Pattern is that of a date or a time.
func (Until) Pattern() string {
	return `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2}))?$`
}

// Values are when anchors may begin to stand still.
func (anchoring) Values() []string { return []string{anchorWarm, anchorFull, anchorApproved} }
