package files_test

import (
	"os"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/cmd/internal/files"
)

const header = "apiVersion: firebreak.io/v1alpha1\n"

// thinned is a config whose log source stores what the filter says.
func thinned(filter string) string {
	return header + `kind: Config
metadata: {name: c}
spec:
  rules: [mine]
  sources:
    log:
      store: ` + filter + `
      summarise: {}
`
}

func logRule(name, source, when string) string {
	return header + "kind: Rule\nmetadata: {name: " + name + "}\nspec:\n  title: T\n  severity: low\n  source: " + source + "\n  when: " + when + "\n---\n"
}

func TestCheckRefusesRulesThatNeedTheLines(t *testing.T) {
	dir := write(t, map[string]string{
		"c.yaml": thinned(`class in ["auth.login", "log.error"] or class == "http.request" and http.status >= 500`),
		"mine/a.yaml": logRule("fine", "log", `class == "auth.login" and outcome == "failure"`) +
			logRule("summaries", "log", `class == "log.summary" and fields.requests > 1000`) +
			logRule("either", "log", `class == "log.error" or class == "log.summary"`) +
			logRule("server-errors", "log", `http.status >= 500 and class == "http.request"`) +
			logRule("another-source", "falco", `rule == "x"`) +
			logRule("needs-lines", "log", `message contains "panic"`) +
			logRule("needs-requests", "log", `class == "http.request" and http.status >= 400`),
	})
	n, problems := files.Check([]string{dir, dir + "/mine"})
	if n != 8 || len(problems) != 2 {
		t.Fatalf("%d documents, problems %v", n, problems)
	}
	for i, name := range []string{"needs-lines", "needs-requests"} {
		p := problems[i]
		if !strings.Contains(p.Msg, name) || !strings.Contains(p.Msg, "source log does not store") || !strings.HasSuffix(p.File, "a.yaml") ||
			p.Line == 0 || p.Column == 0 || !strings.Contains(p.Snippet, "when:") {
			t.Errorf("%+v", p)
		}
	}
	// The rules that the config loads are looked at without being named.
	if _, problems := files.Check([]string{dir}); len(problems) != 2 {
		t.Errorf("problems %v", problems)
	}
	notes := files.Notes([]string{dir})
	var said strings.Builder
	for _, n := range notes {
		said.WriteString(n.Error() + "\n")
	}
	for name, noted := range map[string]bool{
		"login-failed": true, "log4shell-probe": true, "login-failures-many": false, "needs-lines": false, "pod-exec": false,
	} {
		if strings.Contains(said.String(), name+" may need") != noted {
			t.Errorf("%s noted: %v\n%s", name, !noted, &said)
		}
	}
}

func TestNoFilterNeedsNothing(t *testing.T) {
	dir := write(t, map[string]string{
		"c.yaml":      strings.Replace(thinned(""), "      store: \n", "", 1),
		"mine/a.yaml": logRule("needs-lines", "log", `message contains "panic"`),
	})
	if _, problems := files.Check([]string{dir}); len(problems) > 0 {
		t.Error(problems)
	}
	if notes := files.Notes([]string{dir}); len(notes) > 0 {
		t.Error(notes)
	}
}

// A window of summaries is a multiple of their interval; what of it is an
// estimate is noted.
func TestCheckHoldsWindowsAgainstIntervals(t *testing.T) {
	windowed := func(name, over string) string {
		return strings.TrimSuffix(logRule(name, "log", `class == "log.summary"`), "---\n") +
			"  window: {by: [object.name], over: " + over + ", having: distinct(fields.distinct_addresses) > 1000 }\n---\n"
	}
	dir := write(t, map[string]string{
		"c.yaml":      strings.Replace(strings.Replace(thinned(""), "      store: \n", "", 1), "summarise: {}", "summarise: {interval: 2m}", 1),
		"mine/a.yaml": windowed("fits", "10m") + windowed("unfit", "5m") + windowed("too-long", "24h"),
	})
	_, problems := files.Check([]string{dir})
	if len(problems) != 2 {
		t.Fatalf("problems %v", problems)
	}
	for i, want := range []string{"unfit: a window of 5m is no multiple of the summaries' interval of 2m (sources.log.summarise.interval)", "too-long: a window of 1d has more than 120"} {
		if p := problems[i]; !strings.Contains(p.Msg, want) || p.Line == 0 || !strings.Contains(p.Snippet, "over:") {
			t.Errorf("%+v", p)
		}
	}
	notes := files.Notes([]string{dir + "/mine"})
	if len(notes) != 3 || !strings.Contains(notes[0].Msg, "is exact up to 128, and past that within 3.3 %") || notes[0].Line == 0 {
		t.Errorf("notes %v", notes)
	}
}

