package bus

import (
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Stream names one of the streams.
type Stream string

// The streams.
const (
	Events    Stream = "EVENTS"
	Findings  Stream = "FINDINGS"
	Incidents Stream = "INCIDENTS"
	Inputs    Stream = "INPUTS"
	Runs      Stream = "RUNS"
	Ended     Stream = "ENDED"
	Outbox    Stream = "OUTBOX"
	Sent      Stream = "SENT"
	DeadStore Stream = "DEAD"

	control   Stream = "KV_CTL"
	snapshots Stream = "KV_SNAPSHOT"
	chat      Stream = "KV_CHAT"
	sessions  Stream = "KV_SESSION"
)

// SubjectEvents carries the frames of events.
const SubjectEvents = "ev"

// SubjectFinding is where a finding is; the id makes it unique.
func SubjectFinding(id string) string { return "find." + id }

// SubjectFindingCount is where it stands how often a finding came again: the
// last message counts.
func SubjectFindingCount(id string) string { return SubjectFinding(id) + findingCount }

// IsFindingCount says whether a subject is one of [SubjectFindingCount].
func IsFindingCount(subject string) bool { return strings.HasSuffix(subject, findingCount) }

const findingCount = ".count"

// SubjectIncident is where the records of an incident are.
func SubjectIncident(id string) string { return "inc." + id }

// SubjectInput is where people's inputs to a run are.
func SubjectInput(run string) string { return "in." + run }

// SubjectRun is where the records of a run are.
func SubjectRun(id string) string { return "run." + id }

// SubjectEnded is where it stands in short how a run ended.
func SubjectEnded(run string) string { return "ended." + run }

// SubjectOutbox is where a message to a receiver waits: about says what it is
// about, key which one it is. Both are hashes, and "*" is any.
func SubjectOutbox(receiver, about, key string) string {
	return "out." + receiver + "." + about + "." + key
}

// SubjectSent is where it stands how a message fared: the last record counts.
// It names the same hashes.
func SubjectSent(about, key string) string { return "sent." + about + "." + key }

// SubjectDead is where what a source sent and nobody could read goes. A
// source outside the closed set is "other".
func SubjectDead(source event.Source) string {
	switch source {
	case event.SourceFalco, event.SourceAudit, event.SourceLog, event.SourceControl:
		return "dead." + string(source)
	}
	return "dead.other"
}

const (
	month = 30 * 24 * time.Hour
	// minDuplicates is the least that the server takes (0 would be two
	// minutes). Only dead letters carry an id, so nothing else is ever dropped
	// by it.
	minDuplicates = 100 * time.Millisecond
	// deadAgain is for how long the server knows a dead letter by its id, in
	// memory. It is longer than the five minutes after which Kubernetes starts
	// again what crashes.
	deadAgain = 10 * time.Minute
	// maxOutbox bounds what waits: what is over it is refused, and its step is
	// tried again.
	maxOutbox = 1 << 30
	// sentHistory is how many records of a message stay.
	sentHistory = 4
	// incidentHistory is how many records of an incident stay.
	incidentHistory = 16
)

// topology is all streams with their settings. Reads that must see the last
// write forbid direct gets, which a replica could answer late.
func topology(o Options) []jetstream.StreamConfig {
	table := []jetstream.StreamConfig{
		{
			Name: string(Events), Description: "frames of events, oldest out if they were read",
			Subjects: []string{SubjectEvents},
			MaxAge:   o.EventAge, MaxBytes: o.MaxEventBytes, MaxMsgSize: 1 << 20, AllowDirect: true,
			Discard: jetstream.DiscardNew, // room.go makes room
		},
		{
			Name: string(Findings), Description: "immutable, one a subject",
			Subjects: []string{"find.>"}, MaxAge: month, AllowAtomicPublish: true,
		},
		{
			// Each finding that joins writes the whole incident again; RUNS
			// keeps the states that something was decided on. The responder writes
			// again, long before that age, what is not over.
			Name: string(Incidents), Description: "each record the full state, compare-and-set",
			Subjects: []string{"inc.>"}, MaxMsgsPerSubject: incidentHistory, MaxAge: 3 * month, AllowAtomicPublish: true,
		},
		{
			Name: string(Inputs), Description: "what people say to a run",
			Subjects: []string{"in.>"}, MaxAge: month,
		},
		{
			Name: string(Runs), Description: "the authoritative log: each record the full state, compare-and-set",
			Subjects: []string{"run.>"}, DenyDelete: true, DenyPurge: true, AllowAtomicPublish: true,
		},
		{
			// By it old runs are listed and found, without their records.
			Name: string(Ended), Description: "how runs ended, in short, one a subject, for ever",
			Subjects: []string{"ended.>"}, DenyDelete: true, DenyPurge: true,
		},
		{
			Name: string(Outbox), Description: "messages to sinks, gone when delivered",
			Subjects: []string{"out.>"}, Retention: jetstream.WorkQueuePolicy,
			MaxBytes: maxOutbox, Discard: jetstream.DiscardNew,
		},
		{
			// A work queue forgets what it gave away; this is what keeps a
			// message from being sent again.
			Name: string(Sent), Description: "how messages to sinks fared, compare-and-set",
			Subjects: []string{"sent.>"}, MaxMsgsPerSubject: sentHistory, MaxAge: month,
		},
		{
			// Of the advisories only these two: that a consumer was made is
			// no dead letter.
			Name: string(DeadStore), Description: "what could not be processed",
			Subjects: []string{
				"dead.>",
				"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",
				"$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>",
			},
			MaxAge: month, MaxBytes: 1 << 30, Duplicates: deadAgain,
		},
		bucket(control, "operator state and leases", 8),
		bucket(snapshots, "detector state", 1),
		chats(),
		signedIn(),
	}
	for i := range table {
		table[i].Replicas = o.Replicas
		table[i].Storage = jetstream.FileStorage
		table[i].Duplicates = max(table[i].Duplicates, minDuplicates)
		if table[i].MaxBytes == 0 {
			table[i].MaxBytes = -1
		}
	}
	return table
}

// bucket is a stream in the form of a NATS key-value bucket, so that NATS'
// own tools can read it.
func bucket(name Stream, doc string, history int64) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: string(name), Description: doc,
		Subjects:          []string{keyPrefix(name) + ">"},
		MaxMsgsPerSubject: history, Discard: jetstream.DiscardNew,
		AllowRollup: true, DenyDelete: true,
	}
}

