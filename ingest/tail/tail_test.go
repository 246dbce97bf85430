package tail

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestReadsWhatIsAdded(t *testing.T) {
	b := newBench(t)
	b.start()
	b.pass()
	b.write("a.log", "one\ntw")
	b.write("x/b.log", "three\r\n\nfour")
	b.write("a.txt", "not wanted\n")
	b.pass()
	b.want("one", "three", "")
	b.write("a.log", "o\n")
	b.pass()
	b.want("one", "three", "", "two")
	b.stop(true)
}

func TestRotationByRename(t *testing.T) {
	b := newBench(t)
	b.start()
	b.write("a.log", "one\n2a\\\n")
	b.pass()
	b.rename("a.log", "a.log.1")
	b.write("a.log.1", "2b\nlate\n")
	b.write("a.log", "new\n")
	b.pass()
	b.want("one", "2a2b", "late", "new")
	// The old file is removed with a last line that nobody read.
	b.write("a.log.1", "last")
	b.must(os.Remove(b.path("a.log.1")))
	b.pass()
	b.want("one", "2a2b", "late", "new", "last")
	b.rename("a.log", "a.log-20260102")
	b.write("a.log", "newer\n")
	b.pass()
	b.want("one", "2a2b", "late", "new", "last", "newer")
	if len(b.t.groups) != 1 || len(b.t.files) != 2 {
		t.Errorf("%d groups, %d files", len(b.t.groups), len(b.t.files))
	}
	b.must(os.RemoveAll(b.dir))
	b.must(os.Mkdir(b.dir, 0o755))
	b.write("a.log", "another directory\n")
	b.pass()
	if got := b.store.all(); got[len(got)-1] != "another directory" || len(b.t.files) != 1 {
		t.Errorf("stored %q, %d files", got, len(b.t.files))
	}
	b.stop(true)
}

func TestTruncation(t *testing.T) {
	b := newBench(t)
	b.start()
	b.write("a.log", "one\ntwo\n")
	b.pass()
	b.write("a.log", "half of a line")
	b.pass()
	b.truncate("a.log")
	b.write("a.log", "three\n")
	b.pass()
	b.want("one", "two", "<truncated 14>", "three")
	if n := b.store.fault(FaultTruncated); n != 1 {
		t.Errorf("%d truncations counted", n)
	}
	if n := b.store.fault(FaultLost); n != 14 {
		t.Errorf("%d bytes counted as lost", n)
	}
	// Overwritten between two looks by something that is longer.
	b.truncate("a.log")
	b.write("a.log", strings.Repeat("a longer line\n", 10))
	b.pass()
	if got := b.store.all(); len(got) != 15 || got[4] != "<truncated 0>" || got[5] != "a longer line" {
		t.Errorf("stored %q", got)
	}
	b.stop(true)
}

// A truncation while nobody looked is said too.
func TestTruncatedWhileDown(t *testing.T) {
	b := newBench(t)
	b.start()
	b.write("a.log", "one\ntwo\n")
	b.pass()
	b.stop(true)
	b.truncate("a.log")
	b.write("a.log", "three and more than before\n")
	b.start()
	b.pass()
	b.want("one", "two", "<truncated 0>", "three and more than before")
	b.stop(true)
}

// A writer that doesn't append leaves a hole of zeros.
func TestTruncationLeavesHole(t *testing.T) {
	b := newBench(t)
	b.o.MaxLine = 100
	b.start()
	text := strings.Repeat("0123456789\n", 100_000)
	b.write("a.log", text)
	b.pass()
	n := len(b.store.all())
	b.truncate("a.log")
	f, err := os.OpenFile(b.path("a.log"), os.O_WRONLY, 0)
	b.must(err)
	_, err = f.WriteAt([]byte("after\n"), int64(len(text)))
	b.must(err)
	f.Close()
	b.pass()
	if got := b.store.all()[n:]; !slices.Equal(got, []string{"<truncated 0>", "after"}) {
		t.Errorf("stored %q", got)
	}
	b.stop(true)
}

