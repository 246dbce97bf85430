// Package config reads the one file of kind Config that says where a
// Firebreak runs, what it listens to and how far it may go. Secrets stand in
// files of their own that it names.
package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/ingest/backlog"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve/slack"
	"github.com/firebreak-io/firebreak/respond/drill"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// Kind is the kind of a config document.
const Kind = "Config"

// Config is the configuration of one process. [Parse] sets the defaults.
type Config struct {
	// Cluster names the cluster in events and findings.
	Cluster string `yaml:"cluster"`
	// Data is the directory of the embedded streams and of read positions.
	Data       string     `yaml:"data"`
	NATS       NATS       `yaml:"nats"`
	Kubernetes Kubernetes `yaml:"kubernetes"`
	Listen     Listen     `yaml:"listen"`
	// Sources are configured by their names in the catalogue. One that is not
	// named is off.
	Sources map[string]conf.Raw `yaml:"sources"`
	// Unread bounds what no detector has read yet.
	Unread backlog.Config `yaml:"unread"`
	// NoShipped leaves out the rules and playbooks that come with Firebreak.
	NoShipped bool      `yaml:"no_shipped"`
	Rules     []string  `yaml:"rules"`
	Playbooks []string  `yaml:"playbooks"`
	Respond   Respond   `yaml:"respond"`
	Webhooks  []Webhook `yaml:"webhooks"`
	Notify    Notify    `yaml:"notify"`
	// Functions are what function.webhook calls and function.job runs.
	Functions Functions `yaml:"functions"`
	// Slack is where people see incidents and decide; without it they do by the
	// command line alone.
	Slack *slack.Config `yaml:"slack"`
	// Console is the page in the browser, at /console/ of listen.address.
	Console   Console   `yaml:"console"`
	Telemetry Telemetry `yaml:"telemetry"`
	// Enrich and Heartbeat are about what ingest asks of the cluster.
	Enrich    Enrich    `yaml:"enrich"`
	Heartbeat Heartbeat `yaml:"heartbeat"`

	// Decoded holds the sources' typed configurations by name.
	Decoded map[string]any `yaml:"-"`
	// Dir is where the file is: relative paths in it begin there.
	Dir string `yaml:"-"`
}

// NATS is an external server. Without a URL the embedded one is used.
type NATS struct {
	URL         string          `yaml:"url"`
	Credentials conf.SecretFile `yaml:"credentials"`
	CA          string          `yaml:"ca"`
	Cert        string          `yaml:"cert"`
	Key         string          `yaml:"key"`
	Replicas    int             `yaml:"replicas"`
	// MaxBytes and MaxAge bound the EVENTS stream.
	MaxBytes int64         `yaml:"max_bytes"`
	MaxAge   conf.Duration `yaml:"max_age"`
}

// Kubernetes is the cluster that is acted on; by default the one that the
// process runs in.
type Kubernetes struct {
	Disabled   bool    `yaml:"disabled"`
	Kubeconfig string  `yaml:"kubeconfig"`
	Context    string  `yaml:"context"`
	QPS        float32 `yaml:"qps"`
	Burst      int     `yaml:"burst"`
}

// Listen is where the process is reached.
type Listen struct {
	// Address takes events and what people say. TLS is needed unless it is on
	// loopback.
	Address string `yaml:"address"`
	TLS     TLS    `yaml:"tls"`
	// Health serves /livez, /readyz and /metrics, in plain HTTP.
	Health string `yaml:"health"`
}

// TLS names the files of a server's certificate and key, and of the CAs whose
// client certificates are believed. Sources say by name whom they let in.
type TLS struct {
	Cert     string `yaml:"cert"`
	Key      string `yaml:"key"`
	ClientCA string `yaml:"client_ca"`
}

// Respond says how far the responder may go.
type Respond struct {
	// Mode is the ceiling for all playbooks: observe, ask or act.
	Mode      event.Mode `yaml:"mode"`
	Protected Protected  `yaml:"protected"`
	// Assets say how important what is: a part of an incident's risk.
	Assets []Asset `yaml:"assets"`
	// Guards are their numbers.
	Guards guard.Limits `yaml:"guards"`
	// Evidence is where captures are kept.
	Evidence Evidence `yaml:"evidence"`
	// Trust says how playbooks earn it.
	Trust respond.TrustRules `yaml:"trust"`
	// People is what is asked of people who decide.
	People respond.PeopleRules `yaml:"people"`
	// Archive says when runs that are over leave the run log.
	Archive runlog.ArchiveRules `yaml:"archive"`
	// Drill proves that containment works.
	Drill drill.Config `yaml:"drill"`
}

