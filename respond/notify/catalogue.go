package notify

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// Deps are what notifiers are made with.
type Deps struct {
	// HTTP sends to public addresses only; Inside makes a client that may also
	// reach the named host in a private network. Neither follows redirects.
	HTTP   *http.Client
	Inside func(host string) *http.Client
	// Dial connects to the named host, also in a private network if it may.
	Dial func(host string, private bool) func(ctx context.Context, network, address string) (net.Conn, error)
	// Cluster writes Kubernetes Events; nil is none.
	Cluster Cluster
	// Dir is where relative paths of secrets begin.
	Dir    string
	Logger *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Cluster is what writes a Kubernetes Event. [*kube.Client] does.
type Cluster interface {
	Apply(ctx context.Context, w event.Write, o kube.ApplyOptions) (uid, resourceVersion string, err error)
}

func (d Deps) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// Kind is an entry of the catalogue. Validation, schema and docs come from it.
type Kind struct {
	// Name is what the config says: webhook.
	Name string
	Doc  string
	// Follows says that the receiver keeps an incident until it is told that it
	// is over: then it is told of acknowledge and resolve, too.
	Follows bool
	// Pages says that a page can be sent to it: it says what a [Notice] holds.
	// One that does not sends a body that a plan lists.
	Pages bool
	// Config makes a pointer to the typed parameters with their defaults.
	Config func() any
	// Check says what is wrong with parameters as Config gave them; nil checks
	// nothing.
	Check func(config any) error
	// New makes the notifier with parameters as Config gave them. It reaches
	// nothing.
	New func(d Deps, config any) (Notifier, error)
}

// catalogue is filled by the init function of each kind's file.
var catalogue = map[string]Kind{}

func register(k Kind) { catalogue[k.Name] = k }

// Kinds lists the catalogue by name.
func Kinds() []Kind {
	kinds := make([]Kind, 0, len(catalogue))
	for _, k := range catalogue {
		kinds = append(kinds, k)
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return strings.Compare(a.Name, b.Name) })
	return kinds
}

// Lookup finds a kind by name.
func Lookup(name string) (Kind, bool) {
	k, ok := catalogue[name]
	return k, ok
}

// made makes a notifier of typed parameters.
func made[T any](kind string, make func(d Deps, c T) (Notifier, error)) func(Deps, any) (Notifier, error) {
	return func(d Deps, config any) (Notifier, error) {
		c, ok := config.(*T)
		if !ok || c == nil {
			return nil, fmt.Errorf("%s: parameters are %T, not %T", kind, config, c)
		}
		return make(d, *c)
	}
}

// checked checks typed parameters.
func checked[T any](kind string, check func(T) error) func(any) error {
	return func(config any) error {
		c, ok := config.(*T)
		if !ok || c == nil {
			return fmt.Errorf("%s: parameters are %T, not %T", kind, config, c)
		}
		if err := check(*c); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		return nil
	}
}