// logrotate's copytruncate: what the reader had not come to is read from the
// copy, and nothing twice.
func TestCopyTruncate(t *testing.T) {
	long := strings.Repeat("x", 300) // a copy is told by a full hash
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprint("down=", down), func(t *testing.T) {
			b := newBench(t)
			b.start()
			b.write("a.log", long+"\ntwo\n")
			b.pass()
			if down {
				b.stop(true)
			}
			b.write("a.log", "three\nfour\n")
			b.copy("a.log", "a.log.1")
			b.truncate("a.log")
			b.write("a.log", "five\n")
			if down {
				b.start()
			}
			b.pass()
			b.want(long, "two", "three", "four", "<truncated 0>", "five")
			b.rename("a.log.1", "a.log.2")
			b.pass()
			b.stop(true)
			b.start()
			b.pass()
			b.want(long, "two", "three", "four", "<truncated 0>", "five")
			b.stop(true)
		})
	}
}

// A copy that is older than what was read has nothing to give, and the next
// line says what is lost.
func TestCopyOlderThanRead(t *testing.T) {
	b := newBench(t)
	b.start()
	long := strings.Repeat("x", 300)
	b.write("a.log", long+"\n")
	b.pass()
	b.copy("a.log", "a.log.1")
	b.write("a.log", "two\n")
	b.pass()
	b.write("a.log", "half")
	b.look()
	b.truncate("a.log")
	b.write("a.log", "three\n")
	b.pass()
	b.want(long, "two", "<truncated 4>", "three")
	b.stop(true)
	b.start()
	b.pass()
	b.want(long, "two", "<truncated 4>", "three")
	b.stop(true)
}

// Truncated several times between two looks: each copy says that lines may be
// missing before it.
func TestTruncatedSeveralTimes(t *testing.T) {
	b := newBench(t)
	b.start()
	long := strings.Repeat("x", 300)
	b.write("a.log", long+"\n")
	b.pass()
	b.write("a.log", "two\n")
	b.copy("a.log", "a.log.2")
	b.truncate("a.log")
	b.write("a.log", strings.Repeat("y", 300)+"\nfour\n")
	b.copy("a.log", "a.log.1")
	b.truncate("a.log")
	b.write("a.log", "five\n")
	b.pass()
	b.want(long, "two", "<truncated 0>", strings.Repeat("y", 300), "four", "<truncated 0>", "five")
	b.stop(true)
}

// The inode of a file that was closed is another group's now: what it says is
// not taken for the old group's.
func TestInodeOfAnother(t *testing.T) {
	b := newBench(t)
	b.o.MaxOpen = 1
	b.start()
	b.write("x/a.log", "one\n")
	b.write("y/b.log", "two\n")
	b.pass()
	b.must(os.MkdirAll(b.path("z"), 0o755))
	b.rename("x/a.log", "z/c.log")
	b.truncate("z/c.log")
	b.write("z/c.log", "three, of another\n")
	b.pass()
	b.want("one", "two", "three, of another")
	if b.t.groups["z/c.log"] == nil || b.t.groups["x/a.log"] != nil {
		t.Error("it is read for the old group")
	}
	b.stop(true)
}