// Protected adds to what is never touched.
type Protected struct {
	Namespaces []string `yaml:"namespaces"`
	Nodes      []string `yaml:"nodes"`
}

// Webhook is a receiver of kind webhook, for steps of notify.webhook.
type Webhook struct {
	Name   string          `yaml:"name,required"`
	URL    string          `yaml:"url,required"`
	Secret conf.SecretFile `yaml:"secret"`
	// AllowPrivate lets it be in a private network.
	AllowPrivate bool `yaml:"allow_private"`
}

// Functions are what steps may have done by others.
type Functions struct {
	// Hosts are those that the URLs of webhooks may lead to; each must be in it:
	// a name or an address, with :PORT if no other port is meant.
	Hosts    []string          `yaml:"hosts"`
	Webhooks []FunctionWebhook `yaml:"webhooks"`
	Jobs     []FunctionJob     `yaml:"jobs"`
}

// FunctionWebhook is a receiver that does something. Cert and Key are the client
// certificate with which it is called, CA who signs for the receiver.
type FunctionWebhook struct {
	Webhook `yaml:",inline"`
	Cert    string `yaml:"cert"`
	Key     string `yaml:"key"`
	CA      string `yaml:"ca"`
}

// FunctionJob is a Job that runs in a namespace. Template is a file with the
// spec of a batch/v1 Job.
type FunctionJob struct {
	Name      string `yaml:"name,required"`
	Namespace string `yaml:"namespace,required"`
	Template  string `yaml:"template,required"`
}

// Telemetry says where logs and traces go.
type Telemetry struct {
	Log Log `yaml:"log"`
	// OTLP is the URL of an OTLP/HTTP collector.
	OTLP string `yaml:"otlp"`
}

// Log is the level and the format (json, text) of the log.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// Load reads the config file: one document of kind Config.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	docs, err := conf.Documents(path, data)
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 || docs[0].Kind != Kind {
		return nil, fmt.Errorf("%s: want one document of kind %s", path, Kind)
	}
	return Parse(docs[0])
}

// Parse checks a document of kind Config and sets the defaults. The error
// joins all problems, each a [*conf.Error].
func Parse(doc *conf.Document) (*Config, error) {
	c := &Config{
		Data: "/var/lib/firebreak", Listen: Listen{Address: "127.0.0.1:8443", Health: "127.0.0.1:8081"},
		Respond: Respond{Mode: event.ModeObserve, Guards: guard.DefaultLimits(), Trust: respond.DefaultTrustRules(), Archive: runlog.DefaultArchiveRules(), People: respond.DefaultPeopleRules(), Drill: drill.DefaultConfig()}, Telemetry: Telemetry{Log: Log{Level: "info", Format: "json"}},
		Enrich: defaultEnrich(), Heartbeat: defaultHeartbeat(),
		Decoded: map[string]any{}, Dir: filepath.Dir(doc.File),
	}
	if err := doc.Decode(c); err != nil {
		return nil, err
	}
	p := &problems{doc: doc}
	c.checkListen(p)
	c.checkSources(p)
	c.checkNATS(p)
	c.checkTelemetry(p)
	c.checkCluster(p)
	c.checkRest(p)
	c.checkNotify(p)
	c.checkAssets(p)
	c.checkSlack(p)
	c.checkConsole(p)
	c.checkEvidence(p)
	c.checkDrill(p)
	if err := errors.Join(p.list...); err != nil {
		return nil, err
	}
	return c, nil
}

type problems struct {
	doc  *conf.Document
	list []error
}

func (p *problems) add(path, format string, args ...any) {
	p.list = append(p.list, p.doc.Errorf(path, format, args...))
}

// addHidden is for a place that holds what must not be repeated.
func (p *problems) addHidden(path, text string) {
	e := p.doc.Errorf(path, "%s", text)
	e.Snippet = ""
	p.list = append(p.list, e)
}

