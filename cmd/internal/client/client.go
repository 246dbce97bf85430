// Package client speaks to a running Firebreak's HTTP API as the person whose
// Kubernetes credential it is given.
package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/incident"
)

// Options say which Firebreak, and as whom.
type Options struct {
	// Server is the URL of the API; CA a PEM file of who signed its
	// certificate (empty is what the system trusts).
	Server, CA string
	// Token is a bearer token of the cluster.
	Token string
}

// Client is safe for concurrent use.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New makes a client. A token is never sent in the clear but to this machine.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.Server)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("server %q is not a URL", o.Server)
	}
	ip := net.ParseIP(base.Hostname())
	local := base.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if base.Scheme != "https" && !(base.Scheme == "http" && local) {
		return nil, fmt.Errorf("server %s: only https takes a token to another machine", o.Server)
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("read certificate authority: %w", err)
		}
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificate authority: %s holds no PEM certificate", o.CA)
		}
	}
	return &Client{base: base, token: o.Token, http: &http.Client{
		Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: tlsConfig},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Error is what the server answered instead.
type Error struct {
	Status int
	Text   string
}

// Error gives the server's own words.
func (e *Error) Error() string { return e.Text }

// maxAnswer bounds what is read of an answer.
const maxAnswer = 256 << 20

// maxText is how much is shown of what the server says went wrong.
const maxText = 4 << 10

func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	_, err := c.answer(ctx, method, path, body, into)
	return err
}

// answer is call with what the header of the answer says.
func (c *Client) answer(ctx context.Context, method, path string, body, into any) (http.Header, error) {
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return nil, refused(resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return nil, fmt.Errorf("%s %s: read answer: %w", method, path, err)
	}
	return resp.Header, nil
}

// do sends a request; the caller closes the answer.
func (c *Client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		reader = bytes.NewReader(data)
	}
	path, query, _ := strings.Cut(path, "?")
	to := c.base.JoinPath(path)
	to.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, method, to.String(), reader)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach firebreak: %w", err)
	}
	return resp, nil
}

