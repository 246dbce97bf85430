package replay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// webLine writes a request as servers do, each number another server.
func webLine(form int, at time.Time, address, target, agent, referer string) string {
	clf := at.Format("02/Jan/2006:15:04:05 -0700")
	quoted := func(s string) string { return strings.ReplaceAll(s, `"`, `\x22`) }
	switch form % 6 {
	case 0: // nginx, combined
		return fmt.Sprintf(`%s - - [%s] "GET %s HTTP/1.1" 200 512 "%s" "%s"`, address, clf, quoted(target), quoted(referer), quoted(agent))
	case 1: // Traefik
		return fmt.Sprintf(`%s - - [%s] "GET %s HTTP/1.1" 200 512 "%s" "%s" 7 "web@docker" "http://10.0.0.2:80" 3ms`, address, clf, quoted(target), quoted(referer), quoted(agent))
	case 2: // nginx, JSON
		b, _ := json.Marshal(map[string]any{
			"time_iso8601": at.Format(time.RFC3339), "remote_addr": address, "request_method": "GET", "request_uri": target, "status": "200",
			"http_user_agent": agent, "http_referer": referer, "body_bytes_sent": "512",
		})
		return string(b)
	case 3: // Apache with the virtual host before it
		return fmt.Sprintf(`shop.example:80 %s - - [%s] "GET %s HTTP/1.1" 200 512 "%s" "%s"`, address, clf, strings.ReplaceAll(target, `"`, `\"`), quoted(referer), quoted(agent))
	case 4: // Envoy
		return fmt.Sprintf(`[%s] "GET %s HTTP/1.1" 200 - 0 512 4 3 "%s" "%s" "0f5d-1" "shop.example" "10.0.0.2:80"`, at.Format("2006-01-02T15:04:05.000Z"), quoted(target), address, quoted(agent))
	}
	b, _ := json.Marshal(map[string]any{ // an application of its own
		"ts": at.Format(time.RFC3339), "level": "info", "msg": "request", "method": "GET", "path": target, "status": 200, "remote_ip": address,
		"user_agent": agent, "referer": referer,
	})
	return string(b)
}

// TestWebAttacks: of each family of attacks all variations are found in the
// lines of several servers, and of what only looks like it nothing of severity
// medium or above.
func TestWebAttacks(t *testing.T) {
	o := shipped(t)
	o.Playbooks = nil
	names, err := filepath.Glob("testdata/web/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal(err, names)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(data)), "\n")
			rules := strings.Fields(strings.TrimPrefix(lines[0], "#"))
			var log bytes.Buffer
			for i, line := range lines[1:] {
				target, agent, referer := line[2:], "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", ""
				if a, ok := strings.CutPrefix(target, "ua:"); ok {
					target, agent = "/", a
				} else if r, ok := strings.CutPrefix(target, "ref:"); ok {
					target, referer = "/", r
				}
				if referer != "" && i%6 > 3 {
					referer = "" // Envoy does not log it
				}
				form := i
				if strings.HasPrefix(line[2:], "ref:") {
					form = 0
					referer = line[6:]
				}
				fmt.Fprintln(&log, webLine(form, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(i)*20*time.Second), "198.51.100."+strconv.Itoa(i+1), target, agent, referer))
			}
			o := o
			o.Inputs = append(o.Inputs[:0:0], input("log", "web", log.Bytes()))
			found := map[int][]event.Finding{}
			for _, f := range run(t, o).findings {
				_, line, _ := strings.Cut(f.Events[0].From, ":")
				n, _ := strconv.Atoi(line)
				found[n] = append(found[n], f)
			}
			attacks, benign := 0, 0
			for i, line := range lines[1:] {
				var got []string
				for _, f := range found[i+1] {
					if line[0] == '+' || f.Severity.Rank() >= event.SeverityMedium.Rank() {
						got = append(got, f.Rule)
					}
				}
				if line[0] == '+' {
					attacks++
					if !slices.ContainsFunc(got, func(r string) bool { return slices.Contains(rules, r) }) {
						t.Errorf("not found as %v but as %v: %s", rules, got, line[2:])
					}
				} else if benign++; len(got) > 0 {
					t.Errorf("found as %v: %s", got, line[2:])
				}
			}
			t.Logf("%d attacks, %d that only look like one", attacks, benign)
		})
	}
}
