package ingest

import (
	"net/http"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "audit-pubsub",
		Doc: "Audit events of GKE: a log sink to Pub/Sub, and a push subscription to this endpoint " +
			"(Pub/Sub sends no header of your choice: use the secret path).",
		Source: event.SourceAudit,
		// A message of Pub/Sub has at most 10 MB, in base64.
		Config: func() any { return &AuditConfig{HTTPConfig: HTTPConfig{MaxBody: 14 << 20}, Stages: StagesAll} },
		Open: func(d Deps, config any) (Source, error) {
			return openAuditPosted(d, config, auditInput(), Endpoint{
				Name: "audit-pubsub", Source: event.SourceAudit, Answer: answerPubSub,
			})
		},
	})
}

// answerPubSub acknowledges with 204, and refuses with anything else
// (https://cloud.google.com/pubsub/docs/push#receive_push). A message that
// could not be read is kept as a dead letter and acknowledged: it would come
// again for days.
func answerPubSub(w http.ResponseWriter, _ *http.Request, r Result) {
	if r.Status == http.StatusOK || r.Kept {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Error(w, r.Reason, r.Status)
}
