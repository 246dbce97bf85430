package approve

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/evidence"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// Group is the API group of the resources that rights are granted on. They
// need not exist in the cluster: RBAC knows them by name.
const Group = "firebreak.io"

// maxBody bounds a request.
const maxBody = 64 << 10

// Reviewer authenticates and authorises people. [*kube.Client] is one.
type Reviewer interface {
	Authority
	ReviewToken(ctx context.Context, token string) (kube.User, error)
}

// API is the HTTP API. Make it with its fields set, and mount [API.Handler].
type API struct {
	Reviewer  Reviewer
	Bus       *bus.Bus
	Log       *runlog.Log
	Incidents *incident.List
	Control   *respond.Control
	// Playbooks are the names of those that can be started; none is any.
	Playbooks []string
	Logger    *slog.Logger
	// Books are the playbooks, Trust the rules by which they are raised and
	// lowered; the zero value is [respond.DefaultTrustRules].
	Books []*respond.Playbook
	Trust respond.TrustRules
	// Evidence is where captures are kept; nil is nowhere.
	Evidence *evidence.Store
	// Now is the clock; nil is time.Now in UTC.
	Now func() time.Time
}

// Handler serves, each with a bearer token of the cluster:
//
//	GET  /v1/runs?since=TIME&state=S&playbook=P&namespace=N&prefix=ID&after=A&limit=N
//	                                 list runs, those that are open or ended lately first; see [NextHeader]
//	GET  /v1/archive                 list runs
//	GET  /v1/archive/{name}          get runs
//	GET  /v1/runs/{id}               get runs
//	GET  /v1/runs/{id}/history       get runs
//	GET  /v1/runs/{id}/receipt       get runs
//	GET  /v1/runs/{id}/deliveries    get runs
//	GET  /v1/approvals               list runs, see [Queue]
//	POST /v1/approvals/rest/{deed}   approve playbooks/NAME in each target's namespace; deed is approve or deny
//	POST /v1/start                   start playbooks/NAME in the target's namespace
//	GET  /v1/incidents?since=TIME&state=S&prefix=ID&after=A&limit=N
//	                                 list incidents, those that are open first; see [NextHeader]
//	GET  /v1/incidents/{id}          list incidents
//	GET  /v1/incidents/{id}/deliveries  list incidents
//	POST /v1/incidents/{id}/close    update incidents
//	POST /v1/incidents/{id}/ack      acknowledge incidents
//	POST /v1/incidents/{id}/verdict  create verdicts
//	GET  /v1/evidence/RUN/STEP/FILE  get evidence in the namespace of the run's target
//	GET  /v1/dead?limit=N            list deadletters
//	GET  /v1/readers                 list readers
//	DELETE /v1/readers/{name}        delete readers NAME
//	POST /v1/runs/{id}/approve       approve playbooks/NAME in the target's namespace
//	POST /v1/runs/{id}/deny          approve playbooks/NAME in the target's namespace
//	POST /v1/runs/{id}/break-glass   break-glass playbooks/NAME in the target's namespace
//	POST /v1/runs/{id}/{deed}/may    as the deed: whether it would count now; nothing is said
//	GET  /v1/reviews                 list reviews, see [Reviews]
//	POST /v1/reviews/{id}/close      update reviews; never by who broke the glass
//	POST /v1/runs/{id}/undo          undo playbooks/NAME in the target's namespace
//	POST /v1/runs/{id}/extend        undo playbooks/NAME in the target's namespace
//	POST /v1/runs/{id}/keep          undo playbooks/NAME in the target's namespace
//	GET  /v1/holds?namespace=N&prefix=ID&after=A&limit=N
//	                                 list runs, in the namespace if one is asked for: holds that no run is
//	                                 known of; see [NextHeader] and [MoreHeader]
//	GET  /v1/holds/{run}             get runs in each object's namespace
//	POST /v1/holds/{run}/free        undo playbooks in each object's namespace
//	GET  /v1/pause                   get pauses
//	POST /v1/pause, /v1/resume       create, delete pauses; it may take two people to resume
//	POST /v1/mode                    create pauses to lower the ceiling, delete pauses to raise it
//	POST /v1/undo                    undo playbooks in a namespace, or in all
//	GET  /v1/playbooks               list playbooks
//	POST /v1/playbooks/{name}/mode   update playbooks NAME
//	GET  /v1/silences                list silences
//	POST /v1/silences                create silences
//	POST /v1/silences/{id}/end       delete silences
//	POST /v1/findings/{id}/verdict   create verdicts
//	GET  /v1/models                  list models
//	GET  /v1/models/{name}           get models NAME
//	POST /v1/models/{name}/{do}      update models NAME; do is pin, unpin, rollback or approve
//	GET  /v1/events?from=N&limit=N   list events, see [Page]
//	GET  /v1/findings/{id}           get findings
//
// The right of each is the verb and resource of the group firebreak.io that
// stands behind it. Errors are {"error": "…"}.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/runs", a.signed(a.list))
	mux.HandleFunc("GET /v1/archive", a.signed(a.archive))
	mux.HandleFunc("GET /v1/archive/{name}", a.signed(a.part))
	mux.HandleFunc("GET /v1/runs/{id}", a.signed(a.show))
	mux.HandleFunc("GET /v1/runs/{id}/history", a.signed(a.history))
	mux.HandleFunc("GET /v1/runs/{id}/receipt", a.signed(a.receipt))
	mux.HandleFunc("GET /v1/runs/{id}/deliveries", a.signed(a.deliveries))
	mux.HandleFunc("GET /v1/approvals", a.signed(a.queue))
	mux.HandleFunc("POST /v1/approvals/rest/{deed}", a.signed(a.sayRest))
	mux.HandleFunc("POST /v1/start", a.signed(a.start))
	mux.HandleFunc("GET /v1/incidents", a.signed(a.incidents))
	mux.HandleFunc("GET /v1/incidents/{id}", a.signed(a.incident))
	mux.HandleFunc("GET /v1/incidents/{id}/deliveries", a.signed(a.told))
	mux.HandleFunc("POST /v1/incidents/{id}/close", a.signed(a.closeIncident))
	mux.HandleFunc("POST /v1/incidents/{id}/ack", a.signed(a.acknowledge))
	mux.HandleFunc("GET /v1/reviews", a.signed(a.reviews))
	mux.HandleFunc("POST /v1/reviews/{id}/close", a.signed(a.closeReview))
	mux.HandleFunc("POST /v1/incidents/{id}/verdict", a.signed(a.judge))
	mux.HandleFunc("GET /v1/evidence/{name...}", a.signed(a.evidence))
	mux.HandleFunc("GET /v1/dead", a.signed(a.dead))
	mux.HandleFunc("GET /v1/readers", a.signed(a.readers))
	mux.HandleFunc("DELETE /v1/readers/{name}", a.signed(a.forget))
	mux.HandleFunc("POST /v1/runs/{id}/{deed}", a.signed(a.say))
	mux.HandleFunc("POST /v1/runs/{id}/{deed}/may", a.signed(a.could))
	mux.HandleFunc("GET /v1/holds", a.signed(a.holds))
	mux.HandleFunc("GET /v1/holds/{run}", a.signed(a.lostRun))
	mux.HandleFunc("POST /v1/holds/{run}/free", a.signed(a.freeHolds))
	mux.HandleFunc("GET /v1/pause", a.signed(a.paused))
	mux.HandleFunc("POST /v1/pause", a.signed(a.pause))
	mux.HandleFunc("POST /v1/resume", a.signed(a.resume))
	mux.HandleFunc("POST /v1/mode", a.signed(a.mode))
	mux.HandleFunc("POST /v1/undo", a.signed(a.undoAll))
	mux.HandleFunc("GET /v1/playbooks", a.signed(a.playbooks))
	mux.HandleFunc("POST /v1/playbooks/{name}/mode", a.signed(a.grant))
	mux.HandleFunc("GET /v1/silences", a.signed(a.silences))
	mux.HandleFunc("POST /v1/silences", a.signed(a.silence))
	mux.HandleFunc("POST /v1/silences/{id}/end", a.signed(a.unsilence))
	mux.HandleFunc("POST /v1/findings/{id}/verdict", a.signed(a.verdict))
	mux.HandleFunc("GET /v1/models", a.signed(a.models))
	mux.HandleFunc("GET /v1/models/{name}", a.signed(a.modelState))
	mux.HandleFunc("POST /v1/models/{name}/{do}", a.signed(a.model))
	mux.HandleFunc("GET /v1/events", a.signed(a.events))
	mux.HandleFunc("GET /v1/findings/{id}", a.signed(a.finding))
	return mux
}

