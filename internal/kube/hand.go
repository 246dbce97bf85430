package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/exec"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Command is the body of a planned write to pods/exec: an argument list, which
// no shell reads.
type Command struct {
	Container string   `json:"container,omitempty"`
	Command   []string `json:"command"`
}

// Streams are where the output of a command goes; nil is nowhere.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Command runs the command of a planned write to pods/exec. The API has no way
// to make it conditional on the pod's UID: whoever asks for it looks at the pod
// before and after. Its output is the container's, who may be hostile.
func (c *Client) Command(ctx context.Context, w event.Write, s Streams) error {
	var command Command
	if err := json.Unmarshal(w.Body, &command); err != nil {
		return fmt.Errorf("exec %s/%s: decode body: %w", w.Namespace, w.Name, err)
	}
	if w.Verb != "create" || w.Resource != "pods" || w.Group != "" || w.Subresource != "exec" || len(command.Command) == 0 {
		return fmt.Errorf("exec %s/%s: write is no command", w.Namespace, w.Name)
	}
	err := c.Exec(ctx, ExecRequest{
		Namespace: w.Namespace, Pod: w.Name, Container: command.Container, Command: command.Command,
		Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr,
	})
	var code exec.CodeExitError
	if errors.As(err, &code) {
		return &ExitError{Code: code.Code}
	}
	return err
}

// ExitError says that a command ran, and ended with another code than 0.
type ExitError struct{ Code int }

// Error says the code.
func (e *ExitError) Error() string { return fmt.Sprintf("command ended with %d", e.Code) }

// Call sends a planned write that the API server hands on, as it does with
// nodes/proxy, by POST, and gives at most that many bytes of the answer;
// [ErrTooLarge] says that there were more.
func (c *Client) Call(ctx context.Context, w event.Write, most int64) ([]byte, error) {
	if w.Verb != "create" || w.Group != "" || w.Name == "" || w.Dry() {
		return nil, fmt.Errorf("call %s %s: write is none that is handed on", resourceOf(w), w.Name)
	}
	r := c.typed.CoreV1().RESTClient().Post().Resource(w.Resource).Name(w.Name).SubResource(strings.Split(w.Subresource, "/")...)
	if w.Namespace != "" {
		r = r.Namespace(w.Namespace)
	}
	body, err := r.Body(bytes.NewReader(w.Body)).Stream(ctx)
	if err != nil {
		return nil, asked(w).fail(err)
	}
	defer body.Close()
	answer, err := io.ReadAll(io.LimitReader(body, most+1))
	if err == nil && int64(len(answer)) > most {
		answer, err = answer[:most], ErrTooLarge
	}
	return answer, asked(w).fail(err)
}

// LogOptions say what to read of a container's log.
type LogOptions struct {
	Container string
	// Previous is the log of the container before its last restart.
	Previous bool
	// Since and Tail are where to begin: how long ago, how many lines from the
	// end. Zero is the beginning.
	Since time.Duration
	Tail  int64
	// Times puts the time before each line.
	Times bool
	// Most is how many bytes the kubelet gives at most; zero is all.
	Most int64
}

// Logs reads a container's log. Whoever asks closes it.
func (c *Client) Logs(ctx context.Context, namespace, pod string, o LogOptions) (io.ReadCloser, error) {
	options := &corev1.PodLogOptions{Container: o.Container, Previous: o.Previous, Timestamps: o.Times}
	if o.Since > 0 {
		at := metav1.NewTime(time.Now().Add(-o.Since))
		options.SinceTime = &at
	}
	if o.Tail > 0 {
		options.TailLines = &o.Tail
	}
	if o.Most > 0 {
		options.LimitBytes = &o.Most
	}
	body, err := c.typed.CoreV1().Pods(namespace).GetLogs(pod, options).Stream(ctx)
	if err != nil {
		return nil, request{"get", "", "pods/log", namespace, pod}.fail(err)
	}
	return body, nil
}
