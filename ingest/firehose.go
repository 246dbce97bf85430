package ingest

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// maxFirehose is how many bytes the records of one request may have when they
// are decompressed. Two requests at most are in work at a time.
const maxFirehose = 64 << 20

func init() {
	register(Kind{
		Name: "audit-firehose",
		Doc: "Audit events of EKS: a CloudWatch Logs subscription that Amazon Data Firehose delivers to an HTTP endpoint " +
			"(set the access key to the token, and the buffer to 1 MiB).",
		Source: event.SourceAudit,
		Config: func() any { return &AuditConfig{HTTPConfig: HTTPConfig{MaxBody: 16 << 20}, Stages: StagesAll} },
		Open: func(d Deps, config any) (Source, error) {
			in := auditInput()
			in.room = maxFirehose
			return openAuditPosted(d, config, in, Endpoint{
				Name: "audit-firehose", Source: event.SourceAudit, KeyHeader: "X-Amz-Firehose-Access-Key", Dense: true, Answer: answerFirehose,
			})
		},
	})
}

// answerFirehose answers as Firehose asks for
// (https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html):
// with 200 and the id of the request. Anything else it delivers again and, in
// the end, puts into the bucket for backups. So what could not be read and is
// kept as a dead letter is answered with 200, since it would not be read the
// next time either, and what holds too much at a time is not.
func answerFirehose(w http.ResponseWriter, req *http.Request, r Result) {
	body := map[string]any{"requestId": clip(req.Header.Get("X-Amz-Firehose-Request-Id"), 256), "timestamp": time.Now().UnixMilli()}
	status := r.Status
	switch {
	case r.Reason == errMuch.Error() || r.Reason == errManyEvents.Error():
		status = http.StatusRequestEntityTooLarge
	case r.Kept:
		status = http.StatusOK
	}
	if r.Reason != "" {
		body["errorMessage"] = clip(r.Reason, maxReason)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
