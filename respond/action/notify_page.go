package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/notify"
)

const notifyPage = "notify.page"

func init() {
	register(Kind{
		Name: notifyPage,
		Doc: "Pages people about the incident: the receivers that it names, or those of the config's routes, which may go by " +
			"priority, namespace and time, and escalate when nobody answers. The step is done when that is stored; each page is " +
			"sent at least once, for as long as it matters.",
		Class:   Notify,
		Config:  func() any { return new(PageConfig) },
		Example: func() any { return &PageConfig{To: []string{"oncall"}} },
		Needs:   []Permission{{Resource: "namespaces", Verbs: []string{"get"}}}, // the routes ask for labels
		Check:   func(config any) error { return checked(notifyPage, config, PageConfig.check) },
		New: func(d Deps, config any) (Action, error) {
			c, err := params[PageConfig](notifyPage, config)
			if err != nil {
				return nil, err
			}
			return newPage(d, *c)
		},
	})
}

// PageConfig are the parameters of notify.page.
type PageConfig struct {
	// To are receivers of the operator's config; none leaves it to the routes
	// there.
	To []string `yaml:"to" json:"to,omitempty"`
	// Note is said beside what is known of the incident.
	Note string `yaml:"note" json:"note,omitempty"`
}

// maxReceivers bounds who is told by one step.
const maxReceivers = 20

func (c PageConfig) check() error {
	if len(c.To) > maxReceivers {
		return fmt.Errorf("%s: %d receivers, and %d are the most", notifyPage, len(c.To), maxReceivers)
	}
	for _, name := range c.To {
		if !conf.IsName(name) {
			return fmt.Errorf("%s: %q is no receiver's name", notifyPage, name)
		}
	}
	return nil
}

type page struct {
	Deps
	config PageConfig
}

func newPage(d Deps, c PageConfig) (Action, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	for _, name := range c.To {
		to, ok := d.Receivers[name]
		if !ok && !d.Offline && !d.Unconfigured {
			return nil, fmt.Errorf("%s: receiver %q is not in the config", notifyPage, name)
		}
		if kind, known := notify.Lookup(kindOf(to)); ok && known && !kind.Pages {
			return nil, fmt.Errorf("%s: receiver %q of kind %s takes no pages", notifyPage, name, to.Kind)
		}
	}
	if len(c.To) == 0 && len(d.Routes) == 0 && !d.Offline && !d.Unconfigured {
		return nil, fmt.Errorf("%s: neither the step nor the config (notify.routes) says who is paged", notifyPage)
	}
	return page{d, c}, nil
}

// noteUnconfigured is the note of what was planned without the config.
const noteUnconfigured = "the operator's config was not read: whether it has these receivers is not known, and nobody is told anything"

func kindOf(r *notify.Receiver) string {
	if r == nil {
		return ""
	}
	return r.Kind
}

// paged is what the plan says of one page.
type paged struct {
	After string `json:"after,omitempty"`
	Title string `json:"title"`
	Note  string `json:"note,omitempty"`
	Step  string `json:"step"`
}

// Plan lists a page for each receiver.
func (a page) Plan(ctx context.Context, r Request) (event.Plan, error) {
	pages, notes := a.pages(ctx, r)
	plan := event.Plan{Action: notifyPage, Target: r.Target, Notes: offlineNotes(a.Deps, notes)}
	var names []string
	for _, p := range pages {
		_, step, _ := strings.Cut(r.Key, "/")
		one := paged{Title: cut(r.Run.Finding.Title, maxText), Note: cut(a.config.Note, maxText), Step: step}
		name := p.Receiver
		if p.After > 0 {
			one.After = p.After.String()
			name += " (if nobody answers for " + one.After + ")"
		}
		body, err := encode(one)
		if err != nil {
			return plan, err
		}
		names = append(names, name)
		plan.Writes = append(plan.Writes, event.Write{Verb: "post", Name: p.Receiver, Body: body})
	}
	plan.Summary = "page " + strings.Join(names, ", ")
	switch {
	case a.Unconfigured && len(names) == 0:
		plan.Summary = "page whom the config's routes name"
		plan.Notes = append(plan.Notes, noteUnconfigured)
	case a.Unconfigured:
		plan.Notes = append(plan.Notes, noteUnconfigured)
	case len(names) == 0:
		plan.Summary = "page nobody"
		plan.Notes = append(plan.Notes, "no route of the config fits: nobody is paged")
	}
	return plan, nil
}

// pages says who is paged, and when.
func (a page) pages(ctx context.Context, r Request) (pages []notify.Page, notes []string) {
	for _, name := range a.config.To {
		pages = append(pages, notify.Page{Receiver: name})
	}
	if len(pages) > 0 || a.Offline && len(a.Routes) == 0 {
		return pages, nil
	}
	labels, known := a.labels(ctx, r.Target.Namespace)
	if !known && slices.ContainsFunc(a.Routes, func(r notify.Route) bool { return len(r.Namespaces) > 0 }) {
		notes = []string{"the labels of the namespace are not known: all routes that ask for some fit"}
	}
	pages = a.Routes.For(notice(r).Severity, labels, r.Now)
	return pages[:min(len(pages), maxReceivers)], notes
}

// labels are those of a namespace. What could not be read is unknown, and no
// reason to tell nobody.
func (a page) labels(ctx context.Context, namespace string) (labels map[string]string, known bool) {
	if namespace == "" {
		return map[string]string{}, true
	}
	if a.Offline {
		return nil, false
	}
	object, err := a.Cluster.Get(ctx, "", "v1", "namespaces", "", namespace)
	if err != nil {
		return nil, false
	}
	if labels = object.GetLabels(); labels == nil {
		labels = map[string]string{}
	}
	return labels, true
}

// Do puts the pages into the outbox. All that is put again is there once.
func (a page) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := checkPlan(notifyPage, r, p); err != nil {
		return event.Receipt{}, err
	}
	if len(p.Writes) == 0 {
		return receipt(r, event.ResultNothing), nil
	}
	var done event.Receipt
	for i, w := range p.Writes {
		var one paged
		if err := json.Unmarshal(w.Body, &one); err != nil || w.Verb != "post" {
			return event.Receipt{}, refuse(r.Target, "plan is not a list of pages")
		}
		m := message(r, w.Name, nil)
		m.Notice.Text = cut(strings.TrimSpace(one.Note+"\n"+m.Notice.Text), maxText)
		if one.After != "" {
			after, err := time.ParseDuration(one.After)
			if err != nil {
				return event.Receipt{}, refuse(r.Target, "plan waits for %q", one.After)
			}
			m.Escalation, m.NotBefore, m.Key = true, r.Now.UTC().Add(after), fmt.Sprintf("%s/%d", r.Key, i)
		}
		var err error
		if done, err = put(ctx, a.Deps, r, m); err != nil {
			return event.Receipt{}, err
		}
	}
	return done, nil
}

// Undo gives [ErrIrreversible]: what was read can't be unread.
func (page) Undo(context.Context, Request, event.Receipt, event.AtEnd) (event.Receipt, error) {
	return event.Receipt{}, ErrIrreversible
}

var errLater = errors.New("only an outbox can wait")
