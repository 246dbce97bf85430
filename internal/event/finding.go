package event

import "time"

// Finding is a detector's claim about events. It is immutable.
type Finding struct {
	ID string `json:"id" expr:"id"`
	// Rule names the rule, or Model the model; one of them is empty.
	Rule  string `json:"rule,omitempty" expr:"rule"`
	Model string `json:"model,omitempty" expr:"model"`
	// Version is the digest of the rule's or model's text.
	Version  string   `json:"version,omitempty" expr:"version"`
	Title    string   `json:"title" expr:"title"`
	Severity Severity `json:"severity" expr:"severity"`
	// Score is 0 to 1; a rule's is 1.
	Score float64 `json:"score" expr:"score"`
	// P is the share of a model's recent scores that are as high; a rule's is 0.
	P           float64 `json:"p,omitempty" expr:"p"`
	Explanation string  `json:"explanation,omitempty" expr:"explanation"`
	// Subject is the object that the claim is about, Actor who did it.
	Subject Ref   `json:"subject,omitzero" expr:"subject"`
	Actor   Actor `json:"actor,omitzero" expr:"actor"`
	// Entity is what a model compares with its own past: the values that its
	// document names.
	Entity string `json:"entity,omitempty" expr:"entity"`
	// Features say why a model found it, the one that counts most first.
	Features []Feature `json:"features,omitempty" expr:"features"`
	// Counterfactual are the features of which it would be usual, had they
	// their usual value; all of them together.
	Counterfactual []string `json:"counterfactual,omitempty" expr:"counterfactual"`
	Attack         []string `json:"attack,omitempty" expr:"attack"`
	Source         Source   `json:"source" expr:"source"`
	// Threat is the class of the risk matrix, with Likelihood and Impact (low,
	// medium, high) where the rule says so.
	Threat     string `json:"threat,omitempty" expr:"threat"`
	Likelihood string `json:"likelihood,omitempty" expr:"likelihood"`
	Impact     string `json:"impact,omitempty" expr:"impact"`
	// Mode, if set, is the most that a playbook may do because of it.
	Mode Mode `json:"mode,omitempty" expr:"mode"`
	// Silence is the id of the silence that it matched: it is kept, and nobody
	// is disturbed by it.
	Silence string `json:"silence,omitempty" expr:"silence"`
	// Trust is the least of the events behind it.
	Trust Trust `json:"trust" expr:"trust"`
	// Events are the addresses of the events behind it, the first one first: of
	// one, of each step of a sequence, or of some in a window, the one that was
	// too much last.
	Events []Address `json:"events" expr:"events"`
	// Time and Received are those of the first event; of a window, those of the
	// one that was too much.
	Time     time.Time `json:"time" expr:"time"`
	Received time.Time `json:"received" expr:"received"`
}

// FindingCount says how often a finding came again while its rule suppressed
// it; a later one replaces it.
type FindingCount struct {
	// Finding is the id.
	Finding string `json:"finding"`
	// Count is how often it was found, with the first time.
	Count uint64 `json:"count"`
	// Last is the time of the last event.
	Last time.Time `json:"last"`
}
