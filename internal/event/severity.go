package event

import (
	"fmt"
	"strings"
)

// Severity grades events, findings and incidents. It travels as its name.
type Severity string

// The severities, from least to most.
const (
	SeverityInfo     Severity = "info"
	SeverityLow      Severity = "low"
	SeverityMedium   Severity = "medium"
	SeverityHigh     Severity = "high"
	SeverityCritical Severity = "critical"
)

// Severities lists them from least to most.
func Severities() []Severity {
	return []Severity{SeverityInfo, SeverityLow, SeverityMedium, SeverityHigh, SeverityCritical}
}

// Values are the names of all.
func (Severity) Values() []string {
	var all []string
	for _, s := range Severities() {
		all = append(all, string(s))
	}
	return all
}

// ParseSeverity accepts the five names in any case; the error lists them.
func ParseSeverity(s string) (Severity, error) {
	for _, v := range Severities() {
		if strings.EqualFold(s, string(v)) {
			return v, nil
		}
	}
	return "", fmt.Errorf("severity %q is none of info, low, medium, high, critical", s)
}

// Rank is 0 for info to 4 for critical, and -1 for anything else.
func (s Severity) Rank() int {
	for i, v := range Severities() {
		if s == v {
			return i
		}
	}
	return -1
}

// Trust says how far the identity fields of an event can be believed, T0 to
// T3. Acting without approval needs T2 or more.
type Trust int

// The tiers: text of logs; Falco without a pod UID or container id from the
// runtime; Falco with one; the API server's own audit.
const (
	TrustText Trust = iota
	TrustName
	TrustRuntime
	TrustAudit
)

// String is T0 to T3.
func (t Trust) String() string { return fmt.Sprintf("T%d", int(t)) }
