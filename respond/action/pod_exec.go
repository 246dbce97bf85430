package action

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/evidence"
)

const podExec = "pod.exec"

func init() {
	register(Kind{
		Name: podExec,
		Doc: "Runs an argument list, which no shell reads, in a container of a pod, once, and keeps its output in the object store. " +
			"What the command does is its own: it can't be undone.",
		Class:   Effect,
		OptIn:   true,
		Budget:  "pods",
		Targets: []string{"pods"},
		Config:  func() any { return new(ExecConfig) },
		Example: func() any { return &ExecConfig{Command: []string{"echo", "hello"}} },
		Check:   func(config any) error { return checked(podExec, config, ExecConfig.check) },
		Needs:   execNeeds(),
		Helps:   execHelps(),
		Admits:  execAdmits(),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[ExecConfig](podExec, config)
			if err != nil {
				return nil, err
			}
			return execution{capturing{d, podExec}, *c}, c.check()
		},
	})
}

func execNeeds() []Permission {
	return []Permission{
		{Resource: "pods", Verbs: []string{"get"}},
		{Resource: "pods/exec", Verbs: []string{"create"}, Grave: true},
	}
}

// execHelps: a command is asked for by WebSocket, which is a get (and from
// Kubernetes 1.35 on takes create besides). Without it goes by SPDY, the older
// way, which load balancers may not let through.
func execHelps() []Permission {
	return []Permission{{Resource: "pods/exec", Verbs: []string{"get"}, Grave: true}}
}

// execAdmits: what runs is not for an admission policy to know; that it is a
// command is.
func execAdmits() []Admit {
	return []Admit{{Resource: "pods/exec", Operation: "CONNECT", Expression: "has(object.command) && size(object.command) > 0 && !(has(object.tty) && object.tty)"}}
}

// ExecConfig are the parameters of pod.exec.
type ExecConfig struct {
	// Container is where; empty is the first.
	Container string `yaml:"container" json:"container,omitempty"`
	// Command is the program and its arguments.
	Command []string `yaml:"command" json:"command"`
	// MaxBytes bounds the output; 0 is 16 MiB.
	MaxBytes int64 `yaml:"max_bytes" json:"max_bytes,omitempty"`
}

// The bounds of a command.
const (
	maxArguments = 64
	maxArgument  = 4 << 10
)

func (c ExecConfig) check() error {
	if len(c.Command) == 0 || len(c.Command) > maxArguments || c.Command[0] == "" {
		return fmt.Errorf("%s: a command has 1 to %d arguments, the first of which is a program", podExec, maxArguments)
	}
	for _, a := range c.Command {
		if len(a) > maxArgument || strings.ContainsRune(a, 0) {
			return fmt.Errorf("%s: an argument has at most %d bytes, none of them 0", podExec, maxArgument)
		}
	}
	return checkMost(podExec, c.MaxBytes)
}

type execution struct {
	capturing
	config ExecConfig
}

// Plan lists the command.
func (e execution) Plan(ctx context.Context, r Request) (event.Plan, error) {
	pod, p, err := e.planned(ctx, r, e.config.Container)
	if err != nil {
		return p, err
	}
	p.Summary = fmt.Sprintf("run %q in %s", e.config.Command, r.Target)
	p.Notes = append(p.Notes, "the API can't make a command conditional on the pod's UID: it is looked at right before and after")
	w, err := command(pod, e.config.Container, e.config.Command)
	p.Writes = []event.Write{w}
	return p, err
}

// outputFile is where the output is kept.
const outputFile = "output.txt"

// Do runs the command, unless it was begun before: whether it ran then is not
// known when its output is not there, and it is not run twice.
func (e execution) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := e.checkCommand(r, p, "exec"); err != nil {
		return event.Receipt{}, err
	}
	store, err := e.store(r.Target)
	if err != nil {
		return event.Receipt{}, err
	}
	name := e.name(r, outputFile)
	if o, err := store.Find(ctx, name); !errors.Is(err, evidence.ErrNone) {
		return kept(r, p, []evidence.Object{o}), err
	}
	if _, err := readPod(ctx, e.Deps, r.Target); err != nil {
		return event.Receipt{}, err
	}
	if err := store.Begin(ctx, name); errors.Is(err, evidence.ErrExists) {
		return event.Receipt{}, refuse(r.Target, "it is not known whether the command ran: it was begun before, and its output is not there; it is not run twice")
	} else if err != nil {
		return event.Receipt{}, err
	}
	var said bytes.Buffer
	o, code, err := e.run(ctx, r, p, outputFile, e.config.MaxBytes, func(w io.Writer) kube.Streams {
		both := &together{w: w}
		return kube.Streams{Stdout: both, Stderr: both}
	})
	if err != nil {
		return event.Receipt{}, err
	}
	done := kept(r, p, []evidence.Object{o})
	done.Output["exit_code"] = "0"
	if code != nil {
		done.Output["exit_code"] = strconv.Itoa(code.Code)
		done.Notes = append(done.Notes, fmt.Sprintf("the command ended with %d", code.Code))
	}
	if o.Size <= maxShown {
		if _, err := store.Read(ctx, "firebreak", name, &said); err == nil {
			done.Output["text"] = strings.ToValidUTF8(said.String(), "�")
		}
	}
	return done, nil
}

// maxShown is the longest output that later steps may read.
const maxShown = 1 << 10

// Verify looks whether the output is in the store.
func (e execution) Verify(ctx context.Context, r Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	return e.verify(ctx, r, done, []string{outputFile})
}
