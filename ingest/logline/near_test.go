package logline

import "testing"

// What looks like a form of web servers or a general one and isn't.
func TestNearMiss(t *testing.T) {
	for _, text := range []string{
		// Access logs.
		`203.0.113.5 - - [10/Oct/2023:13:55:36 +0000] GET / HTTP/1.1 200 5`,
		`203.0.113.5 - - [10/Oct/2023:13:55:36 +0000] "GET / HTTP/1.1"`,
		`203.0.113.5 - - [10/Oct/2023:13:55:36 +0000] "GET / HTTP/1.1" OK 5`,
		`203.0.113.5 - - [10/Oct/2023:13:55:36 +0000] "GET / HTTP/1.1" 200 many`,
		`203.0.113.5 - - [10/Oct/2023:13:55:36 +0000] "GET / HTTP/1.1 200 5`,
		`203.0.113.5 - - [yesterday] "GET / HTTP/1.1" 200 5`,
		`203.0.113.5 - - [] "GET / HTTP/1.1" 200 5`,
		`the user said - hello [10:00:00 today] "I want" 200 5`,
		`said "x" to 203.0.113.5 - - [10/Oct/2023:13:55:36 +0000] "GET / HTTP/1.1" 200 5`,
		`[10/Oct/2023:13:55:36 +0000] "GET / HTTP/1.1" 200 5`,
		`] "GET / HTTP/1.1" 200 5`,
		// Error logs.
		`2023/10/10 13:55:36 [error] no process, client: 203.0.113.5, server: x`,
		`2023/10/10 13:55:36 [loud] 1#1: x`,
		`2023/13/10 13:55:36 [error] 1#1: x`,
		`2023/10/10 13:55:36 listening on :8080`,
		`[Tue Oct 10 13:55:36.123456 2023] started`,
		`[Tue Oct 10 13:55:36.123456 2023] [worker] started`,
		`[error] [pid 1] [client 203.0.113.5:1] AH00128: x`,
		// Envoy.
		`[2023-10-10T13:55:36.310Z] "GET / HTTP/1.1" 200`,
		`[2023-10-10T13:55:36.310Z] "GET / HTTP/1.1" 200 - 5 "-" "-"`,
		`[2023-10-10T13:55:36.310Z] INFO "GET / HTTP/1.1" 200 - 0 19 4 3 "-" "-" "-" "-" "-"`,
		`[today] "GET / HTTP/1.1" 200 - 0 19 4 3 "-" "-" "-" "-" "-"`,
		// HAProxy.
		`203.0.113.5:33317 [10/Oct/2023:13:55:36.655]`,
		`203.0.113.5:33317 [10/Oct/2023:13:55:36.655] `,
		`203.0.113.5:33317 [10/Oct/2023:13:55:36.655] http-in`,
		`203.0.113.5:33317 [10/Oct/2023:13:55:36.655] http-in static/srv1 fast`,
		`203.0.113.5:33317 [10/Oct/2023:13:55:36.655] http-in static/srv1 10/0/30/69/x 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1"`,
		`203.0.113.5 [10/Oct/2023:13:55:36.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1"`,
		`Connect from here to there (as/HTTP)`,
		// Squid.
		`1286536309.450 0 192.0.2.10 hello/200 12 GET http://x - y/z -`,
		`1286536309 0 192.0.2.10 TCP_MISS/200 12 GET http://x - HIER_NONE/- -`,
		`1286536309.450 0 192.0.2.10 TCP_MISS/200 12 GET http://x`,
		// W3C.
		`2024-01-10 10:00:01 INFO handled GET /a in 200 ms by 10.0.0.1`,
		`2024-01-10 10:00:01 server said GET /a - from 10.0.0.1 got 404 back`,
		`2024-01-10 10:00:01 GET /a - 200 extra words here`,
		`2024-01-10 10:00:01 10.0.0.5 GET index.html - 80 - 203.0.113.9 - - 200 0 0 15`,
		`#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status`,
		// uvicorn.
		`INFO:     203.0.113.5:52782 - "WebSocket /ws" [accepted]`,
		`INFO:     Started server process [1]`,
		`INFO:     somebody - "GET / HTTP/1.1" 200 OK`,
		// logfmt.
		`PATH=/bin HOME=/root`,
		`a=b`,
		`x = y level=info`,
		`level=info message without quotes`,
		`level=info msg="never closed`,
		`level=info msg="closed"too early`,
		`level=info =x`,
		`SELECT a FROM t WHERE level=1 AND msg=2`,
		`http://h/?level=info&msg=x y=1`,
		// JSON.
		`{"a":1`, `[{"level":"info"}]`, `"msg"`, `{level: info}`, `{"level":"info"} trailing`,
		// Plain text.
		`Listening on 203.0.113.5:8080`, `at com.example.A.b(A.java:12)`, `java.lang.RuntimeException: "GET / HTTP/1.1" 200 5`, `}`, `{`, ` `, `"`, `[`, `=`, `-`,
	} {
		if m := Recognise(text); m.Format != "" || m.Text != text {
			t.Errorf("%q is taken for %s: %+v", text, m.Format, m)
		}
	}
}

// A login is what the product's own log says is one.
func TestNoLogin(t *testing.T) {
	for _, text := range []string{
		`203.0.113.5 - - [10/Oct/2023:13:55:36 +0000] "POST /login HTTP/1.1" 401 5`,
		`2023/10/10 13:55:36 [error] 29#29: *5 user "bob" was here, client: 203.0.113.5, server: x`,
		`[Tue Oct 10 13:55:36.123456 2023] [core:error] [pid 7:tid 8] [client 203.0.113.5:1] AH00001: user bob: authentication failure for "/": x`,
		`logger=context t=2023-10-10T13:55:36Z level=info msg="Request Completed" method=POST path=/login status=401 remote_addr=203.0.113.5`,
		`level=error msg="Invalid username or password" ts=2023-10-10T13:55:36Z`,
	} {
		if m := Recognise(text); m.Class == "auth.login" || m.Format == "" {
			t.Errorf("%q is %s of %s", text, m.Class, m.Format)
		}
	}
}
