package summary

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// Config says how lines are summarised. What is zero has a default.
type Config struct {
	// Interval is how long a summary is over, from 10 s to 1 h; intervals begin
	// at its multiples. The default is 1 m.
	Interval conf.Duration `yaml:"interval" json:"interval,omitempty"`
	// By is what a writer is told by, besides its namespace: workload, pod,
	// container. The default is [pod, container].
	By []string `yaml:"by" json:"by,omitempty"`
	// Delay is how long an interval is kept open after its end, for lines on
	// their way. What comes later makes another part. The default is 5 s.
	Delay conf.Duration `yaml:"delay" json:"delay,omitempty"`
	// Lateness is how long before its receipt a line may be dated; an older one
	// counts as that old. The default is 1 h.
	Lateness conf.Duration `yaml:"lateness" json:"lateness,omitempty"`
	// Entities is how many parts may be open at a time, each a writer's
	// interval. The default is 25,000; a usual one takes 2 to 4 KiB, the largest
	// 25 KiB.
	Entities int `yaml:"entities" json:"entities,omitempty"`
}

// Bounds and defaults of a configuration.
const (
	minInterval     = 10 * time.Second
	maxInterval     = time.Hour
	defaultInterval = time.Minute
	maxDelay        = 10 * time.Minute
	defaultDelay    = 5 * time.Second
	maxLateness     = 24 * time.Hour
	defaultLateness = time.Hour
	maxEntities     = 1_000_000
	defaultEntities = 25_000
)

// What a writer may be told by.
const (
	byWorkload  = "workload"
	byPod       = "pod"
	byContainer = "container"
)

// Check says what of the configuration could not be used.
func (c Config) Check() error {
	c = c.filled()
	switch d := c.Interval.Std(); {
	case d < minInterval || d > maxInterval || d%time.Second != 0:
		return fmt.Errorf("interval %s is not whole seconds from %s to %s", d, minInterval, maxInterval)
	case c.Delay.Std() > maxDelay:
		return fmt.Errorf("delay %s is more than %s", c.Delay, maxDelay)
	case c.Lateness.Std() > maxLateness:
		return fmt.Errorf("lateness %s is more than %s", c.Lateness, maxLateness)
	case c.Entities < 1 || c.Entities > maxEntities:
		return fmt.Errorf("entities %d is not 1 to %d", c.Entities, maxEntities)
	}
	for i, by := range c.By {
		if !slices.Contains([]string{byWorkload, byPod, byContainer}, by) {
			return fmt.Errorf("by %q is none of workload, pod, container", by)
		}
		if slices.Contains(c.By[:i], by) {
			return fmt.Errorf("by %q is there twice", by)
		}
	}
	if slices.Contains(c.By, byWorkload) && slices.Contains(c.By, byPod) {
		return errors.New("by workload and pod: a pod has one workload, which its summary names; leave one out")
	}
	return nil
}

// Every is how long a summary is over.
func (c Config) Every() time.Duration { return c.filled().Interval.Std() }

// Writers is what a writer is told by.
func (c Config) Writers() []string { return c.filled().By }

// filled has the defaults in place of zeros.
func (c Config) filled() Config {
	for _, d := range []struct {
		value *conf.Duration
		or    time.Duration
	}{{&c.Interval, defaultInterval}, {&c.Delay, defaultDelay}, {&c.Lateness, defaultLateness}} {
		if *d.value == 0 {
			*d.value = conf.Duration(d.or)
		}
	}
	if c.Entities == 0 {
		c.Entities = defaultEntities
	}
	if len(c.By) == 0 {
		c.By = []string{byPod, byContainer}
	}
	return c
}
