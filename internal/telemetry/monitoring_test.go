package telemetry

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var metricName = regexp.MustCompile(`\b(firebreak|security)_[a-z_]+\b`)

// registered are the names of all metrics, as the code of this package has them.
func registered(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && metricName.FindString(text) == text && text != "" {
					names = append(names, text)
				}
			}
			return true
		})
	}
	return names
}

var asked = regexp.MustCompile(`([a-z_]+)=(~?)"([^"]*)"`)

// unknown are the values of labels that an expression asks for and that no metric
// has.
func unknown(expr string) (all []string) {
	m, known := Nop().Metrics(), map[string][]string{}
	for _, l := range []label{m.labels.source, m.labels.state, m.labels.result, m.labels.consumer, m.gauges.notices.kind, m.gauges.notices.result, m.gauges.people.kind, fileFaults} {
		known[l.key] = append(known[l.key], l.values...)
	}
	known["state"] = append(known["state"], "open", "late")
	for _, one := range asked.FindAllStringSubmatch(expr, -1) {
		values := []string{one[3]}
		if one[2] == "~" {
			values = strings.Split(one[3], "|")
		}
		for _, v := range values {
			if of, closed := known[one[1]]; closed && !slices.Contains(of, v) {
				all = append(all, one[1]+"="+v)
			}
		}
	}
	return all
}

// expressions are those of the alerts and of the dashboard, by what they are of.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	for file, into := range map[string]any{"alerts.yaml": &rules, "models.json": &board} {
		data, err := os.ReadFile(filepath.Join("../../deploy/monitoring", file))
		if err == nil && strings.HasSuffix(file, ".json") {
			err = json.Unmarshal(data, into)
		} else if err == nil {
			err = yaml.Unmarshal(data, into)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if _, twice := out[r.Alert]; twice || r.Alert == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("alert %q is there twice, or lacks its name, severity, summary or description", r.Alert)
			}
			out[r.Alert] = r.Expr
		}
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			out[p.Title] += " " + target.Expr
		}
	}
	return out
}

// What alerts and the dashboard ask for exists, and each metric of models is shown.
func TestMonitoringAsksForWhatThereIs(t *testing.T) {
	names, all := registered(t), ""
	for of, expr := range expressions(t) {
		all += expr + " "
		ours := metricName.FindAllString(expr, -1)
		if len(ours) == 0 {
			t.Errorf("%s asks for none of our metrics", of)
		}
		if values := unknown(expr); len(values) > 0 {
			t.Errorf("%s asks for %q, which is never counted", of, values)
		}
		for _, name := range ours {
			if !slices.Contains(names, name) {
				t.Errorf("%s asks for %s, which there is not", of, name)
			}
			if counter := strings.HasSuffix(name, "_total"); counter && !strings.Contains(expr, "rate("+name) && !strings.Contains(expr, "increase("+name) {
				t.Errorf("%s asks for the counter %s and not for its rate", of, name)
			}
		}
		for _, pair := range []string{"()", "[]", "{}"} {
			if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
				t.Errorf("%s has %s that don't match: %s", of, pair, expr)
			}
		}
	}
	for _, name := range names {
		if strings.HasPrefix(name, "firebreak_model_") && !strings.Contains(all, name) {
			t.Errorf("nothing shows %s", name)
		}
	}
}
