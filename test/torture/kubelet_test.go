//go:build linux

package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// kubelet writes the log of one container in the CRI form and rotates it by rename, as a kubelet does.
type kubelet struct {
	t    *testing.T
	name string // l0 and so on
	dir  string // of the container
	pace *pace
	// perFile is after how many lines the file is rotated, kept how many rotated files stay.
	perFile, kept int
	file          *os.File
	rotated       time.Time
	// accepted is how many lines were written.
	accepted int
	ended    bool
}

func newKubelet(t *testing.T, name, logs string, p *pace, perFile int) *kubelet {
	t.Helper()
	k := &kubelet{
		t: t, name: name, dir: filepath.Join(logs, "shop_"+name+"_0f3e8a52-"+name, "app"), pace: p, perFile: perFile, kept: 10,
		rotated: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	k.open()
	t.Cleanup(func() { k.file.Close() })
	return k
}

func (k *kubelet) open() {
	file, err := os.OpenFile(filepath.Join(k.dir, "0.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		k.t.Error(err)
	}
	k.file = file
}

// run writes until load is done.
func (k *kubelet) run(load context.Context) {
	for {
		n := k.pace.take(load, 1+rand.IntN(50))
		if n == 0 {
			return
		}
		for range n {
			k.line(marker(k.name, k.accepted))
			k.accepted++
			if k.accepted%k.perFile == 0 {
				k.rotate()
			}
		}
	}
}

// end writes the last line.
func (k *kubelet) end() {
	k.line(marker(k.name, -1))
	k.ended = true
}

// line writes a line, now and then in two parts as the runtime cuts long ones.
func (k *kubelet) line(m string) {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	text := fmt.Sprintf("%s stdout F order was taken %s\n", now, m)
	if rand.IntN(7) == 0 {
		text = fmt.Sprintf("%s stdout P order was \n%s stdout F taken %s\n", now, now, m)
	}
	if _, err := k.file.WriteString(text); err != nil {
		k.t.Error(err)
	}
}

// rotate gives the file its name of a rotated one and begins a new one; the oldest is deleted.
func (k *kubelet) rotate() {
	path := filepath.Join(k.dir, "0.log")
	k.rotated = k.rotated.Add(time.Second)
	if err := os.Rename(path, path+"."+k.rotated.Format("20060102-150405")); err != nil {
		k.t.Error(err)
	}
	k.file.Close()
	k.open()
	old, err := filepath.Glob(path + ".*")
	if err != nil {
		k.t.Error(err)
	}
	slices.Sort(old)
	for _, gone := range old[:max(0, len(old)-k.kept)] {
		if err := os.Remove(gone); err != nil {
			k.t.Error(err)
		}
	}
}