// A file that was compressed while nobody read is read on from where it was
// left; others are not. That holds too where the next file has its inode, as
// file systems give it out again.
func TestCompressedWhileDown(t *testing.T) {
	for name, again := range map[string]bool{"another inode": false, "the same inode": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.start()
			b.write("a.log", "one\n2a\\\n")
			b.pass()
			b.stop(true)
			b.write("a.log", "2b\nthree\nlast")
			b.pack("a.log", "a.log.20260102-030405.gz")
			b.write("old", "before\n")
			b.pack("old", "a.log.20250101-000000.gz")
			b.must(os.Remove(b.path("old")))
			b.must(os.WriteFile(b.path("a.log.20250101-000001.gz"), []byte("no gzip"), 0o600))
			if again {
				b.truncate("a.log")
			} else {
				b.rename("a.log", "kept") // so that its inode is not given out again
			}
			b.write("a.log", "four\n")
			b.start()
			b.pass()
			b.want("one", "2a2b", "three", "last", "four")
			for _, f := range []Fault{FaultGone, FaultTruncated} {
				if n := b.store.fault(f); n != 0 {
					t.Errorf("%d files are counted as %v", n, f)
				}
			}
			b.stop(true)
			b.start()
			b.pass()
			b.want("one", "2a2b", "three", "last", "four")
			b.stop(true)
		})
	}
}

// pack compresses what a file holds, and leaves the file.
func (b *bench) pack(from, to string) {
	data, err := os.ReadFile(b.path(from))
	b.must(err)
	f, err := os.Create(b.path(to))
	b.must(err)
	w := gzip.NewWriter(f)
	_, err = w.Write(data)
	b.must(err)
	b.must(w.Close())
	b.must(f.Close())
}

// A copy of a file that goes on is not read.
func TestCopyAlone(t *testing.T) {
	b := newBench(t)
	b.start()
	long := strings.Repeat("x", 300)
	b.write("a.log", long+"\ntwo\n")
	b.pass()
	b.copy("a.log", "a.log.1")
	b.pass()
	b.write("a.log", "three\n")
	b.pass()
	b.want(long, "two", "three")
	b.stop(true)
	b.start()
	b.pass()
	b.write("a.log", "four\n")
	b.pass()
	b.want(long, "two", "three", "four")
	b.stop(true)
}

// The inode of a copy that is closed is another file's, which is read.
func TestInodeOfACopy(t *testing.T) {
	b := newBench(t)
	b.o.MaxOpen = 1
	b.start()
	long := strings.Repeat("x", 300)
	b.write("a.log", long+"\n")
	b.pass()
	b.copy("a.log", "a.log.1")
	b.pass()
	b.write("b.log", "b\n") // takes the one handle
	b.pass()
	b.rename("a.log.1", "a.log.2")
	b.pass()
	b.truncate("a.log.2")
	b.write("a.log.2", "two\n") // stands for a new file with the inode of the old one
	b.rename("a.log.2", "a.log.1")
	b.pass()
	b.want(long, "b", "two")
	b.stop(true)
}

func TestStartsWhereItStopped(t *testing.T) {
	b := newBench(t)
	b.start()
	b.write("a.log", "one\n2a\\\n")
	b.pass()
	b.stop(true)
	b.write("a.log", "2b\n")
	b.start()
	b.pass()
	b.want("one", "2a2b")
	b.write("a.log", "three\n")
	b.look()
	b.stop(false) // a crash: the position of three is not saved
	b.start()
	b.pass()
	b.want("one", "2a2b", "three", "three")
	b.stop(true)
	// Another file has the same name, and perhaps the same inode.
	b.must(os.Remove(b.path("a.log")))
	b.write("a.log", "another file, longer than the first one was\n")
	b.start()
	b.pass()
	if got := b.store.all(); got[len(got)-1] != "another file, longer than the first one was" {
		t.Errorf("stored %q", got)
	}
	b.stop(true)
}

func TestCheckpointIsBroken(t *testing.T) {
	b := newBench(t)
	b.must(os.WriteFile(b.state, []byte(`{"version":2,"files":[{"offset":-1}]}`), 0o600))
	b.write("a.log", "one\n")
	b.start()
	b.pass()
	b.stop(true)
	b.want("one")
	if _, err := os.Stat(b.state + ".bad"); err != nil {
		t.Error("the broken checkpoint is not kept:", err)
	}
	if positions, err := loadCheckpoint(b.state); err != nil || len(positions) != 1 || positions[0].Offset != 4 {
		t.Errorf("checkpoint %+v, %v", positions, err)
	}
}

