package config

import (
	"fmt"
	"testing"
)

func TestFunctionsAreChecked(t *testing.T) {
	hook := func(url string) FunctionWebhook { return FunctionWebhook{Webhook: Webhook{Name: "a", URL: url}} }
	half := hook("https://edge.example/x")
	half.Cert = "c.pem"
	for name, c := range map[string]struct {
		functions Functions
		problems  int
	}{
		"fine":           {Functions{Hosts: []string{"edge.example"}, Webhooks: []FunctionWebhook{hook("https://Edge.example:8443/x")}}, 0},
		"another host":   {Functions{Hosts: []string{"edge.example"}, Webhooks: []FunctionWebhook{hook("https://edge.example.org/x")}}, 1},
		"no host":        {Functions{Webhooks: []FunctionWebhook{hook("https://edge.example/x")}}, 1},
		"plain":          {Functions{Hosts: []string{"edge.example"}, Webhooks: []FunctionWebhook{hook("http://edge.example/x")}}, 1},
		"half a pair":    {Functions{Hosts: []string{"edge.example"}, Webhooks: []FunctionWebhook{half}}, 1},
		"twice":          {Functions{Hosts: []string{"edge.example"}, Webhooks: []FunctionWebhook{hook("https://edge.example/x"), hook("https://edge.example/y")}}, 1},
		"job":            {Functions{Jobs: []FunctionJob{{Name: "a", Namespace: "jobs", Template: "x"}}}, 0},
		"no namespace":   {Functions{Jobs: []FunctionJob{{Name: "a", Namespace: "a b", Template: "x"}}}, 1},
		"job and a hook": {Functions{Hosts: []string{"e"}, Webhooks: []FunctionWebhook{hook("https://e/x")}, Jobs: []FunctionJob{{Name: "a", Namespace: "jobs"}}}, 0},
	} {
		var problems []string
		(&Config{Functions: c.functions}).checkFunctions(func(at, format string, args ...any) {
			problems = append(problems, at+": "+fmt.Sprintf(format, args...))
		})
		if len(problems) != c.problems {
			t.Errorf("%s: %q", name, problems)
		}
	}
}
