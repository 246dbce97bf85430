package forest

import (
	"syscall"
	"testing"
	"time"
)

// processor is the time that this process has had of processors: on a machine
// that does other work too, the clock on the wall says little.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perSecond reports how many things were done in a second of processor time.
func perSecond(b *testing.B, things int, began time.Duration, unit string) {
	took := processor() - began
	b.ReportMetric(float64(things)/took.Seconds(), unit)
	b.ReportMetric(float64(took.Nanoseconds())/float64(things), "cpu-ns/"+unit[:len(unit)-3])
}
