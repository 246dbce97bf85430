package ingest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// opened is the handler of one source of the catalogue, opened with its own
// configuration.
func opened(t *testing.T, name, yaml string) (http.Handler, *fakeStore, *tally) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(testToken), 0o600); err != nil {
		t.Fatal(err)
	}
	k, ok := Lookup(name)
	if !ok {
		t.Fatalf("no source %s", name)
	}
	config := k.Config()
	if err := conf.Decode("config.yaml", []byte("token: {file: token}\npath: {file: token}\n"+yaml), config); err != nil {
		t.Fatal(err)
	}
	store, metrics := &fakeStore{}, newTally()
	d := Deps{Sink: direct{store}, Store: store, Metrics: metrics, Dir: dir, Data: dir}
	s, err := Open(name, d, config)
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewHandler(HTTPOptions{Endpoints: s.Endpoints, Sink: d.Sink, Store: store, Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	return h, store, metrics
}

func post(h http.Handler, path, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest("POST", path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// firehoseOf is the request of Firehose for messages of CloudWatch.
func firehoseOf(t testing.TB, messages ...string) string {
	var records []map[string]string
	for _, m := range messages {
		records = append(records, map[string]string{"data": base64.StdEncoding.EncodeToString(zipped([]byte(m)))})
	}
	body, err := json.Marshal(map[string]any{"requestId": "r", "timestamp": 1, "records": records})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// cloudWatchOf is a message of CloudWatch with lines of the audit log.
func cloudWatchOf(t testing.TB, lines ...string) string {
	var events []map[string]any
	for i, l := range lines {
		events = append(events, map[string]any{"id": fmt.Sprint(i), "timestamp": 1, "message": l})
	}
	body, err := json.Marshal(map[string]any{
		"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "/aws/eks/shop/cluster", "logStream": "kube-apiserver-audit-1", "logEvents": events,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestFirehose(t *testing.T) {
	good := firehoseOf(t, cloudWatchOf(t, oneAudit, strings.Replace(oneAudit, `"1"`, `"2"`, 1)))
	// Lines that compress well, but not too well to be true.
	random := rand.New(rand.NewPCG(1, 2))
	var lines strings.Builder
	for lines.Len() < 40<<20 {
		fmt.Fprintf(&lines, "%08x and the same words on every line of it, again and again and again\n", random.Uint32())
	}
	dense := firehoseOf(t, lines.String(), lines.String())
	for _, c := range []struct {
		name, body, key string
		status          int
		answer          string
		events, dead    int
	}{
		{"good", good, testToken, 200, "", 2, 0},
		{"control message", firehoseOf(t, `{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health."}]}`), testToken, 200, "", 0, 0},
		{"control message, its type behind", firehoseOf(t, `{"logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health."}],"logGroup":"","messageType":"CONTROL_MESSAGE"}`), testToken, 200, "", 0, 0},
		{"no records", `{"requestId":"r","timestamp":1,"records":[]}`, testToken, 200, "", 0, 0},
		{"kept as dead letters", firehoseOf(t, "words"), testToken, 200, "malformed JSON", 0, 1},
		{"partly", firehoseOf(t, oneAudit, "words"), testToken, 200, "", 1, 1},
		{"bomb", firehoseOf(t, strings.Repeat(" ", 20<<20)), testToken, 200, "compressed too well", 0, 1},
		{"wrong key", good, "wrong-wrong-wrong-wrong", 401, "unauthorized", 0, 0},
		{"too much at a time", dense, testToken, 413, "send fewer", 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, store, _ := opened(t, "audit-firehose", "")
			w := post(h, "/v1/audit-firehose", c.body, "X-Amz-Firehose-Access-Key", c.key, "X-Amz-Firehose-Request-Id", "ed4acda5")
			var answer struct {
				RequestID    string
				Timestamp    int64
				ErrorMessage string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.RequestID != "ed4acda5" || answer.Timestamp < 1e12 {
				t.Errorf("answer %s: %v", w.Body, err)
			}
			if w.Code != c.status || !strings.Contains(answer.ErrorMessage, c.answer) || c.answer == "" && answer.ErrorMessage != "" {
				t.Errorf("answer %d %s, want %d %q", w.Code, w.Body, c.status, c.answer)
			}
			if len(store.events()) != c.events || len(store.dead) != c.dead {
				t.Errorf("%d events, %d dead, want %d, %d: %.300s", len(store.events()), len(store.dead), c.events, c.dead, store.dead)
			}
		})
	}
}

// Which cluster it is from is known in whatever order the members come.
func TestCloudWatchOrder(t *testing.T) {
	event, err := json.Marshal(oneAudit)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{"messageType":"DATA_MESSAGE","logGroup":"/aws/eks/shop/cluster","logEvents":[{"message":%s}]}`,
		`{"logEvents":[{"message":%s}],"logGroup":"/aws/eks/shop/cluster","messageType":"DATA_MESSAGE"}`,
		`{"owner":"1","logEvents":[{"message":%s}],"messageType":"DATA_MESSAGE","subscriptionFilters":["a","b"],"logGroup":"/aws/eks/shop/cluster"}`,
	} {
		events, rejects := mustDecode(t, "audit", fmt.Sprintf(text, event))
		if len(events) != 1 || len(rejects) != 0 || events[0].Cluster != "shop" {
			t.Errorf("%s: %+v %+v", text, events, rejects)
		}
	}
	// Of two messages each says its own.
	two := `{"logEvents":[{"message":%s}],"logGroup":"/aws/eks/a/cluster"}`
	events, _ := mustDecode(t, "audit", fmt.Sprintf(two+two, event, event))
	if len(events) != 2 || events[1].Cluster == "a" {
		t.Errorf("%+v", events)
	}
}

// What is compressed inside a body is taken only where it is counted.
func TestDenseBodiesAreRefusedElsewhere(t *testing.T) {
	for _, name := range []string{"audit", "audit-pubsub"} {
		h, store, _ := opened(t, name, "")
		post(h, "/v1/"+name, firehoseOf(t, cloudWatchOf(t, oneAudit)), "Authorization", "Bearer "+testToken)
		if len(store.events()) != 0 || len(store.dead) != 1 || !strings.Contains(store.dead[0].Reason, "audit-firehose") {
			t.Errorf("%s: %+v", name, store.dead)
		}
	}
}

func TestPubSub(t *testing.T) {
	push := func(data string) string {
		return `{"message":{"data":"` + base64.StdEncoding.EncodeToString([]byte(data)) + `","messageId":"1"},"subscription":"s"}`
	}
	entry := `{"insertId":"1","protoPayload":{"serviceName":"k8s.io","methodName":"io.k8s.core.v1.pods.list","resourceName":"core/v1/namespaces/a/pods","authenticationInfo":{"principalEmail":"a@example.com"}},"timestamp":"2026-01-02T03:04:05Z"}`
	for _, c := range []struct {
		name, body   string
		status       int
		events, dead int
	}{
		{"good", push(entry), 204, 1, 0},
		{"unwrapped", entry, 204, 1, 0},
		{"of another service", push(strings.Replace(entry, "k8s.io", "compute.googleapis.com", 1)), 204, 0, 1},
		{"not base64", `{"message":{"data":"%%"}}`, 204, 0, 1},
		{"malformed", `{"message":`, 204, 0, 1},
		{"too large", push(strings.Repeat("x", 11<<20)), 413, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, store, _ := opened(t, "audit-pubsub", "")
			w := post(h, "/v1/audit-pubsub/"+testToken, c.body)
			if w.Code != c.status || len(store.events()) != c.events || len(store.dead) != c.dead {
				t.Errorf("answer %d, %d events, %d dead: %+v", w.Code, len(store.events()), len(store.dead), c)
			}
		})
	}
}

// TestStages: of one request each stage that the choice names is taken, the
// others are counted.
func TestStages(t *testing.T) {
	one := func(stage, verb, sub string, code int) string {
		return fmt.Sprintf(`{"kind":"Event","auditID":"%s%s%s","stage":%q,"verb":%q,"objectRef":{"resource":"pods","name":"a","namespace":"b","subresource":%q},"responseStatus":{"code":%d}}`,
			stage, verb, sub, stage, verb, sub, code)
	}
	body := "[" + strings.Join([]string{
		one("RequestReceived", "get", "", 0), one("ResponseComplete", "get", "", 200),
		one("RequestReceived", "watch", "", 0), one("ResponseStarted", "watch", "", 200), one("ResponseComplete", "watch", "", 200),
		one("RequestReceived", "create", "exec", 0), one("ResponseStarted", "create", "exec", 101), one("ResponseComplete", "create", "exec", 101),
		one("ResponseStarted", "list", "", 401), one("Panic", "update", "", 500), one("", "delete", "", 200),
	}, ",") + "]"
	for stages, want := range map[string]int{"all": 11, "last": 7} {
		h, store, metrics := opened(t, "audit", "stages: "+stages)
		w := post(h, "/v1/audit", body, "Authorization", "Bearer "+testToken)
		if w.Code != 200 || len(store.events()) != want || metrics.events["unstored audit"] != 11-want {
			t.Errorf("%s: answer %d %s, %d events, %d unstored", stages, w.Code, w.Body, len(store.events()), metrics.events["unstored audit"])
		}
	}
	store, metrics := &fakeStore{}, newTally()
	list, _ := mustDecode(t, "audit", body)
	if err := (stageSink{direct{store}, StagesLast, metrics}).Put(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	if len(store.events()) != 7 || metrics.events["unstored audit"] != 4 {
		t.Errorf("of a file %d events are stored, %v", len(store.events()), metrics.events)
	}
	if (&AuditConfig{Stages: "first"}).Check() == nil {
		t.Error("stages: first is accepted")
	}
}

// Falco without json_output posts text; its alerts are taken too.
func TestFalcoPlainText(t *testing.T) {
	h, store, _ := opened(t, "falco", "")
	w := post(h, "/v1/falco", "10:20:05.408091526: Warning Sensitive file opened (user=root)", "Authorization", "Bearer "+testToken, "Content-Type", "text/plain")
	if e := store.events(); w.Code != 200 || len(e) != 1 || e[0].Priority != "Warning" || e[0].Rule != "" || e[0].Time.IsZero() {
		t.Errorf("answer %d %s: %+v", w.Code, w.Body, e)
	}
	w = post(h, "/v1/falco", "words", "Authorization", "Bearer "+testToken, "Content-Type", "text/plain")
	if w.Code != 400 || len(store.dead) != 1 {
		t.Errorf("answer %d %s: %+v", w.Code, w.Body, store.dead)
	}
}

// A body of too many events is refused whole.
func TestManyEvents(t *testing.T) {
	h, store, _ := opened(t, "audit", "")
	body := "[" + strings.Repeat(`{"kind":"Event","verb":"get"},`, maxBodyEvents) + `{"kind":"Event","verb":"get"}]`
	w := post(h, "/v1/audit", body, "Authorization", "Bearer "+testToken)
	if w.Code != 400 || len(store.events()) != 0 || len(store.dead) != 1 || !bytes.Contains(w.Body.Bytes(), []byte("send fewer")) {
		t.Errorf("answer %d %s, %d events", w.Code, w.Body, len(store.events()))
	}
}
