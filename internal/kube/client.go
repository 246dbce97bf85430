package kube

import (
	"fmt"
	"net/http"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/flowcontrol"
)

// Options say how to reach a cluster and as whom.
type Options struct {
	// Kubeconfig is a file. When it is empty the service account of the pod
	// that this process runs in is used, else what kubectl would use.
	Kubeconfig string
	// Context names one of the kubeconfig's, empty is its current one.
	Context string
	// Token replaces the kubeconfig's credential by a bearer token.
	Token string
	// QPS and Burst bound the requests a second (200 and 1,000 when zero): an
	// incident is no time to load the API server, and no time to wait either. A
	// run asks for about six things, and at 50 a second those of a storm waited
	// for nothing but this. How many are under way at once is bounded by who asks,
	// and the API server's own priority and fairness by what it can bear.
	QPS       float32
	Burst     int
	UserAgent string
}

// The bounds on requests that apply where Options say nothing.
const (
	DefaultQPS   = 200
	DefaultBurst = 1000
)

// Client talks to one cluster as one identity.
type Client struct {
	config  *rest.Config
	typed   kubernetes.Interface
	dynamic dynamic.Interface
	failing failing
	silent  silences
}

// New makes a client. It does not connect: use [Client.Who] to try.
func New(o Options) (*Client, error) {
	config, err := load(o)
	if err != nil {
		return nil, fmt.Errorf("load kubeconfig: %w", err)
	}
	if o.Token != "" {
		config = rest.AnonymousClientConfig(config)
		config.BearerToken = o.Token
	}
	return newClient(config, o)
}

// newClient makes a client that reaches its cluster so.
func newClient(config *rest.Config, o Options) (c *Client, err error) {
	if o.QPS == 0 {
		o.QPS = DefaultQPS
	}
	if o.Burst == 0 {
		o.Burst = DefaultBurst
	}
	if o.UserAgent == "" {
		o.UserAgent = FieldManager
	}
	config.QPS, config.Burst, config.UserAgent = o.QPS, o.Burst, o.UserAgent
	// One limiter for both clients: each would make its own.
	config.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(o.QPS, o.Burst)
	config.WarningHandler = rest.NoWarnings{}
	c = &Client{config: config}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return counting{next, &c.failing, &c.silent.away} })
	typed := rest.CopyConfig(config)
	// It is less work for both sides.
	typed.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	if c.typed, err = kubernetes.NewForConfig(typed); err != nil {
		return nil, fmt.Errorf("make Kubernetes client: %w", err)
	}
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make Kubernetes client: %w", err)
	}
	return c, nil
}

func load(o Options) (*rest.Config, error) {
	if o.Kubeconfig == "" && o.Context == "" && os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return rest.InClusterConfig()
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if o.Kubeconfig != "" {
		rules = &clientcmd.ClientConfigLoadingRules{ExplicitPath: o.Kubeconfig}
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.Context}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
}

// Host is the address of the API server.
func (c *Client) Host() string { return c.config.Host }

// REST says how the client reaches the cluster. It is a copy, for package
// index, which has clients of its own; nobody else needs it.
func (c *Client) REST() *rest.Config { return rest.CopyConfig(c.config) }
