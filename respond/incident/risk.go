package incident

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// What a risk is made of, in points of a hundred.
var (
	severityPoints   = map[event.Severity]int{event.SeverityInfo: 10, event.SeverityLow: 25, event.SeverityMedium: 45, event.SeverityHigh: 65, event.SeverityCritical: 80}
	importancePoints = map[event.Importance]int{event.ImportanceLow: -15, event.ImportanceHigh: 8, event.ImportanceCritical: 15}
	levels           = map[string]int{"low": 1, "medium": 2, "high": 3}
	// matrixPoints are for likelihood times impact.
	matrixPoints = map[int]int{1: -10, 2: -5, 3: -5, 4: 0, 6: 5, 9: 10}
	// trustPoints are how sure a rule's finding is, by the trust of its events.
	trustPoints = map[event.Trust]int{event.TrustText: 35, event.TrustName: 60, event.TrustRuntime: 80, event.TrustAudit: 90}
)

const (
	// rare is the p from which a model's finding counts in full.
	rare = 0.001
	// anomalyPoints is what a model's score of 1 adds, half of it if it is not
	// rare.
	anomalyPoints = 10
	// agreePoints is what each further rule adds, up to agreeMost.
	agreePoints, agreeMost = 2, 8
	maxThreats             = 16
	maxEvidence            = 16
)

// weigh takes a finding into what the risk and the confidence are made of.
func weigh(in event.Incident, f event.Finding, importance event.Importance) event.Incident {
	if f.Severity.Rank() > in.Severity.Rank() {
		in.Severity = f.Severity
	}
	in.Likelihood, in.Impact = higher(in.Likelihood, f.Likelihood), higher(in.Impact, f.Impact)
	if in.Importance == "" || importance.Rank() > in.Importance.Rank() {
		in.Importance = importance
	}
	if f.Threat != "" && len(in.Threats) < maxThreats && !slices.Contains(in.Threats, f.Threat) {
		in.Threats = append(slices.Clone(in.Threats), f.Threat)
	}
	if f.Model != "" {
		modelled := slices.ContainsFunc(in.Evidence, func(e event.Evidence) bool { return strings.HasPrefix(e.From, "model ") })
		in.Score = max(in.Score, f.Score)
		if !modelled || f.P < in.P {
			in.P = f.P
		}
	}
	in.Evidence = evidence(in.Evidence, f)
	return in
}

func higher(a, b string) string {
	if levels[b] > levels[a] {
		return b
	}
	return a
}

// evidence keeps the best of each observer: ten findings of one sensor are not
// ten witnesses.
func evidence(list []event.Evidence, f event.Finding) []event.Evidence {
	e := event.Evidence{From: string(f.Source) + " rules", Confidence: trustPoints[f.Trust]}
	if f.Model != "" {
		e = event.Evidence{From: "model " + f.Model, Confidence: 40 + int(math.Round(30*min(max(f.Score, 0), 1)))}
	}
	list = slices.Clone(list)
	at := slices.IndexFunc(list, func(x event.Evidence) bool { return x.From == e.From })
	switch {
	case at >= 0:
		list[at].Confidence = max(list[at].Confidence, e.Confidence)
	case len(list) < maxEvidence:
		list = append(list, e)
	}
	return list
}

// assess sets the risk, the confidence and the priority of an incident, and
// says why. It depends on nothing but the incident.
func assess(in event.Incident) event.Incident {
	points := severityPoints[in.Severity]
	why := []string{fmt.Sprintf("severity %s: %d", in.Severity, points)}
	add := func(n int, format string, args ...any) {
		if n != 0 {
			points += n
			why = append(why, fmt.Sprintf(format, args...)+fmt.Sprintf(": %+d", n))
		}
	}
	if l, i := levels[in.Likelihood], levels[in.Impact]; l*i > 0 {
		add(matrixPoints[l*i], "likelihood %s and impact %s", in.Likelihood, in.Impact)
	}
	if in.Score > 0 {
		most := float64(anomalyPoints)
		if in.P > rare {
			most /= 2
		}
		add(int(math.Round(most*min(in.Score, 1))), "anomaly score %.2f (p %.2g)", in.Score, in.P)
	}
	add(importancePoints[in.Importance], "importance %s", in.Importance)
	if n := len(in.Rules); n > 1 {
		add(min(agreePoints*(n-1), agreeMost), "%d rules and models agree", n)
	}
	in.Risk = min(max(points, 0), 100)
	var sure string
	in.Confidence, sure = confidence(in)
	in.Why = append(why, sure)
	in.Priority = priority(in.Risk, in.Confidence)
	return in
}

// confidence is how sure the observers are together, were they independent of
// one another; what people say counts more.
func confidence(in event.Incident) (int, string) {
	switch in.Verdict {
	case "true":
		return 100, "confidence 100: " + in.VerdictBy + " says that it is right"
	case "false":
		return 0, "confidence 0: " + in.VerdictBy + " says that it is a false alarm"
	}
	wrong, from := 1.0, make([]string, 0, len(in.Evidence))
	for _, e := range in.Evidence {
		wrong *= 1 - float64(e.Confidence)/100
		from = append(from, fmt.Sprintf("%s %d", e.From, e.Confidence))
	}
	c := min(int(math.Round(100*(1-wrong))), 99)
	return c, fmt.Sprintf("confidence %d: %s", c, strings.Join(from, ", "))
}

// priority is the order in which people should look: the risk, less where it
// is not sure. A critical claim of a log's text alone is of high priority.
func priority(risk, confidence int) event.Severity {
	n := float64(risk) * (0.7 + 0.3*float64(confidence)/100)
	switch {
	case n >= 70:
		return event.SeverityCritical
	case n >= 50:
		return event.SeverityHigh
	case n >= 30:
		return event.SeverityMedium
	case n >= 15:
		return event.SeverityLow
	}
	return event.SeverityInfo
}
