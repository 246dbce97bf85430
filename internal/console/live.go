package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/firebreak-io/firebreak/internal/kube"
)

const (
	// beatEvery is how often a live answer without news says that it is there,
	// recheckEvery how often its person is looked at again.
	beatEvery    = 15 * time.Second
	recheckEvery = 15 * time.Second
	// maxLiveAge is when a browser has to ask again.
	maxLiveAge = time.Hour
	// writeWithin is how long a browser may take to read a piece.
	writeWithin = 10 * time.Second
	// retryAfter is when a browser comes back, in milliseconds.
	retryAfter = 3000
)

// live answers with server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html): change says
// that an incident or a run has moved, reset that more has than is known, end
// that the person is not signed in any more. What has changed the browser reads
// from the page itself, which asks for rights again; nothing of the events
// stands in here but ids and states.
func (c *Console) live(w http.ResponseWriter, r *http.Request) {
	v := c.visit(w, r)
	err := v.identify(r.Context())
	if errors.Is(err, kube.ErrUnauthenticated) {
		http.Error(w, "not signed in", http.StatusUnauthorized)
		return
	}
	if err != nil {
		c.fail(v, err)
		return
	}
	about := r.URL.Query().Get("about")
	// Who comes for the first time has seen what the page showed.
	var seen *position
	for _, text := range []string{r.Header.Get("Last-Event-ID"), r.URL.Query().Get("seen")} {
		if p, ok := parsePosition(text); ok && seen == nil {
			seen = &p
		}
	}
	l := &liveAnswer{visit: v, about: about, control: http.NewResponseController(w)}
	sub, backlog, at, missed, err := c.hub.join(v.user.Name, v.key, seen)
	if err != nil {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many live pages", http.StatusServiceUnavailable)
		return
	}
	defer c.hub.leave(sub)
	defer l.within()
	ctx, cancel := context.WithTimeout(r.Context(), maxLiveAge)
	defer cancel()
	// It outlives what other requests may take.
	_ = l.control.SetReadDeadline(time.Time{}) // a writer that has none needs none
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep it back
	if err := l.begin(ctx, at, backlog, missed); err != nil {
		return
	}
	l.serve(ctx, sub)
}

// liveAnswer is one live answer.
type liveAnswer struct {
	*visit
	about   string
	control *http.ResponseController
}

func (l *liveAnswer) begin(ctx context.Context, at position, backlog []change, missed bool) error {
	if err := l.write(fmt.Sprintf("retry: %d\nevent: hello\ndata: {}\n\n", retryAfter)); err != nil {
		return err
	}
	if missed {
		return l.write(fmt.Sprintf("id: %s\nevent: reset\ndata: {}\n\n", at))
	}
	if len(backlog) == 0 {
		return l.write(fmt.Sprintf("id: %s\n\n", at)) // from where on, without an event
	}
	for _, c := range backlog {
		if err := l.tell(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// serve goes on until the browser or the person is gone.
func (l *liveAnswer) serve(ctx context.Context, sub *subscriber) {
	beats, checks := time.NewTicker(l.console.beat), time.NewTicker(l.console.recheck)
	defer beats.Stop()
	defer checks.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-sub.gone:
			_ = l.write("event: end\ndata: {}\n\n") // it may be gone
			return
		case <-beats.C:
			err = l.write(": still here\n\n")
		case <-checks.C:
			err = l.again(ctx)
		case c := <-sub.changes:
			if l.console.hub.late(sub) {
				err = l.write(fmt.Sprintf("id: %s\nevent: reset\ndata: {}\n\n", c.after))
				break
			}
			err = l.tell(ctx, c)
		}
		if err != nil {
			return
		}
	}
}

// again looks whether it is still the same person, with what rights. That the
// cluster can't say so now is no reason to end.
func (l *liveAnswer) again(ctx context.Context) error {
	was := l.user.Name
	err := l.identify(ctx)
	if errors.Is(err, kube.ErrUnauthenticated) || err == nil && l.user.Name != was {
		return errors.Join(l.write("event: end\ndata: {}\n\n"), errNoSession)
	}
	return nil
}

// tell tells a change, if it is about what is looked at, and may be seen.
func (l *liveAnswer) tell(ctx context.Context, c change) error {
	if l.about != "all" && l.about != c.id && l.about != c.incident {
		return nil
	}
	// Of an incident there is a part to see for who may see one of its namespaces.
	sees, verb, resource := l.sight.any, "list", "incidents"
	if c.kind == "run" {
		sees, verb, resource = l.sight.in, "get", "runs"
	}
	ok, err := sees(ctx, verb, resource, c.namespaces)
	if err != nil || !ok {
		return nil // the cluster can't say so now: what can't be asked is not shown
	}
	data, err := json.Marshal(map[string]string{"kind": c.kind, "id": line(c.id, 64), "text": c.text})
	if err != nil {
		return err
	}
	return l.write(fmt.Sprintf("id: %s\nevent: change\ndata: %s\n\n", c.after, data))
}

func (l *liveAnswer) write(text string) error {
	l.within()
	if _, err := l.w.Write([]byte(text)); err != nil { //nolint:gosec // lines of an event stream, of ids and states as JSON: no markup
		return err
	}
	if err := l.control.Flush(); err != nil {
		return err
	}
	// Over HTTP/2 a limit that passes ends the answer, though nothing is being
	// written then.
	_ = l.control.SetWriteDeadline(time.Time{}) // a writer that has none needs none
	return nil
}

// within bounds what is written next.
func (l *liveAnswer) within() {
	_ = l.control.SetWriteDeadline(time.Now().Add(writeWithin)) // a writer that has none needs none
}
