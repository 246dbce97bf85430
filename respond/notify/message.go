package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Op is what a message says of its incident.
type Op string

// What a message can say: there is something to see to, somebody does, it is
// over.
const (
	Trigger     Op = "trigger"
	Acknowledge Op = "acknowledge"
	Resolve     Op = "resolve"
)

// Message is one thing to tell one receiver, as it waits in OUTBOX.
type Message struct {
	// Receiver is the name of the receiver in the operator's config.
	Receiver string `json:"receiver"`
	// Key is RUN/STEP, or what else made it. With the receiver it names the
	// message: the same put twice is there once, and the receiver can tell one
	// that is sent again by it.
	Key string `json:"key"`
	// Incident is what it is about. Messages about one incident reach one
	// receiver in the order in which they were put; pagers merge by it.
	Incident string `json:"incident,omitempty"`
	Run      string `json:"run,omitempty"`
	Step     string `json:"step,omitempty"`
	Op       Op     `json:"op"`
	Notice   Notice `json:"notice"`
	// Body is what a plan listed, to the byte, for receivers that send that.
	Body json.RawMessage `json:"body,omitempty"`
	// NotBefore is when it may be sent; Escalation says that it is not needed
	// when somebody has answered by then.
	NotBefore  time.Time `json:"not_before,omitzero"`
	Escalation bool      `json:"escalation,omitempty"`
	Created    time.Time `json:"created"`
	// Expires is until when it matters; zero is what the receiver's config says.
	Expires time.Time `json:"expires,omitzero"`
}

// Notice is what people read. All of it is data that others may have written:
// a notifier escapes it for its own medium.
type Notice struct {
	// Title is one line, Text the rest.
	Title    string         `json:"title"`
	Text     string         `json:"text,omitempty"`
	Severity event.Severity `json:"severity,omitempty"`
	Playbook string         `json:"playbook,omitempty"`
	Rule     string         `json:"rule,omitempty"`
	Cluster  string         `json:"cluster,omitempty"`
	Target   event.Ref      `json:"target,omitzero"`
	// Steps say how far the run was, a line each.
	Steps []string `json:"steps,omitempty"`
	// Link leads to the run, if the operator's config says where.
	Link string `json:"link,omitempty"`
}

// The bounds of a message: more is cut by whoever makes it, and refused here.
const (
	maxKey     = 512
	maxMessage = 512 << 10
)

func (m Message) check() error {
	switch {
	case !conf.IsName(m.Receiver):
		return fmt.Errorf("message %s: %q is no receiver's name", m.Key, m.Receiver)
	case m.Key == "" || len(m.Key) > maxKey || len(m.Incident) > maxKey:
		return errors.New("message without a key, or with one that is too long")
	case m.Op != Trigger && m.Op != Acknowledge && m.Op != Resolve:
		return fmt.Errorf("message %s: it is none of trigger, acknowledge, resolve", m.Key)
	}
	return nil
}

// about is the hash of what the message is about. What waits for its time is
// kept apart: nothing has to wait for it.
func (m Message) about() string {
	switch {
	case m.Incident == "":
		return event.HashID("about", "", m.Key)
	case m.Escalation:
		return event.HashID("about", "later", m.Incident)
	}
	return aboutIncident(m.Incident)
}

func aboutIncident(id string) string { return event.HashID("about", "incident", id) }

// sentAbout is under what its delivery is found: the incident's.
func (m Message) sentAbout() string {
	if m.Incident == "" {
		return m.about()
	}
	return aboutIncident(m.Incident)
}

// hash names the message among those about the same.
func (m Message) hash() string { return event.HashID("message", m.Receiver, m.Key) }

// delivery is the beginning of how it fares.
func (m Message) delivery(kind string) event.Delivery {
	return event.Delivery{
		Receiver: m.Receiver, Kind: kind, Key: m.Key, Incident: m.Incident, Run: m.Run, Step: m.Step, Op: string(m.Op),
		Page: len(m.Body) == 0, Escalation: m.Escalation, State: event.DeliveryQueued, Queued: m.Created, Updated: m.Created, Expires: m.Expires,
	}
}
