package ingest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/firebreak-io/firebreak/ingest/credential"
	"github.com/firebreak-io/firebreak/ingest/limit"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// Deps is what a source is given when it is opened ([Kind.Open]). Sink, Store
// and Metrics are always there.
type Deps struct {
	// Sink takes the events, Store the rejects. What a source is given is not
	// this sink: see [Open].
	Sink Sink
	// Enrich, if set, adds to events what the cluster knows of them before
	// the sink takes them.
	Enrich func(Sink) Sink
	// Pods chooses the parsers of logs; nil leaves that to the lines.
	Pods    Pods
	Store   Store
	Metrics Metrics
	Logger  *slog.Logger
	// Telemetry makes spans; nil makes none.
	Telemetry *telemetry.Telemetry
	// Cluster is put into events.
	Cluster string
	// Dir is where relative paths of the configuration begin, Data the
	// directory for read positions.
	Dir, Data string
	// Stdin is standard input; nil means the process's.
	Stdin io.Reader
	// Subscriber is the message bus that other programs publish on; nil where
	// it is embedded and so out of their reach.
	Subscriber Subscriber
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Subscriber gives what others publish on a message bus. [*bus.Bus] is one
// when its server is external.
type Subscriber interface {
	// Subscribe calls take with each message on the subject, which may hold
	// wildcards, one at a time, until ctx ends. What comes while nobody
	// subscribes, or faster than take returns, is lost: lost is told how many.
	Subscribe(ctx context.Context, subject string, take func(subject string, data []byte), lost func(n int)) error
}

// Pods says what a cluster knows of a container that writes a log: the pod's
// annotation [logline.Annotation], and the image. Both are empty while the pod
// is not known. It answers from memory and may be called concurrently.
type Pods interface {
	Hints(namespace, pod, uid, container string) (annotation, image string)
}

// Source is a source that was opened: endpoints that the server serves, work
// to run, or both.
type Source struct {
	Endpoints []Endpoint
	// Run works until ctx ends, and then returns nil. It is nil where there
	// is nothing to run.
	Run func(ctx context.Context) error
}

// Endpoint is a place that clients post to: POST /v1/NAME and
// /v1/NAME/SECRET.
type Endpoint struct {
	Name   string
	Source event.Source
	// Credential is what a client must show; [HTTPConfig] makes one.
	Credential *credential.Set
	// KeyHeader is a header that carries the token beside Authorization, where
	// the client's protocol has one of its own.
	KeyHeader string
	// Limit bounds what clients send; nil does not.
	Limit *limit.Limiter
	// MaxBody is the most bytes of a body, compressed or not.
	MaxBody int64
	// Sink takes the events; nil means that of [HTTPOptions]. [Open] sets it.
	Sink Sink
	// Root also serves / and /SECRET, for what is configured for
	// Falcosidekick or Talon.
	Root bool
	// Paths are served too, for clients whose path is given by a
	// specification.
	Paths []string
	// Dense bodies hold compressed text: in what may be in work at a time each
	// counts with MaxBody, however short it is.
	Dense bool
	// Types are the content types of bodies besides JSON.
	Types []string
	// Decode reads one body and gives its events, some at a time, so that a
	// body of many need not be in memory as events at once. The error is that
	// of give, or says that the body is refused whatever was given of it; the
	// rejects are to be kept in any case. It may be called concurrently.
	Decode func(req *http.Request, body []byte, o Origin, give func([]event.Event) error) ([]event.Rejected, error)
	// Answer writes the answer in a form of the client's own; nil writes
	// [Result] as JSON.
	Answer func(w http.ResponseWriter, req *http.Request, r Result)
}

// Result is what became of one request.
type Result struct {
	// Status is that of HTTP: 200 once all events are on disk.
	Status             int
	Accepted, Rejected int
	// Reason says why, when Status is not 200.
	Reason string
	// Kept says that nothing of the body could be read, and that all of it is
	// kept as dead letters: it is no use sending it again.
	Kept bool
}

// Open opens the source of a name with its decoded configuration. It reads
// secrets and makes directories, and starts nothing.
//
// Its events go through Deps.Enrich, then through the source's own filter and
// summaries ([Volume]), then to Deps.Sink. A source that remembers how far it
// read asks [SettlerOf] its sink.
func Open(name string, d Deps, config any) (Source, error) {
	k, ok := Lookup(name)
	if !ok {
		return Source{}, fmt.Errorf("open source %s: no such source", name)
	}
	s, err := openThrough(k, d, config)
	if err != nil {
		return Source{}, fmt.Errorf("open source %s: %w", name, err)
	}
	return s, nil
}

// openPosted opens a source that is posted by HTTP, whose configuration is or
// embeds an [HTTPConfig], and whose bodies decode reads; nil leaves that to the caller.
func openPosted(d Deps, config any, e Endpoint, decode func([]byte, Origin, give) ([]event.Rejected, error)) (Source, error) {
	c := config.(postedConfig).posted()
	set, err := credential.Open(c.Config, d.Dir, d.Logger)
	if err != nil {
		return Source{}, err
	}
	e.Credential, e.MaxBody, e.Limit = set, c.MaxBody, limit.New(c.Limit, time.Now())
	if decode == nil {
		return Source{Endpoints: []Endpoint{e}}, nil
	}
	e.Decode = func(_ *http.Request, body []byte, o Origin, g func([]event.Event) error) ([]event.Rejected, error) {
		return decode(body, o, g)
	}
	return Source{Endpoints: []Endpoint{e}}, nil
}
