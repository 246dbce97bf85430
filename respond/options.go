package respond

import (
	"context"
	"log/slog"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// WorkerOptions are what a responder works with.
type WorkerOptions struct {
	Bus       *bus.Bus
	Books     []*Playbook
	Executor  *Executor
	Control   *Control
	Telemetry *telemetry.Telemetry
	Logger    *slog.Logger
	// Alone says that no other responder can be there, since the store is
	// embedded: the lease is taken without waiting for another's to run out.
	Alone bool
	// Trust are the rules by which playbooks are raised and lowered; the zero
	// value is [DefaultTrustRules].
	Trust TrustRules
	// People are what is asked of people who decide; the zero value is
	// [DefaultPeopleRules].
	People PeopleRules
	// Archive says when runs that are over leave the run log; the zero value is
	// [runlog.DefaultArchiveRules].
	Archive runlog.ArchiveRules
	// Importance is what the config says of a finding's subject; nil says
	// nothing.
	Importance func(event.Ref) event.Importance
	// Reconcile is how often the cluster is compared with the record (0 is
	// 10 s), Orphan how long what no run holds is left (0 is a minute).
	Reconcile, Orphan time.Duration
	// Beside are what runs while this responder is the active one. One that ends
	// is begun again: it takes nothing else with it.
	Beside []func(context.Context) error
	// Now is the clock; nil is time.Now in UTC.
	Now func() time.Time
}
