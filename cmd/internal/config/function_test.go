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

// What leads to a host of the list, and what only looks so.
func TestFunctionHosts(t *testing.T) {
	for _, c := range []struct {
		host, url string
		leads     bool
	}{
		{"edge.example", "https://edge.example/x", true},
		{"edge.example", "https://EDGE.example.:8443/x", true},
		{"edge.example:8443", "https://edge.example:8443/x", true},
		{"edge.example:8443", "https://edge.example/x", false},
		{"edge.example:443", "https://edge.example/x", true},
		{"edge.example:443", "https://edge.example:444/x", false},
		{"edge.example", "https://edge.example.evil.example/x", false},
		{"edge.example", "https://edge.example@evil.example/x", false},
		{"edge.example", "https://ann:pw@edge.example/x", false},
		{"edge.example", "https://evil.example/edge.example", false},
		{"edge.example", "https://evil.example#edge.example", false},
		{"edge.example", "https://:443/x", false},
		{"2001:db8::7", "https://[2001:DB8:0::7]:8443/x", true},
		{"[2001:db8::7]:8443", "https://[2001:db8::7]:8443/x", true},
		{"[2001:db8::7]:8443", "https://[2001:db8::7]/x", false},
		{"2001:db8::7", "https://[2001:db8::8]/x", false},
		{"192.0.2.7", "https://192.0.2.7/x", true},
		{"192.0.2.7", "https://192.0.2.70/x", false},
		{"", "https://edge.example/x", false},
	} {
		f := Functions{Hosts: []string{c.host}, Webhooks: []FunctionWebhook{{Webhook: Webhook{Name: "a", URL: c.url}}}}
		problems := 0
		(&Config{Functions: f}).checkFunctions(func(string, string, ...any) { problems++ })
		if (problems == 0) != c.leads {
			t.Errorf("%s, hosts %q: %d problems", c.url, c.host, problems)
		}
	}
}