// chats forgets a message that did not change for so long that nobody looks at it.
func chats() jetstream.StreamConfig {
	c := bucket(chat, "which message of a chat is about what", 1)
	c.MaxAge = 3 * month
	return c
}

// The bounds of sessions of the page: what is older has ended, and past the
// number the oldest end.
const (
	sessionAge  = 12 * time.Hour
	maxSessions = 4096
)

// signedIn forgets a session when its time is over.
func signedIn() jetstream.StreamConfig {
	c := bucket(sessions, "sessions of the page, sealed", 1)
	c.MaxAge, c.MaxMsgs, c.Discard = sessionAge, maxSessions, jetstream.DiscardOld
	return c
}

func keyPrefix(name Stream) string {
	return "$KV." + strings.TrimPrefix(string(name), "KV_") + "."
}

// streamOf is the stream that a subject or a filter belongs to, or "".
func streamOf(subject string) Stream {
	head, _, _ := strings.Cut(subject, ".")
	switch head {
	case SubjectEvents:
		return Events
	case "find":
		return Findings
	case "inc":
		return Incidents
	case "in":
		return Inputs
	case "run":
		return Runs
	case "ended":
		return Ended
	case "out":
		return Outbox
	case "sent":
		return Sent
	case "dead":
		return DeadStore
	}
	for _, name := range []Stream{control, snapshots, chat, sessions} {
		if strings.HasPrefix(subject, keyPrefix(name)) {
			return name
		}
	}
	return ""
}