// Paths are what [API.Handler] is to be mounted at, beside others.
func Paths() []string {
	var all []string
	for _, name := range []string{"approvals", "archive", "dead", "evidence", "events", "findings", "holds", "incidents", "models", "playbooks", "readers", "reviews", "runs", "silences"} {
		all = append(all, "/v1/"+name, "/v1/"+name+"/")
	}
	return append(all, "/v1/mode", "/v1/pause", "/v1/resume", "/v1/start", "/v1/undo")
}

// desk is where what people say is taken.
func (a *API) desk() Desk {
	return Desk{Authority: a.Reviewer, Bus: a.Bus, Log: a.Log, Incidents: a.Incidents, Control: a.Control, Logger: a.Logger, Now: a.Now}
}

func (a *API) now() time.Time { return a.desk().now() }

// call is one authenticated request.
type call struct {
	w    http.ResponseWriter
	r    *http.Request
	user kube.User
}

// signed authenticates before anything is read or said.
func (a *API) signed(next func(call) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || token == "" {
			answer(w, http.StatusUnauthorized, map[string]string{"error": "a bearer token of the cluster is needed"})
			return
		}
		if a.Reviewer == nil {
			answer(w, http.StatusServiceUnavailable, map[string]string{"error": "there is no cluster that could say who you are"})
			return
		}
		user, err := a.Reviewer.ReviewToken(r.Context(), token)
		if errors.Is(err, kube.ErrUnauthenticated) {
			answer(w, http.StatusUnauthorized, map[string]string{"error": "the cluster does not know this token"})
			return
		}
		if err == nil {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			err = next(call{w: w, r: r, user: user})
		}
		a.fail(w, r, err)
	}
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p problem
	switch {
	case err == nil:
	case errors.As(err, &p):
		answer(w, p.Status, map[string]string{"error": p.Text})
	case errors.Is(err, bus.ErrNotFound):
		answer(w, http.StatusNotFound, map[string]string{"error": "there is no such run"})
	default:
		// What went wrong inside is for the log: whoever asks may be nobody yet.
		a.Logger.ErrorContext(r.Context(), "answer request", "path", r.URL.Path, "error", err)
		answer(w, http.StatusServiceUnavailable, map[string]string{"error": "this can't be answered now, try again; the log says why"})
	}
}

// allowed asks the cluster whether the caller may.
func (a *API) allowed(c call, verb, resource, name, namespace string) error {
	return a.desk().May(c.r.Context(), c.user, verb, resource, name, namespace)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone; there is nobody to tell
}