// refused is what the server said instead.
func refused(resp *http.Response) error {
	var answer struct {
		Error string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil || answer.Error == "" {
		answer.Error = resp.Status
	}
	return &Error{Status: resp.StatusCode, Text: telemetry.Tame(answer.Error, maxText)}
}

// Evidence writes what a capture kept under RUN/STEP/FILE to w. What does not come
// whole, or is not what was kept, is an error.
func (c *Client) Evidence(ctx context.Context, name string, w io.Writer) error {
	resp, err := c.do(ctx, http.MethodGet, "/v1/evidence/"+name, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return refused(resp)
	}
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, hash), resp.Body); err != nil {
		return fmt.Errorf("read evidence %s: %w", name, err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != resp.Header.Get(approve.EvidenceHeader) {
		return fmt.Errorf("read evidence %s: it has SHA-256 %s, which is not that of what was kept", name, got)
	}
	return nil
}

// Start begins a run by hand.
func (c *Client) Start(ctx context.Context, what approve.Start) (said approve.Said, err error) {
	return said, c.call(ctx, http.MethodPost, "/v1/start", what, &said)
}

// Incident gives one incident, by its id or the beginning of it.
func (c *Client) Incident(ctx context.Context, prefix string) (in event.Incident, err error) {
	if len(prefix) < 32 {
		var found []event.Incident
		if len(prefix) >= 4 {
			if found, err = c.Incidents(ctx, incident.Query{Prefix: prefix}, 0); err != nil {
				return in, err
			}
		}
		if len(found) != 1 {
			return in, fmt.Errorf("%d incidents begin with %q (give at least four characters)", len(found), prefix)
		}
		prefix = found[0].ID
	}
	return in, c.call(ctx, http.MethodGet, "/v1/incidents/"+url.PathEscape(prefix), nil, &in)
}

// CloseIncident ends an incident as resolved.
func (c *Client) CloseIncident(ctx context.Context, id, reason string) (said approve.Said, err error) {
	return said, c.call(ctx, http.MethodPost, "/v1/incidents/"+url.PathEscape(id)+"/close", approve.Say{Reason: reason}, &said)
}

// Acknowledge says that you see to an incident.
func (c *Client) Acknowledge(ctx context.Context, id, reason string) (said approve.Said, err error) {
	return said, c.call(ctx, http.MethodPost, "/v1/incidents/"+url.PathEscape(id)+"/ack", approve.Say{Reason: reason}, &said)
}

// Judge says of an incident whether it was right.
func (c *Client) Judge(ctx context.Context, id string, v approve.Verdict) (said approve.Said, err error) {
	return said, c.call(ctx, http.MethodPost, "/v1/incidents/"+url.PathEscape(id)+"/verdict", v, &said)
}

// Deliveries are how the messages of one run to people fared, oldest first.
func (c *Client) Deliveries(ctx context.Context, run string) (list []event.Delivery, err error) {
	return list, c.call(ctx, http.MethodGet, "/v1/runs/"+url.PathEscape(run)+"/deliveries", nil, &list)
}

// Told are how the messages about one incident fared, oldest first.
func (c *Client) Told(ctx context.Context, incident string) (list []event.Delivery, err error) {
	return list, c.call(ctx, http.MethodGet, "/v1/incidents/"+url.PathEscape(incident)+"/deliveries", nil, &list)
}

// Dead lists the newest of what could not be processed, at most limit of it.
func (c *Client) Dead(ctx context.Context, limit int) (list []bus.DeadLetter, err error) {
	return list, c.call(ctx, http.MethodGet, "/v1/dead?limit="+strconv.Itoa(limit), nil, &list)
}

// Readers lists those for whom events are kept, and how far each has come.
func (c *Client) Readers(ctx context.Context) (list []bus.ReadBy, err error) {
	return list, c.call(ctx, http.MethodGet, "/v1/readers", nil, &list)
}

// ForgetReader keeps events no longer for a reader. It gives how far that came.
func (c *Client) ForgetReader(ctx context.Context, name string) (was bus.ReadBy, err error) {
	return was, c.call(ctx, http.MethodDelete, "/v1/readers/"+url.PathEscape(name), nil, &was)
}

// Paused says whether effects are held back.
func (c *Client) Paused(ctx context.Context) (s approve.Status, err error) {
	return s, c.call(ctx, http.MethodGet, "/v1/pause", nil, &s)
}

// Pause holds effects back, Resume lets them begin again.
func (c *Client) Pause(ctx context.Context, reason string) (s approve.Status, err error) {
	return s, c.call(ctx, http.MethodPost, "/v1/pause", approve.Say{Reason: reason}, &s)
}

// Resume lets effects begin again.
func (c *Client) Resume(ctx context.Context) (s approve.Status, err error) {
	return s, c.call(ctx, http.MethodPost, "/v1/resume", approve.Say{}, &s)
}

// Mode sets the ceiling of all playbooks.
func (c *Client) Mode(ctx context.Context, want approve.SetMode) (s approve.Status, err error) {
	return s, c.call(ctx, http.MethodPost, "/v1/mode", want, &s)
}

// UndoAll tells many runs to end their holds.
func (c *Client) UndoAll(ctx context.Context, what approve.UndoAll) (u approve.Undoing, err error) {
	return u, c.call(ctx, http.MethodPost, "/v1/undo", what, &u)
}

// Playbooks say how each of them has done so far; unreadable names the stored
// records that can't be read and so are not counted, and why.
func (c *Client) Playbooks(ctx context.Context) (list []respond.Standing, unreadable []string, err error) {
	header, err := c.answer(ctx, http.MethodGet, "/v1/playbooks", nil, &list)
	return list, header.Values(approve.UnreadableHeader), err
}

// Trust gives a playbook a mode.
func (c *Client) Trust(ctx context.Context, playbook string, what approve.SetTrust) (s respond.Standing, err error) {
	return s, c.call(ctx, http.MethodPost, "/v1/playbooks/"+url.PathEscape(playbook)+"/mode", what, &s)
}

// Say says something to a run (approve, deny, undo, extend) and waits until
// the run has taken it in. It gives the run's record after that.
func (c *Client) Say(ctx context.Context, id, deed string, what approve.Say) (approve.Said, event.Run, error) {
	var said approve.Said
	if err := c.call(ctx, http.MethodPost, "/v1/runs/"+url.PathEscape(id)+"/"+deed, what, &said); err != nil {
		return said, event.Run{}, err
	}
	// Each look costs the server two questions to the cluster.
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		run, err := c.Run(ctx, id)
		if err != nil {
			return said, run, err
		}
		if run.Input >= said.Sequence || run.State.Terminal() {
			return said, run, nil
		}
		tick := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			tick.Stop()
			return said, run, fmt.Errorf("it is stored, but the run has not taken it in yet: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// May is the server's refusal of what one is about to say to a run, nil if it would
// count now. A server that can't be asked so says it when it is said.
func (c *Client) May(ctx context.Context, id, deed string, what approve.Say) error {
	var said approve.Said
	err := c.call(ctx, http.MethodPost, "/v1/runs/"+url.PathEscape(id)+"/"+deed+"/may", what, &said)
	if e := new(Error); errors.As(err, &e) && e.Text == "404 Not Found" {
		return nil
	}
	return err
}

// Verdict says whether a finding was right.
func (c *Client) Verdict(ctx context.Context, finding string, v approve.Verdict) (told approve.Told, err error) {
	return told, c.call(ctx, http.MethodPost, "/v1/findings/"+url.PathEscape(finding)+"/verdict", v, &told)
}

// Model pins a model, unpins it, rolls it back or approves it.
func (c *Client) Model(ctx context.Context, name, do string, why approve.Reason) (told approve.Told, err error) {
	return told, c.call(ctx, http.MethodPost, "/v1/models/"+url.PathEscape(name)+"/"+url.PathEscape(do), why, &told)
}

// Models lists the models as the detectors said last.
func (c *Client) Models(ctx context.Context) (all approve.Models, err error) {
	return all, c.call(ctx, http.MethodGet, "/v1/models", nil, &all)
}

// ModelState is how one model stands.
func (c *Client) ModelState(ctx context.Context, name string) (s event.ModelState, err error) {
	return s, c.call(ctx, http.MethodGet, "/v1/models/"+url.PathEscape(name), nil, &s)
}
