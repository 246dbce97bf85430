package config

import (
	"time"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/ingest/heartbeat"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Enrich says what events get of what the cluster knows. It is on where there
// is a cluster.
type Enrich struct {
	Disabled bool `yaml:"disabled"`
	// Wait is how long an alert waits for a pod that is too young to be known;
	// 0 waits for none.
	Wait conf.Duration `yaml:"wait"`
}

// Heartbeat says how audit events are watched for staying away. It is on where
// there are a cluster and a source of audit events.
type Heartbeat struct {
	Disabled bool `yaml:"disabled"`
	// Every is how often a request is sent, Within how soon it must be back.
	Every  conf.Duration `yaml:"every"`
	Within conf.Duration `yaml:"within"`
}

func defaultEnrich() Enrich { return Enrich{Wait: conf.Duration(2 * time.Second)} }

func defaultHeartbeat() Heartbeat {
	return Heartbeat{Every: conf.Duration(heartbeat.DefaultEvery), Within: conf.Duration(heartbeat.DefaultWithin)}
}

// maxWait is shorter than any sender waits.
const maxWait = 5 * time.Second

func (c *Config) checkCluster(p *problems) {
	if w := c.Enrich.Wait.Std(); w < 0 || w > maxWait {
		p.add("spec.enrich.wait", "%s is not 0 to %s", w, maxWait)
	}
	every, within := c.Heartbeat.Every.Std(), c.Heartbeat.Within.Std()
	if every < time.Second {
		p.add("spec.heartbeat.every", "%s is less than a second", every)
	}
	if within < 2*every {
		p.add("spec.heartbeat.within", "%s is less than two beats of %s", within, every)
	}
}

// Audited says whether a source of audit events is configured.
func (c *Config) Audited() bool {
	for name := range c.Decoded {
		if kind, ok := ingest.Lookup(name); ok && kind.Source == event.SourceAudit {
			return true
		}
	}
	return false
}