// A model that reads summaries needs no lines but those of what summaries can't
// tell, which is noted where nobody stores them.
func TestCheckNotesWhatModelsLose(t *testing.T) {
	model := func(name, entity, every, failed string) string {
		return header + "kind: Model\nmetadata: {name: " + name + "}\nspec:\n  title: T\n  severity: low\n  source: log\n  when: class != \"log.line\"\n  entity: [" + entity + "]\n" + every +
			"  features:\n    rate: rate()\n    failed: " + failed + "\n    pages: distinct(http.path)\n---\n"
	}
	const single = `count(http.status in [401, 403] or class == "auth.login" and outcome in ["failure", "denied"])`
	dir := write(t, map[string]string{
		"c.yaml": thinned(`class == "log.error" or http.status >= 500`),
		"mine/a.yaml": model("reads", "object.name", "  every: 2m\n", single) + model("by-client", "actor.address", "  every: 1m\n", "count()") +
			model("odd", "object.name", "  every: 90s\n", "count()"),
	})
	_, problems := files.Check([]string{dir})
	var said strings.Builder
	for _, p := range problems {
		said.WriteString(p.Error() + "\n")
	}
	for _, want := range []string{"by-client may need events", "odd: an interval of 1m30s is no multiple of the summaries' interval of 1m"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is missing: %s", want, &said)
		}
	}
	if strings.Contains(said.String(), "reads may need") {
		t.Errorf("it reads summaries: %s", &said)
	}
	said.Reset()
	for _, n := range files.Notes([]string{dir, dir + "/mine"}) {
		if strings.Contains(n.Msg, "reads: ") {
			said.WriteString(n.Msg + "\n")
			if n.Line == 0 || !strings.Contains(n.Snippet, "http.") {
				t.Errorf("%+v", n)
			}
		}
	}
	want := "reads: feature failed: " + `count(http.status in [401, 403] or (class == "auth.login" and outcome in ["failure", "denied"])) can't be told of summaries for requests answered 4xx, ` +
		`and source log does not store all of those (store: class == "log.error" or http.status >= 500)` + "\n" +
		"reads: feature pages: distinct(http.path) can't be told of summaries for requests without a status, requests answered 1xx, requests answered 2xx, requests answered 3xx, " +
		"requests answered 4xx, logins, lines of class process.other, and source log"
	if !strings.HasPrefix(said.String(), want) || strings.Count(said.String(), "\n") != 2 {
		t.Errorf("noted:\n%s\nwant:\n%s", &said, want)
	}
}

// A filter that is wrong is shown where it is written.
func TestFilterHasAPlace(t *testing.T) {
	dir := write(t, map[string]string{"c.yaml": thinned(`klass == "x"`)})
	_, problems := files.Check([]string{dir})
	if len(problems) != 1 || problems[0].Line != 8 || !strings.Contains(problems[0].Msg, `unknown name "klass"`) {
		t.Errorf("problems %v", problems)
	}
}

// TestExampleOfVolume: the config of the guide loads, and its filter leaves out
// nothing that a shipped rule looks at.
func TestExampleOfVolume(t *testing.T) {
	text, err := os.ReadFile("../../../ingest/summary/README.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		body, _, _ := strings.Cut(block, "```")
		if !strings.HasPrefix(body, "apiVersion") {
			continue
		}
		n++
		dir := write(t, map[string]string{"c.yaml": body})
		if _, problems := files.Check([]string{dir}); len(problems) > 0 {
			t.Error(problems)
		}
		for _, note := range files.Notes([]string{dir}) {
			t.Error(note)
		}
		if _, err := config.Load(dir + "/c.yaml"); err != nil {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("%d examples", n)
	}
}
