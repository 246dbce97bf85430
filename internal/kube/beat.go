package kube

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// BeatName is the pod that heartbeats ask for, which there is none of.
const BeatName = "firebreak-heartbeat"

// Beat asks the API server for a pod of a namespace that is not there, with
// the text as user agent and audit id: the cheapest request that the shipped
// audit policy has logged. The API server takes the audit id of a request over
// (https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/). That
// there is no such pod, or that the request is refused, is no error: it was
// answered.
func (c *Client) Beat(ctx context.Context, namespace, text string) error {
	err := c.typed.CoreV1().RESTClient().Get().Namespace(namespace).Resource("pods").Name(BeatName).
		Param("resourceVersion", "0").SetHeader("Audit-ID", text).SetHeader("User-Agent", text).Do(ctx).Error()
	var status apierrors.APIStatus
	if err == nil || errors.As(err, &status) {
		return nil
	}
	return fmt.Errorf("send heartbeat: %w", err)
}