func (c *Config) checkListen(p *problems) {
	if _, _, err := net.SplitHostPort(c.Listen.Address); err != nil {
		p.add("spec.listen.address", "%q is not HOST:PORT", c.Listen.Address)
	}
	if _, _, err := net.SplitHostPort(c.Listen.Health); err != nil {
		p.add("spec.listen.health", "%q is not HOST:PORT", c.Listen.Health)
	}
	t := c.Listen.TLS
	if (t.Cert == "") != (t.Key == "") {
		p.add("spec.listen.tls", "a certificate needs its key, and a key its certificate")
	}
	if t.Cert == "" && !loopback(c.Listen.Address) {
		p.add("spec.listen.address", "%s is not on loopback: TLS is needed (listen.tls.cert and listen.tls.key)", c.Listen.Address)
	}
	if t.Cert == "" && t.ClientCA != "" {
		p.add("spec.listen.tls", "client_ca needs TLS: set cert and key")
	}
}

// loopback says whether only this machine can connect. A name could lead
// anywhere, so only localhost counts besides addresses.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *Config) checkSources(p *problems) {
	var names []string
	for _, k := range ingest.Kinds() {
		names = append(names, k.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		raw := c.Sources[name]
		kind, ok := ingest.Lookup(name)
		if !ok {
			p.add("spec.sources."+name, "unknown source %q%s", name, conf.Suggest(name, names))
			continue
		}
		into := kind.Config()
		if err := raw.Decode(into); err != nil {
			p.list = append(p.list, err)
			continue
		}
		if checked, ok := into.(interface{ Check() error }); ok {
			if err := checked.Check(); err != nil {
				p.add("spec.sources."+name, "source %s: %v", name, err)
			}
		}
		if names, ok := into.(interface{ NeedsClientCA() bool }); ok && names.NeedsClientCA() && c.Listen.TLS.ClientCA == "" {
			p.add("spec.sources."+name, "source %s: names are those of client certificates: set listen.tls.client_ca", name)
		}
		if outside, ok := into.(interface{ NeedsNATS() bool }); ok && outside.NeedsNATS() && c.NATS.URL == "" {
			p.add("spec.sources."+name, "source %s: nobody else can publish on the embedded NATS: set nats.url", name)
		}
		c.checkVolume(p, kind, into)
		c.Decoded[name] = into
	}
}

// checkVolume looks at what a source stores one by one. What is wrong with its
// filter has a place of its own.
func (c *Config) checkVolume(p *problems, kind ingest.Kind, config any) {
	err := ingest.CheckVolume(kind, config)
	var placed *conf.Error
	switch {
	case errors.As(err, &placed):
		p.list = append(p.list, err)
	case err != nil:
		p.add("spec.sources."+kind.Name, "source %s: %v", kind.Name, err)
	}
}

func (c *Config) checkRest(p *problems) {
	if err := c.Unread.Check(slices.Collect(maps.Keys(c.Sources))); err != nil {
		p.add("spec.unread", "%v", err)
	}
	if c.Data == "" {
		p.add("spec.data", "no directory: read positions, and the embedded streams, are kept there")
	}
	if c.Kubernetes.QPS < 0 || c.Kubernetes.Burst < 0 {
		p.add("spec.kubernetes", "qps and burst are not negative")
	}
	switch c.Respond.Mode {
	case event.ModeObserve, event.ModeAsk, event.ModeAct:
	default:
		p.add("spec.respond.mode", "%q is none of observe, ask, act", c.Respond.Mode)
	}
	c.checkFunctions(p.add)
	if err := c.Respond.Trust.Check(); err != nil {
		key, _, _ := strings.Cut(err.Error(), ":")
		p.add("spec.respond.trust."+key, "%v", err)
	}
	if err := c.Respond.People.Check(); err != nil {
		key, _, _ := strings.Cut(err.Error(), ":")
		p.add("spec.respond.people."+key, "%v", err)
	}
	if err := c.Respond.Archive.Check(); err != nil {
		key, _, _ := strings.Cut(err.Error(), ":")
		p.add("spec.respond.archive."+key, "%v", err)
	}
	if err := c.Respond.Guards.Check(); err != nil {
		for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
			key, _, _ := strings.Cut(one.Error(), ":")
			p.add("spec.respond.guards."+key, "%v", one)
		}
	}
}

// Path makes a path of the config absolute: a relative one begins at the
// config file.
func (c *Config) Path(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, path)
}
