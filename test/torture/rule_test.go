//go:build linux

package torture

import (
	"fmt"
	"strings"
)

// The severities of the rules: by them the tests count findings.
const (
	sampled = "low"      // one event of a hundred
	final   = "critical" // the last event of a sender or log
	every   = "info"     // all others, for the witness
)

// rules is a rule file that finds one event of a hundred, and the last one of each sender; all of them if
// whole is set. No event is matched by two rules.
func rules(whole bool) string {
	var b strings.Builder
	for source, field := range map[string]string{"falco": "message", "audit": "object.name", "log": "message"} {
		end := fmt.Sprintf(`%s endsWith "-end"`, field)
		hundredth := fmt.Sprintf(`%s endsWith "00"`, field)
		writeRule(&b, source+"-final", source, final, end, field)
		writeRule(&b, source+"-sampled", source, sampled, hundredth, field)
		if whole {
			writeRule(&b, source+"-every", source, every, fmt.Sprintf("not (%s) and not (%s)", end, hundredth), field)
		}
	}
	return b.String()
}

func writeRule(b *strings.Builder, name, source, severity, when, field string) {
	fmt.Fprintf(b, `---
apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: %s}
spec:
  title: A marker of the torture tests
  severity: %s
  source: %s
  when: '%s'
  message: "${%s}"
`, name, severity, source, when, field)
}