// A checkpoint that can't be written stops nothing, and is tried again.
func TestCheckpointCantBeWritten(t *testing.T) {
	b := newBench(t)
	blocked := filepath.Join(b.dir, "not a directory")
	b.must(os.WriteFile(blocked, nil, 0o600))
	b.o.Checkpoint = filepath.Join(blocked, "state.json")
	b.state = b.o.Checkpoint
	b.start()
	b.write("a.log", "one\n")
	b.pass()
	b.t.keep()
	b.want("one")
	if b.store.fault(FaultCheckpoint) == 0 {
		t.Error("the fault is not counted")
	}
	b.must(os.Remove(blocked))
	for range 10 {
		b.pass()
		b.t.keep()
	}
	if positions, err := loadCheckpoint(b.state); err != nil || len(positions) != 1 {
		t.Errorf("checkpoint %+v, %v", positions, err)
	}
	b.stop(true)
}

// What the store holds back is not in the checkpoint until it is settled.
func TestCheckpointWaitsUntilSettled(t *testing.T) {
	b := newBench(t)
	settled := uint64(0)
	b.o.Mark = func() uint64 { return b.store.marks }
	b.o.Settled = func() uint64 { return settled }
	saved := func() int64 {
		positions, err := loadCheckpoint(b.state)
		b.must(err)
		if len(positions) == 0 {
			return 0
		}
		return positions[0].Offset
	}
	b.start()
	b.write("a.log", "one\n")
	b.pass()
	b.t.keep()
	if n := saved(); n != 0 {
		t.Fatalf("%d bytes are saved before they are settled", n)
	}
	b.write("a.log", "two\n")
	b.pass()
	settled = 1 // of one
	b.pass()
	if n := saved(); n != 4 {
		t.Fatalf("saved %d, want 4: one is settled, two is not", n)
	}
	settled = 2
	b.pass()
	b.pass()
	if n := saved(); n != 8 {
		t.Fatalf("saved %d, want 8", n)
	}
	b.stop(true)
}

func TestLongLines(t *testing.T) {
	b := newBench(t)
	b.o.MaxLine = 100
	b.start()
	b.write("a.log", "one\n"+strings.Repeat("x", 1<<20))
	b.pass()
	cut := strings.Repeat("x", 100) + "<cut>"
	b.want("one", cut)
	b.stop(true)
	b.start()
	b.write("a.log", strings.Repeat("x", 1000)+"\ntwo\n"+strings.Repeat("y", 101)+"\nthree\n")
	b.pass()
	b.want("one", cut, "two", strings.Repeat("y", 100)+"<cut>", "three")
	b.stop(true)
}

// More files than may be open: those that are idle are closed, and opened
// again by what they are, not by their name.
func TestOpenFilesAreBounded(t *testing.T) {
	b := newBench(t)
	b.o.MaxOpen, b.o.MaxFiles = 5, 1000
	b.start()
	var want []string
	for i := range 50 {
		b.write(fmt.Sprintf("d%d/a.log", i), fmt.Sprintf("first %d\n", i))
		want = append(want, fmt.Sprintf("first %d", i))
	}
	b.pass()
	if n := b.t.handles.Len(); n > 5 {
		t.Errorf("%d files are open", n)
	}
	b.rename("d7/a.log", "d7/a.log.1")
	b.write("d7/a.log", "second 7\n")
	for i := range 50 {
		name := fmt.Sprintf("d%d/a.log", i)
		if i == 7 {
			name += ".1"
		}
		b.write(name, fmt.Sprintf("third %d\n", i))
		want = append(want, fmt.Sprintf("third %d", i))
	}
	b.pass()
	want = append(want, "second 7")
	got := b.store.all()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("stored %q", got)
	}
	if at, after := slices.Index(b.store.all(), "third 7"), slices.Index(b.store.all(), "second 7"); at > after {
		t.Error("the younger file was read before the older")
	}
	b.must(os.RemoveAll(b.path("d9")))
	b.pass()
	if len(b.t.files) != 50 {
		t.Errorf("%d files are followed", len(b.t.files))
	}
	b.stop(true)
}

