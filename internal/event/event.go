package event

import "time"

// Source names the kind of observer that an event came from.
type Source string

// The sources. Control events (rule sets, silences, heartbeats) are the
// service's own.
const (
	SourceFalco   Source = "falco"
	SourceAudit   Source = "audit"
	SourceLog     Source = "log"
	SourceControl Source = "control"
)

// Values are all sources.
func (Source) Values() []string {
	return []string{string(SourceFalco), string(SourceAudit), string(SourceLog), string(SourceControl)}
}

// Event is one normalised observation: who (actor) did what (verb) to what
// (object), where, when, with what outcome, and the source's own fields.
//
// The expr tags are the names that rules use. Everything in an event is data
// that somebody else, perhaps an attacker, wrote.
type Event struct {
	// ID is the same when the same observation comes again: a hash of the
	// canonical source event (see [HashID]).
	ID     string `json:"id" expr:"id"`
	Source Source `json:"source" expr:"source"`
	// Class is one of the closed set [Classes].
	Class string `json:"class" expr:"class" values:"process.exec process.file process.network process.other falco.internal k8s.api k8s.exec http.request auth.login log.line log.error log.summary control"`
	// Time is when it happened by the source's clock, Received when Firebreak
	// took it in. In replay they are equal.
	Time     time.Time `json:"time" expr:"time"`
	Received time.Time `json:"received" expr:"received"`
	Cluster  string    `json:"cluster,omitempty" expr:"cluster"`
	Severity Severity  `json:"severity" expr:"severity"`
	Trust    Trust     `json:"trust" expr:"trust"`
	Actor    Actor     `json:"actor,omitzero" expr:"actor"`
	// Verb is what the event says was done (get, create, exec, open, …).
	Verb    string  `json:"verb,omitempty" expr:"verb"`
	Object  Ref     `json:"object,omitzero" expr:"object"`
	Outcome Outcome `json:"outcome,omitempty" expr:"outcome"`
	HTTP    HTTP    `json:"http,omitzero" expr:"http"`
	// Image is what the cluster knows of the image that the object runs.
	Image Image `json:"image,omitzero" expr:"image"`
	// Rule and Priority are what the source itself said: Falco's rule name
	// and priority. Empty elsewhere.
	Rule     string `json:"rule,omitempty" expr:"rule"`
	Priority string `json:"priority,omitempty" expr:"priority"`
	// Message is the human text: Falco's output, or the log line.
	Message string `json:"message,omitempty" expr:"message"`
	// Fields are the source's own, bounded: Falco's output_fields under their
	// own names; of an audit event request, response, annotations, level,
	// stage, uri, code, audit_id, certificate (whom a request for one asks to be); of a log line stream and what its parser
	// found. Values are string, bool, int64, float64, []any, map[string]any
	// or nil.
	Fields Fields   `json:"fields,omitempty" expr:"fields"`
	Tags   []string `json:"tags,omitempty" expr:"tags"`
	// From says where it was read: "falco http 10.0.0.1:4312", or FILE:LINE.
	From string `json:"from,omitempty" expr:"from"`
	// Cut names the parts that were shortened to their bound.
	Cut []string `json:"cut,omitempty" expr:"cut"`
}

// Actor is who did it.
type Actor struct {
	User string `json:"user,omitempty" expr:"user"`
	// Impersonated is the identity that the user acted as, if any.
	Impersonated string   `json:"impersonated,omitempty" expr:"impersonated"`
	Groups       []string `json:"groups,omitempty" expr:"groups"`
	// ServiceAccount is NAMESPACE/NAME when User is a service account.
	ServiceAccount string `json:"service_account,omitempty" expr:"service_account"`
	// Address is the client's IP address, without a port.
	Address   string `json:"address,omitempty" expr:"address"`
	UserAgent string `json:"user_agent,omitempty" expr:"user_agent"`
	// Process is the command line (Falco's proc.cmdline).
	Process string `json:"process,omitempty" expr:"process"`
	// Pod is the pod that a request to the API came from: the one that the
	// token is bound to, else the one with the address of the connection.
	Pod Ref `json:"pod,omitzero" expr:"pod"`
}

// HTTP describes a request that an event is about.
type HTTP struct {
	Method string `json:"method,omitempty" expr:"method"`
	Path   string `json:"path,omitempty" expr:"path"`
	Status int    `json:"status,omitempty" expr:"status"`
	// Duration is in seconds. Of a request to the API it is from its receipt to
	// the end of the response.
	Duration float64 `json:"duration,omitempty" expr:"duration"`
	Bytes    int64   `json:"bytes,omitempty" expr:"bytes"`
}

// Outcome says how it ended: the first two are of authorisation, the others
// of the deed itself.
type Outcome string

// The outcomes.
const (
	OutcomeAllowed Outcome = "allowed"
	OutcomeDenied  Outcome = "denied"
	OutcomeSuccess Outcome = "success"
	OutcomeFailure Outcome = "failure"
)

// Values are all outcomes.
func (Outcome) Values() []string {
	return []string{string(OutcomeAllowed), string(OutcomeDenied), string(OutcomeSuccess), string(OutcomeFailure)}
}

// The classes of events. The set is closed, because a class is a metric
// label.
const (
	ClassProcessExec = "process.exec"
	ClassFile        = "process.file"
	ClassNetwork     = "process.network"
	ClassSyscall     = "process.other"
	ClassFalcoSelf   = "falco.internal"
	ClassAPI         = "k8s.api"
	ClassAPIExec     = "k8s.exec"
	ClassHTTP        = "http.request"
	ClassLogin       = "auth.login"
	ClassLogLine     = "log.line"
	ClassLogError    = "log.error"
	ClassControl     = "control"
	// ClassLogSummary is of an event that counts log lines of one writer in one
	// interval (see internal/sketch).
	ClassLogSummary = "log.summary"
)

// TagSummarised is on a stored log line that an event of class log.summary counts
// too. It is put on after the line has its id, and says nothing about the line.
const TagSummarised = "firebreak:summarised"

// Classes is the closed set of values of [Event.Class].
func Classes() []string {
	return []string{
		ClassProcessExec, ClassFile, ClassNetwork, ClassSyscall, ClassFalcoSelf, ClassAPI, ClassAPIExec,
		ClassHTTP, ClassLogin, ClassLogLine, ClassLogError, ClassLogSummary, ClassControl,
	}
}

// Address says where in the EVENTS stream an event is: the sequence of its
// frame, and its index in it. From repeats where the event was read. ID and From
// are empty where a detector remembers the place alone.
type Address struct {
	Sequence uint64 `json:"sequence"`
	Index    int    `json:"index"`
	ID       string `json:"id"`
	From     string `json:"from,omitempty"`
}

// Rejected is input that could not become an event. Nothing of it is lost:
// it goes to the DEAD stream, or in replay to the output.
type Rejected struct {
	Source Source `json:"source"`
	// From is where it was read, as in [Event.From].
	From   string `json:"from"`
	Reason string `json:"reason"`
	// Data is what was rejected, at most [MaxRejected] bytes of it.
	Data []byte `json:"data,omitempty"`
}

// MaxRejected is how many bytes of rejected input are kept.
const MaxRejected = 64 << 10
