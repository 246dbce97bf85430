package controlplane_test

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// processes lists the command lines, by process id, that name the directory.
func processes(t *testing.T, dir string) map[int]string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("looks for processes in /proc")
	}
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(data, []byte(dir)) {
			continue // it ended meanwhile, or is somebody else's
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		found[pid] = strings.ReplaceAll(string(data), "\x00", " ")
	}
	return found
}

// kill ends, without a warning, the process whose command line holds the word.
func kill(t *testing.T, running map[int]string, word string) {
	t.Helper()
	for pid, line := range running {
		if strings.Contains(line, word) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no process has %q: %v", word, running)
}

// hasLine reports whether one line of the file holds all the words.
func hasLine(t *testing.T, path string, words ...string) bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
next:
	for lines.Scan() {
		for _, word := range words {
			if !bytes.Contains(lines.Bytes(), []byte(word)) {
				continue next
			}
		}
		return true
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return false
}
