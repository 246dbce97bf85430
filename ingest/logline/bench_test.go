package logline

import "testing"

// BenchmarkRecognise is the cost of a line that nothing is known of but its
// text; plain ones are those that no parser takes.
func BenchmarkRecognise(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"plain", "Starting the worker pool with 8 workers"},
		{"plain-time", "2023-10-10 13:55:36.123  INFO 1 --- [main] c.e.Application : Started in 2.1 seconds"},
		{"plain-stack", "	at com.example.Shop.pay(Shop.java:42)"},
		{"nginx", `203.0.113.5 - - [10/Oct/2023:13:55:36 +0200] "GET /index.html?q=1 HTTP/1.1" 200 2326 "https://shop.example/" "Mozilla/5.0 (X11; Linux x86_64)"`},
		{"ingress-nginx", `203.0.113.5 - - [10/Oct/2023:13:55:36 +0000] "GET /cart HTTP/2.0" 200 612 "-" "Mozilla/5.0" 431 0.005 [shop-web-80] [] 10.244.0.9:8080 612 0.004 200 3f2a9d0c4b5e6f708192a3b4c5d6e7f8`},
		{"apache", `203.0.113.5 - frank [10/Oct/2023:13:55:36 -0700] "GET /a HTTP/1.1" 304 -`},
		{"envoy", `[2023-10-10T13:55:36.310Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 4 4 "-" "curl/8.5" "84961386" "httpbin:8000" "10.44.1.27:80" outbound|8000||httpbin 10.44.1.23:37652 10.0.45.184:8000 10.44.1.23:46520 - default`},
		{"traefik", `203.0.113.5 - - [10/Oct/2023:13:55:36 +0000] "GET /api HTTP/2.0" 200 1024 "-" "-" 1 "web@docker" "http://10.0.0.7:80" 17ms`},
		{"haproxy", `203.0.113.5:33317 [10/Oct/2023:13:55:36.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"`},
		{"logfmt", `ts=2023-10-10T13:55:36Z level=info method=GET path=/a?b=c status=200 duration=12.5ms remote_addr=203.0.113.5:4711 user=bob`},
		{"json", `{"level":"info","time":"2023-10-10T13:55:36Z","msg":"request completed","req":{"method":"GET","url":"/p","remoteAddress":"203.0.113.5"},"res":{"statusCode":200},"responseTime":7}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				Recognise(c.text)
			}
		})
	}
}
