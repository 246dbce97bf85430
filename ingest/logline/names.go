package logline

import (
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// describe reads an object by the names that logging libraries and servers
// commonly give: the Elastic Common Schema, OpenTelemetry's conventions, zap,
// logrus, zerolog, pino, bunyan, slog, Caddy, echo, Google Cloud. A name with
// dots stands for itself and for objects in objects. It is a request when it
// has a method and a status.
func describe(fields map[string]any) Message {
	m := Message{
		Text:  textAt(fields, "msg", "message", "log", "body", "Body", "event", "@m", "@mt", "short_message", "textPayload", "MESSAGE"),
		Level: levelOf(find(fields, "level", "severity", "lvl", "loglevel", "log.level", "log_level", "levelname", "level_name", "severity_text", "SeverityText", "Level", "@l")),
		User:  wordAt(fields, "user.name", "user.username", "username", "user_name", "userName", "uname", "user", "enduser.id", "remote_user", "user.id", "user.email", "user_id", "request.user_id"),
		Address: firstAddress(fields, "client.ip", "source.ip", "client.address", "source.address", "network.peer.address", "net.sock.peer.addr", "net.peer.ip",
			"request.remote_ip", "req.remoteAddress", "request.remote_addr", "req.remote_addr", "httpRequest.remoteIp", "remote_ip", "remote_addr", "remoteAddr", "RemoteAddr",
			"remote_address", "remoteAddress", "remote", "client_ip", "clientIp", "clientIP", "ClientIP", "clientip", "client_addr", "source_ip", "sourceIP", "src_ip", "peer.address",
			"peer", "client", "http.client_ip", "req.ip"),
		UserAgent: wordAt(fields, "user_agent.original", "http.user_agent", "http.useragent", "http.request.header.user-agent", "user_agent", "userAgent", "useragent", "http_user_agent", "user-agent",
			"req.headers.user-agent", "request.headers.User-Agent", "httpRequest.userAgent", "UserAgent", "ua"),
		Forwarded: chain(listAt(fields, "x_forwarded_for", "http_x_forwarded_for", "x-forwarded-for", "xff", "forwarded_for", "forwarded", "fwd", "http.request.header.x-forwarded-for",
			"req.headers.x-forwarded-for", "request.headers.X-Forwarded-For", "headers.x-forwarded-for")),
	}
	m.User = dash(m.User)
	m.UserAgent = dash(m.UserAgent)
	for _, name := range []string{"time", "ts", "timestamp", "@timestamp", "t", "@t", "Timestamp", "datetime", "start_time", "time_iso8601", "time_local"} {
		if m.Time = timeOf(fields[name]); !m.Time.IsZero() {
			break
		}
		if m.Local.IsZero() {
			m.Local = localOf(fields[name])
		}
	}
	if m.Address == "" && len(m.Forwarded) > 0 {
		m.Address, m.Forwarded = hops(strings.Join(m.Forwarded, ","))
	}
	describeRequest(&m, fields)
	describeLogin(&m, fields)
	objectSaid(&m, fields)
	return m
}

// describeRequest fills the request. One without a status has not been
// answered: it keeps method and path, and is a plain line.
func describeRequest(m *Message, fields map[string]any) {
	method, path := textAt(fields, "http.request.method", "http.method", "method", "request_method", "requestMethod", "httpMethod", "http_method", "req.method", "request.method",
		"httpRequest.requestMethod", "RequestMethod", "Method"), ""
	if line := textAt(fields, "request"); method == "" && strings.Contains(head(line, 40), " ") {
		// nginx in JSON keeps the whole line.
		r := Message{Fields: map[string]any{}}
		setRequest(&r, line)
		method, path = r.HTTP.Method, r.HTTP.Path
	}
	if !known(method) {
		return
	}
	if path == "" {
		path = textAt(fields, "url.original", "url.path", "http.target", "url.full", "http.url", "http.path", "http.request.path", "req.url", "request.uri", "request.url", "request.path",
			"httpRequest.requestUrl", "uri", "path", "request_uri", "requestURI", "request_path", "requestPath", "RequestPath", "url", "http_path", "Path")
	}
	m.HTTP.Method, m.HTTP.Path = method, dash(path)
	m.HTTP.Status = statusOf(find(fields, "http.response.status_code", "http.status_code", "http.status", "status", "status_code", "statusCode", "StatusCode", "res.statusCode",
		"res.status", "response.status", "response.status_code", "response_code", "responseStatus", "httpRequest.status", "http_status", "resp_status", "Status"))
	if m.HTTP.Status == 0 {
		return
	}
	m.HTTP.Bytes = sizeOf(find(fields, "http.response.body.bytes", "http.response.body.size", "http.response_content_length", "http.response.bytes", "body_bytes_sent", "bytes_sent", "bytes_out",
		"res.headers.content-length", "res.contentLength", "httpRequest.responseSize", "response_size", "resp_size", "responseSize", "size", "bytes", "content_length", "length"))
	m.HTTP.Duration = lasted(fields)
	if m.Address == "" {
		// Of a request it is the client's; elsewhere it is anybody's.
		m.Address = firstAddress(fields, "ip")
	}
	finished(m)
}

// lasted is the request's time in seconds, 0 when it isn't told or its unit
// isn't. A text with its unit is the finest.
func lasted(fields map[string]any) float64 {
	for _, name := range []string{"duration", "latency_human", "latency", "elapsed", "took", "dur", "service", "httpRequest.latency", "response_time", "responsetime", "event.duration"} {
		if v, ok := duration(textAt(fields, name)); ok {
			return v
		}
	}
	for _, n := range []struct {
		name string
		unit time.Duration
	}{
		{"event.duration", time.Nanosecond},
		{"http.server.request.duration", time.Second},
		{"request_time", time.Second},
		{"responseTime", time.Millisecond}, {"response-time", time.Millisecond},
		{"http.server.duration", time.Millisecond}, {"Elapsed", time.Millisecond}, {"ElapsedMilliseconds", time.Millisecond},
		{"elapsedMs", time.Millisecond}, {"durationMs", time.Millisecond}, {"latencyMs", time.Millisecond}, {"responseTimeMs", time.Millisecond},
	} {
		if v, ok := secondsOf(find(fields, n.name), n.unit); ok {
			return v
		}
	}
	for _, base := range []string{"duration", "latency", "elapsed", "response_time", "request_time", "time", "took", "dur"} {
		for _, u := range []struct {
			suffix string
			unit   time.Duration
		}{{"_ms", time.Millisecond}, {"_s", time.Second}, {"_seconds", time.Second}, {"_sec", time.Second}, {"_us", time.Microsecond}, {"_ns", time.Nanosecond}, {"_nanos", time.Nanosecond}} {
			if v, ok := secondsOf(fields[base+u.suffix], u.unit); ok {
				return v
			}
		}
	}
	return unlabelled(fields)
}

// unlabelled reads a number whose name has no unit in the one that the
// library is known for, where it shows which it is: zap and Caddy (a time in seconds with a part, and a caller or a logger)
// write seconds, slog (an upper-case level) nanoseconds, pino (a number as
// level) milliseconds.
func unlabelled(fields map[string]any) float64 {
	v := find(fields, "duration", "latency", "elapsed", "took", "dur", "response_time", "responsetime")
	unit := time.Duration(0)
	_, seconds := fields["ts"].(float64)
	_, number := fields["level"].(int64)
	level := stringOf(fields["level"])
	switch {
	case seconds && (fields["caller"] != nil || fields["logger"] != nil):
		unit = time.Second
	case number && fields["pid"] != nil:
		unit = time.Millisecond
	case level != "" && level == strings.ToUpper(level) && fields["msg"] != nil && stringOf(fields["time"]) != "":
		unit = time.Nanosecond
	}
	if unit == 0 {
		return 0
	}
	d, _ := secondsOf(v, unit)
	return d
}

// describeLogin knows a login by the Elastic Common Schema, which says it in
// so many words.
func describeLogin(m *Message, fields map[string]any) {
	if m.Class != "" || !strings.Contains(","+listAt(fields, "event.category")+",", ",authentication,") {
		return
	}
	switch stringOf(find(fields, "event.outcome")) {
	case "success":
		m.Outcome = event.OutcomeSuccess
	case "failure":
		m.Outcome = event.OutcomeFailure
	default:
		return
	}
	m.Class, m.Verb = event.ClassLogin, "login"
}
