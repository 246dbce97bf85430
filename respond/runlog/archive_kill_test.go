package runlog

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// The settings of the child of the tests of a killed Archiver: where its store is,
// and at which place, when it comes there the how manieth time, it is killed.
const (
	childArchive = "FIREBREAK_TEST_ARCHIVE"
	childURL     = "FIREBREAK_TEST_URL"
	childPlace   = "FIREBREAK_TEST_PLACE"
)

// archivePlaces are where an Archiver is killed. At the last it is killed a moment
// later, while the server drops what is old.
var archivePlaces = []string{"writing", "stored", "read back", "listed", "sweeping", "swept one", "forgetting"}

// TestKilledArchiver kills processes that archive with SIGKILL at each place,
// while runs go on ending, over a store of their own: nothing is ever lost, and in
// the end all is archived once, and nothing is left over in the object store.
func TestKilledArchiver(t *testing.T) {
	dir := t.TempDir()
	killArchivers(t, bus.Options{Dir: dir}, childArchive+"="+dir)
}

// TestKilledArchiverApart is the same over a NATS server that goes on.
func TestKilledArchiverApart(t *testing.T) {
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, JetStreamMaxStore: 1 << 50})
	if err != nil {
		t.Fatal(err)
	}
	go srv.Start()
	t.Cleanup(srv.Shutdown)
	if !srv.ReadyForConnections(4 * time.Minute) {
		t.Fatal("NATS is not ready")
	}
	killArchivers(t, bus.Options{URL: srv.ClientURL(), Replicas: 1}, childArchive+"=apart", childURL+"="+srv.ClientURL())
}

func killArchivers(t *testing.T, o bus.Options, env ...string) {
	t.Helper()
	t.Parallel()
	rounds := 1
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		rounds = 10
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	s, killed := &stacks{t: t, want: map[string][][]byte{}}, map[string]int{}
	base := time.Now().UTC().Add(-time.Hour)
	for round := range rounds {
		for n, place := range archivePlaces {
			s.open(o)
			s.x = newIndex()
			for i := range 2 + random.IntN(3) {
				s.run(fmt.Sprint(round, "-", n, "-", i), "", event.RunClosed, base.Add(time.Duration(round)*time.Second))
			}
			s.index()
			if strings.HasPrefix(place, "sw") {
				s.stray(fmt.Sprint("stray", round, n))
			}
			s.leave()
			count := 1
			if place == "writing" {
				count += random.IntN(2)
			}
			if killedAt(t, place, count, env) {
				killed[place]++
			}
			s.open(o)
			s.whole()
			s.leave()
		}
	}
	s.open(o)
	if err := s.a.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.whole()
	s.once()
	t.Logf("killed at %v", killed)
	for _, place := range archivePlaces {
		if killed[place] < rounds {
			t.Errorf("killed at %s %d times of %d", place, killed[place], rounds)
		}
	}
}

// leave closes the store.
func (s *stacks) leave() {
	s.t.Helper()
	if err := s.bus.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stacks) stray(name string) {
	s.t.Helper()
	store, err := s.bus.Objects(s.t.Context(), archiveStore, -1)
	if err == nil {
		err = store.Put(s.t.Context(), name, strings.NewReader(name))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// once says that each run is archived once, and nothing else is in the object
// store.
func (s *stacks) once() {
	s.t.Helper()
	runs, next, known := 0, uint64(1), map[string]bool{}
	for _, p := range s.parts() {
		if p.From != next {
			s.t.Errorf("part %s begins at %d, want %d", p.Name, p.From, next)
		}
		runs, next, known[p.Object] = runs+p.Runs, p.To+1, true
	}
	if runs != len(s.want) {
		s.t.Errorf("%d runs are in the archive, want %d", runs, len(s.want))
	}
	store, err := s.bus.Objects(s.t.Context(), archiveStore, -1)
	if err != nil {
		s.t.Fatal(err)
	}
	orphans, err := store.Orphans(s.t.Context(), func(name string) bool { return known[name] })
	if err != nil || len(orphans) != 0 {
		s.t.Errorf("left over in the object store: %+v, %v", orphans, err)
	}
}

// killedAt starts an Archiver that is killed at a place; it says whether it came
// there.
func killedAt(t *testing.T, place string, count int, env []string) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildArchiver$", "-test.count=1")
	cmd.Env = append(append(os.Environ(), env...), childPlace+"="+place+"/"+strconv.Itoa(count))
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the Archiver ended by itself: %v: %s", err, out)
	}
	return err != nil
}

// TestChildArchiver is the Archiver that the tests of a killed one start.
func TestChildArchiver(t *testing.T) {
	dir := os.Getenv(childArchive)
	if dir == "" {
		t.Skip("is started by the tests of a killed Archiver")
	}
	o := bus.Options{Dir: dir}
	if url := os.Getenv(childURL); url != "" {
		o = bus.Options{URL: url, Replicas: 1}
	}
	b := openPatiently(t, o)
	place, text, _ := strings.Cut(os.Getenv(childPlace), "/")
	count, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	a := newTestArchiver(New(b, 1))
	a.most, a.rules.Keep = 20_000, 1
	a.at = func(at string) error {
		if at != place {
			return nil
		}
		if count--; count > 0 {
			return nil
		}
		if place == "forgetting" {
			time.AfterFunc(time.Duration(rand.IntN(200))*time.Millisecond, func() { _ = self.Kill() })
			return nil
		}
		return self.Kill()
	}
	err = a.Pass(t.Context())
	if place == "forgetting" {
		select {} // it is killed at any rate
	}
	if err != nil {
		t.Fatal(err)
	}
}
