package limit

import "errors"

// Config bounds one source. Zero means that there is no bound.
type Config struct {
	// EventsPerSecond is what all clients together may send for ever, and
	// Burst how many events may come at once; 0 is ten seconds' worth.
	EventsPerSecond float64 `yaml:"events_per_second,omitempty"`
	Burst           float64 `yaml:"burst,omitempty"`
	// BytesPerSecond bounds bodies as they are after decompression; ten
	// seconds' worth may come at once.
	BytesPerSecond float64 `yaml:"bytes_per_second,omitempty"`
	// Concurrent is how many requests may be under way.
	Concurrent int `yaml:"concurrent,omitempty"`
}

// Check says what of the configuration could not be used.
func (c *Config) Check() error {
	switch {
	case c.EventsPerSecond < 0 || c.Burst < 0 || c.BytesPerSecond < 0 || c.Concurrent < 0:
		return errors.New("limit has a number below zero")
	case c.Burst > 0 && c.EventsPerSecond == 0:
		return errors.New("limit has a burst, and no events_per_second")
	case c.Burst > 0 && c.Burst < 1:
		return errors.New("limit has a burst of less than one event")
	}
	return nil
}

// burstSeconds is how many seconds' worth may come at once.
const burstSeconds = 10
