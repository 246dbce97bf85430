package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// The bounds of live answers.
const (
	maxLive    = 256
	maxLiveOne = 16
	// maxBehind is how many changes wait for one browser; one that is further
	// behind is told to load its page again.
	maxBehind = 64
	// maxKept is how many changes are kept for browsers that come back.
	maxKept = 1024
)

// errTooMany says that no more live answers are given now.
var errTooMany = errors.New("too many live answers")

// position is how far somebody has seen, in INCIDENTS and RUNS. The sequences
// are the streams', so that they mean the same to all responders.
type position [2]uint64

func (p position) String() string { return fmt.Sprintf("%d-%d", p[0], p[1]) }

// parsePosition reads what [position.String] wrote.
func parsePosition(text string) (p position, ok bool) {
	if len(text) > 41 {
		return p, false
	}
	_, err := fmt.Sscanf(text, "%d-%d", &p[0], &p[1])
	return p, err == nil && p.String() == text
}

// change is that an incident or a run has a new record.
type change struct {
	stream   int // of position
	sequence uint64
	// after is how far who knows it has seen.
	after        position
	kind         string
	id, incident string
	namespaces   []string
	text         string
}

// hub tells all live answers what changes. It may be used concurrently.
type hub struct {
	bus    *bus.Bus
	logger *slog.Logger
	mu     sync.Mutex
	// at is the newest, floor what is before the oldest that is kept.
	at, floor position
	kept      []change
	subs      map[*subscriber]bool
	closed    bool
	// ready is how many streams are followed.
	ready int
}

// subscriber is one live answer.
type subscriber struct {
	user, key string
	changes   chan change
	// gone is closed when the answer has to end; behind is set when changes were
	// left out.
	gone   chan struct{}
	once   sync.Once
	behind bool // under the hub's lock
}

func newHub(b *bus.Bus, logger *slog.Logger) *hub {
	return &hub{bus: b, logger: logger, subs: map[*subscriber]bool{}}
}

// run follows the streams until ctx ends; then all answers end.
func (h *hub) run(ctx context.Context) error {
	defer h.close()
	group, ctx := errgroup.WithContext(ctx)
	for i, stream := range []bus.Stream{bus.Incidents, bus.Runs} {
		var state bus.State
		err := h.bus.Begin(ctx, "follow "+string(stream), func(ctx context.Context) (err error) {
			state, err = h.bus.State(ctx, stream)
			return err
		})
		if err != nil {
			return err
		}
		h.mu.Lock()
		h.at[i], h.floor[i], h.ready = state.Last, state.Last, h.ready+1
		h.mu.Unlock()
		group.Go(func() error { return h.follow(ctx, i, stream, state.Last+1) })
	}
	return group.Wait()
}

func (h *hub) follow(ctx context.Context, i int, stream bus.Stream, from uint64) error {
	var reader *bus.Reader
	err := h.bus.Begin(ctx, "read "+string(stream), func(ctx context.Context) (err error) {
		reader, err = h.bus.Read(ctx, stream, from)
		return err
	})
	if err != nil {
		return err
	}
	defer reader.Close(context.WithoutCancel(ctx))
	for {
		m, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		c, err := changed(i, m)
		if err != nil {
			h.logger.WarnContext(ctx, "follow changes", "stream", stream, "sequence", m.Sequence, "error", err)
			continue
		}
		h.tell(c)
	}
}

// incidentHead and runHead are what is told of a record. The rest of it is not made
// into objects: records come fastest when there is least time for them.
type incidentHead struct {
	ID       string              `json:"id"`
	State    event.IncidentState `json:"state"`
	Priority event.Severity      `json:"priority"`
	Subject  event.Ref           `json:"subject"`
	Subjects []event.Ref         `json:"subjects"`
}

type runHead struct {
	ID       string `json:"id"`
	Incident struct {
		ID string `json:"id"`
	} `json:"incident"`
	Target event.Ref      `json:"target"`
	State  event.RunState `json:"state"`
}

// changed says what a record is about.
func changed(i int, m bus.Message) (change, error) {
	c := change{stream: i, sequence: m.Sequence}
	if i == 0 {
		var in incidentHead
		err := json.Unmarshal(m.Data, &in)
		c.kind, c.id, c.incident, c.namespaces = "incident", in.ID, in.ID, places(event.Incident{Subject: in.Subject, Subjects: in.Subjects})
		c.text = strings.Join([]string{"Incident", short(in.ID), "is", word(in.State) + ",", word(in.Priority)}, " ")
		return c, err
	}
	var run runHead
	err := json.Unmarshal(m.Data, &run)
	c.kind, c.id, c.incident, c.namespaces = "run", run.ID, run.Incident.ID, []string{run.Target.Space()}
	c.text = strings.Join([]string{"Run", short(run.ID), "is", word(run.State)}, " ")
	return c, err
}

// newest is how far the streams were followed.
func (h *hub) newest() position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hub) tell(c change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at[c.stream] = c.sequence
	c.after = h.at
	if len(h.kept) == maxKept {
		old := h.kept[:maxKept/4]
		for _, o := range old {
			h.floor[o.stream] = o.sequence
		}
		h.kept = append(h.kept[:0:0], h.kept[len(old):]...)
	}
	h.kept = append(h.kept, c)
	for s := range h.subs {
		select {
		case s.changes <- c:
		default:
			s.behind = true
		}
	}
}

// join begins a live answer, with what it missed since it had seen so far;
// missed says that this is not known any more.
func (h *hub) join(user, key string, seen *position) (s *subscriber, backlog []change, at position, missed bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	mine := 0
	for other := range h.subs {
		if other.user == user {
			mine++
		}
	}
	if h.closed || len(h.subs) >= maxLive || mine >= maxLiveOne {
		return nil, nil, at, false, errTooMany
	}
	if seen != nil {
		missed = seen[0] < h.floor[0] || seen[1] < h.floor[1]
		for _, c := range h.kept {
			if c.sequence > seen[c.stream] {
				backlog = append(backlog, c)
			}
		}
	}
	s = &subscriber{user: user, key: key, changes: make(chan change, maxBehind), gone: make(chan struct{})}
	h.subs[s] = true
	return s, backlog, h.at, missed, nil
}

// leave ends a live answer.
func (h *hub) leave(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, s)
}

// late says whether changes were left out since it was asked last.
func (h *hub) late(s *subscriber) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := s.behind
	s.behind = false
	return was
}

// forget ends the live answers of a session.
func (h *hub) forget(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		if s.key == key {
			s.end()
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		s.end()
	}
}

func (s *subscriber) end() { s.once.Do(func() { close(s.gone) }) }
