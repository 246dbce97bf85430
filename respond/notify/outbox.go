package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Outbox takes messages in and says how they fared. It may be used
// concurrently, also by several processes on one store.
type Outbox struct {
	store     Store
	receivers Receivers
	clock     func() time.Time
	// Cluster is said in each message; Link is what the id of a run or an
	// incident is put behind to lead there, empty for nowhere. Set them before
	// the first message.
	Cluster, Link string
}

// NewOutbox makes an outbox for the receivers of the config. The clock may be
// nil, which is time.Now.
func NewOutbox(store Store, receivers Receivers, clock func() time.Time) *Outbox {
	if clock == nil {
		clock = time.Now
	}
	return &Outbox{store: store, receivers: receivers, clock: func() time.Time { return clock().UTC() }}
}

// Receivers are those of the config.
func (o *Outbox) Receivers() Receivers { return o.receivers }

// Put stores a message. When it returns without an error the message is
// durable, and is sent until it is taken or does not matter any more. The same
// message put again is there once, also when it was sent meanwhile.
func (o *Outbox) Put(ctx context.Context, m Message) error {
	r, ok := o.receivers[m.Receiver]
	if !ok {
		return fmt.Errorf("put message %s: receiver %q is not in the config", m.Key, m.Receiver)
	}
	if m.Created.IsZero() {
		m.Created = o.clock()
	}
	if m.Expires.IsZero() {
		m.Expires = cmp.Or(m.NotBefore, m.Created).Add(r.expire())
	}
	if err := m.check(); err != nil {
		return err
	}
	m.Notice.Cluster = o.Cluster
	if id := cmp.Or(m.Incident, m.Run); o.Link != "" && id != "" {
		m.Notice.Link = o.Link + url.PathEscape(id)
	}
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("put message %s: %w", m.Key, err)
	}
	if len(data) > maxMessage {
		return fmt.Errorf("put message %s: it has %d bytes, and %d are the most", m.Key, len(data), maxMessage)
	}
	if _, _, err := o.status(ctx, m); err == nil {
		return nil // it was put before
	} else if !errors.Is(err, bus.ErrNotFound) {
		return fmt.Errorf("put message %s: %w", m.Key, err)
	}
	// The message first: what says that it is queued must not be true of
	// nothing.
	_, err = o.store.Create(ctx, bus.SubjectOutbox(m.Receiver, m.about(), m.hash()), data)
	if err != nil && !errors.Is(err, bus.ErrExists) {
		return fmt.Errorf("put message %s: %w", m.Key, err)
	}
	err = o.note(ctx, m, m.delivery(r.Kind), 0)
	if err != nil && !errors.Is(err, bus.ErrConflict) {
		return fmt.Errorf("put message %s: %w", m.Key, err)
	}
	return nil
}

// status is how a message fares, and the sequence of the record that says so,
// or [bus.ErrNotFound].
func (o *Outbox) status(ctx context.Context, m Message) (event.Delivery, uint64, error) {
	found, err := o.store.Last(ctx, bus.SubjectSent(m.sentAbout(), m.hash()))
	if err != nil {
		return event.Delivery{}, 0, err
	}
	d, err := decodeDelivery(found)
	return d, found.Sequence, err
}

// note writes how a message fares after the record of sequence last.
// [bus.ErrConflict] says that somebody else wrote.
func (o *Outbox) note(ctx context.Context, m Message, d event.Delivery, last uint64) error {
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("note message %s: %w", m.Key, err)
	}
	if _, err := o.store.Append(ctx, bus.SubjectSent(m.sentAbout(), m.hash()), data, last); err != nil {
		return fmt.Errorf("note message %s: %w", m.Key, err)
	}
	return nil
}

// Deliveries are how the messages about an incident fared, in the order in
// which they were put.
func (o *Outbox) Deliveries(ctx context.Context, incident string) ([]event.Delivery, error) {
	return Deliveries(ctx, o.store, incident)
}

// Deliveries are those of [Outbox.Deliveries], for who only reads.
func Deliveries(ctx context.Context, store Store, incident string) ([]event.Delivery, error) {
	if incident == "" {
		return nil, nil
	}
	newest := map[string]event.Delivery{}
	for m, err := range store.LastPerSubject(ctx, bus.SubjectSent(aboutIncident(incident), "*")) {
		if err != nil {
			return nil, fmt.Errorf("read deliveries of %s: %w", incident, err)
		}
		if m.Subject == answerSubject(incident) {
			continue
		}
		d, err := decodeDelivery(m)
		if err != nil {
			return nil, err
		}
		newest[m.Subject] = d
	}
	list := make([]event.Delivery, 0, len(newest))
	for _, d := range newest {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b event.Delivery) int {
		return cmp.Or(a.Queued.Compare(b.Queued), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Receiver, b.Receiver))
	})
	return list, nil
}

func decodeDelivery(m bus.Message) (event.Delivery, error) {
	var d event.Delivery
	if err := json.Unmarshal(m.Data, &d); err != nil {
		return d, fmt.Errorf("read delivery %s: %w", m.Subject, err)
	}
	return d, nil
}
