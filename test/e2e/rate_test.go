package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// asker is a service account that asks the API server.
type asker struct {
	t      *testing.T
	host   string
	client *http.Client
	target event.Ref
}

func newAsker(t *testing.T, client kubernetes.Interface, ns, name string) *asker {
	t.Helper()
	account, err := client.CoreV1().ServiceAccounts(ns).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token, err := client.CoreV1().ServiceAccounts(ns).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", plane(t).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config = rest.AnonymousClientConfig(config)
	config.BearerToken = token.Status.Token
	h, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return &asker{t, config.Host, h, event.Ref{Resource: "serviceaccounts", Kind: "ServiceAccount", Namespace: ns, Name: name, UID: string(account.UID)}}
}

// ask gives the code, and the UID of the FlowSchema that took the request.
func (a *asker) ask(ctx context.Context) (code int, schema string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.host+"/apis", nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := a.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get(flowcontrolv1.ResponseHeaderMatchedFlowSchemaUID), err
}

// TestAPIRate: the real API server sends the requests of a limited account to
// the schema that was made for it, refuses some when many come at a time, and
// leaves another account alone.
func TestAPIRate(t *testing.T) {
	client := admin(t)
	f, ns := fencedFor(t, "pod.label", "rate.api"), namespace(t, client)
	noisy, quiet := newAsker(t, client, ns, "noisy"), newAsker(t, client, ns, "quiet")
	k, _ := action.Lookup("rate.api")
	a, err := k.New(action.Deps{Cluster: f.kube}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	r := action.Request{Key: "rate-" + ns + "/limit", Target: noisy.target, Now: now, Until: now.Add(time.Hour)}
	_, done := do(t, a, r)
	schema, err := client.FlowcontrolV1().FlowSchemas().Get(t.Context(), action.OwnName(r.Key, ""), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the schema takes its requests", func(ctx context.Context) error {
		_, took, err := noisy.ask(ctx)
		if err == nil && took != string(schema.UID) {
			err = errors.New("another one does: " + took)
		}
		return err
	})
	if code, took, err := quiet.ask(t.Context()); err != nil || code != http.StatusOK || took == string(schema.UID) {
		t.Error("the other account:", code, took, err)
	}
	asked, refused := 0, 0
	eventually(t, "a refusal", func(ctx context.Context) error {
		codes := noisy.many(ctx, 200)
		asked += 200
		if refused += codes[http.StatusTooManyRequests]; refused == 0 {
			return fmt.Errorf("none of %d requests: %v", asked, codes)
		}
		return nil
	})
	t.Logf("%d of %d requests at a time were refused", refused, asked)
	undo(t, a, r, done, event.AtEndRestore)
	eventually(t, "its requests are taken as before", func(ctx context.Context) error {
		code, took, err := noisy.ask(ctx)
		if err == nil && (code != http.StatusOK || took == string(schema.UID)) {
			err = fmt.Errorf("code %d by %s", code, took)
		}
		return err
	})
}

// many asks many times at once, and counts the codes.
func (a *asker) many(ctx context.Context, n int) map[int]int {
	var mu sync.Mutex
	codes := map[int]int{}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			code, _, err := a.ask(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				codes[code]++
			}
		})
	}
	wg.Wait()
	return codes
}
