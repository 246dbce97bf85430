package kube

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"k8s.io/client-go/rest"
)

// ErrNoToken says that a kubeconfig authenticates by something else than a
// bearer token (a client certificate, most often).
var ErrNoToken = errors.New("the kubeconfig has no bearer token")

// Token gives the bearer token that kubectl would use: from the kubeconfig, a
// token file or an exec plugin. [ErrNoToken] says that there is none.
func Token(o Options) (string, error) {
	if o.Token != "" {
		return o.Token, nil
	}
	config, err := load(o)
	if err != nil {
		return "", fmt.Errorf("load kubeconfig: %w", err)
	}
	seen := &capture{}
	wrapped, err := rest.HTTPWrappersForConfig(config, seen)
	if err != nil {
		return "", fmt.Errorf("read credential: %w", err)
	}
	req, err := http.NewRequest(http.MethodGet, config.Host, nil)
	if err != nil {
		return "", fmt.Errorf("read credential: %w", err)
	}
	resp, err := wrapped.RoundTrip(req)
	if err != nil {
		return "", fmt.Errorf("read credential: %w", err)
	}
	if err := resp.Body.Close(); err != nil {
		return "", fmt.Errorf("read credential: %w", err)
	}
	token, ok := strings.CutPrefix(seen.authorization, "Bearer ")
	if !ok || token == "" {
		return "", ErrNoToken
	}
	return token, nil
}

// capture is a transport that sends nothing: it only sees the credential that
// client-go would have sent.
type capture struct{ authorization string }

func (c *capture) RoundTrip(r *http.Request) (*http.Response, error) {
	c.authorization = r.Header.Get("Authorization")
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
}
