package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// Group is the API group of the resources that rights are granted on.
const Group = "firebreak.io"

// Root is where the page is mounted.
const Root = "/console/"

// Options of [New].
type Options struct {
	House House
	// Reviewer is the cluster; without one nobody can sign in.
	Reviewer Reviewer
	Bus      *bus.Bus
	Cluster  string
	Version  string
	Logger   *slog.Logger
	// Now is the clock; nil is time.Now in UTC.
	Now func() time.Time
}

// Console is the page. [Console.Run] has to run for what is shown to be live.
type Console struct {
	Options
	sessions *sessions
	rights   *rights
	logins   *pace
	people   *people
	hub      *hub
	flows    *flows
	pages    pages
	list     *catalogue
	pictures *gallery
	// beat and recheck are [beatEvery] and [recheckEvery].
	beat, recheck time.Duration
}

// New puts the page together. It reaches nothing.
func New(o Options) (*Console, error) {
	if o.Now == nil {
		o.Now = func() time.Time { return time.Now().UTC() }
	}
	pages, err := newPages()
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	c := &Console{
		Options: o, pages: pages, sessions: &sessions{store: o.Bus.Sessions(), now: o.Now}, logins: newPace(o.Now), hub: newHub(o.Bus, o.Logger),
		people: newPeople(o.Reviewer, o.Now), rights: newRights(o.Reviewer, o.Now), flows: newFlows(o.House, o.Now),
		pictures: newGallery(o.House, o.Now), beat: beatEvery, recheck: recheckEvery,
	}
	c.list = newCatalogue(o.House, o.Now, c.hub.newest)
	return c, nil
}

// Run follows what changes until ctx ends, and ends all live answers then.
func (c *Console) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.hub.run(ctx) })
	group.Go(func() error { return c.flows.run(ctx, c.Logger) })
	return group.Wait()
}

// Handler serves everything below [Root].
func (c *Console) Handler() http.Handler {
	mux := http.NewServeMux()
	read := func(pattern string, show func(*visit) error) { mux.HandleFunc("GET "+Root+pattern, c.signed(show)) }
	say := func(pattern string, take func(*visit) error) {
		mux.HandleFunc("POST "+Root+pattern, c.signed(c.spoken(take)))
	}
	mux.HandleFunc("GET "+Root+"asset/{name}", c.asset)
	mux.HandleFunc("GET "+Root+"login", c.open(c.loginPage))
	mux.HandleFunc("POST "+Root+"login", c.open(c.login))
	say("logout", c.logout)
	read("{$}", c.incidents)
	read("incidents/{id}", c.incident)
	say("incidents/{id}/verdict", c.judge)
	say("incidents/{id}/close", c.closeIncident)
	say("incidents/{id}/acknowledge", c.acknowledge)
	read("runs", c.runs)
	read("runs/{id}", c.run)
	read("runs/{id}/receipt", c.receipt)
	say("runs/{id}/{deed}", c.say)
	read("findings/{id}", c.finding)
	read("approvals", c.approvals)
	read("holds", c.holds)
	say("holds/{run}/free", c.free)
	read("reviews", c.reviews)
	say("reviews/{id}/close", c.closeReview)
	read("models", c.models)
	read("system", c.system)
	say("pause", c.pause)
	say("resume", c.resume)
	read("me", c.me)
	mux.HandleFunc("GET "+Root+"live", c.live)
	mux.HandleFunc(Root, c.signed(func(*visit) error { return Problem{http.StatusNotFound, "There is no such page."} }))
	return protect(c.sameSite(mux))
}

// fail answers what went wrong, as a page.
func (c *Console) fail(v *visit, err error) {
	var p Problem
	switch {
	case err == nil:
		return
	case errors.As(err, &p):
	case v.r.Context().Err() != nil:
		return // nobody is there to be told
	default:
		c.Logger.ErrorContext(v.r.Context(), "answer page", "path", v.r.URL.Path, "error", err)
		p = Problem{http.StatusServiceUnavailable, "This can't be answered now. Try again; the log of Firebreak says why."}
	}
	v.problem(p)
}
