package logline

import (
	"bufio"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fuzzSeeded fuzzes one parser, chosen and alone, from its golden lines and
// the seeds.
func fuzzSeeded(f *testing.F, name string, seeds ...string) {
	p, ok := Lookup(name)
	if !ok {
		f.Fatalf("no parser %s", name)
	}
	files, err := filepath.Glob(filepath.Join("testdata", name, "*.log"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			f.Fatal(err)
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			f.Add(lines.Text())
		}
		_ = file.Close()
	}
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sound(t, text, p.Read(text))
		if p.Parse != nil {
			m, _ := p.Parse(text)
			sound(t, text, m)
		}
		if fields, ok := decode(text); ok && p.Object != nil {
			m, _ := p.Object(fields)
			sound(t, text, m)
		}
	})
}

func FuzzNginx(f *testing.F) {
	fuzzSeeded(f, "nginx", `1 - - [1:::::::] "" - -`, `::1 - - [10/Oct/2023:13:55:36 +0000] "\" 200 1 " 200 1 "a="b" c="`)
}

func FuzzIngressNginx(f *testing.F) {
	fuzzSeeded(f, "ingress-nginx", `::1 - - [10/Oct/2023:13:55:36 +0000] "" 200 1 "" "" 1 0.001 [] [] : , : , ,`)
}

func FuzzApache(f *testing.F) {
	fuzzSeeded(f, "apache", `[Tue Oct 10 13:55:36 2023] [:] [pid ] (: [] [client ] AH01617: user : authentication failure for `)
}

func FuzzEnvoy(f *testing.F) {
	fuzzSeeded(f, "envoy", `[2023-10-10T13:55:36Z] "" 0 - 0 0 0 0 """""""""" a b c d e f`, `{"response_code":1,"start_time":1}`)
}

func FuzzTraefik(f *testing.F) {
	fuzzSeeded(f, "traefik", `1 - - [1:::::::] "" - - "" "" - "" "" 1ms`, `{"DownstreamStatus":null,"ClientHost":""}`)
}

func FuzzHAProxy(f *testing.F) {
	fuzzSeeded(f, "haproxy", `::1:1 [10/Oct/2023:13:55:36.655] / / //// - - - - - //// / {`, `Connect from 1.1.1.1 to  (/TCP)`, `0.0.0.0:0 [10/Oct/2023:00:00:00.000]`)
}

func FuzzGrafana(f *testing.F) {
	fuzzSeeded(f, "grafana", `logger= t= msg="\"" uname="\xff"`, `{"logger":"","t":"","msg":"Successful Login","User":1}`)
}

func FuzzLogfmt(f *testing.F) {
	fuzzSeeded(f, "logfmt", `a= level=`, `level="\xff\u0000" a="\q"`, strings.Repeat("a=b ", 300)+"level=x")
}

func FuzzJSON(f *testing.F) {
	fuzzSeeded(f, "json", `{"method":"GET","status":200,"http":{"request":{"method":[]}},"duration":1e308,"ts":1e18,"time":-1}`, `{"request":"\u0016 x"}`)
}

func FuzzUvicorn(f *testing.F) { fuzzSeeded(f, "uvicorn", `INFO:- - "" 100`) }

func FuzzClient(f *testing.F) {
	f.Add("10.0.0.1", "203.0.113.5, 10.0.0.2")
	f.Add("[::1]:80", ",,x,[::ffff:10.0.0.1]:1")
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		inside := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		got := Client(peer, chain(forwarded), inside)
		if got != "" && address(got) != got || (got == "") != (address(peer) == "") {
			t.Errorf("%q, %q: the client is %q", peer, forwarded, got)
		}
		if alone := Client(peer, chain(forwarded), nil); alone != address(peer) {
			t.Errorf("%q, %q: nobody is trusted, and the client is %q", peer, forwarded, alone)
		}
	})
}
