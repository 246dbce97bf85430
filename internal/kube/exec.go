package kube

import (
	"context"
	"errors"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"
)

// ExecRequest is a command to run in a container. Streams that are nil are
// not opened.
type ExecRequest struct {
	Namespace, Pod, Container string
	Command                   []string
	Stdin                     io.Reader
	Stdout, Stderr            io.Writer
}

// Exec runs a command in a container, by WebSocket and where the server has
// none by SPDY. Actions go by [Client.Command], which sends what a plan lists.
func (c *Client) Exec(ctx context.Context, e ExecRequest) error {
	asked := request{"create", "", "pods/exec", e.Namespace, e.Pod}
	fail := func(err error) error { return asked.fail(refusedUpgrade(err)) }
	url := c.typed.CoreV1().RESTClient().Post().
		Resource("pods").Namespace(e.Namespace).Name(e.Pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: e.Container, Command: e.Command,
			Stdin: e.Stdin != nil, Stdout: e.Stdout != nil, Stderr: e.Stderr != nil,
		}, scheme.ParameterCodec).URL()
	socket, err := remotecommand.NewWebSocketExecutor(c.config, "GET", url.String())
	if err != nil {
		return fail(err)
	}
	spdy, err := remotecommand.NewSPDYExecutor(c.config, "POST", url)
	if err != nil {
		return fail(err)
	}
	exec, err := remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		return fail(err)
	}
	return fail(exec.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: e.Stdin, Stdout: e.Stdout, Stderr: e.Stderr}))
}

// refusedUpgrade gives the class of an answer of 403 back that the libraries
// below make a text of.
func refusedUpgrade(err error) error {
	const refused = " is forbidden: "
	if err == nil || !strings.Contains(err.Error(), refused) {
		return err
	}
	_, why, _ := strings.Cut(err.Error(), refused)
	return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New(why))
}
