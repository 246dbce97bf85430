package policy

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// Options say what a policy does not, and its actions need.
type Options struct {
	// Service is the name of the Service before the pods; without one it is taken
	// to have the name of their workload.
	Service string
	// Issuer and JWKS are who issues the tokens that additional_auth asks for, and
	// the https URL of its keys.
	Issuer, JWKS string
}

// longest is the longest that a step holds, and usual how long it does where a
// policy does not say.
const (
	longest = 24 * time.Hour
	usual   = "1h"
)

// during is how long a step holds: what the policy says, or the usual time if
// there is one.
func (s *steps) during(with conf.Value, usual string) []foreign.Entry {
	at := with.Get("duration")
	text := strings.ToLower(strings.TrimSpace(at.Text()))
	if text == "" {
		text = usual
	}
	if text == "" {
		return nil
	}
	d, err := conf.ParseDuration(plainDuration(text))
	switch {
	case err != nil || d <= 0:
		s.im.problem(at.Errorf("duration %q is none as in 30m, 1h, 7d or seconds; it holds for %s", text, usual))
		if usual == "" {
			return nil
		}
		return []foreign.Entry{{Key: "undo_after", Value: usual}}
	case d > longest:
		note := at.Errorf("duration %s: a step holds for 24h at most, and asks then whether to go on", text)
		s.im.note(note)
		s.Comment(note.Msg)
		return []foreign.Entry{{Key: "undo_after", Value: "24h"}, {Key: "at_end", Value: "ask"}}
	}
	return []foreign.Entry{{Key: "undo_after", Value: plainDuration(text)}}
}

// plainDuration takes the words of people: a number of seconds, 1 hour, 30 min.
func plainDuration(text string) string {
	number := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz ")
	unit := strings.TrimSpace(text[len(number):])
	if _, err := strconv.Atoi(number); err != nil {
		return text
	}
	switch unit {
	case "", "sec", "secs", "second", "seconds":
		unit = "s"
	case "min", "mins", "minute", "minutes":
		unit = "m"
	case "hr", "hrs", "hour", "hours":
		unit = "h"
	case "day", "days":
		unit = "d"
	}
	return number + unit
}

// service is the Service before the pod, as a target.
func (s *steps) service(at conf.Value, what string) foreign.Entry {
	name := "target.workload.name"
	if s.im.options.Service != "" {
		name = foreign.Literal(s.im.options.Service)
	} else {
		note := at.Errorf("%s is for the Service of the name of the pod's workload: say --service where it has another", what)
		s.im.note(note)
		s.Comment(note.Msg)
	}
	return foreign.Entry{Key: "target", Value: foreign.Expression(`object("services", target.namespace, ` + name + `)`)}
}

// rateLimit bounds requests at the Service.
func (s *steps) rateLimit(at, with conf.Value) {
	per, times := with.Get("requests_per_minute"), 1.0
	for key, n := range map[string]float64{"requests_per_second": 60, "requests_per_hour": 1.0 / 60} {
		if v := with.Get(key); !v.IsZero() && per.IsZero() {
			per, times = v, n
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(per.Text()), 64)
	requests := int(math.Max(1, math.Round(n*times)))
	if err != nil || !(n > 0) || n*times > 1e6 {
		s.missing(at, sprint("rate_limit of %s requests a minute, which is no number from 1 to 1000000", label(per.Text())), Name+"/rate-limit", label(per.Text()),
			"say requests_per_minute")
		return
	}
	more := []foreign.Entry{s.service(at, "rate_limit"), {Key: "on_failure", Value: "continue"}}
	more = append(more, s.during(with, usual)...)
	s.Add("limit", "rate.http", append(more, foreign.With(foreign.Entry{Key: "requests", Value: requests}))...)
	s.enable(at, "rate.http")
}

// additionalAuth asks callers of the Service for a token with a claim.
func (s *steps) additionalAuth(at, with conf.Value) {
	method := label(with.Get("method").Text())
	if s.im.options.Issuer == "" || s.im.options.JWKS == "" {
		s.missing(at, sprint("additional_auth by %s needs --issuer and --jwks, which the policy does not say", method), Name+"/additional-auth", method,
			"import it again with them, or ask for it at the gateway or the identity provider, by that label")
		return
	}
	if method == "unsaid" {
		method = "mfa"
	}
	more := []foreign.Entry{s.service(at, "additional_auth"), {Key: "on_failure", Value: "continue"}}
	more = append(more, s.during(with, usual)...)
	s.Add("authenticate", "service.authenticate", append(more, foreign.With(
		foreign.Entry{Key: "issuer", Value: foreign.Template(s.im.options.Issuer)}, foreign.Entry{Key: "jwks", Value: foreign.Template(s.im.options.JWKS)},
		foreign.Entry{Key: "claim", Value: "amr"}, foreign.Entry{Key: "value", Value: method},
	))...)
	s.enable(at, "service.authenticate")
}

// block keeps the address of who did it out of the pod's namespace.
func (s *steps) block(at, with conf.Value) {
	more := []foreign.Entry{
		{Key: "target", Value: foreign.Expression("namespace(target.namespace)")},
		{Key: "when", Value: foreign.Expression(`finding.actor.address != ""`)}, {Key: "on_failure", Value: "continue"},
	}
	more = append(more, s.during(with, usual)...)
	s.Add("block", "network.deny", append(more, foreign.With(foreign.Entry{Key: "addresses", Value: []string{"${finding.actor.address}"}}))...)
	s.enable(at, "network.deny")
}

// enable says that an action is none of the defaults.
func (s *steps) enable(at conf.Value, action string) {
	s.im.note(at.Errorf("%s has to be allowed in the cluster: firebreak rbac --playbooks prints its role", action))
}