func TestMaxFiles(t *testing.T) {
	b := newBench(t)
	b.o.MaxFiles = 2
	b.start()
	b.write("b.log", "b\n")
	b.write("c.log", "c\n")
	b.pass()
	b.write("a.log", "a\n")
	b.write("b.log", "b2\n")
	b.pass()
	b.want("b", "c", "b2")
	if b.store.fault(FaultMany) != 1 {
		t.Error("it is not said that files are left out")
	}
	b.must(os.Remove(b.path("c.log")))
	b.pass()
	b.want("b", "c", "b2", "a")
	b.stop(true)
}

// Links are followed within the allowed directories only.
func TestLinks(t *testing.T) {
	b := newBench(t)
	outside := filepath.Join(filepath.Dir(b.dir), "outside")
	docker := filepath.Join(filepath.Dir(b.dir), "docker")
	b.must(os.MkdirAll(filepath.Join(docker, "id"), 0o755))
	b.must(os.WriteFile(outside, []byte("secret of the node\n"), 0o600))
	b.must(os.WriteFile(filepath.Join(docker, "id", "id-json"), []byte("allowed\n"), 0o600))
	b.write("target", "inside\n")
	b.must(os.Symlink("../outside", b.path("a.log")))
	b.must(os.Symlink(outside, b.path("b.log")))
	b.must(os.Symlink(filepath.Join(docker, "id", "id-json"), b.path("c.log")))
	b.must(os.Symlink(filepath.Join(docker, "..", "outside"), b.path("d.log")))
	b.must(os.Symlink("e.log", b.path("e.log")))
	b.must(os.Symlink("target", b.path("f.log")))
	b.must(os.Symlink("/dev/zero", b.path("g.log")))
	b.must(os.Symlink(filepath.Dir(outside), b.path("dir")))
	b.must(os.Symlink(outside, filepath.Join(docker, "out")))
	b.must(os.Symlink(filepath.Join(docker, "out"), b.path("h.log")))
	b.start()
	b.pass()
	b.want("inside")
	if n := b.store.fault(FaultLink); n < 4 {
		t.Errorf("%d links were refused", n)
	}
	b.stop(true)
	b.o.Links = []string{docker}
	b.start()
	b.pass()
	b.want("inside", "allowed")
	// Docker rotates behind the link.
	b.must(os.Rename(filepath.Join(docker, "id", "id-json"), filepath.Join(docker, "id", "id-json.1")))
	b.must(os.WriteFile(filepath.Join(docker, "id", "id-json"), []byte("next\n"), 0o600))
	b.pass()
	b.want("inside", "allowed", "next")
	b.stop(true)
}

