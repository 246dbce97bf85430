package event

import "time"

// DeliveryState is where a message to people stands.
type DeliveryState string

// The states of a delivery.
const (
	// DeliveryQueued: it is stored, and was not tried yet.
	DeliveryQueued DeliveryState = "queued"
	// DeliveryRetrying: it was tried, and is tried again.
	DeliveryRetrying DeliveryState = "retrying"
	// DeliveryDelivered: its receiver has taken it.
	DeliveryDelivered DeliveryState = "delivered"
	// DeliveryDropped: what it was for is over, as an escalation when somebody
	// has answered.
	DeliveryDropped DeliveryState = "dropped"
	// DeliveryDead: it was refused, or could not be delivered in its time. It is
	// among the dead letters.
	DeliveryDead DeliveryState = "dead"
)

// Over says that the message is not tried any more.
func (s DeliveryState) Over() bool {
	return s == DeliveryDelivered || s == DeliveryDropped || s == DeliveryDead
}

// Delivery is how one message to one receiver fared.
type Delivery struct {
	// Receiver is the operator's name for it, Kind what it is: webhook, email.
	Receiver string `json:"receiver"`
	Kind     string `json:"kind,omitempty"`
	// Key is RUN/STEP, or what else made the message: the receiver gets the
	// same each time that it is sent. Incident is what it is about.
	Key      string `json:"key"`
	Incident string `json:"incident,omitempty"`
	Run      string `json:"run,omitempty"`
	Step     string `json:"step,omitempty"`
	// Op is trigger, acknowledge or resolve.
	Op string `json:"op"`
	// Page says that its receiver is to be told how it goes on, Escalation that
	// it waits for nobody having answered.
	Page       bool `json:"page,omitempty"`
	Escalation bool `json:"escalation,omitempty"`
	// With are the incidents of which one page told, where it was of several, and
	// As the one under whose name it went.
	With  []string      `json:"with,omitempty"`
	As    string        `json:"as,omitempty"`
	State DeliveryState `json:"state"`
	// Attempts counts how often it was sent; Error is why the last failed, or
	// why it was given up.
	Attempts int    `json:"attempts,omitempty"`
	Error    string `json:"error,omitempty"`
	// Queued is when it was stored, Updated when this was written, Next when it
	// is tried again, Expires when it is given up.
	Queued  time.Time `json:"queued"`
	Updated time.Time `json:"updated"`
	Next    time.Time `json:"next,omitzero"`
	Expires time.Time `json:"expires"`
}
