package action

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/notify"
)

const functionWebhook = "function.webhook"

func init() {
	register(Kind{
		Name: functionWebhook,
		Doc: "Calls a function of the operator's config, which does what it does, with the target and the playbook's values as JSON: signed, and with a client certificate if the config has one. " +
			"It is called at least once, with the same Idempotency-Key each time; a playbook can't name a URL.",
		Class:   Effect,
		OptIn:   true,
		Config:  func() any { return new(FunctionConfig) },
		Example: func() any { return &FunctionConfig{Function: "block-at-the-edge"} },
		Check:   func(config any) error { return checked(functionWebhook, config, FunctionConfig.check) },
		New: func(d Deps, config any) (Action, error) {
			c, err := params[FunctionConfig](functionWebhook, config)
			if err != nil {
				return nil, err
			}
			if err := c.check(); err != nil {
				return nil, err
			}
			to, ok := d.Functions[c.Function]
			if !ok && !d.Offline && !d.Unconfigured {
				return nil, fmt.Errorf("%s: function %q is not in the config", functionWebhook, c.Function)
			}
			return function{d, c.Function, maps.Clone(c.Values), to}, nil
		},
	})
}

// FunctionConfig are the parameters of function.webhook.
type FunctionConfig struct {
	// Function is a name of the operator's config.
	Function string `yaml:"function" json:"function"`
	// Values are given to it beside the run and the target.
	Values map[string]string `yaml:"values" json:"values,omitempty"`
}

func (c FunctionConfig) check() error {
	if c.Function == "" {
		return fmt.Errorf("%s: no function is named", functionWebhook)
	}
	return checkValues(functionWebhook, c.Values)
}

type function struct {
	Deps
	name   string
	values map[string]string
	to     Function
}

// Plan lists the one request, with the body to the byte.
func (f function) Plan(_ context.Context, r Request) (event.Plan, error) {
	t := r.Target
	values := object{}
	for k, v := range f.values {
		values[k] = v
	}
	notes := []string{"what the function does is its own: it is not known here, and not undone"}
	if f.Unconfigured {
		notes = append([]string{noteNoFunctions}, notes...)
	}
	body, err := encode(object{
		"version": 1, "key": r.Key, "run": r.Run.ID, "playbook": r.Run.Playbook, "incident": r.Run.Incident.ID, "values": values,
		"target": object{"group": t.Group, "resource": t.Resource, "namespace": t.Namespace, "name": t.Name, "uid": t.UID, "node": t.Node},
	})
	return event.Plan{
		Action: functionWebhook, Target: r.Target, Summary: fmt.Sprintf("call function %s", f.name),
		Notes:  offlineNotes(f.Deps, notes),
		Writes: []event.Write{{Verb: "post", Resource: "functions", Name: f.name, Body: body}},
	}, err
}

// gated is a cluster that says whether a planned write may be sent now that it
// does not send itself.
type gated interface {
	Pass(ctx context.Context, w event.Write) error
}

// Do calls the function. An answer other than 2xx is an error; what it says goes
// nowhere.
func (f function) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := checkPlan(functionWebhook, r, p); err != nil {
		return event.Receipt{}, err
	}
	if f.Offline || f.to.URL == "" || f.to.Client == nil {
		return event.Receipt{}, ErrOffline
	}
	if len(p.Writes) != 1 || p.Writes[0].Verb != "post" || p.Writes[0].Name != f.name {
		return event.Receipt{}, refuse(r.Target, "plan is not one call of function %s", f.name)
	}
	if gate, ok := f.Cluster.(gated); ok {
		if err := gate.Pass(ctx, p.Writes[0]); err != nil {
			return event.Receipt{}, err
		}
	}
	if err := f.post(ctx, r, p.Writes[0].Body); err != nil {
		return event.Receipt{}, fmt.Errorf("call function %s: %w", f.name, err)
	}
	return receipt(r, event.ResultSent, p.Notes...), nil
}

func (f function) post(ctx context.Context, r Request, body []byte) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, f.to.URL, bytes.NewReader(body))
	if err != nil {
		return withoutURL(err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set(notify.KeyHeader, r.Key)
	if len(f.to.Secret) > 0 {
		q.Header.Set(notify.SignatureHeader, notify.Sign(f.to.Secret, r.Now.Unix(), body))
	}
	answer, err := f.to.Client.Do(q)
	if err != nil {
		return withoutURL(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("answered %d", answer.StatusCode)
	}
	return nil
}

// withoutURL takes the URL out of an error: its path is often a secret.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Verify claims no more than that the function took the call.
func (function) Verify(_ context.Context, _ Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	return done, nil
}

// Undo gives [ErrIrreversible].
func (function) Undo(context.Context, Request, event.Receipt, event.AtEnd) (event.Receipt, error) {
	return event.Receipt{}, ErrIrreversible
}