// Whatever is written, rotated, crashed and refused in whatever order: every
// line is stored, and in order but for what comes again.
func TestLosesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t)
		b.o.MaxOpen = rapid.IntRange(1, 3).Draw(rt, "open")
		b.start()
		defer func() { b.stop(false) }()
		var want []string
		n, rotation := 0, 0
		line := func() string {
			n++
			if rapid.IntRange(0, 3).Draw(rt, "parts") == 0 {
				want = append(want, fmt.Sprintf("a%db%d", n, n))
				return fmt.Sprintf("a%d\\\nb%d\n", n, n)
			}
			want = append(want, fmt.Sprintf("m%d", n))
			return fmt.Sprintf("m%d\n", n)
		}
		pending := ""
		for range rapid.IntRange(1, 30).Draw(rt, "moves") {
			switch rapid.SampledFrom([]string{"write", "write", "half", "pass", "pass", "rotate", "crash", "restart"}).Draw(rt, "move") {
			case "write":
				b.write("a.log", pending+line())
				pending = ""
			case "half":
				text := pending + line()
				at := rapid.IntRange(0, len(text)).Draw(rt, "at")
				b.write("a.log", text[:at])
				pending = text[at:]
			case "pass":
				b.look()
			case "rotate":
				b.write("a.log", pending)
				pending = ""
				rotation++
				b.rename("a.log", fmt.Sprintf("a.log.%08d", rotation))
			case "crash":
				b.stop(false)
				b.start()
			case "restart":
				b.stop(true)
				b.start()
			}
		}
		b.write("a.log", pending)
		b.pass()
		seen := map[string]bool{}
		var got []string
		for _, text := range b.store.all() {
			if !seen[text] {
				seen[text] = true
				got = append(got, text)
			}
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("stored %q\nwant   %q", got, want)
		}
	})
}

func TestLive(t *testing.T) {
	for _, c := range []struct{ name, live, mark string }{
		{"a/0.log", "a/0.log", ""},
		{"a/0.log.20260102-030405", "a/0.log", "20260102-030405"},
		{"audit.log", "audit.log", ""},
		{"audit-2026-01-02T03-04-05.678.log", "audit.log", "2026-01-02T03-04-05.678"},
		{"audit-2026-01-02T03-04-05.log", "audit-2026-01-02T03-04-05.log", ""},
		{"events.json.3", "events.json", "3"},
		{"events.json-20260102", "events.json", "20260102"},
		{"events.json-20260102-1700000000", "events.json", "20260102-1700000000"},
		{"syslog.1", "syslog", "1"},
		{"syslog-20260102", "syslog", "20260102"},
		{"server-1", "server-1", ""},
		{"0.log.20260102-030405.gz", "0.log.20260102-030405.gz", ""},
		{"12345", "12345", ""}, {"", "", ""}, {".1", ".1", ""}, {"a.", "a.", ""}, {"a.log.-", "a.log.-", ""},
	} {
		if live, mark := Live(c.name); live != c.live || mark != c.mark {
			t.Errorf("%s is %s rotated by %q, want %s by %q", c.name, live, mark, c.live, c.mark)
		}
	}
	names := []string{"a.log", "a.log.1", "a.log.10", "a.log.2"}
	slices.SortFunc(names, byAge)
	if want := []string{"a.log.10", "a.log.2", "a.log.1", "a.log"}; !slices.Equal(names, want) {
		t.Errorf("the order is %v", names)
	}
	names = []string{"a.log", "a.log.20260103-000000", "a.log.20260102-030405"}
	slices.SortFunc(names, byAge)
	if names[0] != "a.log.20260102-030405" || names[2] != "a.log" {
		t.Errorf("the order is %v", names)
	}
}

func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte(`{"version":2,"files":[{"group":"a","path":"a.log","device":1,"inode":2,"head":"","head_len":0,"offset":3,"number":1}]}`))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "state.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		positions, err := loadCheckpoint(path)
		for _, p := range positions {
			if err != nil || p.Offset < 0 || p.Number < 0 || p.HeadLen > hashMax || int64(p.TailLen) > p.Offset {
				t.Errorf("%+v, %v", p, err)
			}
		}
	})
}

func FuzzLive(f *testing.F) {
	f.Add("a.log.1", "a.log")
	f.Fuzz(func(t *testing.T, a, b string) {
		live, mark := Live(a)
		if mark == "" && live != a || !strings.HasPrefix(a, filepath.Dir(a)) && filepath.Dir(live) != filepath.Dir(a) {
			t.Errorf("%q is %q rotated by %q", a, live, mark)
		}
		if byAge(a, b) != -byAge(b, a) {
			t.Errorf("%q and %q have no order", a, b)
		}
	})
}
