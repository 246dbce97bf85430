package service

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/test/wait"
	"github.com/firebreak-io/firebreak/test/wire"
)

// TestHangingNATS: a NATS that answers nothing any more costs a sender five
// seconds, also when many wait, and events are taken when it goes on.
func TestHangingNATS(t *testing.T) {
	a := newApart(t)
	direct := a.config.NATS.URL
	w := wire.New(t, direct[len("nats://"):], nil)
	a.config.NATS.URL = "nats://" + w.Address
	a.startRoles(Ingest)
	if status, _, _ := a.send("audit", auditEvent); status != 200 {
		t.Fatalf("status %d", status)
	}
	w.Hold()
	var senders sync.WaitGroup
	for range 20 {
		senders.Go(func() {
			for _, source := range []struct{ name, body string }{{"audit", auditEvent}, {"falco", `{"rule":1}`}} {
				status, again, took := a.send(source.name, source.body)
				if t.Logf("%s: %d after %v", source.name, status, took.Round(time.Millisecond)); status != 503 || !again || took > slowly {
					t.Errorf("NATS hangs: %s is answered %d after %v, retry %v", source.name, status, took, again)
				}
			}
		})
	}
	senders.Wait()
	wait.Until(a.t, "readiness says that the store is away", func() bool {
		status, _ := a.get("/readyz")
		return status == 503
	})
	w.Release()
	wait.Until(a.t, "events are taken again", func() bool {
		status, _, _ := a.send("audit", auditEvent)
		return status == 200
	})
}

// TestNATSAwayAtTheBeginning: a service whose NATS is restarted beside it lives, says that
// it is not ready and why, and begins when NATS is there.
func TestNATSAwayAtTheBeginning(t *testing.T) {
	a := newApart(t)
	a.nats.Shutdown()
	a.nats.WaitForShutdown()
	a.launch(Ingest, Detect, Respond)
	wait.Until(t, "it says that it is alive and not ready", func() bool {
		live, _ := a.get("/livez")
		ready, why := a.get("/readyz")
		return live == 200 && ready == 503 && strings.Contains(why, "start")
	})
	a.listen()
	wait.Until(t, "it is ready", func() bool {
		status, _ := a.get("/readyz")
		return status == 200
	})
	if status, _, _ := a.send("audit", auditEvent); status != 200 {
		t.Errorf("status %d", status)
	}
}
