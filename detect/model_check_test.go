package detect

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// tills is a model as somebody writes who has never written one.
const tills = `apiVersion: firebreak.io/v1alpha1
kind: Model
metadata: {name: tills}
spec:
  title: A till is unlike its usual
  severity: medium
  source: log
  when: class == "http.request"
  entity: [object.name]
  peers: [object.namespace]
  every: 5m
  features:
    sales: rel(rate(http.method == "POST"))
    slow: rel(quantile(http.duration, 0.9))
    what: surprisal(http.method, http.path)
  budget: {alerts_per_day: 2}
`

// What is wrong with a model is told where it is written, with what would be
// right, and once.
func TestMistakesInModels(t *testing.T) {
	for _, c := range []struct {
		from, to string
		says     []string
	}{
		{`0.9)`, `0.9))`, []string{`14:44: unexpected `}},
		{`quantile(`, `quantil(`, []string{`14:15: unknown function quantil, did you mean "quantile"?`}},
		{`http.method == "POST"`, `http.method == 3`, []string{`13:33: == between text and a number: they are never of one type`}},
		{`http.duration`, `http.duratoin`, []string{`14:29: unknown field "duratoin", did you mean "duration"?`}},
		{`quantile(http.duration, 0.9)`, `max(http.path)`, []string{`14:15: max(http.path): is of a number, and its argument is text`}},
		{`quantile(http.duration, 0.9)`, `http.duration`, []string{`14:11: rel(http.duration): http.duration is of an event, not of an interval: say which, as in avg(http.duration)`}},
		{`quantile(http.duration, 0.9)`, `quantile(http.duration, 90)`, []string{`14:15: quantile(http.duration, 90): the second argument has to be a constant from 0 to 1`}},
		{`rel(quantile(http.duration, 0.9))`, `count(http.status)`, []string{`14:11: count(http.status): is of a condition, as in http.status >= 500, and its argument is a number`}},
		{`rel(quantile(http.duration, 0.9))`, `http.path`, []string{`14:11: a feature is a number, and this is text: surprisal(…) says how unusual it is`}},
		{`rel(quantile(http.duration, 0.9))`, `http.status`, []string{`14:11: is of an event, and an interval is measured: say what of it`}},
		{`surprisal(http.method, http.path)`, `surprisal(count())`, []string{`15:11: surprisal(count()): takes what single events have, and no number that is made of many`}},
		{`surprisal(http.method, http.path)`, `surprisal()`, []string{`15:11: surprisal(): takes 1 to 4 arguments, not 0`}},
		{`every: 5m`, `every: 0s`, []string{`11:10: 0s is not from 1s to 7d`}},
		{"  every: 5m\n", ``, []string{`12:16: rate(http.method == "POST"): is of an interval: say how long it is, as in every: 1m`}},
		{`    what:`, `    slow:`, []string{`15:5: mapping key "slow" already defined at [14:5]`}},
		{`    what:`, `    w t:`, []string{`15:10: feature "w t": a name is 1 to 63 letters, digits, _ and -`}},
		{`[object.name]`, `[]`, []string{`9:11: names nothing: say what is measured`}},
		{`alerts_per_day: 2`, `alerts_per_day: -2`, []string{`16:28: -2 is not a number of alerts above 0`}},
		{`alerts_per_day: 2`, `alerts_per_day: 2, p: 0.1`, []string{`16:34: a budget has one of alerts_per_day, p and contamination`}},
		{`alerts_per_day: 2`, `p: 3`, []string{`16:15: 3 is not a probability above 0 and below 0.5`}},
		{`alerts_per_day: 2`, `threshold: anomaly.scor > 0.6`, []string{`16:31: unknown field "scor", did you mean "score"?`}},
		{`  budget:`, "  forest: {trees: -1, sample: 1}\n  budget:", []string{`16:19: -1 is not from 1 to 1000`, `16:31: 1 is not from 2 to 4096`}},
		{`  budget:`, "  forest: {sample: 4096}\n  budget:", []string{`16:11: bad forest: a reservoir of 2048 rows`}},
		{`  budget:`, "  priors: [{feature: wat, peers: [a], values: [[GET, /]]}]\n  budget:", []string{`16:22: there is no feature "wat", did you mean "what"?`}},
		{`  budget:`, "  priors: [{feature: sales, peers: [a], values: [[GET, /]]}]\n  budget:", []string{`16:22: a prior is for a feature of surprisal or novelty, not for sales`}},
		{`  budget:`, "  priors: [{feature: what, values: [[GET]]}]\n  budget:", []string{`16:12: as many values as the model's peers, 1, not 0`, `16:37: surprisal(http.method, http.path) is of 2, not of 1`}},
		{`  budget:`, "  rollout: {on: object.digest, for: 30m, except: [slow, wat]}\n  budget:", []string{`16:50: there is no feature "wat", did you mean "what"?`}},
		{`medium`, "medium\n  mode: act", []string{`7:9: a model alone never acts: observe or ask`}},
		{`budget:`, `bugdet:`, []string{`16:3: unknown key "bugdet", did you mean "budget"?`}},
	} {
		if !strings.Contains(tills, c.from) {
			t.Fatal(c.from)
		}
		docs, err := conf.Documents("m.yaml", []byte(strings.Replace(tills, c.from, c.to, 1)))
		if err == nil {
			_, err = NewRuleSet(docs)
		}
		var said []string
		for _, p := range conf.Problems(err) {
			said = append(said, fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Msg))
		}
		slices.Sort(said)
		if !slices.EqualFunc(said, c.says, strings.HasPrefix) {
			t.Errorf("%s for %s says %q, want %q", c.to, c.from, said, c.says)
		}
	}
}
