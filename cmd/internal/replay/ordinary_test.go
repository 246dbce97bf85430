package replay_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ordinaryFindings explains what of severity medium or above our rules find in
// the files of real logs and alerts for which no source names an attack, by
// their directory.
var ordinaryFindings = map[string]map[string]string{
	"traefik_json": {"sensitive-file-answered": "requests of Nikto, a scanner, answered with 200: the file tests a parser, but what it holds is a scan"},
}

// TestOrdinary: in real logs and alerts for which nobody names an attack
// nothing of severity medium or above is found, but for what is explained.
func TestOrdinary(t *testing.T) {
	realFiles(t)
	o := shipped(t)
	for source, patterns := range map[string][]string{
		"log": {
			"container-logs/fluent-bit/*.log", "container-logs/crowdsec-hub/cri-logs/*.log", "container-logs/crowdsec-hub/haproxy-logs/*.log",
			"container-logs/crowdsec-hub/litellm-logs/*.log", "container-logs/crowdsec-hub/sshd-logs/*.log", "container-logs/crowdsec-hub/sshd-logs-fp/*.log",
			"container-logs/crowdsec-hub/syslog-logs/*.log", "container-logs/crowdsec-hub/traefik_json/*.log",
		},
		"falco": {"falco/falco-website/1[57]-*.json", "falco/falcosidekick/alertmanager-*.json", "falco/falcosidekick/client-*.json", "falco/falco-website/05-*.json"},
	} {
		for _, pattern := range patterns {
			files, err := filepath.Glob(filepath.Join(shared, pattern))
			if err != nil || len(files) == 0 {
				t.Errorf("%s: %v, %v", pattern, files, err)
			}
			for _, name := range files {
				path, err := filepath.Rel(shared, name)
				if err != nil {
					t.Fatal(err)
				}
				quiet(t, o, input(source, path, sharedFile(t, path)), ordinaryFindings[filepath.Base(filepath.Dir(path))])
			}
		}
	}
}

// ordinaryDay writes lines of a shop on a good day: pages with their pictures,
// searches by people, an API, health checks, robots, some errors and typing
// mistakes.
func ordinaryDay(lines int) []byte {
	r := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- the same each time
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	agents := []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15", "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "curl/8.5.0", "kube-probe/1.30", "python-requests/2.32",
	}
	target := func() (string, int) {
		n := r.IntN(5000)
		switch r.IntN(16) {
		case 0:
			return "/search?q=" + pick("blue+shirt", "o%27neill+jacket", "tom+%26+jerry", "women%27s+shoes", "salt+%26+pepper", "t-shirt+%22xl%22", "caf%C3%A9", "50%25+off", "select+comfort+mattress",
				"rock+%27n%27+roll", "drop+shoulder+sweater", "union+jack", "script+font+poster", "c%2B%2B+book", "coats+or+jackets", "size+%3E+40") + fmt.Sprint("&page=", 1+n%9), 200
		case 1:
			return fmt.Sprintf("/api/v1/items/%d?fields=id,name,price&sort=-price", n), 200
		case 2:
			return "/api/v1/cart", 200
		case 3:
			return pick("/healthz", "/actuator/health", "/metrics", "/readyz"), 200
		case 4:
			return pick("/favicon.ico", "/apple-touch-icon.png", "/ads.txt", "/old-page"), 404
		case 5:
			return "/login?redirect=%2Faccount%2Forders%3Fpage%3D2", 302
		case 6:
			return fmt.Sprintf("/img/%d.jpg?w=640&h=480&fit=crop", n), 200
		case 7:
			return fmt.Sprintf("/files/report%%20%d%%20(final).pdf", n), 200
		case 8:
			return `/graphql?query=%7Bitems(first%3A10)%7Bid%20name%7D%7D`, 200
		case 9:
			return fmt.Sprintf("/odata/Items?$filter=Price%%20gt%%20%d%%20and%%20Stock%%20gt%%200", n%90), 200
		case 10:
			return "/docs/" + pick("etc/overview", "linux/shell", "sql/select", "java/lang", "admin/guide") + ".html", 200
		case 11:
			return fmt.Sprintf("/oauth/callback?code=%x&state=%x", r.Uint64(), r.Uint64()), 302
		case 12:
			return fmt.Sprintf("/track?e=view&u=https%%3A%%2F%%2Fshop.example%%2Fitems%%2F%d%%3Fref%%3Dmail&t=%d", n, 1700000000+n), 204
		}
		return fmt.Sprintf("/items/%d", n), 200
	}
	var out bytes.Buffer
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	for i := range lines {
		at = at.Add(time.Duration(200+r.IntN(600)) * time.Millisecond)
		address := fmt.Sprintf("203.0.113.%d", r.IntN(250))
		switch r.IntN(40) {
		case 0:
			fmt.Fprintf(&out, `{"time":%q,"level":"INFO","msg":"order placed","user":"user%d","items":%d}`+"\n", at.Format(time.RFC3339Nano), r.IntN(900), 1+r.IntN(5))
		case 1:
			fmt.Fprintf(&out, `{"time":%q,"level":"ERROR","msg":"payment declined by the bank","order":%d}`+"\n", at.Format(time.RFC3339Nano), i)
		case 2:
			fmt.Fprintf(&out, "%s shop sshd[%d]: Accepted publickey for deploy from 10.0.0.%d port %d ssh2: ED25519 SHA256:x\n", at.Format("Jan _2 15:04:05"), 1000+i, r.IntN(9), 40000+r.IntN(9999))
		case 3:
			fmt.Fprintf(&out, "%s shop sshd[%d]: Failed password for user%d from 10.0.1.%d port %d ssh2\n", at.Format("Jan _2 15:04:05"), 1000+i, i, r.IntN(250), 40000+r.IntN(9999))
		case 4:
			fmt.Fprintf(&out, "%s UTC [%d] LOG:  duration: %d.%03d ms  statement: SELECT name, price FROM items WHERE id = %d OR parent = %d\n", at.Format("2006-01-02 15:04:05.000"), 100+r.IntN(9), r.IntN(90), r.IntN(999), r.IntN(5000), r.IntN(5000))
		case 5:
			fmt.Fprintf(&out, "java.lang.IllegalStateException: cart %d is empty\n\tat com.example.Cart.pay(Cart.java:42)\n", i)
		case 6:
			fmt.Fprintf(&out, "level=info ts=%s caller=main.go:%d msg=\"cache refreshed; %d keys\" took=%dms\n", at.Format(time.RFC3339), r.IntN(300), r.IntN(9000), r.IntN(90))
		default:
			path, status := target()
			line := webLine(r.IntN(6), at, address, path, agents[r.IntN(len(agents))], "https://shop.example/")
			if status != 200 {
				line = strings.NewReplacer(` 200 512`, fmt.Sprintf(" %d 512", status), `"status":"200"`, fmt.Sprintf(`"status":"%d"`, status), `"status":200`, fmt.Sprintf(`"status":%d`, status), `" 200 - `, fmt.Sprintf(`" %d - `, status)).Replace(line)
			}
			fmt.Fprintln(&out, line)
		}
	}
	return out.Bytes()
}

// TestOrdinaryDay measures the noise: findings in a thousand lines of a good
// day, of which none is of severity medium or above.
func TestOrdinaryDay(t *testing.T) {
	const lines = 3000
	r := quiet(t, shipped(t), input("log", "day", ordinaryDay(lines)), nil)
	t.Logf("%.1f findings in 1,000 of %d lines (%d events), none of severity medium or above", 1000*float64(len(r.findings))/float64(r.summary.Lines), r.summary.Lines, r.summary.Events)
}
