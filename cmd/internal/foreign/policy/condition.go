package policy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// condition is a policy's condition in our words.
type condition struct {
	when, words string
	notes       []string
	rule        *foreign.Document
}

var (
	token   = regexp.MustCompile(`^\s*(<=|>=|==|!=|<|>|=|\(|\)|&&|\|\||!|-?[0-9]+(?:\.[0-9]+)?|[A-Za-z_][A-Za-z0-9_]*)`)
	isName  = regexp.MustCompile(`^[A-Za-z_]`)
	compare = []string{"<", "<=", ">", ">=", "==", "!=", "="}
)

// features are the numbers that the models know, beside the score.
var features = []string{"request_rate", "error_rate", "response_time", "unique_ips", "failed_auths"}

// detected are the flags of the format, by the rules that find the same.
func detected() map[string][]string {
	return map[string][]string{
		"container_escape_detected":     {"container-escape"},
		"escape_detected":               {"container-escape"},
		"reverse_shell_detected":        {"reverse-shell"},
		"shell_detected":                {"container-shell"},
		"crypto_miner_detected":         {"crypto-miner"},
		"cryptomining_detected":         {"crypto-miner"},
		"malware_detected":              {"drop-and-execute", "malicious-connection", "crypto-miner"},
		"privilege_escalation_detected": {"privileged-pod", "container-escape"},
	}
}

const maxTokens = 200

// readCondition reads numbers that are compared and flags, with and, or, not
// and parentheses.
func readCondition(at conf.Value) (condition, error) {
	var c condition
	text := at.Text()
	var words []string
	for rest := strings.TrimSpace(text); rest != ""; {
		m := token.FindStringSubmatch(rest)
		if m == nil || len(words) > maxTokens {
			return c, at.Errorf("can't read the condition at %.20q", rest)
		}
		words = append(words, m[1])
		rest = strings.TrimSpace(rest[len(m[0]):])
	}
	var out []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch lower := strings.ToLower(w); {
		case slices.Contains([]string{"and", "or", "not", "(", ")", "&&", "||", "!"}, lower):
			out = append(out, lower)
		case isName.MatchString(w) && i+2 < len(words) && slices.Contains(compare, words[i+1]):
			term, err := c.number(at, w, words[i+1], words[i+2])
			if err != nil {
				return c, err
			}
			out = append(out, term)
			i += 2
		case isName.MatchString(w):
			rules, ok := detected()[lower]
			if !ok {
				return c, at.Errorf("there is no %q: %s, a number that is compared, or a flag such as container_escape_detected", w, strings.Join(append([]string{"anomaly_score"}, features...), ", "))
			}
			c.words += " " + strings.TrimSuffix(lower, "_detected")
			out = append(out, "finding.rule in "+foreign.Literals(rules))
		default:
			return c, at.Errorf("can't read the condition at %q", w)
		}
	}
	c.when = strings.Join(out, " ")
	return c, nil
}

// number is a comparison.
func (c *condition) number(at conf.Value, name, operator, number string) (string, error) {
	if operator == "=" {
		operator = "=="
	}
	limit, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return "", at.Errorf("%q is no number", number)
	}
	c.words += " " + name
	switch {
	case name == "anomaly_score":
		c.notes = append(c.notes, sprint("anomaly_score is scikit-learn's decision function here, which is 0.5 less the score: it is imported as anomaly.decision %s %s", operator, number))
		if strings.HasPrefix(operator, "<") && limit <= -0.3 {
			c.notes = append(c.notes, sprint(
				"that hardly ever falls below %s (it never can below -0.5): give the model a budget instead, as in budget: {alerts_per_day: 5}, and say here: when: finding.model != \"\"", number))
		}
		return sprint(`(finding.model != "" and anomaly.decision %s %s)`, operator, number), nil
	case name == "failed_auths" && strings.HasPrefix(operator, ">") && limit == float64(int(limit)):
		most := int(limit)
		if operator == ">" {
			most++
		}
		c.notes = append(c.notes, "failed_auths names no time: a rule counts them in a minute, by pod; a model that measures failed_auths is asked too")
		c.rule = failedAuths(max(most, 1))
		return sprint("(finding.rule == %s or (anomaly.features.failed_auths ?? 0) %s %s)", foreign.Literal(c.rule.Name), operator, number), nil
	case slices.Contains(features, name):
		c.notes = append(c.notes, sprint("%s is what a model measured when it found something: a value that no model finds unusual never comes here", name))
		return sprint("(anomaly.features.%s ?? 0) %s %s", name, operator, number), nil
	}
	return "", at.Errorf("there is no number %q%s", name, conf.Suggest(name, append([]string{"anomaly_score"}, features...)))
}

// failedAuths is a rule that counts.
func failedAuths(most int) *foreign.Document {
	return &foreign.Document{
		Kind: "Rule", Name: sprint("policy-failed-auths-%d", most),
		Spec: []foreign.Entry{
			{Key: "title", Value: sprint("%d failed authentications in a minute", most)},
			{Key: "severity", Value: "medium"},
			{Key: "source", Value: "log"},
			{Key: "when", Value: foreign.Expression(`class == "auth.login" and outcome in ["failure", "denied"] or http.status in [401, 403]`)},
			{Key: "window", Value: []foreign.Entry{
				{Key: "by", Value: []string{"object.namespace", "object.name"}}, {Key: "over", Value: "1m"}, {Key: "having", Value: sprint("count() >= %d", most)},
			}},
		},
	}
}
