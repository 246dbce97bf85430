package replay_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/replay"
)

// crowdsecClaims says which rules of ours claim what a scenario does: one of
// them is found in its log.
var crowdsecClaims = map[string][]string{
	"crowdsecurity/ssh-bf": {"login-brute-force"}, "crowdsecurity/ssh-bf_user-enum": {"login-user-enumeration"},
	"crowdsecurity/ssh-time-based-bf":                  {"login-brute-force-slow", "login-user-enumeration-slow"},
	"crowdsecurity/ssh-time-based-bf_user-enum":        {"login-user-enumeration-slow"},
	"crowdsecurity/ssh-cve-2024-6387":                  {"ssh-probe"},
	"lepresidente/ssh-bad-keyexchange-bf":              {"ssh-probe"},
	"crowdsecurity/mysql-bf":                           {"login-brute-force"},
	"crowdsecurity/nextcloud-bf":                       {"login-brute-force"},
	"crowdsecurity/nextcloud-bf_user_enum":             {"login-user-enumeration"},
	"firix/authentik-bf":                               {"login-brute-force"},
	"firix/authentik-bf_user-enum":                     {"login-user-enumeration"},
	"inherent-io/keycloak-bf":                          {"login-brute-force"},
	"inherent-io/keycloak-user-enum-bf":                {"login-user-enumeration"},
	"timokoessler/mongodb-bf":                          {"login-brute-force"},
	"timokoessler/mongodb-bf_auth-db-enum":             {"login-user-enumeration"},
	"Dominic-Wagner/vaultwarden-bf":                    {"login-brute-force"},
	"LePresidente/grafana-bf":                          {"login-brute-force"},
	"crowdsecurity/CVE-2022-42889":                     {"expression-injection-probe", "web-attack-refused"},
	"crowdsecurity/grafana-cve-2021-43798":             {"path-traversal-probe", "web-attack-refused"},
	"crowdsecurity/http-admin-interface-probing":       {"admin-page-scan"},
	"crowdsecurity/http-backdoors-attempts":            {"web-shell-request", "web-attack-refused"},
	"crowdsecurity/http-bad-user-agent":                {"scanner-user-agent"},
	"crowdsecurity/http-cve-2021-41773":                {"path-traversal-probe", "web-attack-refused"},
	"crowdsecurity/http-cve-2021-42013":                {"path-traversal-probe", "web-shell-request"},
	"crowdsecurity/http-dos-bypass-cache":              {"cache-bypass-flood"},
	"crowdsecurity/http-dos-random-uri":                {"web-scan"},
	"crowdsecurity/http-open-proxy":                    {"open-proxy-request"},
	"crowdsecurity/http-path-traversal-probing":        {"path-traversal-probe", "web-attack-refused"},
	"crowdsecurity/http-probing":                       {"web-scan"},
	"crowdsecurity/http-sqli-probbing-detection":       {"sql-injection-probe", "web-attack-series"},
	"crowdsecurity/http-wordpress-scan":                {"admin-page-scan"},
	"crowdsecurity/netgear_rce":                        {"known-exploit-request", "web-attack-refused"},
	"crowdsecurity/pulse-secure-sslvpn-cve-2019-11510": {"path-traversal-probe", "web-attack-refused"},
	"crowdsecurity/spring4shell_cve-2022-22965":        {"expression-injection-probe", "web-attack-refused"},
	"crowdsecurity/vmware-cve-2022-22954":              {"expression-injection-probe", "web-attack-refused"},
	"crowdsecurity/CVE-2023-4911":                      {"program-crashed"},
	"crowdsecurity/auditd-suid-crash":                  {"program-crashed"},
	"crowdsecurity/auditd-base64-exec-behavior":        {"payload-decoded-and-run"},
	"crowdsecurity/auditd-postexploit-exec-from-net":   {"program-fetched-and-run"},
	"crowdsecurity/nextcloud-bf_domain_error":          {"untrusted-domain"},
	"crowdsecurity/nginx-req-limit-exceeded":           {"requests-limited"},
	"crowdsecurity/suricata-major-severity":            {"network-alert-grave"},
	"crowdsecurity/suricata-high-medium-severity":      {"network-alert"},
}

var scenarioLine = regexp.MustCompile(`GetScenario\(\) == "([^"]+)"`)

// TestCrowdSecTruth: in each log of CrowdSec's tests our rules find what its
// scenarios do, from each of the addresses.
func TestCrowdSecTruth(t *testing.T) {
	realFiles(t)
	o := shipped(t)
	asserts, err := filepath.Glob(filepath.Join(shared, "container-logs/crowdsec-hub/*/scenario.assert"))
	if err != nil {
		t.Fatal(err)
	}
	hits := 0
	for _, file := range asserts {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		expected := map[string]bool{}
		for _, m := range scenarioLine.FindAllStringSubmatch(string(text), -1) {
			expected[m[1]] = true
		}
		found := rulesOfLogs(t, o, filepath.Dir(file))
		for _, scenario := range slices.Sorted(maps.Keys(expected)) {
			ours := crowdsecClaims[scenario]
			hit := slices.ContainsFunc(ours, func(r string) bool { return slices.Contains(found, r) })
			if hit {
				hits++
			} else {
				t.Errorf("%s: %s is none of what is found: %v", filepath.Base(filepath.Dir(file)), scenario, found)
			}
			t.Logf("%-38s %-50s %-40s found %t", filepath.Base(filepath.Dir(file)), scenario, strings.Join(ours, ", "), hit)
		}
	}
	t.Logf("%d scenarios found", hits)
}

// rulesOfLogs are the rules that find something in the logs of a folder.
func rulesOfLogs(t *testing.T, o replay.Options, dir string) []string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	o.Inputs = nil
	for _, name := range logs {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		o.Inputs = append(o.Inputs, input("log", filepath.Base(name), data))
	}
	for _, f := range run(t, o).findings {
		found[f.Rule] = true
	}
	return slices.Sorted(maps.Keys(found))
}
