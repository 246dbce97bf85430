package action

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/evidence"
)

const podFiles = "pod.files"

func init() {
	register(Kind{
		Name: podFiles,
		Doc: "Keeps files and directories of a container in the object store, as a tar archive that the container's own tar writes. " +
			"An image without tar has none to give.",
		Class:    Effect,
		OptIn:    true,
		Evidence: true,
		Targets:  []string{"pods"},
		Config:   func() any { return new(FilesConfig) },
		Example:  func() any { return &FilesConfig{Paths: []string{"/tmp"}} },
		Check:    func(config any) error { return checked(podFiles, config, FilesConfig.check) },
		Needs:    execNeeds(),
		Helps:    execHelps(),
		Admits:   execAdmits(),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[FilesConfig](podFiles, config)
			if err != nil {
				return nil, err
			}
			return fileCapture{capturing{d, podFiles}, *c}, c.check()
		},
	})
}

// FilesConfig are the parameters of pod.files.
type FilesConfig struct {
	// Container is whose files; empty is the first.
	Container string `yaml:"container" json:"container,omitempty"`
	// Paths are absolute; of a directory all below is kept.
	Paths []string `yaml:"paths" json:"paths"`
	// MaxBytes bounds the archive, which is cut there; 0 is 16 MiB.
	MaxBytes int64 `yaml:"max_bytes" json:"max_bytes,omitempty"`
}

const maxPaths = 32

func (c FilesConfig) check() error {
	if len(c.Paths) == 0 || len(c.Paths) > maxPaths {
		return fmt.Errorf("%s: there are 1 to %d paths", podFiles, maxPaths)
	}
	for _, p := range c.Paths {
		if !path.IsAbs(p) || path.Clean(p) != p || len(p) > maxArgument || strings.ContainsRune(p, 0) {
			return fmt.Errorf("%s: %q is no clean absolute path", podFiles, p)
		}
	}
	return checkMost(podFiles, c.MaxBytes)
}

type fileCapture struct {
	capturing
	config FilesConfig
}

// Plan lists the one command.
func (f fileCapture) Plan(ctx context.Context, r Request) (event.Plan, error) {
	pod, p, err := f.planned(ctx, r, f.config.Container)
	if err != nil {
		return p, err
	}
	p.Summary = fmt.Sprintf("keep %s of %s", strings.Join(f.config.Paths, ", "), r.Target)
	p.Notes = append(p.Notes, "tar is the container's own, which whoever took it over may have replaced")
	list := []string{"tar", "-cf", "-", "-C", "/", "--"}
	for _, at := range f.config.Paths {
		list = append(list, "."+at) // never an option
	}
	w, err := command(pod, f.config.Container, list)
	p.Writes = []event.Write{w}
	return p, err
}

const archiveFile = "files.tar"

// Do keeps the archive. A tar that misses a file says so, and keeps the others.
func (f fileCapture) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := f.checkCommand(r, p, "exec"); err != nil {
		return event.Receipt{}, err
	}
	if _, err := f.store(r.Target); err != nil {
		return event.Receipt{}, err
	}
	if _, err := readPod(ctx, f.Deps, r.Target); err != nil {
		return event.Receipt{}, err
	}
	said := &limited{most: maxShown}
	o, code, err := f.run(ctx, r, p, archiveFile, f.config.MaxBytes, func(w io.Writer) kube.Streams {
		return kube.Streams{Stdout: w, Stderr: said}
	})
	if err != nil {
		return event.Receipt{}, err
	}
	done := kept(r, p, []evidence.Object{o})
	if code != nil {
		done = changed(done, event.ResultPartial, fmt.Sprintf("tar ended with %d: %s", code.Code, strings.ToValidUTF8(string(said.text), "�")))
	}
	return done, nil
}

// Verify looks whether the archive is in the store.
func (f fileCapture) Verify(ctx context.Context, r Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	return f.verify(ctx, r, done, []string{archiveFile})
}

// limited keeps the beginning of what is written to it.
type limited struct {
	text []byte
	most int
}

// Write never fails.
func (l *limited) Write(p []byte) (int, error) {
	l.text = append(l.text, p[:min(len(p), l.most-len(l.text))]...)
	return len(p), nil
}
