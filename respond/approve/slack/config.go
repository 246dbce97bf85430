package slack

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Config is how Firebreak is in Slack. Tokens are in files.
type Config struct {
	// Teams are the ids of the workspaces (T…) or organisations (E…) whose people
	// may click; nobody else's click is looked at.
	Teams []string `yaml:"teams,required"`
	// Channel is the id of the channel (C…) of the incidents that no route is
	// for.
	Channel string  `yaml:"channel,required"`
	Routes  []Route `yaml:"routes"`
	// Token is the app's own (xoxb-…).
	Token conf.SecretFile `yaml:"token,required"`
	// AppToken (xapp-…) is for Socket Mode: Firebreak calls Slack, and nothing has
	// to be reachable.
	AppToken conf.SecretFile `yaml:"app_token"`
	// SigningSecret is for the other way: Slack calls Firebreak, at /slack.
	SigningSecret conf.SecretFile `yaml:"signing_secret"`
	People        []Person        `yaml:"people"`
	Rights        []Right         `yaml:"rights"`
	// Lowest is the priority below which an incident has no message unless it
	// waits for a decision; low if it says nothing.
	Lowest event.Severity `yaml:"lowest"`
	// Highest is the highest priority that can be approved in Slack; above it
	// people decide by the command line or on the page. All if it says nothing.
	Highest event.Severity `yaml:"highest"`
	// Console is what the id of an incident is put behind to lead to it on the
	// page; the config says it elsewhere.
	Console string `yaml:"-"`
	// API is where Slack's web API is; Slack itself if it says nothing.
	API string `yaml:"api"`
}

// Route sends incidents to another channel. The first one that fits counts.
type Route struct {
	Channel string `yaml:"channel,required"`
	// Namespaces are those of the incident's subject, Lowest its least priority;
	// what is not said fits.
	Namespaces []string       `yaml:"namespaces"`
	Lowest     event.Severity `yaml:"lowest"`
}

// On says whether Slack is configured.
func (c Config) On() bool { return len(c.Teams) > 0 }

var (
	teamID    = regexp.MustCompile(`^[TE][A-Z0-9]{1,20}$`)
	channelID = regexp.MustCompile(`^[CG][A-Z0-9]{1,20}$`)
	accountID = regexp.MustCompile(`^[TE][A-Z0-9]{1,20}/[UW][A-Z0-9]{1,20}$`)
)

// Check gives all that is wrong, each with the key that it is about before a
// colon.
func (c Config) Check() error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, fmt.Errorf(key+": "+format, args...)) }
	for i, t := range c.Teams {
		if !teamID.MatchString(t) {
			bad(fmt.Sprintf("teams[%d]", i), "%q is no id of a workspace (T…) or an organisation (E…)", t)
		}
	}
	if !channelID.MatchString(c.Channel) {
		bad("channel", "%q is no id of a channel (C…): its name can be given to another", c.Channel)
	}
	for i, r := range c.Routes {
		if !channelID.MatchString(r.Channel) {
			bad(fmt.Sprintf("routes[%d].channel", i), "%q is no id of a channel", r.Channel)
		}
		if r.Lowest != "" && r.Lowest.Rank() == 0 && r.Lowest != event.SeverityInfo {
			bad(fmt.Sprintf("routes[%d].lowest", i), "%q is no priority", r.Lowest)
		}
	}
	if c.Highest != "" && !slices.Contains(event.Severities(), c.Highest) {
		bad("highest", "%q is no priority", c.Highest)
	}
	if c.AppToken.IsZero() == c.SigningSecret.IsZero() {
		bad("app_token", "one of app_token (Socket Mode) and signing_secret (Slack calls) says how clicks come")
	}
	c.checkPeople(bad)
	return errors.Join(errs...)
}

func (c Config) checkPeople(bad func(key, format string, args ...any)) {
	seen := map[string]bool{}
	for i, p := range c.People {
		at := fmt.Sprintf("people[%d]", i)
		switch {
		case !accountID.MatchString(p.Slack):
			bad(at+".slack", "%q is not TEAM/USER, as in T0123/U0456", p.Slack)
		case seen[p.Slack]:
			bad(at+".slack", "%s is there twice", p.Slack)
		case strings.HasPrefix(p.User, unmapped), strings.HasPrefix(p.User, "system:"):
			bad(at+".user", "%q is no person's name", p.User)
		case p.User == "" && len(p.Groups) == 0:
			bad(at, "neither a user of the cluster nor groups: they could do nothing")
		}
		seen[p.Slack] = true
		for j, g := range p.Groups {
			if strings.HasPrefix(g, "system:") {
				bad(fmt.Sprintf("%s.groups[%d]", at, j), "%q is the cluster's own group", g)
			}
		}
	}
	for i, r := range c.Rights {
		for j, v := range r.Verbs {
			if !slices.Contains(rightVerbs, v) {
				bad(fmt.Sprintf("rights[%d].verbs[%d]", i, j), "%q is none of %s", v, strings.Join(rightVerbs, ", "))
			}
		}
	}
}

// channel is where an incident's message goes.
func (c Config) channel(in event.Incident) string {
	for _, r := range c.Routes {
		if (len(r.Namespaces) == 0 || slices.Contains(r.Namespaces, in.Subject.Namespace)) && in.Priority.Rank() >= r.Lowest.Rank() {
			return r.Channel
		}
	}
	return c.Channel
}

// Groups are those of Kubernetes that the config gives a user.
func (c Config) Groups(user string) []string {
	var all []string
	for _, p := range c.People {
		if p.User == user {
			all = append(all, p.Groups...)
		}
	}
	return all
}

// Deciders are the groups that the config lets approve, as approve.by names them.
func (c Config) Deciders() []string {
	var all []string
	for _, r := range c.Rights {
		if by := "group/" + r.Group; slices.Contains(r.Verbs, "approve playbooks") && !slices.Contains(all, by) {
			all = append(all, by)
		}
	}
	return all
}
